"""What the dialects want of importlib.metadata: the plug-ins of other packages. A page has none."""


def entry_points(**_selection: str) -> tuple[()]:
    """Nothing is installed."""
    return ()
