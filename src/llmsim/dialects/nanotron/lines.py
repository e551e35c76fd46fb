"""nanotron: rank 0's set-up, and every iteration from the rank that computes the loss.

nanotron@2411b02, src/nanotron/logging/base.py:268-392, trainer.py:600-800, and public logs of 2024
and 2025. It does not validate, and prints nothing when it ends.
"""

from collections.abc import Iterator
from datetime import timedelta

from llmsim.dialects.line import Line, Render
from llmsim.dialects.nanotron import recovery
from llmsim.dialects.nanotron.config import STAGE, config, model_config, pretty
from llmsim.dialects.parts.torchrun import greeting
from llmsim.job.records import Job, batch_tokens, gpus_per_node
from llmsim.physics.hardware import allocator, memory
from llmsim.physics.hardware.stages import stage_parameters
from llmsim.physics.speed import throughput
from llmsim.run import events
from llmsim.run.cluster import hostname
from llmsim.text import units
from llmsim.text.screen import Screen

Lines = Iterator[Line]

MIB = 2**20
RULE = "=" * 50
MEMORY_STEPS = 5  # the first iterations, after which it prints its memory

_PREFIXES = {"INFO": "\x1b[2;3m", "WARNING": "\x1b[1;33m"}
_SUFFIX, _BOLD = "\x1b[0m", "\x1b[1m"


def human(number: float) -> str:
    """Three significant digits and K, M, B or T, without trailing zeros (base.py:268)."""
    if abs(number) < 1:
        return f"{number:.3g}"
    number, sizes = float(f"{number:.3g}"), iter(("K", "M", "B", "T", "P"))
    size = ""
    while abs(number) >= 1000:
        number, size = number / 1000, next(sizes)
    return f"{number:f}".rstrip("0").rstrip(".") + size


