"""The tables of a data set: each column with its type, its unit and its meaning.

One fixed schema in every file: a value that is not there is a null of the column's type.
"""

from llmsim.typed import Literal, NamedTuple

# time: UTC, in microseconds; local: the clock of the logs, without a zone, in microseconds.
# name: a text that comes again and again, which readers get as a category or as a text.
Type = Literal[
    "text", "name", "int16", "int32", "int64", "float32", "float64", "bool", "time", "local"
]


class Column(NamedTuple):
    """A column of a table."""

    name: str
    type: Type
    meaning: str
    unit: str = ""
    null: bool = True  # whether a value may be missing
    bounds: bool = True  # whether the least and the greatest of each row group are kept


class Table(NamedTuple):
    """A table of a data set: a folder of Parquet files."""

    name: str
    meaning: str
    columns: tuple[Column, ...]


_RUN = Column("run_id", "text", "the run; names sort as the runs were numbered")
_WHEN = (
    Column("time_utc", "time", "the moment in UTC"),
    Column("time_local", "local", "the same moment as the run's logs stamp it"),
    Column("at_seconds", "float64", "since the run's command, which is time zero", "s"),
)

RUNS = Table(
    "runs",
    "one row a run: what trains on what, and how it went",
    (
        _RUN,
        Column("split", "text", "train, validation or test, by run and never by row"),
        Column("seed", "int64", "plays the run alone: see command (null where answers are apart)"),
        Column("mix", "int32", "the [[mix]] of the SPEC, counted from 0; -1 without one"),
        Column("name", "text", "the run's own name"),
        Column("cluster", "text", "the first part of its hosts' names"),
        Column("dialect", "text", "the framework whose log it has"),
        Column("recipe", "text", "what it trains for"),
        Column("model", "text", "the model's name"),
        Column("parameters", "int64", "the model's exact size", "parameters"),
        Column("dataset", "text", "what it trains on"),
        Column("gpu", "text", "the kind of GPU"),
        Column("gpus", "int32", "GPUs of the run", "GPUs"),
        Column("sampled_gpus", "int32", "the first of them, which the samples have", "GPUs"),
        Column("nodes", "int32", "nodes of the run", "nodes"),
        Column("gpus_per_node", "int32", "GPUs of a node", "GPUs"),
        Column("tensor_parallel", "int32", "ranks of a tensor-parallel group", "ranks"),
        Column("pipeline_parallel", "int32", "stages of the pipeline", "stages"),
        Column("data_parallel", "int32", "replicas", "ranks"),
        Column("steps", "int64", "optimizer steps of the schedule", "steps"),
        Column("batch_tokens", "int64", "tokens of a global batch", "tokens"),
        Column("start_utc", "time", "time zero in UTC"),
        Column("start_local", "local", "time zero as the logs stamp it"),
        Column("zone", "text", "the zone of the local times"),
        Column("utc_offset_seconds", "int32", "local time less UTC, for the whole run", "s"),
        Column("seconds", "float64", "from the command to the end", "s"),
        Column("attempts", "int32", "launches", "attempts"),
        Column("lost_seconds", "float64", "time of steps whose result no checkpoint held", "s"),
        Column("waiting_seconds", "float64", "time without training after faults", "s"),
        Column("final_loss", "float64", "training loss of the last step", "nats/token"),
        Column("mfu", "float64", "mean model FLOPs utilization, 0..1"),
        Column("tokens", "int64", "tokens of the whole run", "tokens"),
        Column("incidents", "int32", "labels of the run (null where answers are apart)"),
        Column("command", "text", "plays the run alone (null where answers are apart)"),
    ),
)
STEPS = Table(
    "steps",
    "one row a logged step",
    (
        _RUN,
        *_WHEN,
        Column("step", "int64", "optimizer step, counted from 1", "steps"),
        Column("attempt", "int32", "the launch that ran it, counted from 1"),
        Column("epoch", "int32", "pass over the data, counted from 1"),
        Column("loss", "float64", "of this step's global batch", "nats/token"),
        Column("gradient_norm", "float64", "before clipping"),
        Column("learning_rate", "float64", "used in this step"),
        Column("step_seconds", "float64", "mean since the logged step before", "s"),
        Column("tokens", "int64", "consumed so far", "tokens"),
        Column("tokens_per_second", "float64", "of the whole cluster", "tokens/s"),
        Column("samples_per_second", "float64", "sequences of the whole cluster", "1/s"),
        Column("mfu", "float64", "model FLOPs utilization, 0..1"),
        Column("allocated_bytes", "int64", "peak in tensors, on the most loaded GPU", "B"),
        Column("reserved_bytes", "int64", "peak that torch's allocator holds", "B"),
        Column("metrics", "text", "metrics of DPO and GRPO by TRL's names, as a JSON object"),
    ),
)


