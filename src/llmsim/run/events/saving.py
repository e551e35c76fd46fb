"""Validations, checkpoints, the export and its summary."""

from llmsim.physics.hardware.storage import Shard
from llmsim.typed import NamedTuple, later_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmsim.physics.learning.objectives import Score
else:
    Score = later_type("llmsim.physics.learning.objectives", "Score")


class Validated(NamedTuple):
    """A validation has ended. It measures the loss on held-out data; perplexity = exp(loss)."""

    at: float
    step: int
    loss: float
    perplexity: float
    best: float  # lowest loss so far of the validations before the end of training
    tokens: int
    seconds: float
    accuracy: float | None = None  # share of right pairs (DPO) or solved problems (GRPO), 0..1
    training_seconds: float = 0.0  # as in `step`
    part: str = ""  # after the training: `validation` or `test`; before: empty


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
    training_seconds: float = 0.0  # as in `step`


class CheckpointSaved(NamedTuple):
    """The training notices that a checkpoint is whole on disk. A save in the background was whole
    some time earlier."""

    at: float
    step: int
    path: str
    size: int
    seconds: float  # how long the save took, until the checkpoint was whole
    training_seconds: float = 0.0  # as in `step`


class CheckpointDeleted(NamedTuple):
    """An old checkpoint has been deleted."""

    at: float
    step: int  # the step after which the checkpoint was saved
    path: str
    size: int
    seconds: float


class ExportStarted(NamedTuple):
    """The export begins: the shards of the last checkpoint become files that other programs
    load.
    """

    at: float
    path: str
    size: int  # bytes of the weights in bf16
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
    seconds: float  # seconds since the export began
    training_seconds: float  # of the last attempt, as in `step`


class Evaluated(NamedTuple):
    """Benchmark scores of the model after a step. By default this step is the last step."""

    at: float
    step: int
    scores: tuple[Score, ...]
    seconds: float


class Summary(NamedTuple):
    """The figures of the whole run, at its end."""

    at: float
    steps: int  # number of the last optimizer step
    tokens: int  # tokens of this run; of a part of a longer run the tokens of the part
    seconds: float  # seconds from the launch to this event
    training_began: float  # moment of the first step, seconds after the first launch
    training_seconds: float  # seconds from the first step to the last, pauses included
    gpu_hours: float
    first_loss: float
    final_loss: float  # training loss of the last step
    best_validation: float | None  # lowest validation loss; null without validations
    final_validation: float | None
    perplexity: float | None  # exp(final_validation); null if the loss is not measured per token
    tokens_per_second: float  # tokens, divided by the seconds spent in steps
    mfu: float
    checkpoints: int
    exported: int  # bytes
    path: str
    attempts: int = 1  # how many launches the run has had
    lost_seconds: float = 0.0  # seconds of steps whose results were lost
    waiting_seconds: float = 0.0  # sum of the waits, from a fault to the next attempt's first step
    attempt_began: float = 0.0  # the last attempt's first step: seconds after the first launch
    attempt_seconds: float = 0.0  # seconds of the last attempt, first to last step, pauses included
    ended_by: str = ""  # "time-limit" if Slurm's time limit ended the run; else empty
    state: str = "COMPLETED"  # state of the job, as Slurm's sacct prints it
    kept: int = 0  # newest checkpoint, if a time limit ends the run; else 0
