"""The judge's texts: Grafana's variables, what promtool says, the reports. No parser is needed."""

import json
import xml.etree.ElementTree as ET
from functools import partial

import pytest

from llmsim.errors import GradeError
from llmsim.grading import known, trials
from llmsim.grading.findings import Finding
from llmsim.grading.items import Item
from llmsim.grading.judge import Notice, Noticed, Verdict
from llmsim.grading.known import metric_named, right_label, todays_name
from llmsim.grading.margins import Miss, Threshold, miss, peaks
from llmsim.grading.public_rules import RULES
from llmsim.grading.reading import filled, items, loosened
from llmsim.grading.report import as_json, as_junit, table
from llmsim.grading.scenarios import SCRAPE, gone, kinds
from llmsim.run.incident_kinds import NAMES
from llmsim.telemetry.dcgm_versions import version_named
from llmsim.telemetry.promtest import encoded, ended_at_once

KEEPS = partial(known.is_meaningful, version=version_named("4.8.2"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Grafana 12239, deepops, GCP, AWS and soperator.
        ('x{instance=~"$instance", gpu=~"$gpu"}', 'x{instance=~".*", gpu=~".*"}'),
        ('x{instance="$hostname:9400"}', 'x{instance=~".*:9400"}'),
        ("avg_over_time(x[${__interval}])", "avg_over_time(x[5m])"),
        ("rate(x[$__rate_interval])", "rate(x[5m])"),
        ('x{Hostname=~"${Hostname}"}', 'x{Hostname=~".*"}'),
        ('x{Hostname=~"${Hostname:regex}"}', 'x{Hostname=~".*"}'),
        ("avg_over_time((count(x > 100))[$__range:])", "avg_over_time((count(x > 100))[5m:])"),
        ("sum(x) / $__range_s", "sum(x) / 300"),
        ("topk($n, x)", "topk(5, x)"),
        ('x{a!~"$b"}', 'x{a!~""}'),
        ('x{err_code="79"}', 'x{err_code="79"}'),
    ],
)  # fmt: skip
def test_variables_are_filled_in(text: str, expected: str) -> None:
    assert filled(text) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"panels": 3}', "f has no rules and no panels."),
        ('{"panels": [3, null, {"targets": 3, "panels": "x"}], "rows": {"a": 1}}', "f has no rul"),
        ('{"panels": ' + "1" * 5000 + "}", "f cannot be understood: it is no dashboard."),
        ('{"panels": ' + "[" * 100_000, "f cannot be understood: it is no dashboard."),
        ('{"panels": ', "f is not JSON: "),
    ],
)
def test_a_dashboard_that_is_none_gets_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(GradeError) as caught:
        items(text, "f")
    assert str(caught.value).startswith(sentence)


def test_matchers_that_a_site_sets_are_left_out() -> None:
    text = 'sum(x{job="a",err_code=~"4|8"}) by (gpu) / on() y{namespace!="b"} > 1'
    assert loosened(text, KEEPS) == 'sum(x{err_code=~"4|8"}) by (gpu) / on() y{} > 1'
    quoted = 'label_replace(x{a="}"}, "b", "{$1}", "c", "(.*)")'
    assert loosened(quoted, KEEPS) == ('label_replace(x{}, "b", "{$1}", "c", "(.*)")')


def test_a_selector_without_a_name_keeps_a_matcher() -> None:
    """Prometheus refuses {}: a selector has a matcher that the empty text does not match."""
    assert loosened('{job="a"} == 0', KEEPS) == '{job="a"} == 0'


def test_a_matcher_on_a_label_that_no_series_has_stays() -> None:
    """dcgm-exporter 4.8.2 writes Hostname (pkg/.../expcollector.go); a site adds cluster."""
    text = 'DCGM_FI_DEV_GPU_TEMP{hostname="x",cluster="y"} > 80 or a{hostname="x"} > 1'
    assert loosened(text, KEEPS) == 'DCGM_FI_DEV_GPU_TEMP{hostname="x"} > 80 or a{} > 1'


def test_a_wrong_time_to_wait_names_the_file_and_the_alert() -> None:
    text = "groups:\n- rules:\n  - {alert: Down, expr: up == 0, for: 5x}\n"
    with pytest.raises(GradeError) as caught:
        items(text, "b.yml")
    assert str(caught.value) == "b.yml: the alert Down has `for: 5x`: give a time such as 5m."


def test_a_dashboards_panels_rows_and_variables_are_read() -> None:
    board = {
        "templating": {"list": [
            {"type": "query", "name": "h", "query": "label_values(a{b=\"c\"}, instance)"},
            {"type": "query", "name": "q", "query": {"query": "query_result(count(d))"}},
            {"type": "custom", "name": "x", "query": "1,2"},
        ]},
        "panels": [
            {"title": "A", "targets": [{"expr": "e"}, {"expr": ""}, {"rawSql": "select"}]},
            {"type": "row", "panels": [{"id": 7, "targets": [{"expr": "f"}]}]},
        ],
        "rows": [{"panels": [{"title": "B", "targets": [{"expr": "g"}]}]}],
    }  # fmt: skip
    found = [(each.kind, each.name, each.expression) for each in items(json.dumps(board), "x")]
    assert found == [
        ("variable", "$h", 'a{b="c"}'), ("variable", "$q", "count(d)"), ("panel", "A", "e"),
        ("panel", "panel 7", "f"), ("panel", "B", "g"),
    ]  # fmt: skip


