"""Dialects of other packages, each found by its entry point and checked before it is used.

A package names a module in the group `llmsim.dialects` of its entry points. The module has two
attributes, as a folder of ours has two modules: FRAMEWORK, a Framework whose name is the entry
point's, and LINES, which gives for each type of event a function (event, job, screen) -> lines.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache

from llmsim.catalog import records
from llmsim.catalog.gpus import DEVICES
from llmsim.catalog.lists import quoted
from llmsim.dialects.line import Bar, Line, Render
from llmsim.errors import DialectError, OptionError, kind_of
from llmsim.job.framework import CAPTURES, FILE_BARS, MARKS, SPEAKERS, Framework
from llmsim.job.layout import RECOMPUTES, SHARDINGS, Parallelism
from llmsim.job.recipes import NAMES as RECIPES
from llmsim.job.records import Job
from llmsim.model.architecture import FAMILIES
from llmsim.text.screen import Screen
from llmsim.text.wording import either
from llmsim.typed import Any, NamedTuple

TYPE_CHECKING = False  # the name that type checkers know; typing itself is slow to import
if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "llmsim.dialects"

# A framework whose fields have the types that they should have.
_TYPICAL = Framework("name", "meaning", ("pretrain",))


class Plugin(NamedTuple):
    """What another package brings along."""

    framework: Framework
    lines: Mapping[type, Render]


@cache
def plugins() -> Mapping[str, "EntryPoint"]:
    """The entry points of other packages by name, in its order. They are looked up once."""
    from importlib.metadata import entry_points  # slow: only for a name that is not ours

    found = sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value))
    return {entry.name: entry for entry in found}


def loaded(name: str) -> Plugin:
    """What the package brings along that has a dialect of this name.

    Raises OptionError, a sentence that names the package and the field that is wrong: it goes on
    after the option's name.
    """
    entry = plugins()[name]
    package = entry.dist.name if entry.dist else entry.value
    try:
        module = entry.load()
    except Exception as error:  # noqa: BLE001  # somebody else's module can raise anything
        fault = f"cannot be imported: {_said(error)}"
    else:
        fault = _fault(module, name)
    if fault:
        raise OptionError(f"cannot be {quoted(name)}: its package {package} {fault}.")
    lines = {kind: _guarded(package, kind, render) for kind, render in module.LINES.items()}
    return Plugin(module.FRAMEWORK, lines)


def _guarded(package: str, kind: type, render: Render) -> Render:
    """The same function; where it fails, one sentence says in which package, and how."""
    shown = getattr(render, "__name__", ascii(render))

    def fault(what: str) -> DialectError:
        place = f"{shown}, its function for {kind.__name__}"
        return DialectError(f"{package} fails in {place}: {what}.")

    def lines(event: Any, job: Job, screen: Screen) -> Iterator[Line | Bar]:
        wrong = ""
        try:
            for each in render(event, job, screen):
                if wrong := _no_line(each):
                    break
                yield each
        except Exception as error:  # somebody else's function can raise anything
            raise fault(_said(error)) from error
        if wrong:
            raise fault(wrong)

    return lines


def _no_line(made: object) -> str:
    """Why this is nothing that a dialect gives; empty if it is."""
    if not isinstance(made, Line | Bar):
        return f"it gives {kind_of(made)}, and lines are Line or Bar"
    text: object = made.text if isinstance(made, Line) else ""
    return (
        "" if isinstance(text, str) else f"it gives a Line of {kind_of(text)}, and a Line has text"
    )


def _said(error: Exception) -> str:
    """An error in a sentence: its type, and the first line of its text."""
    text = str(error).partition("\n")[0].rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _fault(module: object, name: str) -> str:
    """What is wrong with a module, after the words "its package ..."; empty if nothing is."""
    for attribute in ("FRAMEWORK", "LINES"):
        if not hasattr(module, attribute):
            return f"has no {attribute}"
    framework, lines = module.FRAMEWORK, module.LINES  # type: ignore[attr-defined]  # see above
    if not isinstance(framework, Framework):
        return "has a FRAMEWORK that is no llmsim.job.framework.Framework"
    if framework.name != name:
        return f"has a wrong FRAMEWORK.name: give {name!r}"
    for field, value in framework._asdict().items():
        if expected := _expected(field, value):
            return f"has a wrong FRAMEWORK.{field}: give {expected}"
    return _fault_of_lines(lines)


def _expected(field: str, value: Any) -> str:
    """What a field should have instead of this value; empty if the value is right."""
    typical = getattr(_TYPICAL, field)
    if type(value) is not type(typical):
        return _KINDS[type(typical)]
    right, expected = _RULES.get(field, _BY_TYPE.get(type(typical), (bool, "")))
    return "" if type(value) is bool or right(value) else expected


def _all_of(values: Any, names: tuple[Any, ...]) -> bool:
    return type(values) is tuple and bool(values) and all(value in names for value in values)


def _is_right(split: Parallelism) -> bool:
    """Whether a way to split a model names what exists."""
    switches = (split.tensors_alone, split.mixtures, split.fp32_gradients, split.fp32_logits)
    return (
        _all_of(split.whole, SHARDINGS)
        and split.split in (None, *SHARDINGS)
        and _all_of(split.recomputes, RECOMPUTES)
        and all(type(switch) is bool for switch in switches)
    )


def _are_listed(names: Any) -> bool:
    return all(name in [gpu.name for gpu in records.gpus()] for name in names)


_KINDS: Mapping[type, str] = {
    str: "a text",
    bool: "True or False",
    int: "a whole number",
    tuple: "a tuple of names",
    Parallelism: "a llmsim.job.layout.Parallelism",
}
_BY_TYPE: Mapping[type, tuple[Callable[[Any], bool], str]] = {
    int: (lambda value: value >= 0, "a whole number from 0"),
    str: (lambda value: bool(value) and value.isprintable(), "one line of text"),
}
_TEXT: tuple[Callable[[Any], bool], str] = (
    lambda value: not value or value.isprintable(),
    "one line of text, or none",
)
_RULES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "source": _TEXT,
    "release": _TEXT,
    "commit": _TEXT,
    "recipes": (lambda value: _all_of(value, RECIPES), f"some of {either(RECIPES)}"),
    "device": (lambda value: value in DEVICES, either(DEVICES)),
    "model_family": (lambda value: value in FAMILIES, either(FAMILIES)),
    "final_evaluations": (
        lambda value: set(value) <= {"validation", "test"},
        "validation, test, or both",
    ),
    "decays": (
        lambda value: _all_of(value, ("cosine", "linear", "wsd")),
        f"some of {either(('cosine', 'linear', 'wsd'))}",
    ),
    "older": (lambda value: type(value) is tuple, "pairs of a release and its commit"),
    "older_traits": (lambda value: type(value) is tuple, "pairs of a trait's name and its value"),
    "capture": (lambda value: value in CAPTURES, either(CAPTURES)),
    "marks": (lambda value: value in MARKS, either(MARKS)),
    "speaker": (lambda value: value in SPEAKERS, either(SPEAKERS)),
    "file_bar": (lambda value: value in FILE_BARS, either(FILE_BARS)),
    "max_shard_gb": (lambda value: value >= 1, "a whole number from 1"),
    "known_gpus": (_are_listed, "names from --list gpus"),
    "parallelism": (
        _is_right,
        f"a Parallelism of the shardings {either(SHARDINGS)} and of {either(RECOMPUTES)}",
    ),
}


def _fault_of_lines(lines: object) -> str:
    """What is wrong with LINES; empty if nothing is."""
    from llmsim.run.events import Event

    if not isinstance(lines, Mapping):
        return "has LINES that are no dict"
    for kind, render in lines.items():
        shown = getattr(kind, "__name__", ascii(kind))
        if not (isinstance(kind, type) and issubclass(kind, Event)):
            return f"has {shown} in LINES, which is no event of llmsim.run.events"
        if not callable(render):
            return f"has no function for {shown} in LINES"
    return ""
