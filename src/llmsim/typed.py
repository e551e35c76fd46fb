"""The parts of typing and datetime that the package uses, without their import time (law 7).

Up to Python 3.12 typing brings re along, and both take longer to import than a bare
interpreter takes to start. Type checkers see typing's own; a running program sees records
as typing makes them, and text in the place of what only a checker reads:
typing.get_type_hints makes of it what typing would have made.

Python 3.11's datetime defines its classes in Python, and then replaces them by its classes in C,
which takes a fifteenth of a bare interpreter's start. The classes here are the ones in C.
"""

__all__ = [
    "Any",
    "Literal",
    "NamedTuple",
    "NoReturn",
    "TypeVar",
    "date",
    "datetime",
    "later_type",
    "time",
    "timedelta",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import date, datetime, time, timedelta
    from typing import Any, Literal, NamedTuple, NoReturn, TypeVar

    def later_type(module: str, name: str) -> Any:
        """See below."""
else:
    from _collections import _tuplegetter
    from _datetime import date, datetime, time, timedelta

    class _Written(str):
        """A type as text; typing.get_type_hints turns it into a type when it is called."""

        __slots__ = ()

        def __or__(self, other):
            return _Written(f"{self} | {getattr(other, '__qualname__', other)}")

        def __ror__(self, other):
            return _Written(f"{getattr(other, '__qualname__', other)} | {self}")

    def later_type(module, name):
        """A type of a module that only an annotation needs, so that nothing imports it early."""
        return _Written(f"__import__('importlib').import_module({module!r}).{name}")

    _typing = "__import__('typing')"
    Any, NoReturn = _Written(f"{_typing}.Any"), _Written(f"{_typing}.NoReturn")

    class Literal:
        """Literal["a", "b"]."""

        def __class_getitem__(cls, values):
            return _Written(f"{_typing}.Literal[{values!r}]")

    def TypeVar(*_about, **_limits):  # noqa: N802  # typing's name
        """T = TypeVar("T"), with or without the types or the bound that it stands for."""
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
    # The functions that make tuples of 0, 1, 2 ... fields are compiled with this module, since to
    # compile one takes longer than all else about a record. A record of more fields than these is
    # made from the locals of its function, which are its arguments: slower, and seldom.
    _tuple_new = tuple.__new__
    # fmt: off
    _makers = [
        lambda _cls: _tuple_new(_cls, ()),
        lambda _cls, a: _tuple_new(_cls, (a,)),
        lambda _cls, a, b: _tuple_new(_cls, (a, b)),
        lambda _cls, a, b, c: _tuple_new(_cls, (a, b, c)),
        lambda _cls, a, b, c, d: _tuple_new(_cls, (a, b, c, d)),
        lambda _cls, a, b, c, d, e: _tuple_new(_cls, (a, b, c, d, e)),
        lambda _cls, a, b, c, d, e, f: _tuple_new(_cls, (a, b, c, d, e, f)),
        lambda _cls, a, b, c, d, e, f, g: _tuple_new(_cls, (a, b, c, d, e, f, g)),
        lambda _cls, a, b, c, d, e, f, g, h: _tuple_new(_cls, (a, b, c, d, e, f, g, h)),
        lambda _cls, a, b, c, d, e, f, g, h, i: _tuple_new(_cls, (a, b, c, d, e, f, g, h, i)),
        lambda _cls, a, b, c, d, e, f, g, h, i, j:
            _tuple_new(_cls, (a, b, c, d, e, f, g, h, i, j)),
        lambda _cls, a, b, c, d, e, f, g, h, i, j, k:
            _tuple_new(_cls, (a, b, c, d, e, f, g, h, i, j, k)),
        lambda _cls, a, b, c, d, e, f, g, h, i, j, k, m:
            _tuple_new(_cls, (a, b, c, d, e, f, g, h, i, j, k, m)),
        lambda _cls, a, b, c, d, e, f, g, h, i, j, k, m, n:
            _tuple_new(_cls, (a, b, c, d, e, f, g, h, i, j, k, m, n)),
        lambda _cls, a, b, c, d, e, f, g, h, i, j, k, m, n, o:
            _tuple_new(_cls, (a, b, c, d, e, f, g, h, i, j, k, m, n, o)),
        lambda _cls, a, b, c, d, e, f, g, h, i, j, k, m, n, o, p:
            _tuple_new(_cls, (a, b, c, d, e, f, g, h, i, j, k, m, n, o, p)),
        lambda _cls, a, b, c, d, e, f, g, h, i, j, k, m, n, o, p, q:
            _tuple_new(_cls, (a, b, c, d, e, f, g, h, i, j, k, m, n, o, p, q)),
        lambda _cls, a, b, c, d, e, f, g, h, i, j, k, m, n, o, p, q, r:
            _tuple_new(_cls, (a, b, c, d, e, f, g, h, i, j, k, m, n, o, p, q, r)),
        lambda _cls, a, b, c, d, e, f, g, h, i, j, k, m, n, o, p, q, r, s:
            _tuple_new(_cls, (a, b, c, d, e, f, g, h, i, j, k, m, n, o, p, q, r, s)),
        lambda _cls, a, b, c, d, e, f, g, h, i, j, k, m, n, o, p, q, r, s, t:
            _tuple_new(_cls, (a, b, c, d, e, f, g, h, i, j, k, m, n, o, p, q, r, s, t)),
    ]
    # fmt: on
    _Function = type(_make)
    _codes = [maker.__code__ for maker in _makers]
    _large = (lambda _cls: _tuple_new(_cls, [*locals().values()][1:])).__code__

    def _new(name, fields, defaults):
        """The function (cls, *fields) that makes a record."""
        code = _codes[len(fields)] if len(fields) < len(_codes) else _large
        code = code.replace(
            co_argcount=1 + len(fields),
            co_nlocals=1 + len(fields),
            co_varnames=("_cls", *fields),
            co_name="__new__",
            co_qualname=f"{name}.__new__",
        )
        known = {"_tuple_new": tuple.__new__, "__builtins__": {"locals": locals}}
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
                "__doc__": body.get("__doc__") or f"{name}({', '.join(fields)})",
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
