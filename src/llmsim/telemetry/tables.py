"""Tables of a run: the logged steps, and the gauges of every GPU. One row for each record.

The columns are named as in the records (docs/events.md), with units in the names.
"""

from llmsim.run import events
from llmsim.telemetry.records import field_name, fields
from llmsim.typed import Any

# Columns of a table of steps that come before the metrics of the run's objective.
STEP_COLUMNS = tuple(
    field_name(events.Step, field) for field in events.Step._fields if field != "metrics"
)


def row(values: "list[Any] | tuple[Any, ...]") -> str:
    """A line of CSV: None is a blank, and a text with a comma or a quote is quoted (RFC 4180)."""
    return ",".join([_cell(value) for value in values]) + "\n"


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = str(value)
    if '"' in text or "," in text or "\n" in text:
        return '"' + text.replace('"', '""') + '"'
    return text


def step_row(event: events.Step) -> dict[str, Any]:
    """A logged step by column; the metrics of DPO and GRPO are columns of their own."""
    made = fields(event)
    watched: Any = made.pop("metrics")
    return {**made, **watched}
