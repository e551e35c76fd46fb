"""A person's defaults: the config file, and above it the LLMSIM_* variables.

flag  >  LLMSIM_* variable  >  config file  >  the table's default
"""

import os
from collections.abc import Iterable, Mapping
from datetime import date, time
from stat import S_ISCHR, S_ISREG

from llmsim.catalog.lists import quoted
from llmsim.errors import OptionError
from llmsim.options.option import Option
from llmsim.options.table import OPTIONS, Options, with_value
from llmsim.text.wording import nearest

PREFIX = "LLMSIM_"
ELSEWHERE = "LLMSIM_CONFIG"  # names the config file, if it is not in its place
LARGEST = 65_536  # bytes of a config file
MOST_DOTS = 40  # in a line of it; no option needs as many

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
    path = named or config_path(environment)
    content = _content(path, bool(named)) if path else b""
    options = Options()
    if not content:
        return options
    shown = _printable(path)
    for key, value in _parsed(content, shown).items():
        if key not in TABLE:
            raise OptionError(_unknown(key, f" in {shown}", TABLE))
        option, where = TABLE[key], f"{key} in {shown}"
        text = _as_typed(value)
        if text is None:
            kind = "a table" if isinstance(value, dict) else "a list"
            raise OptionError(f"{where} cannot be {kind}: give {option.expected}.")
        options = with_value(options, option, text, where)
    return options


def _content(path: str, named: bool) -> bytes:
    """The file's bytes, empty if there is no file; a missing file is an error only if `named`."""
    shown = _printable(path)
    if path.lower() == os.devnull:
        return b""
    try:
        kind = os.stat(path)
    except OSError as error:
        if named:
            raise OptionError(f"{ELSEWHERE} names {shown}: {_reason(error)}.") from None
        return b""
    if S_ISCHR(kind.st_mode) and os.path.samestat(kind, os.stat(os.devnull)):
        return b""
    content: bytes | None = None
    if S_ISREG(kind.st_mode):
        try:
            with open(path, "rb", opener=_unwaiting) as file:
                content = file.read(LARGEST + 1)  # None: a pipe without data
        except OSError as error:
            raise OptionError(f"{shown} cannot be read: {_reason(error)}.") from None
    if content is None:
        raise OptionError(f"{shown} is not a file: the defaults are read from a file of TOML.")
    if len(content) > LARGEST:
        raise OptionError(f"{shown} has more than {LARGEST:,} bytes: a line an option would do.")
    return content


def _unwaiting(path: str, flags: int) -> int:
    """Opens a file without blocking reads: some files in /proc never end."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _reason(error: OSError) -> str:
    text = error.strerror or "it cannot be opened"
    return text[:1].lower() + text[1:]


def _parsed(content: bytes, shown: str) -> dict[str, object]:
    """The keys and values of a TOML file."""
    import tomllib  # imported only if there is a config file

    for number, row in enumerate(content.splitlines(), 1):
        # The time of TOML's parser grows with the square of the depth of dotted keys.
        if row.count(b".") > MOST_DOTS and not row.lstrip().startswith(b"#"):
            raise OptionError(
                f"{shown} line {number} has too many dots: give lines such as gpus = 8."
            )
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise OptionError(f"{shown} line {line} is not UTF-8: save the file as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        reason, _, place = str(error).partition(" (at ")
        last = content.rstrip().count(b"\n") + 1
        line = int(place[5:].partition(",")[0]) if place.startswith("line ") else last
        reason = reason[:1].lower() + reason[1:]
        raise OptionError(f"{shown} line {line} is not TOML: {_printable(reason)}.") from None
    except (RecursionError, ValueError):  # lists in lists, and numbers of thousands of digits
        raise OptionError(f"{shown} cannot be understood: give lines such as gpus = 8.") from None


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
    near = nearest(name, tuple(names))
    hint = f": did you mean {near}?" if near else ": see --help for what there is."
    return f"there is no option {quoted(name)}{where}{hint}"


def _printable(text: str) -> str:
    return text if text.isprintable() else ascii(text)
