"""A job: what trains on what. Frozen records, nothing more; planning.py makes them."""

from collections.abc import Iterator
from datetime import datetime

from llmsim.architecture import Architecture
from llmsim.catalog import Dataset, Gpu, Model
from llmsim.typed import Literal, NamedTuple

Sharding = Literal["ddp", "zero1", "zero2", "zero3", "fsdp2"]
Recompute = Literal["none", "selective", "full"]
RECOMPUTES: tuple[Recompute, ...] = ("none", "selective", "full")
Decay = Literal["cosine", "wsd", "linear"]


# GRPO samples so many completions of a prompt, which has about so many tokens (GSM8K, MATH).
COMPLETIONS, PROMPT_TOKENS = 8, 200

KEPT_SAVES = 2  # checkpoints kept on disk; the one before them goes when a new one is safe


class Layout(NamedTuple):
    """How the model is spread: gpus = data x tensor x pipeline."""

    gpus: int
    nodes: int
    data: int  # data-parallel ranks, over which states are sharded
    tensor: int = 1  # tensor-parallel ranks, within a node
    pipeline: int = 1  # pipeline stages
    sharding: Sharding = "fsdp2"
    recompute: Recompute = "none"
    micro_batch: int = 1  # sequences per data-parallel rank per forward pass
    accumulation: int = 1  # micro-batches per optimizer step
    reference: bool = False  # a frozen bf16 copy of the model runs along (DPO, GRPO)
    fp32_gradients: bool = False  # bf16 gradients are added up in fp32 (ddp, ZeRO-1)
    fp32_logits: bool = False  # the loss takes a copy of the logits in fp32


class Parallelism(NamedTuple):
    """How a framework can spread a model."""

    # Over data ranks alone, leanest last; a large model takes the last at once.
    whole: tuple[Sharding, ...] = ("ddp", "zero1", "fsdp2")
    # Over data ranks where tensors or stages split it as well; None: it cannot split.
    split: Sharding | None = "fsdp2"
    tensors_alone: bool = True  # whether tensors can be split without stages
    mixtures: bool = True  # whether mixtures of experts can be split
    recomputes: tuple[Recompute, ...] = RECOMPUTES
    fp32_gradients: bool = False
    fp32_logits: bool = False


class Stage(NamedTuple):
    """A stretch of steps with the same batch, in sequences."""

    first: int  # step
    batch: int  # sequences per step
    before: int  # sequences consumed before it


class Schedule(NamedTuple):
    """What happens when. Everything is counted in optimizer steps unless named otherwise."""

    steps: int
    warmup: int  # in full batches, should the batch grow
    peak_lr: float
    final_lr: float
    decay: Decay
    sequence: int  # tokens in a sequence
    global_batch: int  # sequences per full step = data x micro_batch x accumulation
    epochs: int
    log_every: int
    validate_every: int
    validation_batches: int  # global batches in one validation, forward only
    save_every: int
    ramp: tuple[Stage, ...] = ()  # how the batch grows, the full one last; () if it does not
    saves_first: bool = False  # steps count from 0, so the first is one of each interval's
    validates_last: bool = False  # only when all is saved
    validates_first: bool = False  # after step 1 too, and at the end only if an interval ends there
    idle: int = 0  # steps at the start that change nothing: their learning rate is 0


class Software(NamedTuple):
    """Versions a launch prints."""

    python: str
    torch: str
    platform: str  # "CUDA", or "ROCm" on AMD
    platform_version: str
    collectives: str  # the communication library: "NCCL", or "RCCL" on AMD
    collectives_version: str
    driver: str
    transformers: str


