"""The full wishes for a job: the record of a job file, combined with the flags."""

from llmsim.job.layout import Precision, Recompute
from llmsim.job.records import Loader
from llmsim.job.schedule import Decay
from llmsim.typed import Any, NamedTuple, datetime

TYPE_CHECKING = False  # the name that type checkers know; typing itself is slow to import
if TYPE_CHECKING:
    from llmsim.options.table import Options


class Wanted(NamedTuple):
    """Every key of a job file. None leaves the value to the planner.

    A field that is also an option has the option's name.
    """

    # The section model:
    model: str | None = None
    layers: int | None = None
    hidden_size: int | None = None
    heads: int | None = None
    kv_heads: int | None = None
    head_dim: int | None = None
    ffn: int | None = None
    vocabulary: int | None = None
    context: int | None = None
    experts: int | None = None
    active_experts: int | None = None
    shared_experts: int | None = None
    dense_layers: int | None = None
    kv_latent: int | None = None
    query_latent: int | None = None
    rope_dim: int | None = None
    tied: bool | None = None
    family: str | None = None
    biases: bool | None = None
    # The section data:
    dataset: str | None = None
    kind: str | None = None
    data_tokens: int | None = None
    rows: int | None = None
    loader: Loader | None = None
    # The section cluster:
    gpu: str | None = None
    gpus: int | None = None
    gpus_per_node: int | None = None
    power_limit_watts: int | None = None
    nic_gb_s: float | None = None
    storage_gb_s: float | None = None
    hosts: str | None = None
    # The section parallel:
    dp: int | None = None
    tp: int | None = None
    pp: int | None = None
    cp: int | None = None
    ep: int | None = None
    sharding: Any = None  # a Sharding, or "hsdp"
    replicas: int | None = None
    recompute: Recompute | None = None
    sequence_parallel: bool | None = None
    interleave: int | None = None
    # The section batch:
    micro_batch: int | None = None
    batch: int | None = None
    accumulation: int | None = None
    sequence: int | None = None
    ramp: tuple[tuple[int, int], ...] | None = None  # (first step, sequences) of each stage
    # The section precision:
    precision: Precision | None = None
    states: str | None = None
    base: str | None = None
    compiled: bool | None = None
    fused_loss: bool | None = None
    attention: str | None = None
    # The section schedule:
    steps: int | None = None
    tokens: int | None = None
    first_step: int | None = None
    horizon: int | None = None
    time_limit: int | None = None
    exit_after: int | None = None
    epochs: int | None = None
    warmup: int | None = None
    lr: float | None = None
    final_lr: float | None = None
    decay: Decay | None = None
    log_every: int | None = None
    validates: bool | None = None
    validate_every: int | None = None
    validation_batches: int | None = None
    saves: bool | None = None
    save_every: int | None = None
    background_saves: bool | None = None
    # The section framework:
    dialect: str | None = None
    versions: tuple[tuple[str, str], ...] | None = None
    release: str | None = None
    capture: str | None = None
    # The section recipe:
    recipe: str | None = None
    rank: int | None = None
    beta: float | None = None
    group: int | None = None
    # The section run:
    seed: int | None = None
    start: datetime | None = None
    evaluate: bool | None = None
    tidy: bool | None = None
    jokes: bool | None = None
    incidents: str | None = None
    incident: tuple[str, ...] | None = None
    name: str | None = None
    command: str | None = None
    source: str = ""  # the file that said it
    lifted: bool = False  # whether the options have taken it over: then what they say counts


ANYTHING = Wanted()
_FIELDS = frozenset(Wanted._fields)


# What a job file may name that is in no list: no option takes that.
NOT_LIFTED = ("model", "dataset")
# Each of two says how long a run is: what is given beside a file counts, and not the file's other.
_LENGTHS = {"steps": "tokens", "tokens": "steps"}


def wanted(options: "Options") -> Wanted:
    """All values that the options give for the job; a flag counts more than the job file."""
    defaults = options._field_defaults.values()  # what _open() looks at; a plan asks ten times
    asked: dict[str, Any] = {
        field: value
        for field, value, default in zip(options._fields, options, defaults, strict=True)
        if value is not default and value != default and field in _FIELDS
    }
    return (options.job or ANYTHING)._replace(**asked)


def lifted(options: "Options") -> "Options":
    """The options with what their job file says where they say nothing themselves."""
    job = options.job
    if job is None or job.lifted:
        return options
    fields: dict[str, Any] = {}
    for field in Wanted._fields:
        value = getattr(job, field)
        if value is None or field in NOT_LIFTED or not hasattr(options, field):
            continue
        if _open(options, field) and not _said_otherwise(options, job, field):
            fields[field] = value
    dropped: dict[str, Any] = {
        field: None for field in _LENGTHS if _said_otherwise(options, job, field)
    }
    job = job._replace(**dropped, lifted=True)
    return options._replace(**fields)._replace(job=job, **dropped)


def _said_otherwise(options: "Options", job: Wanted, field: str) -> bool:
    """Whether the options say the length of the run in another unit than the job file."""
    other = _LENGTHS.get(field, "")
    return bool(
        other
        and getattr(job, field) is not None
        and not _open(options, other)
        and getattr(job, other) is None
    )


def _open(options: "Options", field: str) -> bool:
    """Whether the options leave a field at its default, or do not have it."""
    defaults = options._field_defaults
    return field not in defaults or getattr(options, field) == defaults[field]
