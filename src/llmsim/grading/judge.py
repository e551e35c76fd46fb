"""judge(items, site, tester): what is wrong with rules and panels, and what they would notice.

    static findings    by the expressions alone (findings.py)
    healthy run        alerts that fire, panels that stay empty
    incidents          which alert notices which, and after how long; what nobody notices

`tester` is promtool: it takes files and gives what it said. Without it only the first is judged.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from llmsim.errors import GradeError
from llmsim.grading import known, margins, public_rules, scenarios, trees, trials
from llmsim.grading.expressions import comparisons, function, is_constant, joined, selectors
from llmsim.grading.findings import Finding, Site, static
from llmsim.grading.items import Item
from llmsim.grading.reading import loosened
from llmsim.grading.scenarios import Scenario
from llmsim.grading.trees import parsed
from llmsim.telemetry import dcgm
from llmsim.telemetry.dcgm_counters import OWN, counters, names
from llmsim.typed import NamedTuple

Tester = Callable[[Mapping[str, str]], str]
SHORT = 300.0  # seconds: an alert that fires for less on a healthy run lacks a `for`


class Notice(NamedTuple):
    """When an alert noticed an incident, in seconds after the fault."""

    after: float  # the alert fires
    since: float  # its condition holds, at the latest: its `for` begins
    alert: str


class Noticed(NamedTuple):
    """An incident, and the alerts that noticed it."""

    kind: str
    alerts: tuple[Notice, ...]  # the earliest first
    advice: str = ""  # a public rule that would have noticed it, where nobody did; its source
    missed: tuple[margins.Miss, ...] = ()  # alerts that came near it, where nobody did


class Verdict(NamedTuple):
    """All that is said of some files."""

    items: tuple[Item, ...]
    findings: tuple[Finding, ...]
    incidents: tuple[Noticed, ...] = ()
    unjudged: tuple[str, ...] = ()  # alerts that ask for what is not simulated
    always: tuple[str, ...] = ()  # alerts that ask for no metric: they are meant to fire always


def judge(items: Iterable[Item], site: Site, tester: Tester | None = None) -> Verdict:
    """What is wrong with these items at a site."""
    whole = tuple(items)
    recorded = frozenset(item.name for item in whole if item.kind == "record")
    site = site._replace(recorded=recorded)
    found = [finding for item in whole for finding in static(item, site)]
    wrong = {each.item for each in found}
    sound = [item for item in whole if item.kind == "alert" and item not in wrong]
    always = tuple(item.name for item in sound if is_constant(parsed(item.expression)))
    if tester is None:
        return Verdict(whole, tuple(found), always=always)
    broken = {finding.item for finding in found if finding.code in _SETTLED}
    keeps = partial(known.is_meaningful, version=site.version)
    usable = [
        (number, item._replace(expression=loosened(item.expression, keeps)))
        for number, item in enumerate(whole)
        if item not in broken
    ]
    wanted = _wanted(usable, recorded)
    unjudged = tuple(
        item.name for number, item in usable
        if item.kind == "alert" and not _is_simulated(item, recorded)
    )  # fmt: skip
    tried = [(number, item) for number, item in usable
             if item.kind == "record" or _is_simulated(item, recorded)]  # fmt: skip
    if not any(item.kind != "record" for _, item in tried):
        return Verdict(whole, tuple(found), unjudged=unjudged, always=always)
    said, healthy = _try(tried, wanted, site, tester)
    found += [
        Finding(whole[number], "fails", f"it cannot be evaluated: {_plain(said.broken[name])}.")
        for number, item in tried if (name := _name(number, item)) in said.broken
    ]  # fmt: skip
    found += _on_health(tried, whole, said, healthy)
    found += _apart(tried, whole, said)
    mislabelled = {finding.item for finding in found if finding.code == "no-such-label"}
    found += [each for each in _empty(tried, whole, said, healthy) if each.item not in mislabelled]
    return Verdict(whole, tuple(found), _coverage(tried, said, whole, site), unjudged, always)


# Findings after which nothing more is learnt from a run.
_SETTLED = ("syntax", "no-such-metric", "old-name", "not-collected", "never-fires", "unit",
            "always-fires")  # fmt: skip
_NODE = tuple(
    f"node_{name}"
    for name in ("uname_info", "cpu_seconds_total", "load1", "load5", "load15", "procs_blocked",
                 "memory_MemTotal_bytes", "memory_MemAvailable_bytes", "memory_MemFree_bytes",
                 "memory_Buffers_bytes", "memory_Cached_bytes", "filesystem_size_bytes",
                 "filesystem_avail_bytes", "disk_read_bytes_total", "disk_written_bytes_total",
                 "network_receive_bytes_total", "network_transmit_bytes_total", "time_seconds")
)  # fmt: skip


def _has_series(name: str) -> bool:
    """Whether the pages of our cluster have a metric."""
    if name.startswith(("DCGM_", "dcgm_")):
        number, fields = names().get(name), dcgm.fields_of(scenarios.card())
        return any(field.id == number for field in fields) or number in OWN.values()
    if name.startswith("nvidia_smi_"):
        from llmsim.telemetry.gpu_exporter_page import NAMES, has

        return name in NAMES and has(scenarios.card(), name)
    if name.startswith("node_infiniband_"):
        return name.removeprefix("node_infiniband_") in scenarios.INFINIBAND
    return name.startswith("trainer_") or name in (*_NODE, "up", "ALERTS", "")


def _is_simulated(item: Item, recorded: frozenset[str]) -> bool:
    """Whether something that an item asks for is on our pages; an `or` may name others beside."""
    asked = [each.name for each in selectors(parsed(item.expression))]
    return not asked or any(name in recorded or _has_series(name) for name in asked)


def _wanted(items: Iterable[tuple[int, Item]], recorded: frozenset[str]) -> frozenset[str]:
    found = {
        each.name for _, item in items for each in selectors(parsed(item.expression))
        if each.name and each.name not in recorded and _has_series(each.name)
    }  # fmt: skip
    return frozenset(found)


class _Said(NamedTuple):
    """promtool's answers: of each tag and alert a value."""

    values: dict[tuple[str, int], float]
    failed: frozenset[str]
    broken: dict[str, str]  # rules that cannot be evaluated, and why
    thresholds: dict[int, margins.Threshold]  # of alerts that compare a metric with a number
    peaks: dict[str, dict[str, float]]  # of their metrics, by scenario


