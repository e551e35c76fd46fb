"""A person's defaults: the config file, and above it the LLMSIM_* variables.

flag  >  LLMSIM_* variable  >  config file  >  the table's default
"""

import os
from collections.abc import Iterable, Mapping

from llmsim.catalog.lists import quoted
from llmsim.errors import OptionError
from llmsim.options.given import with_value
from llmsim.options.option import Option
from llmsim.options.table import OPTIONS, Options
from llmsim.text.wording import nearest
from llmsim.typed import date, time

PREFIX = "LLMSIM_"
ELSEWHERE = "LLMSIM_CONFIG"  # names the config file, if it is not in its place
DEFAULTS = "the defaults are read from a file of TOML"

TABLE = {option.name: option for option in OPTIONS if option.in_config}


def default_options(environment: Mapping[str, str]) -> Options:
    """The options before any flag is read.

    Raises OptionError, a sentence that names the variable or the file and the key.
    """
    return _from_variables(environment, _from_file(environment))


def variable_of(option: Option) -> str:
    """The variable that holds an option's default: LLMSIM_SPEED_FACTOR."""
    return PREFIX + option.name.replace("-", "_").upper()


def config_path(environment: Mapping[str, str]) -> str:
    """The default path of the config file; "" if the system has no folder for it.

    A relative XDG_CONFIG_HOME does not count (XDG Base Directory Specification 0.8).
    """
    if os.name == "nt":
        folder = environment.get("APPDATA", "")
    else:
        folder = environment.get("XDG_CONFIG_HOME", "")
        if not os.path.isabs(folder):
            folder = os.path.join(environment.get("HOME", ""), ".config")
    return os.path.join(folder, "llmsim", "config.toml") if os.path.isabs(folder) else ""


def _from_variables(environment: Mapping[str, str], options: Options) -> Options:
    table = {variable_of(option): option for option in TABLE.values()}
    for name in sorted(name for name in environment if name.startswith(PREFIX)):
        text = environment[name]
        if not text or name == ELSEWHERE:
            continue
        if name not in table:
            raise OptionError(_unknown(name, "", (*table, ELSEWHERE)))
        options = with_value(options, table[name], text, name)
    return options


def _from_file(environment: Mapping[str, str]) -> Options:
    named = environment.get(ELSEWHERE, "")
    path, options = named or config_path(environment), Options()
    if not (named or (path and os.path.exists(path))):
        return options
    from llmsim.cli.reading import content_of, printable, toml_of  # most people have no file

    shown = printable(path)
    content = content_of(path, shown, DEFAULTS, must_be=bool(named), by=ELSEWHERE)
    if not content:
        return options
    for key, value in toml_of(content, shown, "gpus = 8").items():
        if key not in TABLE:
            raise OptionError(_unknown(key, f" in {shown}", TABLE))
        option, where = TABLE[key], f"{key} in {shown}"
        text = _as_typed(value)
        if text is None:
            kind = "a table" if isinstance(value, dict) else "a list"
            raise OptionError(f"{where} cannot be {kind}: give {option.expected}.")
        options = with_value(options, option, text, where)
    return options


def _as_typed(value: object) -> str | None:
    """A TOML value as the text of a flag; None for tables and lists, which no flag takes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if value.bit_length() < 4096 else hex(value)
    if isinstance(value, str | float):
        return str(value)
    return value.isoformat() if isinstance(value, date | time) else None


def _unknown(name: str, where: str, names: Iterable[str]) -> str:
    option = name.removeprefix(PREFIX).replace("_", "-").lower()
    if option in (each.name for each in OPTIONS if not each.in_config):
        return f"{quoted(name)}{where} has no effect: --{option} is given as a flag."
    near = nearest(name, tuple(names))
    hint = f": did you mean {near}?" if near else ": see --help for what there is."
    return f"there is no option {quoted(name)}{where}{hint}"
