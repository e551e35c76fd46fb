"""A PromQL expression: what it selects, and between which bounds its values lie.

    selectors(node)       ->  Selected ...   each with the functions around it
    outcome(node)         ->  never, maybe or always: whether a comparison can hold

The bounds are intervals: GPU_TEMP lies in 0..110, rate(TOTAL_ENERGY_CONSUMPTION[5m]) in 0..2.5e6.
Where nothing is known of a part, everything is possible.
"""

from collections.abc import Callable, Iterator
from math import inf, isfinite
from operator import ge, gt, le, lt

from llmsim.grading.known import metric_named
from llmsim.grading.trees import Node, children, kind
from llmsim.typed import Literal, NamedTuple

Outcome = Literal["never", "maybe", "always"]


class Span(NamedTuple):
    """Between which bounds values lie."""

    low: float
    high: float


ANY = Span(-inf, inf)


class Selected(NamedTuple):
    """One selector in an expression."""

    name: str
    matchers: tuple[tuple[str, str, str], ...]  # label, operator (=, !=, =~, !~), value
    seconds: float  # of its range; 0 for an instant
    around: tuple[str, ...]  # the functions and aggregations around it, the nearest first
    text: str


def function(node: Node) -> str:
    """The name of a call's function or an aggregation's operator."""
    if kind(node) == "Call":
        return str(node.func.name)
    return str(node.op) if kind(node) == "AggregateExpr" else ""


_OPERATORS = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}


def selectors(node: Node, around: tuple[str, ...] = ()) -> Iterator[Selected]:
    """Every selector of an expression."""
    name = kind(node)
    if name in ("VectorSelector", "MatrixSelector"):
        inner = node.vector_selector if name == "MatrixSelector" else node
        seconds = node.range.total_seconds() if name == "MatrixSelector" else 0.0
        matchers = tuple(
            (m.name, _OPERATORS[str(m.op).rpartition(".")[2]], m.value)
            for m in inner.matchers.matchers
        )
        named = inner.name or next((m[2] for m in matchers if m[:2] == ("__name__", "=")), "")
        yield Selected(named, matchers, seconds, around, node.prettify())
        return
    inside = (function(node), *around) if function(node) else around
    if name == "SubqueryExpr":
        inside = ("subquery", *around)
    for child in children(node):
        yield from selectors(child, inside)


def labels_used(node: Node) -> Iterator[str]:
    """The labels that groupings and joins name."""
    modifier = getattr(node, "modifier", None)
    if kind(node) == "AggregateExpr" and modifier is not None:
        yield from modifier.labels
    if kind(node) == "BinaryExpr" and modifier is not None:
        matching = getattr(modifier, "matching", None)
        yield from getattr(matching, "labels", None) or ()
    for child in children(node):
        yield from labels_used(child)


# --- bounds --------------------------------------------------------------------------------------

_SAME = (
    "avg_over_time", "min_over_time", "max_over_time", "last_over_time", "label_replace",
    "label_join", "sort", "sort_desc", "vector", "scalar", "clamp", "clamp_max", "clamp_min",
    "ceil", "floor", "round", "abs",
)  # fmt: skip
_KEEPING = ("avg", "min", "max", "topk", "bottomk", "limitk")


def bounds(node: Node) -> Span:
    """Between which bounds the values of an expression lie."""
    name = kind(node)
    if name == "NumberLiteral":
        return Span(node.val, node.val)
    if name in ("ParenExpr", "SubqueryExpr"):
        return bounds(node.expr)
    if name == "UnaryExpr":
        inner = bounds(node.expr)
        return Span(-inner.high, -inner.low)
    if name in ("VectorSelector", "MatrixSelector"):
        found = metric_named(next(selectors(node)).name)
        return ANY if found is None else Span(found.low, inf if found.counter else found.high)
    if name == "Call":
        return _call(node)
    if name == "AggregateExpr":
        return _aggregation(node)
    return _binary(node) if name == "BinaryExpr" else ANY


