"""The vocabulary of a run: small immutable facts, each with `at` in simulated seconds.

`at` counts from the job's start, never goes back, and is when the fact became known (an
operation that took 3 s and ended at 10 s says so at 10). All durations are simulated
seconds, all sizes bytes, unless the name says otherwise. A new kind of fact is a new
record here, a generator that yields it in phases/, and a line in each dialect that tells it.
"""

from llmsim.physics.evaluation import Score
from llmsim.physics.gpu import NodeReading, Reading
from llmsim.physics.memory import Memory
from llmsim.physics.network import StepTransfer, Transfer
from llmsim.physics.storage import Shard
from llmsim.typed import Literal, NamedTuple

PhaseName = Literal["launch", "training", "validation", "checkpoint", "export"]
Task = Literal[
    "download", "tokenize", "epoch", "validation", "checkpoint", "consolidate", "export",
    "evaluation",
]  # fmt: skip


class PhaseStarted(NamedTuple):
    """A phase begins; it will take about `seconds`, the phases nested in it left out."""

    at: float
    phase: PhaseName
    seconds: float


class PhaseEnded(NamedTuple):
    """A phase is over."""

    at: float
    phase: PhaseName


class Progress(NamedTuple):
    """A task that a person watches has come this far: `done` of `total` units."""

    at: float
    task: Task
    label: str
    done: int
    total: int
    unit: str  # "it", "B" (bytes) or "tok" ...
    elapsed: float  # since the task began, nested phases included, as tqdm counts
    note: str = ""  # what tqdm calls the postfix


# --- launch ------------------------------------------------------------------------------


class Launched(NamedTuple):
    """Somebody typed the command and pressed return."""

    at: float


class Rendezvous(NamedTuple):
    """The launchers of all nodes found each other at the master's address."""

    at: float
    master: str
    port: int
    process: int  # the launcher's process id on the first node


class WorkersStarted(NamedTuple):
    """The launcher's processes have imported their software and begin to talk."""

    at: float
    master: str
    port: int


class NodeDetected(NamedTuple):
    """A node reports its GPUs."""

    at: float
    node: int
    hostname: str
    gpus: int


class NodesDetected(NamedTuple):
    """All nodes have reported; those not told one by one are in `untold`."""

    at: float
    nodes: int
    untold: int


class RankJoined(NamedTuple):
    """A process reached the process group; ranks arrive in order, with their jitter."""

    at: float
    rank: int
    hostname: str
    local_rank: int
    bus: str  # the GPU's PCI address
    process: int
    seconds: float  # since rank 0 began to wait


class RanksJoined(NamedTuple):
    """All ranks are there; those not told one by one are in `untold`."""

    at: float
    ranks: int
    untold: int
    slowest: int
    seconds: float


class BackendReady(NamedTuple):
    """NCCL's communicator is up on all ranks."""

    at: float
    channels: int
    seconds: float


class MeshBuilt(NamedTuple):
    """The device mesh: names and sizes of its dimensions."""

    at: float
    dimensions: tuple[tuple[str, int], ...]


class TokenizerLoaded(NamedTuple):
    """The tokenizer is ready."""

    at: float
    vocabulary: int
    seconds: float


class DatasetReady(NamedTuple):
    """The part of the data set that this run trains on is on disk and tokenized."""

    at: float
    tokens: int
    sequences: int
    shards: int
    size: int  # bytes on disk
    seconds: float


class ModelBuilt(NamedTuple):
    """The model exists on the meta device: exact counts of its weights."""

    at: float
    parameters: int
    active_parameters: int
    embedding_parameters: int
    trained_parameters: int  # those of the adapters in LoRA, else all
    seconds: float


class WeightsLoaded(NamedTuple):
    """The run starts from released weights."""

    at: float
    path: str
    size: int
    shards: int
    seconds: float


class ModelSharded(NamedTuple):
    """The weights are spread over the ranks."""

    at: float
    parameters_per_gpu: int
    seconds: float