def _try(
    tried: list[tuple[int, Item]], wanted: frozenset[str], site: Site, tester: Tester
) -> tuple[_Said, Scenario]:
    """All items on the healthy run, and all alerts on every incident."""
    healthy = scenarios.healthy()
    alerts = [number for number, item in tried if item.kind == "alert"]
    panels = [
        trials.Question(f"panel {number}", f"count({item.expression})", at)
        for number, item in tried if item.kind in ("panel", "variable") for at in _looks(healthy)
        if _is_vector(item.expression)
    ]  # fmt: skip
    panels += [each for number, item in tried if item.kind == "alert"
               for each in _sides(number, item, healthy)]  # fmt: skip
    made = [trials.Trial(healthy, scenarios.series(healthy, wanted, site.version),
                         (*trials.firing(healthy, alerts), *panels))]  # fmt: skip
    if alerts:
        for kind in scenarios.kinds():
            scenario = scenarios.struck(kind)
            if scenario is None:
                continue
            seen = scenarios.series(scenario, wanted, site.version)
            made.append(trials.Trial(scenario, seen, trials.firing(scenario, alerts)))
    wants = margins.thresholds(tried)
    peaks = {each.scenario.name: margins.peaks(each.series, wants.values()) for each in made}
    values, failed, broken = _asked(tried, made, tester)
    return _Said(values, failed, broken, wants, peaks), healthy


def _sides(number: int, item: Item, healthy: Scenario) -> Iterable[trials.Question]:
    """What the two sides of an alert's `and` have on a healthy run, and what they have together."""
    sides = joined(parsed(item.expression)) or ()
    for name, expression in zip(("left", "right", "both"), sides, strict=False):
        for at in _looks(healthy):
            yield trials.Question(f"{name} {number}", f"count({expression})", at)


def _asked(
    tried: list[tuple[int, Item]], made: list[trials.Trial], tester: Tester
) -> tuple[dict[tuple[str, int], float], frozenset[str], dict[str, str]]:
    """promtool's answers, the first three fields of _Said; rules that it cannot evaluate are left
    out, and asked for no more.
    """
    broken: dict[str, str] = {}
    said = ""
    for _ in range(MOST_TRIES):
        kept = [(number, item) for number, item in tried if _name(number, item) not in broken]
        said = tester(trials.files(made, trials.rules(kept)))
        found = trials.broken(said)
        if not found:
            break
        broken |= found
    if "FAILED" not in said and "SUCCESS" not in said:
        raise GradeError(f"promtool did not understand the test: {' '.join(said.split())[:300]}")
    answers = {(each.tag, each.alert): each.value for each in trials.answers(said)}
    return answers, frozenset(tag for tag, _ in trials.failed(said)), broken


MOST_TRIES = 4  # each without the rules that failed in the one before


def _name(number: int, item: Item) -> str:
    """A rule's name in the file that promtool gets."""
    return f"alert{number}" if item.kind == "alert" else item.name


