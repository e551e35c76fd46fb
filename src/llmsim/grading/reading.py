"""Rules and panels in other people's files: Prometheus rule files, PrometheusRules, dashboards.

    items(text, shown)  ->  Item ...      an alert, a recording rule, a panel, or a variable

Grafana's variables are filled in: a time with five minutes, a name with whatever there is.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator

from llmsim.errors import GradeError
from llmsim.options.parsing import parse_duration
from llmsim.typed import Any, Literal, NamedTuple

Kind = Literal["alert", "record", "panel", "variable"]


class Item(NamedTuple):
    """One expression of a file."""

    file: str
    kind: Kind
    name: str  # an alert's or a record's, or a panel's title
    expression: str
    seconds: float = 0.0  # that an alert waits (`for`)
    written: str = ""  # the expression as it stands in the file


def items(text: str, shown: str) -> list[Item]:
    """The expressions of a file, in its order. Raises GradeError where it has none."""
    loaded = _loaded(text, shown)
    found: list[Item] = []
    for document in loaded:
        if not isinstance(document, dict):
            continue
        body = document.get("spec", document) if document.get("kind") else document
        board = document.get("dashboard", document)
        if isinstance(body, dict) and isinstance(body.get("groups"), list):
            found += _rules(body["groups"], shown)
        elif isinstance(board, dict) and ("panels" in board or "rows" in board):
            found += _board(board, shown)
    if not found:
        raise GradeError(f"{shown} has no rules and no panels.")
    return found


def _loaded(text: str, shown: str) -> list[Any]:
    if text.lstrip()[:1] == "{" and text.lstrip()[:2] != "{{":
        try:
            return [json.loads(text)]
        except json.JSONDecodeError as error:
            raise GradeError(f"{shown} is not JSON: {error}.") from None
        except (ValueError, RecursionError):  # a number of thousands of digits, lists in lists
            raise GradeError(f"{shown} cannot be understood: it is no dashboard.") from None
    import yaml

    try:
        return [*yaml.safe_load_all(text)]
    except (yaml.YAMLError, RecursionError, ValueError) as error:  # a month 13 is a ValueError
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        said = getattr(error, "problem", None) or "it cannot be read"
        hint = ": render the template first" if "{{" in text else ""
        raise GradeError(f"{shown}{line} is not YAML: {said}{hint}.") from None


def _rules(groups: Iterable[Any], shown: str) -> Iterator[Item]:
    for group in groups:
        for rule in _list(group, "rules"):
            if not isinstance(rule, dict):
                continue
            expression = str(rule.get("expr", ""))
            if "alert" in rule:
                name = str(rule["alert"])
                waits = _seconds(rule.get("for", 0), f"{shown}: the alert {name}")
                yield Item(shown, "alert", name, expression, waits, expression)
            elif "record" in rule:
                yield Item(shown, "record", str(rule["record"]), expression, 0.0, expression)


def _seconds(value: Any, where: str) -> float:
    """The seconds of `for`: 5m, 1h30m, 0s. Raises GradeError, which says where it stands."""
    text = str(value).strip()
    if text in ("0", "0s", "0m", "None", ""):
        return 0.0
    try:
        return parse_duration(text.replace("w", "d") if "w" not in text else _weeks(text))
    except ValueError:
        raise GradeError(f"{where} has `for: {text}`: give a time such as 5m.") from None


def _weeks(text: str) -> str:
    number, _, rest = text.partition("w")
    return f"{7 * int(number)}d{rest}" if number.isdigit() else text


def _board(board: dict[str, Any], shown: str) -> Iterator[Item]:
    """The targets of all panels, nested ones too, and the queries of variables."""
    templating = board.get("templating")
    for variable in _list(templating, "list"):
        if isinstance(variable, dict) and variable.get("type") == "query":
            query = variable.get("query")
            text = str(query.get("query", "")) if isinstance(query, dict) else str(query or "")
            if expression := _of_variable(text):
                yield Item(shown, "variable", f"${variable.get('name', '?')}",
                           filled(expression), written=text)  # fmt: skip
    panels = [*_list(board, "panels")]
    for row in _list(board, "rows"):
        panels += _list(row, "panels")
    for panel in panels:
        yield from _panel(panel, shown)


def _panel(panel: Any, shown: str) -> Iterator[Item]:
    if not isinstance(panel, dict):
        return
    title = str(panel.get("title") or f"panel {panel.get('id', '?')}")
    for target in _list(panel, "targets"):
        expression = target.get("expr") if isinstance(target, dict) else None
        if isinstance(expression, str) and expression.strip():
            yield Item(shown, "panel", title, filled(expression), written=expression)
    for nested in _list(panel, "panels"):
        yield from _panel(nested, shown)


def _list(table: Any, key: str) -> list[Any]:
    """The list that a table has under a key; an empty one for whatever else is there."""
    found = table.get(key) if isinstance(table, dict) else None
    return found if isinstance(found, list) else []


def _of_variable(text: str) -> str:
    """The expression of label_values(EXPR, label) or query_result(EXPR)."""
    text = text.strip()
    if found := re.fullmatch(r"label_values\((.+),\s*[\w$]+\s*\)", text, re.DOTALL):
        return found[1]
    if found := re.fullmatch(r"query_result\((.+)\)", text, re.DOTALL):
        return found[1]
    return ""


_TIMES = re.compile(
    r"\$__(?:interval|rate_interval|range)\b|\$\{__(?:interval|rate_interval|range)\}"
    r"|\[\[__interval\]\]|\$\{?(?:interval|rate_interval|resolution|step|window)\}?"
)
_VARIABLE = re.compile(r"\$\{(\w+)(?::\w+)?\}|\$(\w+)|\[\[(\w+)(?::\w+)?\]\]")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\')')


def filled(expression: str) -> str:
    """An expression with Grafana's variables filled in: matchers on them match anything."""
    text = _TIMES.sub("5m", re.sub(r"\$__(?:interval|range)_(?:ms|s)|\$\{__(?:interval|range)_s\}",
                                   "300", expression))  # fmt: skip

    def free(match: re.Match[str]) -> str:
        if not _VARIABLE.search(match[3]):
            return match[0]
        rest = _VARIABLE.sub(".*", match[3]) if match[2] in ("=~", "=") else '""'
        return f"{match[1]}{'=~' if match[2] in ('=~', '=') else match[2]}{rest}"

    return _VARIABLE.sub("5", _MATCHER.sub(free, text))


def loosened(expression: str, keeps: "Callable[[str, str], bool]") -> str:
    """An expression without the matchers on labels that every site sets in its own way.

    `keeps` says of a metric and a label whether the matchers on the label stay.
    """

    def block(match: re.Match[str]) -> str:
        name, brace, block = match[0].partition("{")
        if not brace or match[0][0] in "\"'":
            return match[0]  # a text, whatever stands in it
        found = list(_MATCHER.finditer(block))
        kept = [each[0] for each in found if keeps(name, each[1]) or each[1] == "__name__"]
        return name + "{" + ",".join(kept) + "}"

    text = r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\''
    return re.sub(rf"[\w:]*\{{(?:[^{{}}\"']|{text})*\}}|{text}", block, expression)
