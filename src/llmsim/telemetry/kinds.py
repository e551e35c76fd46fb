"""The kinds of export, by the names that --export knows them by. Each kind's module is imported
late, so that a show without exports does not wait for it (law 7)."""

from importlib import import_module

from llmsim.typed import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmsim.telemetry.writer import Begin


class Export(NamedTuple):
    """The value of one --export."""

    kind: str
    destination: str  # a path, in which {seed} and {run} are filled in; "-" is standard output

    def __str__(self) -> str:
        """The export as a person types it."""
        return f"{self.kind}={self.destination}"


class Kind(NamedTuple):
    """One format; its writer is `begin` in the module of its name in llmsim.telemetry."""

    name: str
    meaning: str
    folder: bool = False  # DEST is a folder of several files, not one file
    extra: str = ""  # the optional extra of this package that the writer needs


KINDS = (
    Kind("jsonl", "every event as a line of JSON"),
    Kind("csv", "tables: the logged steps, and all gauges of GPUs and nodes", True),
    Kind("parquet", "the tables of csv, for DuckDB, pandas and others", True, "parquet"),
    Kind("tensorboard", "event files, with the framework's tags and steps", True),
    Kind("trainer_state", "trainer_state.json at each checkpoint and at the end", True),
    Kind("lightning", "metrics.csv and hparams.yaml, as CSVLogger writes them", True),
    Kind("wandb", "what the framework logs to Weights & Biases, as JSON lines"),
    Kind("labels", "what broke in the run, where and when: the truth for detectors"),
    Kind("logs", "torchrun's log folder, the kernel's log and Slurm's log; llm.c's main.log", True),
    Kind("cast", "the show for asciinema, with a marker for each phase and incident"),
    Kind("openmetrics", "dcgm-exporter's metrics, which promtool puts into a Prometheus"),
    Kind("promtest", "the same metrics as input series of promtool test rules"),
    Kind("nvsmi", "what nvidia-smi --query-gpu and nvidia-smi dmon print on each node", True),
    Kind("otlp", "metrics of GPUs and training in OpenTelemetry's format, as JSON lines"),
)
NAMES = tuple(kind.name for kind in KINDS)


def kind_named(name: str) -> Kind:
    """The kind of this name. Raises KeyError when there is none."""
    return {kind.name: kind for kind in KINDS}[name]


def begin_of(kind: Kind) -> "Begin":
    """The function that makes the kind's writer for a run."""
    begin: Begin = import_module(f"llmsim.telemetry.{kind.name}").begin
    return begin
