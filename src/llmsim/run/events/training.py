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
    """An optimizer step. Rates are means since `previous`. Not every step has an event, and the
    log may have no line for a step that has one."""

    at: float
    step: int
    previous: int  # the step of the event before, or a resume's checkpoint; at first 0
    epoch: int
    loss: float  # loss of this step's global batch alone
    gradient_norm: float  # norm of the gradient before clipping
    learning_rate: float  # learning rate of this step
    step_seconds: float  # mean seconds of a step since `previous`, without pauses
    host_seconds: float  # seconds from step `previous` to this step, pauses included
    tokens: int  # tokens that have been read so far, in earlier parts of the run too
    tokens_per_second: float  # tokens a second, of the whole cluster
    samples_per_second: float  # sequences a second, of the whole cluster
    mfu: float  # model FLOPs utilization, 0..1
    allocated: int
    reserved: int
    capacity: int
    remaining: float  # seconds to the end of the last step, at the mean rate so far
    metrics: tuple[tuple[str, float], ...] = ()  # metrics of DPO and GRPO, by TRL's names
    training_seconds: float = 0.0  # seconds since the attempt's first step, with pauses


class StepSkipped(NamedTuple):
    """Gradients have overflowed in fp16. The weights stay as they are; the scale may halve."""

    at: float
    step: int
    scale: float  # loss scale of this step
    scale_after: float  # loss scale of the next step
    patience: int  # overflows until the scale halves, this one included


class Collectives(NamedTuple):
    """What the GPUs send to each other in one step. The event comes after the backward pass."""

    at: float
    step: int
    transfers: tuple[StepTransfer, ...]
    step_seconds: float


class Slowed(NamedTuple):
    """Steps begin to take longer than they should. `kind` says why."""

    at: float
    step: int  # the first slow step
    kind: str  # "straggler", "data stall" or "network retry"
    rank: int
    hostname: str
    seconds: float  # seconds that each slow step loses
    part: float  # `seconds` as a share of a step's usual time


class Recovered(NamedTuple):
    """A slow rank is as fast as the others again."""

    at: float
    step: int  # the last slow step
    rank: int
    hostname: str
    seconds: float  # seconds that all slow steps have lost
    steps: int


class Status(NamedTuple):
    """The cluster at a glance: every GPU of a small cluster, or the nodes of a large one."""

    at: float
    reason: str
    gpus: tuple[Reading, ...]  # one for each GPU; empty above 64 GPUs
    nodes: tuple[NodeReading, ...]  # the first nodes; empty up to 64 GPUs
    more_nodes: int  # how many nodes are left out


class BatchGrew(NamedTuple):
    """The global batch is larger from this step on."""

    at: float
    step: int
    before: int  # sequences of a global batch before this step
    after: int
    accumulation: int  # micro-batches of a data rank in a step, from now on


class EpochEnded(NamedTuple):
    """A pass over the data is complete."""

    at: float
    epoch: int
    loss: float  # training loss of the epoch's last step
    seconds: float  # how long the pass took, validations and saves included
