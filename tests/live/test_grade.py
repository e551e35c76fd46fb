"""The judge of rules and dashboards, with the real promtool: mistakes, sound files, public ones."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from functools import cache, partial
from itertools import count
from pathlib import Path

import pytest

from llmsim.grading import scenarios, trials
from llmsim.grading.expressions import selectors
from llmsim.grading.findings import Site, static
from llmsim.grading.items import Item
from llmsim.grading.judge import Verdict, advice, judge
from llmsim.grading.known import is_meaningful
from llmsim.grading.public_rules import OURS, RULES
from llmsim.grading.reading import filled, items, loosened
from llmsim.grading.scenarios import SCRAPE
from llmsim.grading.trees import parsed
from llmsim.hosts import promtool
from llmsim.physics.speed.step_time import step_seconds
from llmsim.telemetry.dcgm_counters import counters
from llmsim.telemetry.dcgm_versions import version_named
from tests.live.panels import EMPTY, METRICSQL, PANELS
from tests.live.planted import MISTAKES, SOUND, Planted, text_of

pytestmark = pytest.mark.live


def site(version: str = "4.8.2", which: str = "any") -> Site:
    """A site with an exporter of this release."""
    layout = version_named(version)
    return Site(layout, counters("full" if which == "any" else which, layout),
                strict=which == "default")  # fmt: skip


# --- mistakes ------------------------------------------------------------------------------------


@cache
def tried() -> Verdict:
    """All mistakes of today's exporter, judged together."""
    found = []
    for number, planted in enumerate(MISTAKES):
        if (planted.version, planted.counters) == ("4.8.2", "any"):
            found += items(text_of(planted, f"mistake {number}"), f"{number}.yml")
    return judge(found, site(), promtool.tested)


@pytest.mark.parametrize("planted", MISTAKES, ids=lambda planted: planted.expression)
def test_a_planted_mistake_is_found(planted: Planted) -> None:
    if (planted.version, planted.counters) == ("4.8.2", "any"):
        name = f"{MISTAKES.index(planted)}.yml"
        found = [each for each in tried().findings if each.item.file == name]
    else:
        (item,) = items(text_of(planted), "planted.yml")
        found = static(item, site(planted.version, planted.counters))
    said = [each.text for each in found if each.code == planted.code]
    assert any(planted.said in text for text in said), found


def test_nothing_is_said_of_sound_files() -> None:
    whole = [item for name, text in SOUND.items() for item in items(text, name)]
    verdict = judge(whole, site(), promtool.tested)
    assert len(SOUND) == 10
    assert [(each.item.file, each.item.name, each.text) for each in verdict.findings] == []
    assert verdict.unjudged == ("Pods",)
    noticed = {each.kind: [notice.alert for notice in each.alerts] for each in verdict.incidents}
    for kind, name in (("hbm-ecc", "Ecc"), ("gpu-lost", "Critical"), ("thermal", "Hot"),
                       ("nccl-timeout", "Stall"), ("link-flap", "LinkDowned"),
                       ("node-fail", "Down")):  # fmt: skip
        assert name in noticed[kind], kind
    # NVIDIA/DCGM reads no GPU of the node after the Xid 119 that follows: none is left to count.
    assert "Gone" not in noticed["gpu-lost"]


def test_a_threshold_that_no_gpu_reaches_is_named() -> None:
    """`nvidia-smi -q -d TEMPERATURE` of H100s: 87 C at most in use, slowed at 89."""
    late = Item("late.yml", "alert", "Late", "DCGM_FI_DEV_GPU_TEMP > 90", 60.0)
    verdict = judge([late], site(), promtool.tested)
    (thermal,) = [each for each in verdict.incidents if each.kind == "thermal"]
    (missed,) = thermal.missed
    assert (missed.alert, missed.limit) == ("Late", 90.0)
    assert 87.0 <= missed.peak <= 90.0
    assert not any(each.missed for each in verdict.incidents if each.kind != "thermal")


def test_an_alert_on_a_label_that_no_series_has_notices_nothing() -> None:
    wrong = Item("w.yml", "alert", "HL", 'DCGM_FI_DEV_GPU_TEMP{hostname="x"} > 80', 60.0)
    right = wrong._replace(name="HR", expression='DCGM_FI_DEV_GPU_TEMP{Hostname="x"} > 80')
    verdict = judge([wrong, right], site(), promtool.tested)
    assert [(each.item.name, each.code) for each in verdict.findings] == [("HL", "no-such-label")]
    (thermal,) = [each for each in verdict.incidents if each.kind == "thermal"]
    assert [notice.alert for notice in thermal.alerts] == ["HR"]


