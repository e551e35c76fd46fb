"""The parts of typing that the package uses, without typing's import time (law 7).

Up to Python 3.12 typing brings re along, and both take longer to import than a bare
interpreter takes to start. Type checkers see typing's own; a running program sees records
as collections.namedtuple makes them, and text in the place of what only a checker reads:
typing.get_type_hints makes of it what typing would have made.
"""

__all__ = ["Any", "Literal", "NamedTuple", "NoReturn", "TypeVar"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal, NamedTuple, NoReturn, TypeVar
else:
    from collections import namedtuple

    class _Written(str):
        """A type as text; typing.get_type_hints turns it into a type when it is called."""

        __slots__ = ()

        def __or__(self, other):
            return _Written(f"{self} | {getattr(other, '__qualname__', other)}")

        def __ror__(self, other):
            return _Written(f"{getattr(other, '__qualname__', other)} | {self}")

    _typing = "__import__('typing')"
    Any, NoReturn = _Written(f"{_typing}.Any"), _Written(f"{_typing}.NoReturn")

    class Literal:
        """Literal["a", "b"]."""

        def __class_getitem__(cls, values):
            return _Written(f"{_typing}.Literal[{values!r}]")

    def TypeVar(*_about):  # noqa: N802  # typing's name
        """T = TypeVar("T"), with or without the types it stands for."""
        return object

    class _Record(type):
        """Turns a class body with annotations into a namedtuple with its methods."""

        def __new__(cls, name, _bases, body):
            # Python 3.14 keeps a function that gives the annotations: 1 asks for their values.
            types = body.pop("__annotations__", None) or body.pop("__annotate_func__")(1)
            defaults = [body.pop(field) for field in types if field in body]
            made = namedtuple(name, types, defaults=defaults, module=body["__module__"])  # noqa: PYI024
            made.__annotations__ = types
            for attribute, value in body.items():
                setattr(made, attribute, value)
            return made

    NamedTuple = type.__new__(_Record, "NamedTuple", (), {})
