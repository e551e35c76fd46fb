"""The parts of typing that the package uses, without typing's import time (law 7).

Up to Python 3.12 typing brings re along, and both take longer to import than a bare
interpreter takes to start. Type checkers see typing's own; a running program sees records
as typing makes them, and text in the place of what only a checker reads:
typing.get_type_hints makes of it what typing would have made.
"""

__all__ = ["Any", "Literal", "NamedTuple", "NoReturn", "TypeVar"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal, NamedTuple, NoReturn, TypeVar
else:
    from collections import _tuplegetter, namedtuple

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

    # What all records share; collections.namedtuple makes it anew for each, which takes most of its
    # time, and a first line waits for a hundred records.
    def _make(cls, iterable):
        """Make a new object from a sequence or iterable."""
        made = tuple.__new__(cls, iterable)
        if len(made) != len(cls._fields):
            raise TypeError(f"Expected {len(cls._fields)} arguments, got {len(made)}")
        return made

    def _replace(self, /, **kwds):
        """Return a new object replacing specified fields with new values."""
        made = tuple.__new__(type(self), map(kwds.pop, self._fields, self))
        if kwds:
            raise _UnexpectedError(f"Got unexpected field names: {[*kwds]!r}")
        return made

    def _shown(self):
        """Return a nicely formatted representation string."""
        pairs = zip(self._fields, self, strict=True)
        return f"{type(self).__name__}({', '.join([f'{name}={value!r}' for name, value in pairs])})"

    def _asdict(self):
        """Return a new dict which maps field names to their values."""
        return dict(zip(self._fields, self, strict=True))

    def _plain(self):
        """Return self as a plain tuple, for copy and pickle."""
        return tuple(self)

    class _UnexpectedError(TypeError, ValueError):
        """A field that there is not: ValueError up to Python 3.12, TypeError from 3.13 on."""

    _SHARED = {
        "__slots__": (),
        "_make": classmethod(_make),
        "_replace": _replace,
        "__replace__": _replace,
        "__repr__": _shown,
        "_asdict": _asdict,
        "__getnewargs__": _plain,
    }
    _Function = type(_make)
    _codes = {}  # of the functions that make tuples, by the number of arguments

    def _new(name, fields, defaults):
        """The function (cls, *fields) that makes a record; one is compiled for each number of
        fields.
        """
        code = _codes.get(len(fields))
        if code is None:
            sample = namedtuple("Sample", [f"field{number}" for number in range(len(fields))])  # noqa: PYI024
            code = _codes[len(fields)] = sample.__new__.__code__
        code = code.replace(
            co_varnames=("_cls", *fields), co_name="__new__", co_qualname=f"{name}.__new__"
        )
        known = {"_tuple_new": tuple.__new__, "__builtins__": {}}
        return _Function(code, known, "__new__", defaults)

    class _Record(type):
        """Turns a class body with annotations into a named tuple with its methods."""

        def __new__(cls, name, _bases, body):
            # Python 3.14 keeps a function that gives the annotations: 1 asks for their values.
            types = body.pop("__annotations__", None) or body.pop("__annotate_func__")(1)
            fields = tuple(types)
            defaults = {field: body.pop(field) for field in fields if field in body}
            given = tuple(defaults)
            if given != fields[len(fields) - len(given) :]:
                raise TypeError("a field without a default follows one that has one")
            made = type(name, (tuple,), {
                **_SHARED,
                "__doc__": f"{name}({', '.join(fields)})",
                "_fields": fields,
                "_field_defaults": defaults,
                "__match_args__": fields,
                "__new__": _new(name, fields, tuple(defaults.values())),
                **{field: _tuplegetter(number, "") for number, field in enumerate(fields)},
                **body,
            })  # fmt: skip
            made.__annotations__ = types
            return made

    NamedTuple = type.__new__(_Record, "NamedTuple", (), {})
