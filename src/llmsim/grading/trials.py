"""Rules tried on scenarios by promtool: its files, and what its answers mean.

    files(trials, rules)  ->  {"rules.json": ..., "test.json": ...}
    answers(said)         ->  Answer ...

promtool's tests say what they expected and what they got; ours expect nothing, so that each
question that has an answer comes back with it. JSON is YAML, which saves a library.
"""

import json
import re
from collections.abc import Iterable, Iterator

from llmsim.grading.items import Item
from llmsim.grading.scenarios import SCRAPE, Scenario, Series
from llmsim.telemetry.promtest import encoded, interval
from llmsim.typed import Any, NamedTuple


class Question(NamedTuple):
    """What promtool is asked of a scenario."""

    tag: str  # by which its answer is known
    expression: str
    at: float  # seconds of the scenario


class Trial(NamedTuple):
    """A scenario with its series, and what is asked of it."""

    scenario: Scenario
    series: Series
    questions: tuple[Question, ...]


class Answer(NamedTuple):
    """A question's answer: the number of the alert, if one is meant, and a value."""

    tag: str
    alert: int
    value: float


FIRING = "graded:firing"  # how many series of each alert fire at a moment
WHEN = "graded:when"  # the moment, while an alert fires


def rules(items: Iterable[tuple[int, Item]], every: float = SCRAPE) -> dict[str, Any]:
    """A file with the rules of these numbers: recording rules by name, alerts as alert0, alert1."""
    made: list[dict[str, Any]] = []
    for number, item in items:
        if item.kind == "record":
            made.append({"record": item.name, "expr": item.expression})
        elif item.kind == "alert":
            made.append({"alert": f"alert{number}", "expr": item.expression,
                         "for": interval(item.seconds)})  # fmt: skip
    counting = 'count by (alertname) (ALERTS{alertstate="firing"})'
    made.append({"record": FIRING, "expr": counting})
    made.append({"record": WHEN, "expr": f"0 * {counting} + time()"})
    return {"groups": [{"name": "graded", "interval": interval(every), "rules": made}]}


def firing(scenario: Scenario, alerts: Iterable[int]) -> tuple[Question, ...]:
    """When each alert first fires in a scenario, and for how many scrapes it does.

    Each alert is asked for by itself: promtool loads 10,000 samples for a query at most.
    """
    every = scenario.every
    window, at = interval(scenario.scrapes * every), (scenario.scrapes - 1) * every
    asked = []
    for number in alerts:
        fired = f'{{alertname="alert{number}"}}[{window}]'
        asked.append(Question(f"first {scenario.name}", f"min_over_time({WHEN}{fired})", at))
        asked.append(Question(f"count {scenario.name}", f"count_over_time({FIRING}{fired})", at))
    return tuple(asked)


def files(trials: Iterable[Trial], rule_file: dict[str, Any]) -> dict[str, str]:
    """The two files of a test, by their names; all its scenarios have one interval."""
    trials = [*trials]
    tests = [
        {
            "interval": interval(trial.scenario.every),
            "name": trial.scenario.name,
            "input_series": [
                {"series": name, "values": encoded(values)} for name, values in trial.series.items()
            ],
            "promql_expr_test": [
                {"expr": _tagged(each), "eval_time": interval(each.at), "exp_samples": []}
                for each in trial.questions
            ],
        }
        for trial in trials
    ]
    test = {
        "rule_files": ["rules.json"],
        "evaluation_interval": interval(trials[0].scenario.every),
        "tests": tests,
    }
    return {"rules.json": json.dumps(rule_file), "test.json": json.dumps(test)}


def _tagged(question: Question) -> str:
    return f'label_replace({question.expression}, "asked", "{question.tag}", "", "")'


_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_SAMPLE = re.compile(r"\{([^{}]*)\} ([-+0-9.eE]+|NaN|[-+]?Inf)")


def answers(said: str) -> Iterator[Answer]:
    """What promtool got, question by question."""
    for line in said.splitlines():
        head, got, rest = line.partition("got:")
        if not got or head.strip():
            continue
        for found in _SAMPLE.finditer(rest):
            labels = dict(_LABEL.findall(found[1]))
            name = labels.get("alertname", "")
            number = int(name.removeprefix("alert")) if name.startswith("alert") else -1
            yield Answer(labels.get("asked", ""), number, float(found[2]))


def failed(said: str) -> Iterator[tuple[str, str]]:
    """Questions that could not be answered, by their tags, and why."""
    for found in re.finditer(r'"asked\\?", \\?"([^"\\]+)\\?"[^\n]*?err: ([^\n]+)', said):
        yield found[1], found[2].strip()


def broken(said: str) -> dict[str, str]:
    """Rules that could not be evaluated, by their names, and why."""
    rows = re.finditer(r"rule: ([^\s,]+), time: [^,]+, err: ([^\n]+)", said)
    return {found[1]: found[2].strip() for found in rows}
