"""From the typed command to the first step."""

from llmsim.physics.hardware.memory import Memory
from llmsim.physics.speed.traffic import Transfer
from llmsim.typed import NamedTuple


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
    summarized: int


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
    summarized: int
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
