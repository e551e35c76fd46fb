"""Values that llm.c derives from its own log: z-scores, a mean rate, and its own MFU.

The MFU counts 6 N + 6 L C T FLOPs per token: N is the number of all weights, and attention counts
by its causal half (gpt2_estimate_mfu). throughput.mfu leaves the input embedding out and counts
attention in full.
"""

from collections.abc import Iterator
from math import fsum, nan, sqrt

from llmsim.dialects.llmc.framework import PEAKS
from llmsim.job.memo import remembered
from llmsim.job.records import Job, batch_tokens
from llmsim.model.architecture import parameter_count
from llmsim.physics.learning import gradient, loss
from llmsim.physics.speed import step_time
from llmsim.typed import NamedTuple

WINDOW = 128  # steps of an outlier detector
KEPT = 0.95  # of the mean tokens per second


def peak(job: Job) -> float:
    """The peak of the GPU in llm.c's table, TFLOP/s in bf16; -1 for a GPU that it does not know."""
    return PEAKS.get(job.gpu.name, -1.0)


def mfu(job: Job, seconds: float) -> float:
    """The result of gpt2_estimate_mfu for a step of these seconds; -1 without a peak."""
    tflops = peak(job)
    if tflops < 0:
        return -1.0
    config, sequence = job.architecture, job.schedule.sequence
    per_token = 6.0 * parameter_count(config) + 6 * config.layers * config.hidden_size * sequence
    return per_token * batch_tokens(job) / job.layout.gpus / seconds / (tflops * 1e12)


class Detected(NamedTuple):
    """The values of a step's line that llm.c derives from earlier steps."""

    loss_z: float
    norm_z: float
    tokens_per_second: float


@remembered()
def detected(job: Job) -> tuple[Detected, ...]:
    """The derived numbers of every step, from step 1 on."""
    steps = range(1, job.schedule.steps + 1)
    losses = _z_scores([loss.training(job, step) for step in steps])
    norms = _z_scores([gradient.norm(job, step) for step in steps])
    return tuple(map(Detected, losses, norms, _rates(job)))


def _z_scores(values: list[float]) -> Iterator[float]:
    """The z-score of each value within the window that ends with it; nan until the window is
    full.
    """
    for index, value in enumerate(values):
        if index < WINDOW:
            yield nan
            continue
        window = values[index - WINDOW + 1 : index + 1]
        mean = fsum(window) / WINDOW
        deviation = sqrt(fsum([(each - mean) ** 2 for each in window]) / WINDOW)
        yield (value - mean) / deviation if deviation else 0.0


def _rates(job: Job) -> Iterator[float]:
    """Tokens per second: the first step's own, then the corrected mean without it."""
    tokens, mean = batch_tokens(job), 0.0
    for step in range(1, job.schedule.steps + 1):
        rate = tokens / step_time.interval_seconds(job, step, step)
        if step == 1:
            yield rate
            continue
        mean = KEPT * mean + (1.0 - KEPT) * rate
        yield mean / (1.0 - KEPT ** (step - 1))
