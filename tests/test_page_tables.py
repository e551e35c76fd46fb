"""What the build writes down of Python's tables for the page's code."""

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmsim.hosts.keys import KEYS
from tools.build_web import module, tables
from tools.library import SOURCE, import_lines, modules


def exported() -> dict[str, Any]:
    """The constants of the module, read as JavaScript reads them."""
    constants = {}
    for line in module(tables()).splitlines():
        head, _, value = line.removesuffix(";").partition(" = ")
        keyword, kind, name = head.split()
        assert (keyword, kind) == ("export", "const"), line
        constants[name] = json.loads(value)
    return constants


def test_keys_of_the_page_are_named_as_browsers_name_them() -> None:
    """KeyboardEvent.key of the W3C's "UI Events KeyboardEvent key Values", in lower case."""
    keys = exported()["KEYS"]
    assert keys[" "] == "pause"
    assert (keys["+"], keys["="]) == ("faster", "faster")
    assert (keys["-"], keys["_"]) == ("slower", "slower")
    assert (keys["n"], keys["g"]) == ("next", "board")
    assert (keys["q"], keys["escape"]) == ("stop", "stop")
    assert keys["?"] == "help"
    assert (keys["arrowleft"], keys["arrowright"]) == ("back", "forward")
    assert keys["home"] == "beginning"
    assert all(key == key.lower() and key.isprintable() for key in keys)


def test_the_page_has_every_key_of_the_terminal() -> None:
    names = {{"stop": "quit"}.get(name, name) for name in exported()["KEYS"].values()}
    assert names == {*(key.name for key in KEYS), "help", "theme"}


def test_buttons_lead_to_speeds_that_double_to_the_ends() -> None:
    constants = exported()
    assert (constants["SLOWEST"], constants["FASTEST"]) == (1 / 64, 1024)


def test_switches_are_the_options_of_the_page_without_a_value() -> None:
    """commandOf in web/address.js writes `--tidy` where others have a value after them."""
    assert exported()["SWITCHES"] == ["evaluate", "tidy"]


def begun_with(file: Path) -> Iterator[str]:
    """What a module imports before its first function is called."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = (f"{node.module}.{alias.name}" for alias in node.names)
            submodules = [name for name in inner if is_module(name)]
            yield from submodules or [node.module]


def is_module(name: str) -> bool:
    place = SOURCE.joinpath(*name.split("."))
    return place.with_suffix(".py").exists() or (place / "__init__.py").exists()


@pytest.mark.long
def test_page_needs_python_and_its_own_modules_alone() -> None:
    """A browser has no other packages, and the library leaves out what only a terminal needs."""
    served = modules()
    for importer, file in served.items():
        for name in begun_with(file):
            known = name in served or name.partition(".")[0] in sys.stdlib_module_names
            assert known, f"{importer} imports {name}, which the page has not"
    packages = {line.split()[1].partition(".")[0] for line in import_lines()}
    assert packages - sys.stdlib_module_names == {"llmsim"}