def _say(
    job: Job, at: float, screen: Screen, text: str, level: str = "INFO", stage: int = 0
) -> Line:
    """A line of rank 0, or of a pipeline stage's first rank; the prefix has the ranks that
    differ.
    """
    layout = job.layout
    ranks = {"DP": (layout.dp, 0), "PP": (layout.pp, stage), "TP": (layout.tp, 0)}
    shown = "".join(f"|{name}={rank}" for name, (size, rank) in ranks.items() if size > 1)
    node = stage * (layout.gpus // layout.pp) // gpus_per_node(job)
    start = f"{units.stamp(job.start, at):%m/%d %H:%M:%S} [{level}{shown}|{hostname(job, node)}]"
    if screen.color:
        start = f"{_PREFIXES[level]}{start}{_SUFFIX}"
    return Line(f"{start}: {text}")


# --- launch ------------------------------------------------------------------------------


def _rendezvous(event: events.Rendezvous, job: Job, screen: Screen) -> Lines:
    yield from greeting(job, event.at)


def _backend_ready(event: events.BackendReady, job: Job, screen: Screen) -> Lines:
    software = job.software
    title = "Libraries versions:"
    for text in (RULE, title, RULE):
        bold = f"{_BOLD}{text}{_SUFFIX}" if screen.color else text
        yield _say(job, event.at, screen, bold)
    for text in (
        "nanotron version: 0.5.0",
        f"torch version: {software.torch}",
        f"transformers version: {software.transformers}",
        "Config:",
        *pretty(config(job)),
        "Model Config:",
        *pretty(model_config(job)),
        "Building model..",
        "Setting PP block ranks...",
    ):
        yield _say(job, event.at, screen, text)


def _model_sharded(event: events.ModelSharded, job: Job, screen: Screen) -> Lines:
    model, layout = job.architecture, job.layout
    stages = [stage_parameters(model, layout, stage) for stage in range(layout.pp)]
    local, total = stages[0], layout.tp * sum(stages)
    used, held = _built(job)
    usage = (
        f"Memory usage: {used:.2f}MiB. Peak allocated: {used:.2f}MiB Peak reserved: {held:.2f}MiB"
    )
    texts = [
        f"Total number of parameters: {human(total)} ({2 * total / MIB:.2f}MiB)",
        f"Local number of parameters: {human(local)} ({2 * local / MIB:.2f}MiB)",
        f"[After model building] {usage}",
    ]
    if not job.recipe.released:
        texts.append("No checkpoint path provided.")
        texts.append("Parametrizing model parameters using StandardParametrizator")
    for text in texts:
        yield _say(job, event.at, screen, text)


def _built(job: Job) -> tuple[float, float]:
    """MiB of rank 0 after the model is built: in tensors, and reserved."""
    weights = memory.stage(job.architecture, job.layout, job.schedule.sequence, 0).weights
    return weights / MIB, allocator.reserved(job, 0, 0) / MIB


def _weights_loaded(event: events.WeightsLoaded, job: Job, screen: Screen) -> Lines:
    text = f"Loading checkpoint from {event.path}"
    yield _say(job, event.at - event.seconds, screen, text)


def _resumed(event: events.Resumed, job: Job, screen: Screen) -> Lines:
    if event.step:
        yield _say(job, event.at - event.seconds, screen, f"Loading checkpoint from {event.path}")
        yield _say(
            job, event.at - event.seconds, screen, f"Loading weights from {event.path}/model"
        )


def _trainer_ready(event: events.TrainerReady, job: Job, screen: Screen) -> Lines:
    schedule, layout = job.schedule, job.layout
    used, held = _built(job)
    now = units.stamp(job.start, event.at)
    left = f"{schedule.steps} remaining training steps and has consumed 0 samples"
    texts = [
        "[Optimizer Building] Using LearningRateForSP as learning rate",
        f"[Training Plan] Stage {STAGE} has {left}",
        "[Training Plan] There are 1 training stages",
        f"[Stage {STAGE}] start from step 1",
        "",
    ]
    texts.append(
        f"[Start training] datetime: {now:%Y-%m-%d %H:%M:%S.%f} | mbs: {layout.micro_batch} | "
        f"grad_accum: {layout.accumulation} | global_batch_size: {schedule.global_batch} | "
        f"sequence_length: {schedule.sequence} | train_steps: {schedule.steps} | "
        "start_iteration_step: 0 | consumed_train_samples: 0"
    )
    texts.append(
        f"Resuming training from stage {STAGE}, it has trained for 0 samples and has "
        f"{schedule.steps} remaining train steps"
    )
    for text in (*texts, _memory(used, used, held)):
        yield _say(job, event.at, screen, text)


def _memory(used: float, most: float, held: float) -> str:
    return (
        f" Memory usage: {used:.2f}MiB. Peak allocated {most:.2f}MiB. Peak reserved: {held:.2f}MiB"
    )


# --- training ----------------------------------------------------------------------------


def _held(event: events.Step, job: Job) -> tuple[float, float, float]:
    """MiB of rank 0: in tensors after the step, their peak in the step, and reserved."""
    estimate = memory.stage(job.architecture, job.layout, job.schedule.sequence, 0)
    states = estimate.weights + estimate.gradients + estimate.optimizer * (event.step > 1)
    held = allocator.reserved(job, event.step, 0)
    most = int(held * (event.allocated / event.reserved)) // 512 * 512
    return min(most, states) / MIB, most / MIB, held / MIB


def _step(event: events.Step, job: Job, screen: Screen) -> Lines:
    if event.step <= MEMORY_STEPS:
        for text in ("After train_batch_iter", _memory(*_held(event, job))):
            yield _say(job, event.at, screen, text)
    rate, gpus = event.tokens_per_second, job.layout.gpus
    left = timedelta(seconds=int((job.schedule.steps - event.step) * event.step_seconds))
    teraflops = rate * throughput.job_flops_per_token(job) / gpus / 1e12
    text = (
        f"iteration: {event.step} / {job.schedule.steps} | "
        f"consumed_tokens: {human(event.tokens)} | "
        f"time_per_iteration_ms: {human(1000 * event.step_seconds)} | "
        f"tokens_per_sec: {human(rate)} | tokens_per_sec_per_gpu: {human(rate / gpus)} | "
        f"global_batch_size: {human(batch_tokens(job))} | "
        f"grad_norm: {human(event.gradient_norm)} | lm_loss: {human(event.loss)} | "
        f"lr: {human(event.learning_rate)} | model_tflops_per_gpu: {human(teraflops)} | "
        f"eta: {left}"
    )
    yield _say(job, event.at, screen, text, stage=job.layout.pp - 1)


def _checkpoint_started(event: events.CheckpointStarted, job: Job, screen: Screen) -> Lines:
    text = f"Saving checkpoint at checkpoints/{event.step}"
    yield _say(job, event.at, screen, text, "WARNING")


LINES: dict[type, Render] = {
    **recovery.LINES,
    events.Resumed: _resumed,
    events.Rendezvous: _rendezvous,
    events.BackendReady: _backend_ready,
    events.ModelSharded: _model_sharded,
    events.WeightsLoaded: _weights_loaded,
    events.TrainerReady: _trainer_ready,
    events.Step: _step,
    events.CheckpointStarted: _checkpoint_started,
}
