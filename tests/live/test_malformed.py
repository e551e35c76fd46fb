"""Files that are no rules and no dashboards: each gets one sentence, and no traceback."""

import json
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path

import pytest

from llmsim.cli import main
from llmsim.errors import GradeError
from llmsim.grading.findings import Finding
from llmsim.grading.items import Item
from llmsim.grading.judge import Verdict
from llmsim.grading.reading import items
from llmsim.grading.report import as_json, as_junit
from llmsim.grading.trees import parsed

pytestmark = pytest.mark.live  # they need the packages that read rules and YAML


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [
        ("[3]", "group 1 is a number or a truth value: a group has a name and rules."),
        ("[{name: g, rules: 3}]", "group 1 (g) has rules that are a number or a truth value: "),
        ("[{rules: [x]}]", "group 1: rule 1 is a text: a rule has an alert or a record."),
        ("[{rules: [{expr: up}]}]", "group 1: rule 1 has neither an alert nor a record: "),
        ("[{rules: [{alert: A, record: b, expr: up}]}]", "group 1: rule 1 has both an alert and "),
        ("[{rules: [{alert: [A], expr: up}]}]", "group 1: rule 1 has `alert` that is a list: "),
        ("[{rules: [{alert: A, expr: {a: b}}]}]", "group 1: rule 1 has `expr` that is a mapping"),
        ("[{rules: [{alert: A, expr: up, labels: [a]}]}]", "group 1: rule 1 has `labels` that are"),
        ("[{rules: [{record: 'a b', expr: up}]}]", "group 1: rule 1 records a b: that is no name"),
        ("[{name: g}, {name: g}]", "group 2 (g) has the name of another group: "),
        ("[{rules: [{alert: A, expr: up, for: 1.5m}]}]", "the alert A has `for: 1.5m`: give a ti"),
        ("[{rules: [{alert: A, expr: up, for: 5}]}]", "the alert A has `for: 5`: give a time "),
    ],
)
def test_a_rule_file_that_prometheus_refuses_gets_a_sentence_with_its_place(
    groups: str, sentence: str
) -> None:
    """promtool check rules 2.42 refuses each of them: a server would load nothing of the file."""
    with pytest.raises(GradeError) as caught:
        items(f"groups: {groups}\n", "f")
    assert str(caught.value).startswith(f"f: {sentence}")


@pytest.mark.parametrize(
    ("written", "seconds"), [("1y", 31_536_000), ("1w2d", 777_600), ("500ms", 0.5), ("1h30m", 5400)]
)
def test_a_time_to_wait_is_read_as_prometheus_reads_it(written: str, seconds: float) -> None:
    (item,) = items(f"groups: [{{rules: [{{alert: A, expr: up, for: {written}}}]}}]", "f")
    assert item.seconds == seconds


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a:\n  b: \0", "f line 2 is not YAML: it has the character U+0000."),
        ("a: !!timestamp x", "f is not YAML: it cannot be read."),
        ("a: !!bool x", "f is not YAML: it cannot be read."),
    ],
)
def test_what_is_no_yaml_gets_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(GradeError) as caught:
        items(text, "f")
    assert str(caught.value) == sentence


def test_aliases_of_yaml_make_no_file_endless() -> None:
    """A panel that has itself, a list of lists of lists, and rules by the million."""
    with pytest.raises(GradeError, match="f has panels in panels in panels"):
        items("panels: &p [{panels: *p, targets: [{expr: up}]}]", "f")
    letters = "abcdefghijklmnopqrstuvwxyz"
    bomb = "".join(
        f"{name}: &{name} [{{panels: *{before}}}, {{panels: *{before}}}]\n"
        for before, name in pairwise(letters)
    )
    with pytest.raises(GradeError, match="f has more than 100,000 panels"):
        items(f"a: &a [{{id: 1}}]\n{bomb}panels: *z\n", "f")
    rules = ", ".join(["{alert: A, expr: up}"] * 400)
    groups = ", ".join(["{rules: *r}"] * 400)
    with pytest.raises(GradeError, match="f has more than 100,000 expressions"):
        items(f"r: &r [{rules}]\ngroups: [{groups}]\n", "f")


@pytest.mark.parametrize(
    "text",
    [
        "(" * 20_000 + "up" + ")" * 20_000,
        "-" * 1_500 + "up",
        "up + " * 900 + "up",
        "sum(" * 500 + "up" + ")" * 500,
    ],
)
def test_an_expression_in_thousands_of_brackets_is_refused(text: str) -> None:
    """The parser overflows its stack at 10,000, and the process ends without a word."""
    with pytest.raises(GradeError, match=r"operators and brackets|nested more than"):
        parsed(text)


def test_names_cannot_break_a_report() -> None:
    """A half of a pair of UTF-16, which JSON can write, and a control sequence of eight bits."""
    item = Item("f\x1b.json", "panel", "a\ud800\x9b31m\x0c", "up")
    verdict = Verdict((item,), (Finding(item, "syntax", "bad \udc00"),))
    ET.fromstring(as_junit(verdict).encode())
    as_json(verdict, tried=False).encode("ascii")
    assert json.loads(as_json(verdict, tried=False))["findings"][0]["name"] == item.name


def test_no_escape_sequence_of_a_name_reaches_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "board.json"
    panel = {"title": "a\x1b]0;title\x07\x9b31m", "targets": [{"expr": "DCGM_X"}]}
    path.write_text(json.dumps({"panels": [panel]}))
    assert main(["grade", "--no-runs", str(path)]) == 1
    said = capfd.readouterr().out
    assert r"a\x1b]0;title\x07\x9b31m" in said
    assert not [each for each in said if each != "\n" and (each < " " or "\x7f" <= each < "\xa0")]
