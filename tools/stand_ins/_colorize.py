"""What traceback wants of _colorize: a theme without colours, since the page has its own."""


class Plain:
    """A theme whose every colour is none."""

    def __getattr__(self, _role: str) -> str:
        """The code that begins a colour: no characters."""
        return ""


class Theme:
    """The themes of the parts of Python that have colours."""

    traceback = syntax = Plain()


def can_colorize(**_asked: object) -> bool:
    """Nothing can be coloured."""
    return False


def get_theme(**_asked: object) -> Theme:
    """The theme without colours."""
    return Theme()
