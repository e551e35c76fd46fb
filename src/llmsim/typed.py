"""What we use of typing, without importing it on the way to the first line (law 6).

Up to Python 3.12 typing brings re along, and both take longer to import than a bare
interpreter takes to start. Type checkers see typing's own; a running program sees records
as collections.namedtuple makes them, and `object` in the place of what only a checker reads.
"""

__all__ = ["Any", "Literal", "NamedTuple", "NoReturn", "TypeVar"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal, NamedTuple, NoReturn, TypeVar
else:
    from collections import namedtuple

    Any = NoReturn = object

    class Literal:
        """Literal["a", "b"]."""

        def __class_getitem__(cls, values):
            return object

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
