"""Events as plain records of names, numbers and texts, for JSON lines and tables.

    record(event)  ->  {"event": "step", "simulated": true, "at_seconds": 37.2, "step": 10, ...}

The names are the fields of the event, with a unit if the field's own name has none.
docs/events.md lists every event with its fields.
"""

from collections.abc import Iterator
from datetime import timedelta
from functools import cache

from llmsim.job.records import Job
from llmsim.run.events import Event
from llmsim.run.simulation import events
from llmsim.run.timeline import Run
from llmsim.typed import Any

# The version of the records: it is raised when a name goes or changes its meaning.
SCHEMA_VERSION = 1

# Units for fields of all records whose names have none ...
_UNITS = {
    "at": "at_seconds",
    "remaining": "remaining_seconds",
    "elapsed": "elapsed_seconds",
    "size": "size_bytes",
    "allocated": "allocated_bytes",
    "reserved": "reserved_bytes",
    "capacity": "capacity_bytes",
    "utilization": "utilization_percent",
    "utilization_min": "utilization_min_percent",
    "temperature_min": "temperature_min_c",
    "temperature_max": "temperature_max_c",
    "exposed": "exposed_seconds",
}
# ... and for fields of single records: (record, field).
_OWN_UNITS = {
    ("Summary", "exported"): "exported_bytes",
    ("Summary", "training_began"): "training_began_seconds",
    ("Summary", "attempt_began"): "attempt_began_seconds",
    ("Slowed", "part"): "share_of_step",
    **{
        ("Memory", name): f"{name}_bytes"
        for name in ("weights", "gradients", "optimizer", "activations", "logits", "gathered",
                     "context")
    },
}  # fmt: skip
# Fields that hold pairs of a name and a number; they become an object.
PAIRS = ("metrics", "dimensions")

_PLAIN = (int, float, str, bool, type(None))


def event_name(kind: type) -> str:
    """A record's name as the exports write it: CheckpointSaved is "checkpoint_saved"."""
    name = kind.__name__
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).removeprefix("_")


def field_name(kind: type, field: str) -> str:
    """A field's name as the exports write it, with its unit."""
    return _OWN_UNITS.get((kind.__name__, field)) or _UNITS.get(field, field)


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field_name(kind, field) for field in kind._fields)


@cache
def _heading(kind: Any) -> dict[str, object]:
    return {"event": event_name(kind), "simulated": True}


def _value(value: Any, field: str = "") -> object:
    """A value of a field: records and tuples of them nest."""
    if type(value) in _PLAIN:
        return value
    if hasattr(value, "_fields"):
        return fields(value)
    if field in PAIRS:
        return dict(value)
    return [_value(each) for each in value]


def fields(item: Any) -> dict[str, object]:
    """The fields of a record by their exported names."""
    kind: Any = type(item)
    made = dict(zip(_names(kind), item, strict=True))
    for name, value in made.items():
        if type(value) not in _PLAIN:
            made[name] = _value(value, name)
    return made


def record(event: Event) -> dict[str, object]:
    """The event as a record: its name, the mark that it is simulated, and its fields."""
    kind: Any = type(event)
    return _heading(kind) | fields(event)


def moment(at: float, job: Job) -> str:
    """The date and time of a simulated second, to the microsecond."""
    return (job.start + timedelta(seconds=at)).isoformat(timespec="microseconds")


def timed(event: Any, job: Job) -> dict[str, object]:
    """The event as a record that also has the date and the time of the simulated clock."""
    kind: Any = type(event)
    time = moment(event.at, job)
    return _heading(kind) | {"time": time} | fields(event)


def run_record(job: Job) -> dict[str, object]:
    """The first record of a file: it identifies the run and has the command that plays it again."""
    return {
        "event": "run",
        "simulated": True,
        "schema_version": SCHEMA_VERSION,
        "name": job.run_name,
        "seed": job.seed,
        "start": job.start.isoformat(),
        "dialect": job.framework.name,
        "recipe": job.recipe.name,
        "model": job.model.name,
        "dataset": job.dataset.name,
        "gpu": job.gpu.name,
        "gpus": job.layout.gpus,
        "nodes": job.layout.nodes,
        "steps": job.schedule.steps,
        "command": job.command,
    }


def records(run: Run) -> Iterator[dict[str, object]]:
    """The whole run as records: the run's own first, then one for each event, in order of time."""
    yield run_record(run.job)
    for event in events(run):
        yield timed(event, run.job)
