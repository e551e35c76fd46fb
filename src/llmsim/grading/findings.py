"""What is wrong with an expression by itself: names, labels, units, thresholds, functions.

No series is needed for it: what exporters show, and between which bounds, is known.
"""

from collections.abc import Iterator
from math import isfinite

from llmsim.errors import GradeError
from llmsim.grading import known
from llmsim.grading.expressions import (
    Selected,
    bounds,
    comparisons,
    contradiction,
    labels_used,
    operator,
    outcome,
    returns_bool,
    selectors,
)
from llmsim.grading.items import Item
from llmsim.grading.trees import Node, kind, parsed
from llmsim.telemetry.dcgm_counters import Counter, names
from llmsim.telemetry.dcgm_versions import Version
from llmsim.typed import Literal, NamedTuple

Code = Literal[
    "syntax", "no-such-metric", "old-name", "not-collected", "no-such-label", "never-fires",
    "always-fires", "unit", "rate-of-gauge", "missing-for", "fires-on-health", "empty",
    "fails", "overwritten",
]  # fmt: skip


class Finding(NamedTuple):
    """Something wrong, in one sentence."""

    item: Item
    code: Code
    text: str


class Site(NamedTuple):
    """Where the rules are to be used: the exporter's release, and the fields that it collects."""

    version: Version
    counters: tuple[Counter, ...]
    recorded: frozenset[str] = frozenset()  # names that recording rules of the files make
    strict: bool = False  # whether nothing but these counters is collected


def static(item: Item, site: Site) -> list[Finding]:
    """What is wrong with an item, by its expression alone."""
    try:
        node = parsed(item.expression)
    except GradeError as error:
        hint = " (MetricsQL is VictoriaMetrics' own)" if _is_metricsql(item.expression) else ""
        return [Finding(item, "syntax", f"it is not PromQL: {error}{hint}")]
    found = [*_names(item, node, site), *_labels(item, node, site)]
    found += [*_functions(item, node, site), *_overwritten(item, node)]
    if item.kind == "alert" and not any(each.code == "no-such-metric" for each in found):
        found += _thresholds(item, node) or _patience(item, node)
    return found


def _is_metricsql(text: str) -> bool:
    return any(word in text for word in ("with (", "WITH (", "label_move(", "tlast_change_over"))


# --- names ---------------------------------------------------------------------------------------


def _names(item: Item, node: Node, site: Site) -> Iterator[Finding]:
    seen: set[str] = set()
    collected = {each.name for each in site.counters}
    whole = [*selectors(node)]
    for selected in whole:
        name = selected.name
        if name in seen or name in site.recorded or not known.is_ours(name):
            continue
        seen.add(name)
        if known.metric_named(name) is None:
            today = known.todays_name(name, site.version)
            hint = f"; it is called {today}" if today else ""
            yield Finding(item, "no-such-metric", f"no exporter has {name}{hint}.")
        elif _is_dcgms(name) and not _is_alternative(name, whole, collected):
            yield from _uncollected(item, name, site)


def _is_dcgms(name: str) -> bool:
    return name.startswith(("DCGM_", "dcgm_"))


def _is_alternative(name: str, whole: list[Selected], collected: set[str]) -> bool:
    """Whether it is collected, or another name of its field beside it is, as in `new or old`."""
    number = names()[name]
    if name in collected:
        return True
    return any(each.name in collected and names().get(each.name) == number for each in whole)


def _uncollected(item: Item, name: str, site: Site) -> Iterator[Finding]:
    """A name that is right, and that a page does not have."""
    today = known.listed_name(name, site.version)
    listed = any(each.name == today and each.field and each.field.default
                 for each in site.counters)  # fmt: skip
    if today != name and (listed or name.islower() or site.strict):
        text = f"{name} is called {today} on the page of release {site.version.tag}."
        yield Finding(item, "old-name", text)
    elif site.strict:
        text = f"{name} is not among the counters: add it to the exporter's list."
        yield Finding(item, "not-collected", text)


def _labels(item: Item, node: Node, site: Site) -> Iterator[Finding]:
    used = set(labels_used(node))
    said: set[tuple[str, str]] = set()
    for selected in selectors(node):
        own = [label for label, _, value in selected.matchers if value not in ("", ".*")]
        own += [label for label, *_ in selected.matchers]
        for label in (*own, *sorted(used)):
            right = known.right_label(selected.name, label, site.version)
            if right is None or (label, right) in said or right in used:
                continue
            said.add((label, right))
            today = f"it is {right}" if right else "this release has none"
            text = f"{selected.name} has no label {label}: {today} (release {site.version.tag})."
            yield Finding(item, "no-such-label", text)


# --- functions -----------------------------------------------------------------------------------

_COUNTING = ("rate", "irate", "increase")


def _functions(item: Item, node: Node, site: Site) -> Iterator[Finding]:
    for selected in selectors(node):
        metric = known.metric_named(selected.name)
        counting = next((each for each in selected.around[:1] if each in _COUNTING), "")
        if metric is None or metric.counter or not counting or "subquery" in selected.around:
            continue
        if selected.name.endswith("XID_ERRORS"):
            if not site.version.clean:
                text = (
                    f"{counting}() of {selected.name} misses a GPU's first error: since DCGM 4.5 "
                    "there is no sample before it. Ask for the value itself, > 0."
                )
                yield Finding(item, "never-fires", text)
        elif not selected.name.endswith("NVLINK_BANDWIDTH_TOTAL"):
            text = (
                f"{counting}() is for counters, and {selected.name} is a gauge: take "
                "avg_over_time() or deriv()."
            )
            yield Finding(item, "rate-of-gauge", text)
        else:
            yield Finding(
                item, "rate-of-gauge",
                f"{selected.name} is a rate in MB/s already, whatever its type says.",
            )  # fmt: skip


