"""The lines of deepspeed.initialize: the optimizer, its memory, the configuration."""

from collections.abc import Iterator
from math import fsum

from llmsim.dialects.deepspeed import pipeline
from llmsim.dialects.deepspeed.config import (
    BUCKET,
    PERSISTENT,
    PREFETCH,
    SUB_GROUP,
    json,
    setting,
    settings,
    user_config,
)
from llmsim.dialects.deepspeed.log_lines import LOG_DIST, each, info, plain, zero_stage
from llmsim.dialects.line import Line, Render
from llmsim.job.milestones import steps_found
from llmsim.job.records import Job
from llmsim.model.architecture import Architecture
from llmsim.physics.hardware import allocator, memory, preparation, stages
from llmsim.run import cluster, events
from llmsim.text.screen import Screen
from llmsim.text.units import GIB
from llmsim.typed import NamedTuple

Lines = Iterator[Line]

VERSION = "0.16.5"
BETAS = (0.9, 0.95)

# The part of the trainer's set-up during which lines appear, and the prefix of memory reports.
_USED = 0.75
_LOOKED = ("Stage 3 initialize", "DeepSpeedZeRoOffload", "Before ", "After ")
_RANK = LOG_DIST
_FIRST, _SECOND, _THIRD = "utils.py:781", "utils.py:782", "utils.py:789"


class Seen(NamedTuple):
    """A memory report: bytes in tensors now, and their peak since the earlier report."""

    message: str
    held: int
    most: int


WORLD = "config.py:734:__init__"


def world(job: Job) -> str:
    """The first line of a DeepSpeedConfig."""
    return f"Config mesh_device None world_size = {job.layout.dp}"


def first(rates: object) -> str:
    """The rates of the two groups of weights: with weight decay and without it."""
    return f"[{rates}, {rates}]"


def states(job: Job) -> int:
    """Bytes in tensors between two steps: weights, gradients, optimizer."""
    return min(allocator.between_steps(job, 0), allocator.allocated(job, 2))


# --- memory ------------------------------------------------------------------------------