def test_a_watchdog_is_no_finding_and_is_listed() -> None:
    """The Watchdog of Prometheus Operator's kube-prometheus is `vector(1)`."""
    rows = {"W": "vector(1)", "One": "1", "Noon": "hour() == 12", "Gone": "absent(up)"}
    made = [Item("w.yml", "alert", name, text) for name, text in rows.items()]
    verdict = judge(made, site())
    assert verdict.findings == ()
    assert verdict.always == ("W", "One")


def test_a_rule_on_fans_is_not_tried_for_the_clusters_gpus_have_none() -> None:
    """nvidia-smi has [N/A] for fan.speed of an H100 (captures of nvidia_gpu_exporter)."""
    made = [
        Item("f.yml", "alert", "Dcgm", "DCGM_FI_DEV_FAN_SPEED > 90", 300.0),
        Item("f.yml", "alert", "Smi", "nvidia_smi_fan_speed_ratio > 0.9", 300.0),
        Item("f.json", "panel", "Fans", "avg(DCGM_FI_DEV_FAN_SPEED)"),
        Item("f.yml", "alert", "Hot", "DCGM_FI_DEV_GPU_TEMP > 85", 300.0),
    ]
    verdict = judge(made, site(), promtool.tested)
    assert verdict.findings == ()
    assert verdict.unjudged == ("Dcgm", "Smi")


def test_advice_says_which_list_of_fields_it_needs() -> None:
    """default-counters.csv of dcgm-exporter has DCGM_EXP_XID_ERRORS_COUNT as a comment."""
    assert advice("gsp", site()).endswith(
        "(based on NVIDIA/dcgm-exporter#239) (with --counters full)"
    )
    assert "DCGM_EXP" not in advice("gsp", site(which="default"))
    assert "--counters" not in advice("hbm-ecc", site())


# --- public rules --------------------------------------------------------------------------------


@cache
def public() -> Verdict:
    """The public rules, judged together."""
    made = [Item("public", "alert", each.name, each.expression, each.seconds) for each in RULES]
    return judge(made, site(), promtool.tested)


MATCHES = [(rule, kind) for rule in RULES for kind in rule.kinds if not rule.wrong]


def test_forty_public_rules_have_an_incident() -> None:
    assert len({rule.name for rule, _ in MATCHES if rule.source != OURS}) >= 40


@pytest.mark.parametrize(("rule", "kind"), MATCHES, ids=lambda each: getattr(each, "name", each))
def test_a_public_rule_fires_in_its_incident(rule: object, kind: str) -> None:
    """Within its `for` and two scrapes, and the time that the expression itself looks back."""
    mine = next(each for each in RULES if each is rule)
    noticed = next(each for each in public().incidents if each.kind == kind)
    after = {each.alert: each.after for each in noticed.alerts}.get(mine.name)
    assert after is not None, f"{mine.name} does not notice {kind}"
    assert after <= mine.seconds + mine.looks + 2 * SCRAPE


def test_public_rules_are_silent_on_a_healthy_run_unless_they_are_known_to_be_wrong() -> None:
    fired = {each.item.name for each in public().findings if each.code == "fires-on-health"}
    assert fired <= {rule.name for rule in RULES if rule.wrong}


DAY, EVERY = 86_400.0, 150.0  # seconds


@cache
def long_days() -> tuple[scenarios.Scenario, ...]:
    """Thirty healthy runs of more than a day, with the lowest seeds from 100 on that have one."""
    found: list[scenarios.Scenario] = []
    for seed in count(100):
        steps = round(1.3 * scenarios.STEPS * DAY / scenarios.healthy(seed).ended)
        whole = scenarios.healthy(seed, steps)
        if whole.ended > DAY:
            day = whole._replace(name=f"healthy {seed}", ended=DAY - EVERY, every=EVERY)
            found.append(day)
        if len(found) == 30:
            break
    return tuple(found)