def _gauge(name: str, kind: Type, meaning: str, unit: str = "") -> Column:
    """A column that every sample has; nobody looks for a range of it."""
    return Column(name, kind, meaning, unit, null=False, bounds=False)


SAMPLES = Table(
    "samples",
    "one row a GPU and sample: what its exporter shows",
    (
        _RUN._replace(type="name", null=False),
        *(column._replace(null=False) for column in _WHEN),
        _gauge("gpu", "int32", "rank in the job"),
        _gauge("hostname", "name", "the node that has it"),
        _gauge("power_w", "float32", "board power", "W"),
        _gauge("temp_c", "int16", "temperature of the GPU", "C"),
        _gauge("sm_clock_mhz", "int16", "clock of the SMs", "MHz"),
        _gauge("utilization_percent", "int16", "share of the last second with a kernel", "%"),
        _gauge("used_mib", "int32", "memory in use", "MiB"),
        _gauge("tensor_active", "float32", "share of cycles of the tensor cores, 0..1"),
        _gauge("xid", "int16", "the driver's last error code in this attempt; 0 is none"),
    ),
)
EVENTS = Table(
    "events",
    "one row an event but for steps, which have a table, and progress bars",
    (
        _RUN,
        *_WHEN,
        Column("event", "text", "its name, as docs/events.md lists them"),
        Column("step", "int64", "optimizer step", "steps"),
        Column("rank", "int32", "the process or GPU it is about"),
        Column("hostname", "text", "the node it is about"),
        Column("seconds", "float64", "how long it took", "s"),
        Column("fields", "text", "all of its fields, as a JSON object"),
    ),
)
LABELS = Table(
    "labels",
    "what broke, and the clean stretches between",
    (
        _RUN,
        Column("label", "text", "incident or clean"),
        Column("number", "int32", "counts the labels of a run, from 1"),
        Column("kind", "text", "what broke, as docs/incidents.md lists them"),
        Column("component", "text", "GPU, fabric, network, host, storage, ..."),
        Column("consequence", "text", "death, hang, slow, drain, stop or numbers"),
        Column("cause", "text", "what happened, in words"),
        Column("symptom", "text", "what the training log shows of it"),
        Column("telemetry", "text", "what the gauges show of it"),
        Column("detectable_in", "text", "streams that show it, with blanks between"),
        Column("began_utc", "time", "the fault, or the start of a clean stretch"),
        Column("ended_utc", "time", "training goes on as before, or the stretch ends"),
        Column("began_seconds", "float64", "the same since time zero", "s"),
        Column("visible_seconds", "float64", "the first line of any stream", "s"),
        Column("detected_seconds", "float64", "the first line a monitor should act on", "s"),
        Column("ended_seconds", "float64", "training goes on as before", "s"),
        Column("attempt", "int32", "the launch it met"),
        Column("step", "int64", "the last whole optimizer step", "steps"),
        Column("rank", "int32", "the culprit"),
        Column("hostname", "text", "its node"),
        Column("local_rank", "int32", "its GPU on that node"),
    ),
)
TABLES = (RUNS, STEPS, SAMPLES, EVENTS, LABELS)

COLUMNS = Table(
    "columns",
    "every column of every table: its type, its unit and its meaning",
    (
        Column("table", "text", "the table"),
        Column("column", "text", "the column"),
        Column("type", "text", "its type; time is UTC and local is the logs' clock"),
        Column("unit", "text", "its unit; null for names, shares and counts without one"),
        Column("meaning", "text", "what it says"),
    ),
)


def rows_of_columns(tables: tuple[Table, ...]) -> list[tuple[object, ...]]:
    """The rows of the table of columns."""
    return [
        (table.name, column.name, column.type, column.unit or None, column.meaning)
        for table in tables
        for column in table.columns
    ]
