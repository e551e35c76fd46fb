"""Steps, epochs, and slow steps."""

from llmsim.typed import NamedTuple, later_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmsim.physics.hardware.nodes import NodeReading
    from llmsim.physics.hardware.telemetry import Reading
    from llmsim.physics.speed.traffic import StepTransfer
else:
    NodeReading = later_type("llmsim.physics.hardware.nodes", "NodeReading")
    Reading = later_type("llmsim.physics.hardware.telemetry", "Reading")
    StepTransfer = later_type("llmsim.physics.speed.traffic", "StepTransfer")


class EpochStarted(NamedTuple):
    """A pass over the data begins, counted from 1."""

    at: float
    epoch: int


class Step(NamedTuple):
    """An optimizer step was logged. Rates are means since the previous logged step."""

    at: float
    step: int
    previous: int  # the logged step before; 0 at the first
    epoch: int
    loss: float  # of this step's global batch alone, nats per token
    gradient_norm: float  # before clipping
    learning_rate: float  # used in this step
    step_seconds: float  # mean seconds of a step since then, pauses left out
    host_seconds: float  # since the logged step before, as the host sees it: pauses included
    tokens: int  # consumed so far
    tokens_per_second: float  # whole cluster
    samples_per_second: float  # sequences, whole cluster
    mfu: float  # 0 .. 1
    allocated: int
    reserved: int
    capacity: int
    remaining: float  # seconds to the last sequence at the mean rate so far
    metrics: tuple[tuple[str, float], ...] = ()  # metrics of DPO and GRPO, by TRL's names
    training_seconds: float = 0.0  # since the first step began, validations and saves included


class StepSkipped(NamedTuple):
    """Gradients overflow in fp16: the weights stay as they are, and the loss scale may halve."""

    at: float
    step: int
    scale: float  # by which the loss of this step was multiplied
    scale_after: float  # by which the next one's is
    patience: int  # overflows until the scale halves, this one included


class Collectives(NamedTuple):
    """What one step sends between GPUs, timed after its backward pass."""

    at: float
    step: int
    transfers: tuple[StepTransfer, ...]
    step_seconds: float


class Slowed(NamedTuple):
    """Steps begin to take longer than they should, and why."""

    at: float
    step: int  # the first slow one
    kind: str  # "straggler", "data stall" or "network retry"
    rank: int
    hostname: str
    seconds: float  # lost in each slow step
    part: float  # the same, of a step's usual time


class Recovered(NamedTuple):
    """A slow rank is as fast as the others again."""

    at: float
    step: int  # the last slow one
    rank: int
    hostname: str
    seconds: float  # lost in all
    steps: int


class Status(NamedTuple):
    """The cluster at a glance: every GPU of a small one, node by node of a large one."""

    at: float
    reason: str
    gpus: tuple[Reading, ...]  # empty above 64 GPUs
    nodes: tuple[NodeReading, ...]  # the first ones; empty up to 64 GPUs
    more_nodes: int  # nodes left out


class BatchGrew(NamedTuple):
    """From this step on the global batch is larger."""

    at: float
    step: int
    before: int  # sequences
    after: int
    accumulation: int  # micro-batches per step from now on


class EpochEnded(NamedTuple):
    """A pass over the data is complete."""

    at: float
    epoch: int
    loss: float  # training loss of the epoch's last step
    seconds: float  # validations and checkpoints included
