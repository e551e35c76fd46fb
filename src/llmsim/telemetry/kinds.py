"""The kinds of export, by the names that --export knows them by. Each kind's module is imported
late, so that a show without exports does not wait for it (law 6)."""

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
    """One format: its name, its content, and the module of its writer."""

    name: str
    meaning: str
    module: str  # in llmsim.telemetry; its function `begin` makes the writer
    folder: bool = False  # DEST is a folder of several files, not one file
    extra: str = ""  # the optional extra of this package that the writer needs


KINDS = (
    Kind("jsonl", "every event, one JSON object a line", "jsonl"),
    Kind("tensorboard", "event files, with the framework's tags and steps", "tensorboard", True),
    Kind(
        "trainer_state",
        "trainer_state.json of every checkpoint and of the end, as the Trainer saves it",
        "trainer_state",
        True,
    ),
    Kind("lightning", "metrics.csv and hparams.yaml, as CSVLogger writes them", "lightning", True),
    Kind("wandb", "what the framework logs to Weights & Biases, as JSON lines", "wandb"),
)
NAMES = tuple(kind.name for kind in KINDS)


def kind_named(name: str) -> Kind:
    """The kind of this name. Raises KeyError when there is none."""
    return {kind.name: kind for kind in KINDS}[name]


def begin_of(kind: Kind) -> "Begin":
    """The function that makes the kind's writer for a run."""
    begin: Begin = import_module(f"llmsim.telemetry.{kind.module}").begin
    return begin