def _call(node: Node) -> Span:
    name, arguments = function(node), [*node.args]
    if name in _SAME and arguments:
        return bounds(arguments[0])
    if name == "quantile_over_time":
        return bounds(arguments[1])
    if name in ("rate", "irate", "increase"):
        selected = next(selectors(arguments[0]), None)
        found = metric_named(selected.name) if selected else None
        seconds = selected.seconds if selected and name == "increase" else 1.0
        return Span(0, found.high * seconds) if found and found.counter else Span(0, inf)
    if name in ("delta", "idelta"):
        inner = bounds(arguments[0])
        return Span(inner.low - inner.high, inner.high - inner.low)
    if name in ("changes", "resets", "count_over_time", "time", "timestamp", "stddev_over_time"):
        return Span(0, inf)
    if name in ("absent", "absent_over_time", "present_over_time"):
        return Span(1, 1)
    return ANY


def _aggregation(node: Node) -> Span:
    name, inner = function(node), bounds(node.expr)
    if name in _KEEPING or name == "quantile":
        return inner
    if name == "sum":
        return Span(inner.low if inner.low >= 0 else -inf, inf if inner.high > 0 else inner.high)
    if name in ("count", "group", "count_values"):
        return Span(1, 1 if name == "group" else inf)
    return Span(0, inf) if name in ("stddev", "stdvar") else ANY


_COMPARISONS: dict[str, Callable[[float, float], bool]] = {">": gt, "<": lt, ">=": ge, "<=": le}
COMPARING = (*_COMPARISONS, "==", "!=")


def returns_bool(node: Node) -> bool:
    """Whether a comparison gives 0 or 1 instead of filtering."""
    modifier = getattr(node, "modifier", None)
    return bool(modifier is not None and getattr(modifier, "return_bool", False))


def operator(node: Node) -> str:
    """The operator of a binary expression."""
    return str(node.op)


def _binary(node: Node) -> Span:
    sign, left, right = operator(node), bounds(node.lhs), bounds(node.rhs)
    if sign in COMPARING:
        if not returns_bool(node):
            return left
        held = compared(sign, left, right)
        return {"never": Span(0, 0), "always": Span(1, 1), "maybe": Span(0, 1)}[held]
    if sign in ("and", "unless"):
        return left
    if sign == "or":
        return Span(min(left.low, right.low), max(left.high, right.high))
    if sign == "/" and _is_part(node):
        return Span(0, 1)
    return _arithmetic(sign, left, right)


def _is_part(node: Node) -> bool:
    """Whether a quotient is a part of a whole, as used / (used + free), or / total."""
    above = [each.name for each in selectors(node.lhs)]
    below = [each.name for each in selectors(node.rhs)]
    if len(above) != 1 or bounds(node.lhs).low < 0:
        return False
    whole = any(name.endswith(("FB_TOTAL", "memory_total_bytes")) for name in below)
    return (above[0] in below and len(below) > 1) or (whole and len(below) == 1)


def _arithmetic(sign: str, left: Span, right: Span) -> Span:
    if sign == "+":
        return Span(left.low + right.low, left.high + right.high)
    if sign == "-":
        return Span(left.low - right.high, left.high - right.low)
    if sign == "*":
        return _product(left, right)
    if sign == "/" and (right.low > 0 or right.high < 0):
        return _product(left, Span(_inverse(right.high), _inverse(right.low)))
    if sign == "/" and right.low >= 0 <= left.low:
        return Span(0, inf)
    if sign == "%" and left.low >= 0 and right.low > 0:
        return Span(0, right.high)
    return ANY


def _inverse(value: float) -> float:
    return 1 / value if isfinite(value) else 0.0


def _product(left: Span, right: Span) -> Span:
    corners = [0.0 if 0 in (a, b) else a * b for a in left for b in right]
    return Span(min(corners), max(corners))


# --- whether it can fire -------------------------------------------------------------------------


def compared(sign: str, left: Span, right: Span) -> Outcome:
    """Whether left and right compare: never, always, or sometimes."""
    if sign in ("==", "!="):
        apart = left.high < right.low or right.high < left.low
        same = left == right and left.low == left.high
        holds, fails = (same, apart) if sign == "==" else (apart, same)
        return "always" if holds else "never" if fails else "maybe"
    test = _COMPARISONS[sign]
    upward = sign in (">", ">=")
    best = (left.high, right.low) if upward else (left.low, right.high)
    worst = (left.low, right.high) if upward else (left.high, right.low)
    if not test(*best):
        return "never"
    return "always" if test(*worst) and all(map(isfinite, worst)) else "maybe"