class Job(NamedTuple):
    """One training run, wholly determined. Every number shown follows from this record."""

    seed: int
    start: datetime  # the time stamp of the first line
    recipe: str  # "pretrain" ...
    model: Model
    architecture: Architecture
    dataset: Dataset
    gpu: Gpu
    layout: Layout
    schedule: Schedule
    software: Software
    run_name: str  # "quiet-gradient-42"
    cluster: str  # the stem of the hostnames: "toaster" gives toaster-01, toaster-02 ...
    storage_gb_s: float  # what the file system takes from the whole cluster, GB/s
    command: str  # what plays this run again
    dialect: str = "pytorch"  # whose log it speaks
    evaluates: bool = False  # runs its benchmarks at every validation, not only at the end
    tidy: bool = False  # no interleaved or torn lines at the launch
    background_saves: bool = False  # checkpoints are staged, and written while training goes on
    prepares_alone: bool = False  # one process maps the data, pass by pass
    shard_gb: int = 5  # the largest file that the model is exported to
    gc_every: int = 50  # steps between garbage collections on all ranks at once; 0 is never

    def __hash__(self) -> int:
        """The seed: caches ask for a job's hash at every step; of all fields it takes 3 us."""
        return self.seed


def batch_tokens(job: Job) -> int:
    """Tokens in one optimizer step with a full batch: sequences x tokens in a sequence."""
    return job.schedule.global_batch * job.schedule.sequence


def step_rows(job: Job) -> int:
    """What one full step counts as samples: sequences, pairs of two in DPO, prompts in GRPO."""
    sequences = {"dpo": 2, "grpo": COMPLETIONS}.get(job.recipe, 1)
    return max(1, job.schedule.global_batch // sequences)


def step_data_tokens(job: Job) -> float:
    """Tokens that one step reads from the data set: its batch, or its pairs' or problems'."""
    if job.recipe in ("dpo", "grpo"):
        return step_rows(job) * job.dataset.tokens / job.dataset.rows
    return float(batch_tokens(job))


def shards_weights(layout: Layout) -> bool:
    """Whether data ranks share the weights; otherwise each has all of them, or of its part."""
    return layout.sharding in ("zero3", "fsdp2")


def gpus_per_node(job: Job) -> int:
    """GPUs of each node that the job uses; torchrun starts equally many on each."""
    return job.layout.gpus // job.layout.nodes


def steps_per_epoch(job: Job) -> int:
    """Whole steps of one pass over the training data, as far as the run makes them."""
    return job.schedule.steps // job.schedule.epochs


def logged(job: Job, step: int) -> bool:
    """Whether this step is logged: the first one, and the last of each interval."""
    return step == 1 or step % job.schedule.log_every == 0


def validated_steps(job: Job) -> tuple[int, ...]:
    """After which steps the run validates: at its interval, and at the end or the beginning."""
    plan = job.schedule
    every = range(plan.validate_every, plan.steps + 1, plan.validate_every)
    return tuple(sorted({*every, 1 if plan.validates_first else plan.steps}))


def validations(job: Job) -> int:
    """How often the run validates."""
    return len(validated_steps(job))


def saved_steps(job: Job) -> tuple[int, ...]:
    """After which steps the run saves: at its interval, before its batch grows, and at the end."""
    plan = job.schedule
    grows = (stage.first - 1 for stage in plan.ramp[1:])
    first = 1 if plan.saves_first else plan.save_every
    every = range(first, plan.steps + 1, plan.save_every)
    return tuple(sorted({*every, *grows, plan.steps}))


def waits_for_save(job: Job, step: int) -> bool:
    """Whether training waits for the save after a step: the last one is always waited for."""
    return not job.background_saves or step == job.schedule.steps


def outdated_save(job: Job, step: int) -> int:
    """The step whose checkpoint the one of `step` makes superfluous; 0 if there is none."""
    saves = saved_steps(job)
    older = saves.index(step) - KEPT_SAVES
    return saves[older] if older >= 0 else 0


def checkpoints(job: Job) -> int:
    """How often the run saves."""
    return len(saved_steps(job))


def logged_steps(job: Job) -> Iterator[tuple[int, int]]:
    """Pairs of (the logged step before, this logged step): the first step, then each interval."""
    every, steps = job.schedule.log_every, job.schedule.steps
    if every > 1:
        yield 0, 1
    before = 1 if every > 1 else 0
    for step in range(every, steps + 1, every):
        yield before, step
        before = step


def hostname(job: Job, node: int) -> str:
    """The node's name, counted from 1: "toaster-01"."""
    digits = max(2, len(str(job.layout.nodes)))
    return f"{job.cluster}-{node + 1:0{digits}d}"
