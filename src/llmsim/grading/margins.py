"""By how much an alert misses an incident: its threshold, and how far the value rose towards it.

An H100 slows itself at 87 to 89 degrees C: `DCGM_FI_DEV_GPU_TEMP > 90` is no wrong rule, and yet
the GPU that holds up the whole job never makes it fire.
"""

from collections.abc import Iterable, Mapping
from math import isfinite

from llmsim.errors import GradeError
from llmsim.grading.expressions import operator
from llmsim.grading.items import Item
from llmsim.grading.scenarios import Series
from llmsim.grading.trees import kind, parsed
from llmsim.typed import NamedTuple

_NEAR = 0.5  # of the way from a healthy run's peak to the threshold


class Threshold(NamedTuple):
    """What an alert of the form `metric > number` asks for."""

    metric: str
    limit: float
    sign: str = ">"  # or ">="


class Miss(NamedTuple):
    """An alert that an incident brings near its threshold, and no farther."""

    alert: str
    limit: float
    peak: float  # of the metric while the incident lasts
    sign: str = ">"  # of the threshold


def thresholds(items: Iterable[tuple[int, Item]]) -> dict[int, Threshold]:
    """The thresholds of the alerts that compare one metric with a number, by their numbers."""
    found = {}
    for number, item in items:
        if item.kind == "alert" and (threshold := _threshold(item.expression)):
            found[number] = threshold
    return found


def _threshold(text: str) -> Threshold | None:
    try:
        node = parsed(text)
    except GradeError:
        return None
    while kind(node) == "ParenExpr":
        node = node.expr
    if kind(node) != "BinaryExpr" or operator(node) not in (">", ">="):
        return None
    if kind(node.lhs) != "VectorSelector" or kind(node.rhs) != "NumberLiteral":
        return None
    if node.lhs.matchers.matchers:
        return None
    return Threshold(node.lhs.name, node.rhs.val, operator(node))


def peaks(series: Series, wanted: Iterable[Threshold]) -> dict[str, float]:
    """The highest value of each of these metrics in the series of a scenario."""
    metrics = {each.metric for each in wanted}
    found: dict[str, float] = {}
    for name, values in series.items():
        metric = name.partition("{")[0]
        if metric in metrics:
            numbers = [float(each) for each in {*values} - {"_", "stale"}]
            highest = max(filter(isfinite, numbers), default=0.0)
            found[metric] = max(highest, found.get(metric, highest))
    return found


def miss(
    alert: str, threshold: Threshold, calm: Mapping[str, float], struck: Mapping[str, float]
) -> Miss | None:
    """What an alert misses by, if an incident brings its metric most of the way to its threshold.

    `calm` and `struck` are the peaks on a healthy run and around the incident.
    """
    if threshold.metric not in calm or threshold.metric not in struck:
        return None
    usual, peak = calm[threshold.metric], struck[threshold.metric]
    near = usual + _NEAR * (threshold.limit - usual)
    if peak <= usual or not near <= peak <= threshold.limit:
        return None  # the incident does not raise this metric, or raises it too little or enough
    return Miss(alert, threshold.limit, peak, threshold.sign)