@pytest.mark.parametrize("part", range(5))
def test_public_rules_are_silent_over_thirty_healthy_days(part: int) -> None:
    """A day of each of thirty runs, from the launch on, in five parts of six.

    A scrape each 150 seconds, so that a window of a day has fewer samples than promtool takes.
    """
    numbered = [
        (number, Item("public", "alert", rule.name, rule.expression, rule.seconds))
        for number, rule in enumerate(RULES) if not rule.wrong
    ]  # fmt: skip
    wanted = frozenset(
        each.name for _, item in numbered for each in selectors(parsed(item.expression))
    )
    made = []
    days = long_days()[6 * part : 6 * part + 6]
    for day in days:
        seen = scenarios.series(day, wanted, site().version)
        asked = trials.firing(day, [number for number, _ in numbered])
        made.append(trials.Trial(day, seen, asked))
    said = promtool.tested(trials.files(made, trials.rules(numbered, EVERY)))
    assert trials.broken(said) == {}
    assert [*trials.failed(said)] == []
    # Ten minutes without a step are no stall where a step takes six, and a save stands between two.
    slow = {f"first {day.name}" for day in days if step_seconds(day.run.job) > 200}
    slow |= {f"count {day.name}" for day in days if step_seconds(day.run.job) > 200}
    fired = {(each.tag, RULES[each.alert].name) for each in trials.answers(said)}
    assert {each for each in fired if each[1] != "TrainerStall" or each[0] not in slow} == set()


# --- dashboards ----------------------------------------------------------------------------------


def test_expressions_of_public_dashboards_return_data() -> None:
    """Each of them on a healthy run, or on a list with the reason."""
    made = [
        Item(source, "panel", expression[:40], filled(expression)) for source, expression in PANELS
    ]
    healthy = scenarios.healthy()
    keeps = partial(is_meaningful, version=site().version)
    names = frozenset(each.name for item in made for each in selectors(parsed(item.expression)))
    asked = tuple(
        trials.Question(f"panel {number}", f"count({loosened(item.expression, keeps)})",
                        healthy.ended // 2 // SCRAPE * SCRAPE)
        for number, item in enumerate(made)
    )  # fmt: skip
    series = scenarios.series(healthy, names, site().version, "exported")
    said = promtool.tested(trials.files([trials.Trial(healthy, series, asked)], trials.rules([])))
    assert [*trials.failed(said)] == []
    answered = {each.tag for each in trials.answers(said)}
    empty = {made[number].file for number in range(len(made)) if f"panel {number}" not in answered}
    assert empty == {*EMPTY}
    for source, expression in METRICSQL:
        (found,) = static(Item(source, "panel", "x", filled(expression)), site())
        assert found.code == "syntax"


# --- the command ---------------------------------------------------------------------------------


def graded(*arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    """What `llmsim grade` says."""
    environment = {**os.environ, "PATH": path} if path is not None else None
    return subprocess.run(
        [sys.executable, "-m", "llmsim", "grade", *arguments],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip


def test_the_command_says_what_is_wrong_as_table_json_and_junit(tmp_path: Path) -> None:
    bad, good = tmp_path / "bad.yml", tmp_path / "good.yml"
    bad.write_text(text_of(MISTAKES[8], "Hot"))
    good.write_text(SOUND["memory.yml"])
    report = tmp_path / "report.xml"
    made = graded("--no-runs", "--json", "--junit", str(report), str(bad), str(good))
    assert made.returncode == 1
    told = json.loads(made.stdout)
    assert [each["code"] for each in told["findings"]] == ["no-such-metric"]
    assert told["wrong"] is True
    suites = ET.parse(report).getroot()
    assert suites.attrib["failures"] == "1"
    assert [each.attrib["failures"] for each in suites] == ["1", "0"]
    assert graded("--no-runs", str(good)).returncode == 0
    assert "DCGM_FI_DEV_GPU_TEMP" in graded("--no-runs", str(bad)).stdout


def test_without_promtool_it_says_how_to_get_it(tmp_path: Path) -> None:
    good = tmp_path / "good.yml"
    good.write_text(SOUND["memory.yml"])
    made = graded(str(good), path="/nowhere")
    assert made.returncode == 0
    assert "apt install prometheus" in made.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [("groups: [", "is not YAML"), ("a: 2026-13-01", "is not YAML"), ("{", "is not JSON"),
     ("a: 1\n", "has no rules and no panels"),
     ("{{- if x }}\na: b: c\n", "render the template first")],
)  # fmt: skip
def test_what_is_no_file_of_rules_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "x.yml"
    path.write_text(text)
    made = graded(str(path))
    assert made.returncode == 1
    assert made.stdout == ""
    assert said in made.stderr
    assert made.stderr.count("\n") == 1