def _looks(job: Job) -> Iterator[Seen]:
    """The memory reports of rank 0: bf16 weights, then fp32 copies, then Adam's two states."""
    parameters = stages.stage_parameters(job.architecture, job.layout, 0)
    part = -(-parameters // job.layout.dp)
    if zero_stage(job) < 3:
        copied = 2 * parameters + 4 * part
        yield Seen("Before initializing optimizer states", copied, copied)
        yield Seen("After initializing optimizer states", copied + 8 * part, copied + 12 * part)
        yield Seen("After initializing ZeRO optimizer", copied + 8 * part, copied + 8 * part)
        return
    held, config = 2 * part, job.architecture
    widest = 2 * config.vocabulary * config.hidden_size // job.layout.tp  # not yet cut
    yield Seen("Stage 3 initialize beginning", held, held + widest)
    for message in (
        "DeepSpeedZeRoOffload initialize [begin]",
        "DeepSpeedZeRoOffload initialize [end]",
        "Before creating fp16 partitions",
        f"After creating fp16 partitions: {-(-part // SUB_GROUP)}",
        "Before creating fp32 partitions",
    ):
        yield Seen(message, held, held)
    copied = held + 4 * part
    yield Seen("After creating fp32 partitions", copied, copied)
    yield Seen("Before initializing optimizer states", copied, copied)
    full = copied + 8 * part
    yield Seen("After initializing optimizer states", full, full + 2 * min(part, SUB_GROUP))
    yield Seen("After initializing ZeRO optimizer", full + 2 * part, full + 2 * part)


def _gib(size: int) -> float:
    return round(size / GIB, 2)


def _memory(job: Job) -> Iterator[tuple[str, str]]:
    """The lines of each memory report (message, GPU, CPU), and the lines between the reports."""
    cached, total = 0, cluster.host_memory(job)
    where = "see_memory_usage"
    for index, seen in enumerate(_looks(job)):
        cached = max(cached, -(-seen.most // (2 * memory.MIB)) * 2 * memory.MIB)
        used = cluster.host_memory_used(job, index)
        gap = " " * 8
        yield f"{_FIRST}:{where}", seen.message
        yield (
            f"{_SECOND}:{where}",
            (
                f"MA {_gib(seen.held)} GB {gap}Max_MA {_gib(seen.most)} GB {gap}"
                f"CA {_gib(cached)} GB {gap}Max_CA {round(cached / GIB)} GB "
            ),
        )
        percent = round(100 * used / total, 1)
        text = f"CPU Virtual Memory:  used = {round(used, 2)} GB, percent = {percent}%"
        yield f"{_THIRD}:{where}", text
        yield from _between(job, seen.message)


def _between(job: Job, message: str) -> Iterator[tuple[str, str]]:
    """The lines after the report with this message."""
    if message == "Stage 3 initialize beginning":
        yield "stage3.py:170:__init__", f"Reduce bucket size {BUCKET}"
        yield "stage3.py:171:__init__", f"Prefetch bucket size {PREFETCH}"
    elif message == "After initializing optimizer states":
        where = "stage3.py:534:_setup_for_real_optimizer"
        if zero_stage(job) < 3:
            where = "stage_1_and_2.py:556:__init__"
        yield where, "optimizer state initialized"


def _persistent(job: Job) -> str:
    """The line about weights that are too small to shard: norms and biases, if the model is not
    too wide.
    """
    small = [size for size in _vectors(job.architecture) if size < PERSISTENT]
    return f"Parameter Offload: Total persistent parameters: {sum(small)} in {len(small)} params"


def _vectors(config: Architecture) -> list[int]:
    """The sizes of the weights that are no matrices: gains of norms, and a GPT's biases."""
    width, norms = config.hidden_size, 2 * config.layers + 1
    if config.family != "gpt2":
        return [width] * norms
    biases = [3 * width, width, config.feed_forward, width] * config.layers
    return [width] * (2 * norms) + (biases if config.biases else [])


# --- the engine --------------------------------------------------------------------------


def _initialized(job: Job) -> Iterator[tuple[str, str]]:
    """Pairs of source location and text of the engine's lines, in order."""
    rank = "[Rank 0] "
    stage, optimizer = zero_stage(job), "FusedAdam"
    yield _RANK, f"{rank}DeepSpeed info: version={VERSION}, git-hash=unknown, git-branch=unknown"
    yield WORLD, world(job)
    yield _RANK, f"{rank}DeepSpeed Flops Profiler Enabled: False"
    yield _RANK, f"{rank}Using client Optimizer as basic optimizer"
    yield _RANK, f"{rank}Removing param_group that has no 'params' in the basic Optimizer"
    yield _RANK, f"{rank}DeepSpeed Basic Optimizer = {optimizer}"
    if stage:
        kind = "<class 'deepspeed.ops.adam.fused_adam.FusedAdam'>"
        support = f"Checking ZeRO support for optimizer={optimizer} type={kind}"
        yield "utils.py:59:is_zero_supported_optimizer", support
        if stage == 3:
            mics = "MiCS is enabled False, Hierarchical params gather False"
            yield _RANK, f"{rank}Creating fp16 ZeRO stage 3 optimizer, {mics}"
        dtype = "float16" if job.layout.precision == "fp16" else "bfloat16"
        yield _RANK, f"{rank}Creating torch.{dtype} ZeRO stage {stage} optimizer"
        yield from _wrapped(job)
        optimizer = "DeepSpeedZeroOptimizer" + "_Stage3" * (stage == 3)
    scheduler = f"<torch.optim.lr_scheduler.LambdaLR object at {cluster.pointer(job, 'scheduler')}>"
    yield _RANK, f"{rank}DeepSpeed Final Optimizer = {optimizer}"
    yield _RANK, f"{rank}DeepSpeed using client LR scheduler"
    yield _RANK, f"{rank}DeepSpeed LR Scheduler = {scheduler}"
    yield _RANK, f"{rank}step=0, skipped=0, lr={first(0.0)}, mom={first(BETAS)}"
    yield "config.py:1000:print", "DeepSpeedEngine configuration:"
    for name, value in settings(job):
        yield "config.py:1004:print", setting(name, value)
    yield "config.py:990:print_user_config", f"  json = {json(user_config(job))}"


def _wrapped(job: Job) -> Iterator[tuple[str, str]]:
    """The lines while the ZeRO optimizer is built."""
    if zero_stage(job) < 3:
        for number, text in enumerate(
            (
                f"Reduce bucket size {BUCKET}",
                f"Allgather bucket size {BUCKET}",
                "CPU Offload: False",
                "Round robin gradient partitioning: False",
            ),
            149,
        ):
            yield f"stage_1_and_2.py:{number}:__init__", text
        yield from _memory(job)
        return
    for place, text in _memory(job):
        if text == "DeepSpeedZeRoOffload initialize [end]":
            yield "", _persistent(job)
        yield place, text


def _trainer_ready(event: events.TrainerReady, job: Job, screen: Screen) -> Lines:
    if not steps_found(job):  # else it stands before the load of the checkpoint
        yield from set_up(job, event.at)
    yield plain(job, "***** Running training *****")


def set_up(job: Job, ended: float) -> Lines:
    """The engine's lines, spread over the time that the optimizer's set-up takes."""
    lines = list(_initialized(job))
    waits = [_wait(text) for _, text in lines]
    unit = _USED * preparation.optimizer_seconds(job) / fsum(waits)
    at = ended - unit * fsum(waits)
    for wait, (place, text) in zip(waits, lines, strict=True):
        at += unit * wait
        begin, *rest = text.split("\n")
        if place == WORLD:
            yield from each(job, at, place, text)
            continue
        yield info(job, at, place, begin) if place else plain(job, begin)
        for more in rest:
            yield plain(job, more)
    if job.layout.pp > 1:
        yield from pipeline.engine(job, ended)


def _wait(text: str) -> float:
    """The time before a line, in units of the time before a memory report.

    A report collects garbage first, which takes most of its time (public logs: 0.14 to 0.28 s).
    Copying the weights and making Adam's states takes longer; other lines follow each other at
    once.
    """
    if text.startswith(("After creating fp32 partitions", "After initializing optimizer states")):
        return 3.0
    return 1.0 if text.startswith(_LOOKED) else 0.005


LINES: dict[type, Render] = {events.TrainerReady: _trainer_ready}
