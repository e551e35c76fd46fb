"""The errors that a caller may catch, and how their sentences name an option for each reader.

A sentence may name options. A flag is written --dialect, a parameter of the page dialect, a field
of Options dialect; so an error keeps the option as a Setting, and each reader's surface writes it.
"""

from llmsim.typed import NamedTuple


class Surface(NamedTuple):
    """How a reader writes an option: the text before its name, and between its name and its
    value.
    """

    prefix: str
    joint: str
    underscores: bool = False  # whether names are Python's: speed_factor, not speed-factor
    lists: bool = True  # whether the reader can say --list models; else the page has the list

    def text(self, text: str) -> str:
        """A text in which "--list models" is what this reader would look at."""
        before, flag, rest = text.partition("--list ")
        if self.lists or not flag:
            return text
        what = rest[: len(rest) - len(rest.lstrip("abcdefghijklmnopqrstuvwxyz"))]
        place = "documentation" if what in ("incidents", "releases") else "settings"
        return f"{before}the list of {what} in the {place}{rest.removeprefix(what)}"


FLAG = Surface("--", " ")
PARAMETER = Surface("", "=", lists=False)
FIELD = Surface("", "=", underscores=True)


class Setting(NamedTuple):
    """An option in a sentence, by its name in the table; with a value, if one is meant."""

    name: str
    value: str = ""

    def shown(self, surface: Surface) -> str:
        """The option as the reader would give it."""
        name = self.name.replace("-", "_") if surface.underscores else self.name
        name += "_" * (surface.underscores and name == "from")  # a word of Python's own
        value = repr(self.value) if surface.underscores else self.value
        return surface.prefix + name + (surface.joint + value if self.value else "")


class LlmsimError(ValueError):
    """llmsim cannot do what it was asked to do. The error is one sentence for a person.

    The arguments are the pieces of the sentence: texts and Settings. `str()` of the error is the
    sentence as a Python caller should read it.
    """

    def sentence(self, surface: Surface) -> str:
        """The sentence for a reader of this surface."""
        pieces = (p.shown(surface) if isinstance(p, Setting) else str(p) for p in self.args)
        return surface.text("".join(pieces))

    def __str__(self) -> str:
        """The sentence as a Python caller should read it."""
        return self.sentence(FIELD)


class CatalogError(LlmsimError):
    """A list, or a name that was looked up in it, is wrong."""


class PlanError(LlmsimError):
    """No job satisfies the options; the sentence gives the arithmetic."""


class OptionError(LlmsimError):
    """An option is wrong. From a parser of values: the part of the sentence after the option's
    name.
    """


class DialectError(LlmsimError):
    """A function of a dialect in another package fails; names the package, function and error."""


class ExportError(LlmsimError):
    """An export cannot be written; names its kind and its destination."""


class ServeError(LlmsimError):
    """The pages cannot be served: the address is taken, or not there."""


class NvidiaSmiError(LlmsimError):
    """What nvidia-smi says of an argument that it does not know, with its exit status."""

    def __init__(self, text: str, status: int = 2) -> None:
        """`status` is nvidia-smi's own: 2 for an argument, 6 for a GPU that is not found."""
        super().__init__(text)
        self.status = status


class GradeError(LlmsimError):
    """A file of rules or panels cannot be judged: it is none, or its expression is none."""


def kind_of(value: object) -> str:
    """The type of a value with its article, for a sentence that refuses it."""
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
