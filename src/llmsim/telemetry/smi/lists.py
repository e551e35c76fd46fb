"""--query-remapped-rows, --query-retired-pages and --query-supported-clocks as CSV.

A header has each name as it was asked for, as public captures have it: `gpu_uuid, remapped_rows.
correctable, ...`. An H100 has two rows of retired pages, `[N/A], Single Bit ECC` and `[N/A],
Double Bit ECC`: it remaps rows instead.
"""

from collections.abc import Iterable, Sequence

from llmsim.physics.hardware.gauges import Gauges
from llmsim.telemetry.smi import node as of
from llmsim.telemetry.smi.node import NOT_AVAILABLE, Node
from llmsim.telemetry.smi.properties import property_named
from llmsim.telemetry.smi.query import Format, check, head, row

_GPU = ("timestamp", "gpu_name", "gpu_bus_id", "gpu_serial", "gpu_uuid")
_CLOCKS = {"memory": "MHz", "mem": "MHz", "graphics": "MHz", "gr": "MHz"}
_LONG = {"mem": "memory", "gr": "graphics"}
_CAUSES = ("Single Bit ECC", "Double Bit ECC")
# The names that each query knows, with their units.
NAMES: dict[str, dict[str, str]] = {
    "query-remapped-rows": dict.fromkeys(
        (
            *_GPU,
            *(f"remapped_rows.{each}" for each in (
                "correctable", "uncorrectable", "pending", "failure", "histogram.max",
                "histogram.high", "histogram.partial", "histogram.low", "histogram.none")),
        ),
        "",
    ),
    "query-retired-pages": dict.fromkeys(
        (*_GPU, *(f"retired_pages.{each}" for each in ("timestamp", "address", "cause"))), ""
    ),
    "query-supported-clocks": dict.fromkeys(_GPU, "") | _CLOCKS,
}  # fmt: skip


def listed(
    node: Node, query: str, names: Sequence[str], form: Format, chosen: Sequence[Gauges]
) -> str:
    """The rows of the chosen GPUs for one of the queries of NAMES.

    Raises NvidiaSmiError for a name that the query does not know.
    """
    known = NAMES[query]
    check(names, known)
    units = [known[name] for name in names]
    shown = [_LONG.get(name, name) for name in names]
    made = head(shown, units, form)
    for gauges in chosen:
        rows = (
            row([_value(node, gauges, more, name) for name in shown], units, form)
            for more in _items(node, query)
        )
        made += "".join(dict.fromkeys(rows))  # one memory clock has many clocks of graphics
    return made


def _items(node: Node, query: str) -> Iterable[dict[str, object]]:
    """What differs from row to row of one GPU."""
    if query == "query-retired-pages":
        gone = {"retired_pages.timestamp": NOT_AVAILABLE, "retired_pages.address": NOT_AVAILABLE}
        return ({**gone, "retired_pages.cause": cause} for cause in _CAUSES)
    if query == "query-supported-clocks":
        memory = of.clocks_of(node).memory
        return ({"memory": memory, "graphics": clock} for clock in of.supported_clocks(node))
    return ({},)


def _value(node: Node, gauges: Gauges, more: dict[str, object], name: str) -> object:
    return more[name] if name in more else property_named(name).value(node, gauges)