def _looks(healthy: Scenario) -> tuple[float, ...]:
    """Moments of the healthy run at which panels are looked at: early and late in its training."""
    length = healthy.ended - healthy.began
    every = healthy.every
    return tuple(share * length // every * every for share in (0.3, 0.6))


def _is_vector(expression: str) -> bool:
    """Whether count() takes an expression; a number needs no series."""
    node = parsed(expression)
    return trees.kind(node) not in ("NumberLiteral", "StringLiteral") and function(node) not in (
        "time", "scalar", "pi",
    )  # fmt: skip


# --- verdicts ------------------------------------------------------------------------------------


def _on_health(
    tried: list[tuple[int, Item]], whole: tuple[Item, ...], said: _Said, healthy: Scenario
) -> list[Finding]:
    """Alerts that fire although nothing is wrong."""
    found = []
    for number, item in tried:
        count = said.values.get(("count healthy", number), 0.0)
        if item.kind != "alert" or not count or not [*selectors(parsed(item.expression))]:
            continue  # an alert without any series is meant to fire always
        first = said.values.get(("first healthy", number), 0.0)
        lasted, share = count * healthy.every, count / healthy.scrapes
        text = (
            f"it fires on a healthy run: for the first time at {_time(first)}, "
            f"and for {_time(lasted)} in all ({100 * share:.0f} % of the run)."
        )
        short = lasted <= SHORT and not item.seconds
        hint = " A `for` of 5m would keep it silent." if short else ""
        found.append(Finding(whole[number], "fires-on-health", text + hint))
    return found


def _apart(tried: list[tuple[int, Item]], whole: tuple[Item, ...], said: _Said) -> list[Finding]:
    """Alerts whose two sides have series, and none in common."""
    text = (
        "its two sides never meet, for their labels differ: join them with on (...) and what "
        "they share."
    )
    return [
        Finding(whole[number], "never-fires", text)
        for number, item in tried
        if item.kind == "alert"
        and (f"left {number}", -1) in said.values
        and (f"right {number}", -1) in said.values
        and (f"both {number}", -1) not in said.values
    ]


def _empty(
    tried: list[tuple[int, Item]], whole: tuple[Item, ...], said: _Said, healthy: Scenario
) -> list[Finding]:
    """Panels that show nothing on a healthy run, although their names are right."""
    del healthy
    found = []
    for number, item in tried:
        tag = f"panel {number}"
        asked = [each.name for each in selectors(parsed(item.expression))]
        judged = asked and all(_has_series(name) for name in asked)
        if item.kind not in ("panel", "variable") or not judged:
            continue
        if (tag, -1) in said.values or not _is_vector(item.expression) or _may_be_empty(item):
            continue
        text = "it stays empty on a healthy run: "
        text += "it cannot be computed." if tag in said.failed else "no series matches."
        found.append(Finding(whole[number], "empty", text))
    return found


def _may_be_empty(item: Item) -> bool:
    """Whether a panel is right to be empty on a healthy run: it filters, or shows errors."""
    node = parsed(item.expression)
    errors = any(each.name.endswith("XID_ERRORS") or "xid" in each.name for each in selectors(node))
    return errors or bool([*comparisons(node)])


def _coverage(
    tried: list[tuple[int, Item]], said: _Said, whole: tuple[Item, ...], site: Site
) -> tuple[Noticed, ...]:
    """Which alert noticed which incident, of the ones that stay silent on a healthy run."""
    alerts = [number for number, item in tried if item.kind == "alert"]
    noisy = {number for number in alerts if said.values.get(("count healthy", number))}
    found = []
    for kind in scenarios.kinds() if alerts else ():
        scenario = scenarios.struck(kind)
        if scenario is None:
            continue
        struck = scenario.struck - scenario.began
        fired = {
            number: said.values[f"first {kind}", number] - struck
            for number in alerts
            if (f"first {kind}", number) in said.values and number not in noisy
        }
        seen = tuple(sorted(Notice(at, at - whole[each].seconds, whole[each].name)
                            for each, at in fired.items()))  # fmt: skip
        if seen:
            found.append(Noticed(kind, seen))
        else:
            missed = _missed(kind, alerts, said, whole)
            found.append(Noticed(kind, (), advice(kind, site), missed))
    return tuple(found)


def advice(kind: str, site: Site) -> str:
    """A public rule that notices an incident of this kind at a site, with its source; empty where
    none does.

    It says where the rule asks for a field that a dcgm-exporter does not collect by default.
    """
    collected = {each.id for each in site.counters}
    default = {each.id for each in counters("default", site.version)}
    for rule in public_rules.rules_for(kind):
        asked = {names()[each.name] for each in selectors(parsed(rule.expression))
                 if each.name in names()}  # fmt: skip
        if not asked <= collected:
            continue
        more = "" if site.strict or asked <= default else " (with --counters full)"
        return f"{rule.expression} ({rule.source}){more}"
    return ""


def _missed(
    kind: str, alerts: list[int], said: _Said, whole: tuple[Item, ...]
) -> tuple[margins.Miss, ...]:
    """The alerts whose metric an incident drives near their thresholds, and not beyond."""
    calm, struck = said.peaks["healthy"], said.peaks[kind]
    found = [
        margins.miss(whole[number].name, said.thresholds[number], calm, struck)
        for number in alerts if number in said.thresholds
    ]  # fmt: skip
    return tuple(each for each in found if each)


def _plain(error: str) -> str:
    """promtool's error without the series that it lists."""
    return re.sub(r"\[\{.*\}\];?", "", error).replace("operation: many", "operation, many").strip()


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
    )
