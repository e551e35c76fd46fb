"""Tables of a run: the logged steps, and the gauges of every GPU and node. One row a fact.

Columns are named as in the records (docs/events.md) and the gauges: units are in the names.
"""

from collections.abc import Iterable

from llmsim.job.records import Job, gpus_per_node
from llmsim.physics.hardware.gauges import Gauges
from llmsim.physics.hardware.host import Host
from llmsim.run import cluster, events
from llmsim.telemetry.records import fields
from llmsim.text.units import stamp
from llmsim.typed import Any

Row = dict[str, Any]


def row(values: Iterable[Any]) -> str:
    """A line of CSV: None is a blank, and a text with a comma or a quote is quoted (RFC 4180).

    A tuple is a list in brackets, as DuckDB and pandas read it.
    """
    return ",".join([_cell(value) for value in values]) + "\n"


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = str([*value] if isinstance(value, tuple) else value)
    if '"' in text or "," in text or "\n" in text:
        return '"' + text.replace('"', '""') + '"'
    return text


def _time(job: Job, at: float) -> str:
    return stamp(job.start, at).isoformat(timespec="microseconds")


def step_row(event: events.Step, job: Job) -> Row:
    """A logged step by column; the metrics of DPO and GRPO are columns of their own."""
    made = fields(event)
    watched: Any = made.pop("metrics")
    return {"time": _time(job, event.at), **made, **watched}


def gauge_row(job: Job, at: float, gauges: Gauges) -> Row:
    """A GPU's gauges by column."""
    node, local = divmod(gauges.gpu, gpus_per_node(job))
    where = {"hostname": cluster.hostname(job, node), "local_gpu": local}
    return {"time": _time(job, at), "at_seconds": at, **where, **gauges._asdict()}


def host_row(job: Job, at: float, host: Host) -> Row:
    """A node's counters by column."""
    name = cluster.hostname(job, host.node)
    return {"time": _time(job, at), "at_seconds": at, "hostname": name, **host._asdict()}
