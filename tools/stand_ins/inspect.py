"""What Pyodide and asyncio want of inspect: the kinds of objects, and plain signatures."""

from collections.abc import Awaitable
from types import FunctionType, GeneratorType, MethodType
from typing import Any

CO_ITERABLE_COROUTINE = 0x100
CO_VARARGS, CO_VARKEYWORDS, CO_COROUTINE = 0x4, 0x8, 0x80  # flags of code objects


class _empty:  # noqa: N801  # inspect's own name
    """No value: what a parameter without a default has."""


class Parameter:
    """A parameter of a function."""

    empty = _empty
    POSITIONAL_ONLY, POSITIONAL_OR_KEYWORD, VAR_POSITIONAL, KEYWORD_ONLY, VAR_KEYWORD = range(5)

    def __init__(self, name: str, kind: int, default: object = _empty) -> None:
        """Notes what is asked of it."""
        self.name, self.kind, self.default = name, kind, default


class Signature:
    """The parameters of a function, by their names."""

    empty = _empty

    def __init__(self, parameters: dict[str, Parameter]) -> None:
        """Notes them."""
        self.parameters = parameters

    def __str__(self) -> str:
        """What a docstring in C begins with; nobody reads it here."""
        return "()"


def signature(function: object) -> Signature:
    """The signature of a function of Python. Raises ValueError for any other, as inspect does."""
    plain: Any = getattr(function, "__func__", function)
    code = getattr(plain, "__code__", None)
    if code is None:
        raise ValueError(f"no signature found for {function!r}")
    names, end = code.co_varnames, code.co_argcount + code.co_kwonlyargcount
    kinds = [Parameter.POSITIONAL_ONLY] * code.co_posonlyargcount
    kinds += [Parameter.POSITIONAL_OR_KEYWORD] * (code.co_argcount - code.co_posonlyargcount)
    kinds += [Parameter.KEYWORD_ONLY] * code.co_kwonlyargcount
    defaults = plain.__defaults__ or ()
    known = dict(zip(names[code.co_argcount - len(defaults) :], defaults, strict=False))
    known.update(plain.__kwdefaults__ or {})
    found = [
        Parameter(name, kind, known.get(name, _empty))
        for name, kind in zip(names, kinds, strict=False)
    ]
    if code.co_flags & CO_VARARGS:
        found.append(Parameter(names[end], Parameter.VAR_POSITIONAL))
        end += 1
    if code.co_flags & CO_VARKEYWORDS:
        found.append(Parameter(names[end], Parameter.VAR_KEYWORD))
    bound = found[1:] if isinstance(function, MethodType) else found
    return Signature({each.name: each for each in bound})


getattr_static = getattr


def isclass(thing: object) -> bool:
    """Whether it is a class."""
    return isinstance(thing, type)


def ismethod(thing: object) -> bool:
    """Whether it is a method of an object."""
    return isinstance(thing, MethodType)


def isfunction(thing: object) -> bool:
    """Whether it is a function of Python."""
    return isinstance(thing, FunctionType)


def unwrap(thing: Any) -> Any:
    """What decorators have wrapped."""
    while hasattr(thing, "__wrapped__"):
        thing = thing.__wrapped__
    return thing


def isgenerator(thing: object) -> bool:
    """Whether it is a generator."""
    return isinstance(thing, GeneratorType)


def iscoroutinefunction(thing: object) -> bool:
    """Whether it is an asynchronous function."""
    code = getattr(getattr(thing, "__func__", thing), "__code__", None)
    return bool(code and code.co_flags & CO_COROUTINE)


def isawaitable(thing: object) -> bool:
    """Whether it can be awaited."""
    code = getattr(thing, "gi_code", None)
    return isinstance(thing, Awaitable) or bool(code and code.co_flags & CO_ITERABLE_COROUTINE)