# What promtool 2.42 printed of a test that expects nothing, and of a rule that it cannot evaluate.
SAID = """\
Unit Testing:  test.json
  FAILED:
    expr: "label_replace(x, \\"asked\\", \\"first gpu-lost\\", \\"\\", \\"\\")", time: 1h25m,
        exp: nil
        got: {alertname="alert12", asked="first gpu-lost"} 1.83E+03
    expr: "label_replace(y, \\"asked\\", \\"panel 3\\", \\"\\", \\"\\")", time: 5m,
        exp: nil
        got: {asked="panel 3"} 1E+00, {asked="panel 3", gpu="1"} 2E+00
    expr: "label_replace(z, \\"asked\\", \\"panel 4\\", \\"\\", \\"\\")", time: 5m, err: bad thing
    rule: alert5, time: 30s, err: found duplicate series
"""


def test_what_promtool_says_is_understood() -> None:
    assert [*trials.answers(SAID)] == [
        trials.Answer("first gpu-lost", 12, 1830.0), trials.Answer("panel 3", -1, 1.0),
        trials.Answer("panel 3", -1, 2.0),
    ]  # fmt: skip
    assert [*trials.failed(SAID)] == [("panel 4", "bad thing")]
    assert trials.broken(SAID) == {"alert5": "found duplicate series"}


def test_a_series_that_ends_is_stale_at_once() -> None:
    assert gone(["1", "2"], 5) == ["stale", "_", "_"]
    assert gone([], 2) == ["_", "_"]
    assert gone(["1"], 1) == []


def test_the_export_for_promtool_marks_the_end_of_a_series_too() -> None:
    assert ended_at_once(["_", "1", "_", "_", "2", "_"]) == ["_", "1", "stale", "_", "2", "stale"]


def test_values_are_shortened_as_promtool_reads_them() -> None:
    """Prometheus' "Unit testing for rules": '_x4' becomes '_ _ _ _', and '1x4' '1 1 1 1 1'."""
    assert encoded(["_"] * 4) == "_x4"
    assert encoded(["1"] * 5) == "1x4"
    assert encoded(["_", "_", "7", "stale", "_", "1", "1"]) == "_x2 7 stale _ 1x1"


def test_rules_and_tests_are_yaml_that_is_json() -> None:
    alert = Item("f", "alert", "A", "x > 1", 300.0)
    record = Item("f", "record", "a:b", "y")
    (group,) = trials.rules([(4, record), (7, alert)])["groups"]
    assert group["rules"][:2] == [
        {"record": "a:b", "expr": "y"}, {"alert": "alert7", "expr": "x > 1", "for": "300s"},
    ]  # fmt: skip
    assert group["interval"] == f"{SCRAPE:g}s"


# --- what is known -------------------------------------------------------------------------------


def test_names_and_labels_follow_the_release() -> None:
    old, today, coming = (version_named(each) for each in ("old", "4.8.2", "next"))
    assert todays_name("DCGM_FI_DEV_GPU_TEMPERATUR", today) == "DCGM_FI_DEV_GPU_TEMP"
    assert todays_name("DCGM_FI_DEV_GPU_TEMPERATUR", old) == "dcgm_gpu_temp"
    assert right_label("DCGM_FI_DEV_GPU_TEMP", "Hostname", coming) == "hostname"  # #655
    assert right_label("DCGM_FI_DEV_GPU_TEMP", "hostname", today) == "Hostname"
    assert right_label("DCGM_FI_DEV_GPU_TEMP", "cluster_name", today) is None
    assert right_label("DCGM_FI_DEV_XID_ERRORS", "err_code", today) is None
    assert metric_named("DCGM_FI_DEV_NO_SUCH") is None
    assert metric_named("node_infiniband_link_downed_total") is not None


def test_public_rules_name_incidents_that_there_are() -> None:
    names = [rule.name for rule in RULES]
    assert len(names) == len(set(names)) >= 50
    assert {kind for rule in RULES for kind in rule.kinds} <= set(NAMES)
    assert {*kinds()} <= set(NAMES)


# --- reports -------------------------------------------------------------------------------------

BAD = Item("a.yml", "alert", "Hot & <cold>", 'x{a="b"} > 1')
GOOD = Item("b.json", "panel", "Power", "y")
VERDICT = Verdict(
    (BAD, GOOD),
    (Finding(BAD, "no-such-label", "x has no label a: it is A."),),
    (
        Noticed("gpu-lost", (Notice(61.0, 31.0, "Hot"),)),
        Noticed("nvlink", (), "up == 0 (somebody)"),
    ),
    ("Pods",),
)


