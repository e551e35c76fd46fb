"""What a caller may catch, and how a sentence names an option where it is read.

A sentence may name options. A flag is written --dialect, a parameter of the page dialect, a field
of Options dialect; so an error keeps the option as a Setting, and each reader's surface writes it.
"""

from llmsim.typed import NamedTuple


class Surface(NamedTuple):
    """How a reader gives an option: what stands before its name, and between name and value."""

    prefix: str
    joint: str
    underscores: bool = False  # whether a name is one of Python


FLAG = Surface("--", " ")
PARAMETER = Surface("", "=")
FIELD = Surface("", "=", underscores=True)


class Setting(NamedTuple):
    """An option in a sentence, by its name in the table; with a value, if one is meant."""

    name: str
    value: str = ""

    def shown(self, surface: Surface) -> str:
        """The option as the reader would give it."""
        name = self.name.replace("-", "_") if surface.underscores else self.name
        value = repr(self.value) if surface.underscores else self.value
        return surface.prefix + name + (surface.joint + value if self.value else "")


class LlmsimError(ValueError):
    """Something that was asked of llmsim cannot be: one sentence for a person.

    The arguments are the pieces of the sentence: texts and Settings. `str()` of the error is the
    sentence for somebody who calls from Python.
    """

    def sentence(self, surface: Surface) -> str:
        """The sentence for a reader of this surface."""
        pieces = (p.shown(surface) if isinstance(p, Setting) else str(p) for p in self.args)
        return "".join(pieces)

    def __str__(self) -> str:
        """The sentence for who calls from Python."""
        return self.sentence(FIELD)


class CatalogError(LlmsimError):
    """A list, or a name that was looked up in it, is wrong."""


class PlanError(LlmsimError):
    """Options that no job satisfies; says why, with the arithmetic."""


class OptionError(LlmsimError):
    """A wrong use of the options; from a parser of values, what follows the option's name."""


class ExportError(LlmsimError):
    """An export cannot be written; names its kind and its destination."""


def kind_of(value: object) -> str:
    """The type of a value with its article, for a sentence that refuses it."""
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