# Codes of the driver that another follows within seconds, on the same GPU: 63 and 94 follow 48 by
# 25 ms, 45 comes for each process that is killed, 119 for who asks a GPU that is lost, 154 with the
# advice to reset.
_FOLLOWED = {48: 45, 63: 45, 94: 45, 31: 45, 74: 45, 79: 119, 119: 154}


def _overwritten(item: Item, node: Node) -> Iterator[Finding]:
    """An alert on codes of XID_ERRORS that a scrape seldom sees: the gauge keeps the last code."""
    asked = [*_codes_compared(node), *_codes_matched(node)] if item.kind == "alert" else []
    if asked and all(code in _FOLLOWED for code in asked):
        codes = " and ".join(str(code) for code in dict.fromkeys(asked))
        after = " and ".join(str(code) for code in dict.fromkeys(_FOLLOWED[c] for c in asked))
        text = (
            f"XID_ERRORS keeps the last code, and {after} follows {codes} within seconds, so a "
            "scrape seldom sees it: ask DCGM_EXP_XID_ERRORS_COUNT, which counts each code."
        )
        yield Finding(item, "overwritten", text)


def _is_last_code(name: str) -> bool:
    return name.endswith(("XID_ERRORS", "xid_errors"))


def _codes_compared(node: Node) -> Iterator[int]:
    """The codes in comparisons such as XID_ERRORS == 94."""
    for each in comparisons(node):
        exact = operator(each) == "==" and kind(each.rhs) == "NumberLiteral"
        if exact and any(_is_last_code(selected.name) for selected in selectors(each.lhs)):
            yield int(each.rhs.val)


def _codes_matched(node: Node) -> Iterator[int]:
    """The codes in matchers such as err_code=~"48|94"."""
    for selected in selectors(node):
        for label, sign, value in selected.matchers if _is_last_code(selected.name) else ():
            if label == "err_code" and sign in ("=", "=~"):
                yield from (int(code) if code.isdecimal() else 0 for code in value.split("|"))


# --- thresholds ----------------------------------------------------------------------------------

# Factors by which people are wrong: a unit with a prefix, a share taken for per cent.
_PREFIXES = (
    (1e-3, "a thousand times too high"), (1e-6, "a million times too high"),
    (1e-9, "a billion times too high"),
)  # fmt: skip
_OF_RATIOS = ((1e-2, "in per cent, and the value is a ratio"), *_PREFIXES)
_OF_MIB = ((1 / 1048576, "in bytes, and the metric is in MiB"), *_PREFIXES)


def _thresholds(item: Item, node: Node) -> list[Finding]:
    if kind(_bare(node)) == "BinaryExpr" and returns_bool(_bare(node)):
        text = "`bool` gives a sample with 0 as well, so that the alert fires always: leave it out."
        return [Finding(item, "always-fires", text)]
    for each in comparisons(node):
        if returns_bool(each) or kind(each.rhs) != "NumberLiteral":
            continue
        if outcome(each) == "never" and outcome(each.lhs) != "never":
            return [_impossible(item, each)]
        if outcome(each) == "always" and outcome(node) == "always":
            text = f"`{_flat(each)}` always holds: the values lie in {_range(each.lhs)}."
            return [Finding(item, "always-fires", text)]
    about = contradiction(_bare(node))
    if about:
        return [Finding(item, "never-fires", f"it asks of {about} what cannot be at once.")]
    if outcome(node) == "never":
        return [Finding(item, "never-fires", "its conditions cannot hold.")]
    return []


def _impossible(item: Item, each: Node) -> Finding:
    limit, sign = each.rhs.val, operator(each)
    span = bounds(each.lhs)
    reason = f"`{_flat(each)}` never holds: the values lie in {_range(each.lhs)}"
    if sign in (">", ">=", "==") and isfinite(span.high) and limit > span.high > 0:
        factors = _OF_RATIOS if span.high <= 1 else _PREFIXES
        if any((m := known.metric_named(s.name)) and m.unit == "MiB" for s in selectors(each.lhs)):
            factors = factors if span.high <= 1 else _OF_MIB
        for factor, words in factors:
            if span.high >= limit * factor >= span.high * 0.02:
                return Finding(item, "unit", f"{reason}. The threshold is {words}.")
    return Finding(item, "never-fires", f"{reason}.")


def _bare(node: Node) -> Node:
    return _bare(node.expr) if kind(node) == "ParenExpr" else node


def _flat(node: Node) -> str:
    return " ".join(str(node.prettify()).split())


def _range(node: Node) -> str:
    span = bounds(node)
    units = {m.unit for s in selectors(node) if (m := known.metric_named(s.name)) and m.unit}
    unit = f" ({units.pop()})" if len(units) == 1 else ""
    return f"{span.low:g} to {span.high:g}{unit}"


# --- patience ------------------------------------------------------------------------------------

_SMOOTHING = ("_over_time", "rate", "increase", "deriv", "delta", "subquery", "holt", "absent")


def _patience(item: Item, node: Node) -> list[Finding]:
    """An alert without `for` on a gauge that jumps from scrape to scrape."""
    if item.seconds:
        return []
    for each in comparisons(node):
        for selected in selectors(each):
            metric = known.metric_named(selected.name)
            smooth = any(part in word for word in selected.around for part in _SMOOTHING)
            if metric and metric.wavers and not smooth and "count" not in selected.around:
                text = (
                    f"{selected.name} jumps from one scrape to the next: add a `for`, such as 5m."
                )
                return [Finding(item, "missing-for", text)]
    return []
