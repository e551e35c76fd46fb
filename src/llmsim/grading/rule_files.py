"""The rules of a file, refused where Prometheus does not load the file: it loads all or nothing."""

import re
from collections.abc import Iterable, Iterator
from math import fsum

from llmsim.errors import GradeError
from llmsim.grading.items import Item
from llmsim.typed import Any

LONGEST = 80  # characters of a value in a sentence


def rule_items(groups: Iterable[Any], shown: str) -> Iterator[Item]:
    """The rules of a file, in its order. Raises GradeError, which names the place of a mistake."""
    names: set[str] = set()
    for count, group in enumerate(groups, 1):
        where = f"{shown}: group {count}"
        if not isinstance(group, dict):
            raise GradeError(f"{where} is {_what(group)}: a group has a name and rules.")
        if name := _text(group, "name", where):
            where += f" ({_short(name)})"
            if name in names:
                raise GradeError(f"{where} has the name of another group: give it its own.")
            names.add(name)
        rules = group.get("rules")
        if not (rules is None or isinstance(rules, list)):
            raise GradeError(f"{where} has rules that are {_what(rules)}: give a list.")
        for number, rule in enumerate(rules or (), 1):
            yield _rule(rule, shown, f"{where}: rule {number}")


def _rule(rule: Any, shown: str, where: str) -> Item:
    if not isinstance(rule, dict):
        raise GradeError(f"{where} is {_what(rule)}: a rule has an alert or a record.")
    alert, record = _text(rule, "alert", where), _text(rule, "record", where)
    if bool(alert) == bool(record):
        raise GradeError(f"{where} has {'both' if alert else 'neither'} an alert "
                         f"{'and' if alert else 'nor'} a record: give one of them.")  # fmt: skip
    expression = _text(rule, "expr", where)
    for key in ("labels", "annotations"):
        _expect_texts(rule, key, where)
    if record:
        if not re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", record):
            raise GradeError(f"{where} records {_short(record)}: that is no name of a metric.")
        return Item(shown, "record", record, expression, 0.0, expression)
    waits = _seconds(rule.get("for"), f"{shown}: the alert {_short(alert)}")
    return Item(shown, "alert", alert, expression, waits, expression)


def _text(table: dict[Any, Any], key: str, where: str) -> str:
    """The text under a key; an empty one if there is none."""
    value = table.get(key)
    if isinstance(value, (dict, list, set, tuple, bytes)):
        raise GradeError(f"{where} has `{key}` that is {_what(value)}: give a text.")
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _expect_texts(rule: dict[Any, Any], key: str, where: str) -> None:
    """Refuse labels or annotations that are no mapping from names to texts."""
    table = rule.get(key)
    if table is None:
        return
    if not isinstance(table, dict):
        raise GradeError(f"{where} has `{key}` that are {_what(table)}: give a mapping.")
    for name in table:
        _text(table, name, f"{where}: {key}")


def _what(value: Any) -> str:
    """The kind of a value of YAML, for a sentence that refuses it."""
    if value is None:
        return "empty"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, (int, float)):
        return "a number or a truth value"
    return "a text" if isinstance(value, str) else f"a {type(value).__name__}"


def _short(text: str) -> str:
    """A text on one line, and not the whole of a long one."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."


# Prometheus's own form of a duration (common/model/time.go), and the seconds of its units.
_DURATION = re.compile(
    r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII
)
_SECONDS = (31_536_000.0, 604_800.0, 86_400.0, 3600.0, 60.0, 1.0, 1e-3)
_MOST = 9.2e9  # seconds that Prometheus's nanoseconds can count, some 292 years


def _seconds(value: Any, where: str) -> float:
    """The seconds of `for`: 5m, 1h30m, 0s. Raises GradeError, which says where it stands."""
    if value is None:
        return 0.0
    text = str(value).strip() if isinstance(value, (str, int, float)) else _what(value)
    if text in ("0", ""):
        return 0.0
    found = _DURATION.fullmatch(text) if len(text) <= LONGEST else None
    parts = zip(found.groups(), _SECONDS, strict=True) if found else ()
    seconds = fsum(int(count) * unit for count, unit in parts if count)
    if not found or seconds > _MOST:
        raise GradeError(f"{where} has `for: {_short(text)}`: give a time such as 5m.")
    return seconds