def test_the_table_has_files_findings_and_incidents() -> None:
    text = table(VERDICT, 80)
    assert "a.yml: 1 alert, 1 finding\n" in text
    assert "b.json: 1 panel query, nothing wrong\n" in text
    assert "  no-such-label   Hot & <cold>: x has no label a: it is A.\n" in text
    assert "  gpu-lost        Hot +1m01s\n" in text
    assert "  nvlink          no alert; this rule would: up == 0 (somebody)\n" in text
    assert "not tried, for they use metrics that llmsim does not simulate: Pods\n" in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("after", "waits", "said"),
    [
        (277.0, 300.0, "+4m37s (signs 23s before it)"),
        (330.0, 300.0, "+5m30s"),
        (7.2, 0.0, "+7s"),
        (-0.2, 0.0, "+0s"),
        (-310.0, 0.0, "5m10s before it"),
        (-23.0, 300.0, "23s before it"),
    ],
)
def test_what_is_noticed_before_the_fault_is_said_to_be(
    after: float, waits: float, said: str
) -> None:
    """Prometheus: an alert with `for` fires when its condition has held for that long."""
    hot = Noticed("thermal", (Notice(after, after - waits, "Hot"),))
    verdict = VERDICT._replace(incidents=(hot,))
    assert f"  thermal         Hot {said}\n" in table(verdict, 80)
    (told,) = json.loads(as_json(verdict, tried=True))["incidents"][0]["noticed_by"]
    assert (told["after_seconds"], told["signs_after_seconds"]) == (after, after - waits)


def test_an_alert_that_waits_for_more_than_comes_is_named() -> None:
    """An H100 slows itself at 87 to 89 C; trained on, it has 60 to 70."""
    hot, calm = Threshold("DCGM_FI_DEV_GPU_TEMP", 90.0), {"DCGM_FI_DEV_GPU_TEMP": 69.0}
    near = miss("Hot", hot, calm, {"DCGM_FI_DEV_GPU_TEMP": 89.0})
    assert near == Miss("Hot", 90.0, 89.0)
    assert miss("Hot", hot, calm, {"DCGM_FI_DEV_GPU_TEMP": 70.0}) is None
    assert miss("Hot", hot, calm, {}) is None
    thermal = Noticed("thermal", (), "up == 0 (somebody)", (near,))
    text = table(VERDICT._replace(incidents=(thermal,)), 120)
    said = "no alert; Hot waits for more than 90, and 89 is the most that comes; this rule would: "
    assert said in text
    told = json.loads(as_json(VERDICT._replace(incidents=(thermal,)), tried=True))
    assert told["incidents"][0]["missed_by"] == [
        {"alert": "Hot", "limit": 90.0, "peak": 89.0, "sign": ">"}
    ]  # fmt: skip


def test_an_incident_that_does_not_raise_a_metric_misses_no_threshold_of_it() -> None:
    """A counter that is 0 on a healthy run and 0 in an incident says nothing of `> 0`."""
    name = "DCGM_FI_DEV_THERMAL_VIOLATION"
    assert miss("T", Threshold(name, 0.0), {name: 0.0}, {name: 0.0}) is None
    hot = miss("T", Threshold(name, 9.0, ">="), {name: 0.0}, {name: 8.0})
    assert hot == Miss("T", 9.0, 8.0, ">=")
    missed = Noticed("thermal", (), "", (hot,))
    text = table(VERDICT._replace(incidents=(missed,)), 120)
    assert "no alert; T waits for 9, and 8 is the most that comes\n" in text


def test_alerts_that_fire_always_are_listed() -> None:
    """Prometheus Operator's Watchdog is `vector(1)`: it fires always, so silence is noticed."""
    verdict = VERDICT._replace(always=("Watchdog",))
    text = table(verdict, 80)
    assert "fires always (a watchdog?), for no metric is asked for: Watchdog\n" in text
    assert json.loads(as_json(verdict, tried=True))["fires_always"] == ["Watchdog"]


def test_series_have_the_peaks_of_the_metrics_that_alerts_compare() -> None:
    series = {'a{gpu="0"}': ["_", "3", "stale"], 'a{gpu="1"}': ["4.5"], "b{}": ["9"]}
    assert peaks(series, [Threshold("a", 5.0)]) == {"a": 4.5}


def test_programs_read_the_verdict() -> None:
    told = json.loads(as_json(VERDICT, tried=True))
    assert told["wrong"]
    assert told["findings"][0]["code"] == "no-such-label"
    assert told["incidents"][0]["noticed_by"] == [
        {"alert": "Hot", "after_seconds": 61.0, "signs_after_seconds": 31.0}
    ]
    suites = ET.fromstring(as_junit(VERDICT))
    assert (suites.attrib["tests"], suites.attrib["failures"]) == ("2", "1")
    (case,) = suites.findall("testsuite[@name='a.yml']/testcase")
    failure = case.find("failure")
    assert failure is not None
    assert failure.attrib["type"] == "no-such-label"
    assert "Hot & <cold>" in case.attrib["name"]
