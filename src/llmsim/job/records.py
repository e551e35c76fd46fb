"""The record of a job: model, data, GPUs, layout, schedule and software. planning/ makes it."""

from functools import cached_property
from math import inf

from llmsim.catalog.records import Dataset, Gpu, Model
from llmsim.errors import OptionError, kind_of
from llmsim.job.framework import Capture, Framework
from llmsim.job.layout import Layout
from llmsim.job.recipes import Recipe
from llmsim.job.schedule import Schedule
from llmsim.model.architecture import Architecture
from llmsim.typed import Any, Literal, NamedTuple, datetime

# Samples in a random order, rows of a stream that goes on from step to step, or documents in the
# order of the data set.
Loader = Literal["shuffled", "contiguous", "ordered"]
LOADERS: tuple[Loader, ...] = ("shuffled", "contiguous", "ordered")


class Software(NamedTuple):
    """The software versions that a launch prints."""

    python: str  # version of Python
    torch: str  # version of PyTorch
    platform: str  # "CUDA", or "ROCm" on AMD
    platform_version: str  # version of CUDA or ROCm
    collectives: str  # the communication library: "NCCL", or "RCCL" on AMD
    collectives_version: str  # version of NCCL or RCCL
    driver: str  # version of the GPUs' driver
    transformers: str  # version of Hugging Face's transformers


class Asked(NamedTuple):
    """An incident that --incident KIND@WHEN asks for."""

    kind: str  # a name from --list incidents
    unit: str  # what `value` is: "share" of the steps (0..1), "step", "seconds", or "phase"
    value: float  # of a phase: 0
    phase: str = ""  # in whose middle it strikes
    rank: int | None = None  # None: the seed decides
    text: str = ""  # as it was given
    shape: str = ""  # of a loss spike: fast, slow or permanent; empty: the seed decides


class Bend(NamedTuple):
    """What an incident does to the loss and the gradient's norm, from an optimizer step on.

    physics/learning/bends.py has the curve; a height that is not a number makes all of them nan.
    """

    incident: int  # its number in the run
    onset: int  # the first step whose loss is off; before it only the norm rises
    lead: int = 0  # steps by which the norm rises earlier
    height: float = 0.0  # nats that the loss lies too high
    rise: float = 0.0  # steps in which the loss climbs there; 0 is a jump
    recovery: float = inf  # steps in which the excess falls by a factor e; inf: it stays
    norm: float = 1.0  # factor on the gradient's norm at the onset
    settling: float = 6.0  # steps in which the norm's excess falls by a factor e
    after: float = 1.0  # factor on the norm that stays


class _Fields(NamedTuple):
    """The fields of a job: everything that determines a training run."""

    seed: int
    start: datetime  # the time stamp of the first line
    recipe: Recipe
    model: Model
    architecture: Architecture
    dataset: Dataset
    gpu: Gpu
    layout: Layout
    schedule: Schedule
    software: Software
    run_name: str  # "quiet-gradient-42"
    cluster: str  # the stem of the hostnames: "toaster" gives toaster-01, toaster-02 ...
    storage_gb_s: float  # bandwidth of the file system for the whole cluster, GB/s
    command: str  # the command line that plays this run again
    framework: Framework  # the training framework whose log the run writes
    evaluates: bool = False  # runs its benchmarks at every validation, not only at the end
    tidy: bool = False  # no interleaved or split lines at the launch
    jokes: bool = True  # dry lines, odd names and odometers; asked-for names are kept without them
    background_saves: bool = False  # checkpoints are staged, and written while training goes on
    incidents: str = "none"  # how often something breaks: none, rare, typical or chaos
    asked: tuple[Asked, ...] = ()  # what shall break besides
    capture: Capture = "node"  # which processes' output the log holds
    release: str = ""  # of the framework, where its dialect speaks several
    attempt: int = 1  # which launch of it this is: a restart has processes of its own
    resumed: int = 0  # optimizer steps in the checkpoint from which a restart goes on
    repeated: int = 0  # executed steps of earlier attempts whose results are lost
    bends: tuple[Bend, ...] = ()  # what incidents do to loss and norm; run_of finds them
    slow_saves: tuple[tuple[int, float], ...] = ()  # steps whose saves take these seconds longer
    cured: tuple[int, ...] = ()  # incidents whose bends this attempt has left behind
    spares: tuple[tuple[int, int], ...] = ()  # nodes, and the machines that stand in for them
    boots: tuple[tuple[int, float], ...] = ()  # nodes that were booted again, and the seconds
    loader: Loader | None = None  # how it reads its data; None: as its framework does


class Job(_Fields):
    """One training run, wholly determined. Every number shown follows from this record.

    Beside the fields a job keeps values that functions have computed (memo.py). They do not count
    for equality, are not pickled, and a job made by `_replace` begins without them.
    """

    @cached_property
    def memo(self) -> dict[object, Any]:
        """Values that functions have computed for this job: {function: value}, or {function:
        {further arguments: value}}.
        """
        return {}

    @cached_property
    def _hashed(self) -> int:
        return tuple.__hash__(self)

    def __hash__(self) -> int:
        """The hash of all fields. It is computed once, since it takes 3 us."""
        return self._hashed

    def __getstate__(self) -> None:
        """Nothing beside the fields is pickled or copied."""


def expect_job(job: Job) -> None:
    """Raises OptionError for anything but a job."""
    if not isinstance(job, Job):
        raise OptionError(f"the job is {kind_of(job)}: give what llmsim.plan(options) returns.")


def batch_tokens(job: Job) -> int:
    """Tokens in one optimizer step with a full batch: sequences x tokens in a sequence."""
    return job.schedule.global_batch * job.schedule.sequence


def step_rows(job: Job) -> int:
    """Samples in one full step: sequences, pairs of two sequences, or prompts with their
    answers.
    """
    return max(1, job.schedule.global_batch // (job.recipe.row_sequences or 1))


def step_data_tokens(job: Job) -> float:
    """Tokens that one step reads from the data set: the tokens of its batch, its pairs or its
    problems.
    """
    if job.recipe.row_sequences:
        return step_rows(job) * job.dataset.tokens / job.dataset.rows
    return float(batch_tokens(job))


def is_older(job: Job) -> bool:
    """Whether the log is of an older release of the framework than its usual one."""
    return job.release not in ("", job.framework.release)


def gpus_per_node(job: Job) -> int:
    """GPUs of each node that the job uses; torchrun starts equally many on each."""
    return job.layout.gpus // job.layout.nodes


def ranks_on(job: Job, node: int) -> range:
    """The ranks of a node, counted from 0: they are numbered node by node."""
    size = gpus_per_node(job)
    return range(node * size, (node + 1) * size)


def speaking_rank(job: Job) -> int:
    """The rank that prints the steps: rank 0, the first of the last stage, or the last of all."""
    gpus, stages = job.layout.gpus, job.layout.pp
    return {"first": 0, "last stage": gpus // stages * (stages - 1), "last": gpus - 1}[
        job.framework.speaker
    ]


def speaking_node(job: Job) -> int:
    """The node of that rank, whose output a log of one node holds."""
    return speaking_rank(job) // gpus_per_node(job)
