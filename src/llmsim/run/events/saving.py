"""Validations, checkpoints, the export and its summary."""

from llmsim.physics.hardware.storage import Shard
from llmsim.typed import NamedTuple, later_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmsim.physics.learning.objectives import Score
else:
    Score = later_type("llmsim.physics.learning.objectives", "Score")


class Validated(NamedTuple):
    """A validation has ended: the loss on held-out data; perplexity = exp(loss)."""

    at: float
    step: int
    loss: float
    perplexity: float
    best: float  # lowest validation loss so far, this one included
    tokens: int
    seconds: float
    accuracy: float | None = None  # DPO: pairs ranked right; GRPO: problems solved; 0 .. 1
    training_seconds: float = 0.0  # as of a Step
    part: str = ""  # of an evaluation after the training: "validation" or "test"


class CheckpointStarted(NamedTuple):
    """A save begins: every rank writes its shard."""

    at: float
    step: int
    path: str
    size: int
    writers: int


class CheckpointStaged(NamedTuple):
    """A copy of the states is in host memory; training goes on while the copy is written."""

    at: float
    step: int
    seconds: float
    training_seconds: float = 0.0  # as of a Step


class CheckpointSaved(NamedTuple):
    """The checkpoint is durable. The end of a save in the background may be noticed later."""

    at: float
    step: int
    path: str
    size: int
    seconds: float  # since it began
    training_seconds: float = 0.0  # as of a Step


class CheckpointDeleted(NamedTuple):
    """An old checkpoint has been deleted."""

    at: float
    step: int  # after which it was saved
    path: str
    size: int
    seconds: float


class ExportStarted(NamedTuple):
    """The export begins: the shards of the last checkpoint become files that other programs
    load.
    """

    at: float
    path: str
    size: int  # bf16 weights
    shards: int


class Consolidated(NamedTuple):
    """The full weights are in the first node's memory, in bf16."""

    at: float
    size: int
    seconds: float


class ShardWritten(NamedTuple):
    """One safetensors file is written."""

    at: float
    shard: Shard
    seconds: float


class Exported(NamedTuple):
    """All files are written."""

    at: float
    path: str
    size: int
    shards: int
    seconds: float  # since the export began
    training_seconds: float  # of the last attempt, as of a Step


class Evaluated(NamedTuple):
    """Benchmark scores of the model after a step: the last one, or when they were asked for."""

    at: float
    step: int
    scores: tuple[Score, ...]
    seconds: float


class Summary(NamedTuple):
    """The figures of the whole run, at its end."""

    at: float
    steps: int
    tokens: int
    seconds: float  # from launch to now
    training_began: float  # seconds after the launch
    training_seconds: float  # from the first step to the last, nested phases included
    gpu_hours: float
    first_loss: float
    final_loss: float  # training
    best_validation: float | None  # None, as is the next, if the run has no validation
    final_validation: float | None
    perplexity: float | None  # exp(final_validation), where the loss is one of tokens
    tokens_per_second: float  # tokens / seconds spent in steps
    mfu: float
    checkpoints: int
    exported: int  # bytes
    path: str
    attempts: int = 1  # launches that it took
    lost_seconds: float = 0.0  # of steps that no checkpoint held
    waiting_seconds: float = 0.0  # from faults to the first steps of the next attempts
    attempt_began: float = 0.0  # seconds from the launch to the last attempt's first step
    attempt_seconds: float = 0.0  # from there to the last step, nested phases included
    ended_by: str = ""  # what ended the run before its last step: "time-limit", or nothing
    state: str = "COMPLETED"  # of its job in Slurm's sacct, or TIMEOUT
    kept: int = 0  # the last step in the checkpoint that this end leaves; 0: there is none
