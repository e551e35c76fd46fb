"""The page has no packages of other people, so no dialects of theirs."""


def plugins() -> dict[str, object]:
    """The dialects of other packages, by name: none."""
    return {}
