"""What the build writes down of Python's tables for the page's code."""

import json
from typing import Any

from llmsim.hosts.keys import KEYS
from tools.build_web import module, tables


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
    assert names == {*(key.name for key in KEYS), "help"}


def test_buttons_lead_to_speeds_that_double_to_the_ends() -> None:
    constants = exported()
    assert (constants["SLOWEST"], constants["FASTEST"]) == (1 / 64, 1024)


def test_switches_are_the_options_of_the_page_without_a_value() -> None:
    """commandOf in web/address.js writes `--tidy` where others have a value after them."""
    assert exported()["SWITCHES"] == ["evaluate", "tidy"]