def outcome(node: Node) -> Outcome:
    """Whether an expression can have a sample: an alert fires while it has one."""
    name = kind(node)
    if name == "ParenExpr":
        return outcome(node.expr)
    if name == "AggregateExpr":
        return outcome(node.expr)
    if name == "Call":
        parts = [outcome(each) for each in node.args if kind(each) not in _LEAVES]
        return "never" if "never" in parts and not function(node).startswith("absent") else "maybe"
    if name != "BinaryExpr":
        return "maybe"
    sign, left, right = operator(node), outcome(node.lhs), outcome(node.rhs)
    if sign == "or":
        return "never" if left == right == "never" else "maybe"
    if sign == "unless":
        return "never" if left == "never" else "maybe"
    if "never" in (left, right):
        return "never"
    if sign in COMPARING and not returns_bool(node):
        return compared(sign, bounds(node.lhs), bounds(node.rhs))
    return "never" if sign == "and" and contradiction(node) else "maybe"


def is_constant(node: Node) -> bool:
    """Whether an expression asks for no metric and filters nothing, as vector(1): it has a sample
    at every moment.
    """
    if kind(node) in ("VectorSelector", "MatrixSelector"):
        return False
    if kind(node) == "BinaryExpr" and operator(node) in (*COMPARING, "and", "unless"):
        return False
    return all(map(is_constant, children(node)))


_LEAVES = ("NumberLiteral", "StringLiteral", "VectorSelector", "MatrixSelector")


def comparisons(node: Node) -> Iterator[Node]:
    """The comparisons of an expression that filter."""
    if kind(node) == "BinaryExpr" and operator(node) in COMPARING:
        yield node
    for child in children(node):
        yield from comparisons(child)


def contradiction(node: Node) -> str:
    """The part of which a conjunction asks what cannot be at once; empty where there is none."""
    held: dict[str, Span] = {}
    for each in _conjuncts(node):
        if kind(each) != "BinaryExpr" or operator(each) not in _COMPARISONS:
            continue
        if kind(each.rhs) != "NumberLiteral":
            continue
        about, limit = each.lhs.prettify(), each.rhs.val
        span = held.get(about, ANY)
        upward = operator(each) in (">", ">=")
        span = Span(max(span.low, limit), span.high) if upward else Span(
            span.low, min(span.high, limit)
        )  # fmt: skip
        if span.low > span.high:
            return " ".join(str(about).split())
        held[about] = span
    return ""


def _conjuncts(node: Node) -> Iterator[Node]:
    if kind(node) == "ParenExpr":
        yield from _conjuncts(node.expr)
    elif kind(node) == "BinaryExpr" and operator(node) == "and":
        yield from _conjuncts(node.lhs)
        yield from _conjuncts(node.rhs)
    else:
        yield node


def joined(node: Node) -> tuple[str, str, str] | None:
    """The two sides of a conjunction without their thresholds, and both joined as they stand.

    None for anything but a conjunction of two vectors.
    """
    while kind(node) == "ParenExpr":
        node = node.expr
    if kind(node) != "BinaryExpr" or operator(node) != "and":
        return None
    left, right = _without_thresholds(node.lhs), _without_thresholds(node.rhs)
    return left, right, f"({left}) and {_matching(node)} ({right})"


def _matching(node: Node) -> str:
    """The on (...) or ignoring (...) of a binary expression."""
    matching = getattr(getattr(node, "modifier", None), "matching", None)
    if matching is None:
        return ""
    word = "ignoring" if "exclude" in str(matching.type).lower() else "on"
    return f"{word} ({', '.join(matching.labels)})"


def _without_thresholds(node: Node) -> str:
    if kind(node) == "ParenExpr":
        return _without_thresholds(node.expr)
    if kind(node) == "BinaryExpr" and operator(node) in COMPARING and not returns_bool(node):
        sides = [node.lhs, node.rhs]
        vectors = [side for side in sides if [*selectors(side)]]
        if len(vectors) == 1:
            return _without_thresholds(vectors[0])
    if kind(node) == "BinaryExpr" and operator(node) == "and":
        left, right = _without_thresholds(node.lhs), _without_thresholds(node.rhs)
        return f"({left}) and {_matching(node)} ({right})"
    if kind(node) == "BinaryExpr" and operator(node) in ("or", "unless"):
        return _without_thresholds(node.lhs)
    return str(node.prettify())
