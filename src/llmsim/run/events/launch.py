"""The launch: from the typed command to the first step."""

from llmsim.physics.hardware.memory import Memory
from llmsim.physics.speed.traffic import Transfer
from llmsim.typed import NamedTuple


class Launched(NamedTuple):
    """Somebody has typed the command and pressed return."""

    at: float


class Rendezvous(NamedTuple):
    """The launchers of all nodes have met at the master's address."""

    at: float
    master: str
    port: int
    process: int  # process id of the launcher on the first node


class WorkersStarted(NamedTuple):
    """The worker processes have imported their packages and print their first lines."""

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
    """All nodes have reported. `summarized` counts the nodes that had no event of their own."""

    at: float
    nodes: int
    summarized: int


class RankJoined(NamedTuple):
    """A rank has joined the process group. Ranks join in order, at random intervals."""

    at: float
    rank: int
    hostname: str
    local_rank: int
    bus: str  # PCI address of the GPU
    process: int
    seconds: float  # seconds since rank 0 began to wait


class RanksJoined(NamedTuple):
    """All ranks have joined. `summarized` counts the ranks that had no event of their own."""

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
    """The device mesh is built; `dimensions` has the names and sizes of its dimensions."""

    at: float
    dimensions: tuple[tuple[str, int], ...]


class TokenizerLoaded(NamedTuple):
    """The tokenizer is ready."""

    at: float
    vocabulary: int
    seconds: float


class DatasetReady(NamedTuple):
    """The data of this run are on disk, and are tokenized."""

    at: float
    tokens: int
    sequences: int
    shards: int
    size: int  # bytes on disk
    seconds: float


class ModelBuilt(NamedTuple):
    """The model is built on the meta device; the event has exact counts of its weights."""

    at: float
    parameters: int
    active_parameters: int
    embedding_parameters: int
    trained_parameters: int  # weights that are trained: all, or with LoRA only the adapters
    seconds: float


class WeightsLoaded(NamedTuple):
    """The released weights, from which the run starts, are loaded."""

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
    """Rank 0 has sent its initial weights, or its buffers, to all ranks."""

    at: float
    transfer: Transfer


class MemoryPlanned(NamedTuple):
    """The memory of the fullest GPU: what it holds now, and what training is expected to need."""

    at: float
    allocated: int
    expected: Memory
    capacity: int


class TrainerReady(NamedTuple):
    """The trainer is ready; the first step begins."""

    at: float
    flops_per_token: float
    expected_mfu: float  # MFU that is expected in training, 0..1
    first_step: int = 1  # number of the first step of this attempt
