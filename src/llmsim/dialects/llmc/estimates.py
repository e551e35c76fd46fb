"""Values that llm.c derives from its own log: z-scores, a mean rate, and its own MFU.

The MFU counts 6 N + 6 L C T FLOPs per token: N is the number of all weights, and attention counts
by its causal half (gpt2_estimate_mfu). throughput.mfu leaves the input embedding out and counts
attention in full.
"""

from math import dist, fsum, nan, sqrt

from llmsim.dialects.llmc.framework import PEAKS
from llmsim.job.memo import remembered
from llmsim.job.milestones import steps_found
from llmsim.job.records import Job, batch_tokens
from llmsim.model.architecture import parameter_count
from llmsim.physics.learning import gradient, loss
from llmsim.physics.speed import step_time
from llmsim.run.timeline import steps_seconds
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


class _Known:
    """The values of a job's first steps, one in each list for every step; the lists grow."""

    def __init__(self) -> None:
        """No step is known yet."""
        self.losses: list[float] = []
        self.norms: list[float] = []
        self.rates: list[float] = []
        self.mean = 0.0  # of the rates, tokens per second, before its correction


@remembered()
def _known(job: Job) -> _Known:
    return _Known()


def detected(job: Job, step: int) -> Detected:
    """The derived numbers of a step; detectors begin anew with a resumed run.

    A run asks for one step after the other. So each step asks for the loss and the norm that its
    event has just had, and the first line does not wait for the last.
    """
    known, first = _known(job), steps_found(job) + 1
    for each in range(first + len(known.losses), step + 1):
        known.losses.append(loss.training(job, each))
        known.norms.append(gradient.norm(job, each))
        known.rates.append(_rate(job, known, each))
    last = step - first
    return Detected(_z_score(known.losses, last), _z_score(known.norms, last), known.rates[last])


def _z_score(values: list[float], index: int) -> float:
    """The z-score of a value within the window that ends with it; nan until the window is full."""
    if index < WINDOW:
        return nan
    window = values[index - WINDOW + 1 : index + 1]
    mean = fsum(window) / WINDOW
    deviation = dist(window, [mean] * WINDOW) / sqrt(WINDOW)
    return (values[index] - mean) / deviation if deviation else 0.0


def _rate(job: Job, known: _Known, step: int) -> float:
    """Tokens per second: the first step's own, then the corrected mean without it.

    A resumed run's mean begins at 0, and is corrected by the number of the step: its first rates
    are far too low.
    """
    rate = batch_tokens(job) / seconds(job, step)
    if step == 1:
        return rate
    known.mean = KEPT * known.mean + (1.0 - KEPT) * rate
    return known.mean / (1.0 - KEPT ** (step - 1))


def seconds(job: Job, step: int) -> float:
    """Seconds of a step; the first one of a resumed run has its preparation, too."""
    own = steps_seconds(job, step, step, job.repeated)
    again = step == steps_found(job) + 1 > 1
    return own + (step_time.compile_seconds(job) if again else 0.0)