class Broadcast(NamedTuple):
    """Rank 0's initial weights, or what all must share, went to everyone."""

    at: float
    transfer: Transfer


class MemoryPlanned(NamedTuple):
    """What the most loaded GPU holds now, and what it is expected to hold in training."""

    at: float
    allocated: int
    expected: Memory
    capacity: int


class TrainerReady(NamedTuple):
    """All is set up; the next line is a step."""

    at: float
    flops_per_token: float
    expected_mfu: float  # 0 .. 1


# --- training ----------------------------------------------------------------------------


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
    loss: float  # of this very step's global batch, nats per token
    gradient_norm: float  # before clipping
    learning_rate: float  # used in this step
    step_seconds: float  # at(this) - at(previous) = step_seconds * steps between
    tokens: int  # consumed so far
    tokens_per_second: float  # whole cluster
    samples_per_second: float  # sequences, whole cluster
    mfu: float  # 0 .. 1
    allocated: int
    reserved: int
    capacity: int
    remaining: float  # seconds to the last token at the mean rate so far
    metrics: tuple[tuple[str, float], ...] = ()  # what DPO and GRPO watch, by TRL's names


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


# --- validation, checkpoint, export --------------------------------------------------------


class Validated(NamedTuple):
    """Loss on held-out data; perplexity = exp(loss)."""

    at: float
    step: int
    loss: float
    perplexity: float
    best: float  # lowest validation loss so far, this one included
    tokens: int
    seconds: float
    accuracy: float | None = None  # DPO: pairs ranked right; GRPO: problems solved; 0 .. 1


class CheckpointStarted(NamedTuple):
    """The save begins: every rank writes its shard."""

    at: float
    step: int
    path: str
    size: int
    writers: int


class CheckpointStaged(NamedTuple):
    """A copy is in host memory: training goes on while it is written."""

    at: float
    step: int
    seconds: float


class CheckpointSaved(NamedTuple):
    """The save is durable; one in the background may be noticed somewhat later."""

    at: float
    step: int
    path: str
    size: int
    seconds: float  # since it began


class CheckpointDeleted(NamedTuple):
    """An old checkpoint made room."""

    at: float
    path: str
    size: int


class ExportStarted(NamedTuple):
    """The shards of the last checkpoint are put together for the world to use."""

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


class Evaluated(NamedTuple):
    """The finished model's benchmark scores."""

    at: float
    scores: tuple[Score, ...]
    seconds: float


class Summary(NamedTuple):
    """The run in numbers, told at its end."""

    at: float
    steps: int
    tokens: int
    seconds: float  # from launch to now
    training_seconds: float  # from the first step to the last, nested phases included
    gpu_hours: float
    first_loss: float
    final_loss: float  # training
    best_validation: float
    final_validation: float
    perplexity: float | None  # exp(final_validation), where the loss is one of tokens
    tokens_per_second: float  # tokens / seconds spent in steps
    mfu: float
    checkpoints: int
    exported: int  # bytes
    path: str


Event = (
    PhaseStarted
    | PhaseEnded
    | Progress
    | Launched
    | Rendezvous
    | WorkersStarted
    | NodeDetected
    | NodesDetected
    | RankJoined
    | RanksJoined
    | BackendReady
    | MeshBuilt
    | TokenizerLoaded
    | DatasetReady
    | ModelBuilt
    | WeightsLoaded
    | ModelSharded
    | Broadcast
    | MemoryPlanned
    | TrainerReady
    | EpochStarted
    | Step
    | Collectives
    | Slowed
    | Recovered
    | Status
    | BatchGrew
    | EpochEnded
    | Validated
    | CheckpointStarted
    | CheckpointStaged
    | CheckpointSaved
    | CheckpointDeleted
    | ExportStarted
    | Consolidated
    | ShardWritten
    | Evaluated
    | Summary
)
