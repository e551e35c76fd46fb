"""Whose log a run speaks. A dialect is one file here and one entry in voices.py.

A dialect's module has `LINES`: for each kind of event that the framework prints, a function
(event, job, screen) -> lines. Events that are not in it go untold. See docs/dialects.md.
"""

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module

from llmsim.dialects.line import Bar, Line
from llmsim.job import Job
from llmsim.terminal.screen import Screen
from llmsim.typed import Any
from llmsim.voices import VOICES, plugin

Tell = Callable[[Any, Job, Screen], Iterable[Line | Bar]]


def lines_of(name: str) -> Mapping[type, Tell]:
    """The event-to-lines table of a dialect that voices.py lists, or another package has."""
    module = import_module(f"llmsim.dialects.{name}") if name in VOICES else plugin(name)
    if module is None:
        raise KeyError(f"there is no dialect {name!r}")
    table: Mapping[type, Tell] = module.LINES
    return table
