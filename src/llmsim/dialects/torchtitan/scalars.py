"""What torchtitan logs to TensorBoard and Weights & Biases (components/metrics.py of v0.2.0)."""

from collections.abc import Iterator

from llmsim.dialects.scalar import Point, prefixed
from llmsim.dialects.torchtitan.model import peak_flops, shown_stage
from llmsim.dialects.torchtitan.training import rate_and_flops
from llmsim.job.records import Job
from llmsim.physics.hardware import allocator, memory
from llmsim.physics.learning import loss
from llmsim.physics.speed import step_time
from llmsim.run import events
from llmsim.text import units


def _memory(job: Job, step: int) -> tuple[tuple[str, float], ...]:
    """GiB of the last stage, which logs, and shares of its capacity."""
    held, capacity = allocator.reserved(job, step, shown_stage(job)), memory.capacity(job.gpu)
    active = allocator.allocated(job, step, shown_stage(job))
    return (
        ("memory/max_active(GiB)", active / units.GIB),
        ("memory/max_active(%)", 100 * active / capacity),
        ("memory/max_reserved(GiB)", held / units.GIB),
        ("memory/max_reserved(%)", 100 * held / capacity),
        ("memory/num_alloc_retries", 0),
        ("memory/num_ooms", 0),
    )


def _step(event: events.Step, job: Job) -> Iterator[Point]:
    rate, flops = rate_and_flops(event, job)
    tokens = event.tokens_per_second / job.layout.gpus * event.step_seconds
    seconds = tokens / rate  # of a step, with the saves since the log before
    loading = step_time.loading_seconds(job, event.step)
    yield Point(
        event.at,
        event.step,
        (
            ("loss_metrics/global_avg_loss", event.loss),
            ("loss_metrics/global_max_loss", loss.greatest(job, event.step)),
            ("grad_norm", event.gradient_norm),
            ("throughput(tps)", rate),
            ("tflops", flops / 1e12),
            ("mfu(%)", 100 * flops / peak_flops(job.gpu)),
            ("time_metrics/end_to_end(s)", seconds),
            ("time_metrics/data_loading(s)", loading),
            ("time_metrics/data_loading(%)", 100 * loading / seconds),
            *_memory(job, event.step),
            ("n_tokens_seen", event.tokens),
            ("lr/AdamW", event.learning_rate),
        ),
    )


def _validated(event: events.Validated, job: Job) -> Iterator[Point]:
    values = (
        ("loss", event.loss),
        ("throughput(tps)", event.tokens / event.seconds / job.layout.gpus),
        *_memory(job, event.step)[:4],
    )
    yield Point(event.at, event.step, prefixed("validation_metrics/", values))


TENSORBOARD = WANDB = {events.Step: _step, events.Validated: _validated}


def folder(job: Job, at: float) -> str:
    """Where the event file lies below the dump folder (components/metrics.py)."""
    return f"tb/{units.stamp(job.start, at):%Y%m%d-%H%M}"
