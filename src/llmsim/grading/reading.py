"""Rules and panels in other people's files: Prometheus rule files, PrometheusRules, dashboards.

    items(text, shown)  ->  Item ...      an alert, a recording rule, a panel, or a variable

Grafana's variables are filled in: a time with five minutes, a name with whatever there is.
"""

import json
import re
from collections.abc import Callable, Iterator
from itertools import count, islice

from llmsim.errors import GradeError
from llmsim.grading.items import Item
from llmsim.grading.rule_files import rule_items
from llmsim.typed import Any

MOST = 100_000  # expressions of a file: aliases of YAML make millions of a few lines


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
            found += islice(rule_items(body["groups"], shown), MOST + 1)
        elif isinstance(board, dict) and ("panels" in board or "rows" in board):
            try:
                found += islice(_board(board, shown), MOST + 1)
            except RecursionError:
                raise GradeError(f"{shown} has panels in panels in panels.") from None
        if len(found) > MOST:
            raise GradeError(f"{shown} has more than {MOST:,} expressions.")
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
    # A month 13 is a ValueError; a time or a truth value that is none fails in PyYAML's own code.
    except (yaml.YAMLError, RecursionError, ValueError, LookupError, AttributeError) as error:
        hint = ": render the template first" if "{{" in text else ""
        raise GradeError(f"{shown}{_said(error, text)}{hint}.") from None


def _said(error: Exception, text: str) -> str:
    """Where and why a file is no YAML, as far as the parser says it."""
    mark = getattr(error, "problem_mark", None)
    if mark:
        said = getattr(error, "problem", None) or "it cannot be read"
        return f" line {mark.line + 1} is not YAML: {said}"
    character, position = getattr(error, "character", None), getattr(error, "position", None)
    if isinstance(character, int) and isinstance(position, int):
        line = text.count("\n", 0, position) + 1
        return f" line {line} is not YAML: it has the character U+{character:04X}"
    return " is not YAML: it cannot be read"


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
    counter = count(1)
    for panel in panels:
        yield from _panel(panel, shown, counter)


def _panel(panel: Any, shown: str, counter: "count[int]") -> Iterator[Item]:
    """The targets of a panel and of the panels in it. In YAML one panel may stand in many places,
    itself too, so that a few lines make panels without end.
    """
    if next(counter) > MOST:
        raise GradeError(f"{shown} has more than {MOST:,} panels.")
    if not isinstance(panel, dict):
        return
    title = str(panel.get("title") or f"panel {panel.get('id', '?')}")
    for target in _list(panel, "targets"):
        expression = target.get("expr") if isinstance(target, dict) else None
        if isinstance(expression, str) and expression.strip():
            yield Item(shown, "panel", title, filled(expression), written=expression)
    for nested in _list(panel, "panels"):
        yield from _panel(nested, shown, counter)


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
        if not (name or kept):
            return match[0]  # Prometheus refuses {}
        return name + "{" + ",".join(kept) + "}"

    text = r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\''
    return re.sub(rf"[\w:]*\{{(?:[^{{}}\"']|{text})*\}}|{text}", block, expression)
