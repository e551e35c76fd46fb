"""The completions of reinforcement learning: how well they do, how long they are, their tokens.

    reward   r = high - (high - low) exp(-3 s / steps)    s steps at full rate
    length   0.28..0.45 + g (r - r(1)) of the longest, noise against the batch's difficulty

The time of a step goes by its tokens, so that a run has to know the tokens of any number of steps
at once. The mean length over steps is the integral of its curve, which has a closed form (during
the warmup s grows as a square: the error function), and its noise is balanced.py's, whose sum up to
any step is known. The tokens of the first steps are a whole number, and a step has the difference
of two of them.
"""

from math import erf, exp, pi, sqrt

from llmsim.job.memo import remembered
from llmsim.job.recipes import PROMPT_TOKENS
from llmsim.job.records import Job
from llmsim.physics import balanced, noise
from llmsim.physics.learning import learning_rate
from llmsim.typed import NamedTuple

LENGTH_NOISE = 0.06  # standard deviation of a batch's mean length, a part of it
PROMPT_SPREAD = 0.45  # of the prompts' lengths, a part of their mean
MOST_PROMPT_SPREAD = 0.27  # of the mean of a batch's: none is shorter than a third of it
HELD_OUT = "held-out "  # before the names of an evaluation's streams


def problems(job: Job) -> int:
    """The problems of a step."""
    return max(1, job.schedule.global_batch // job.recipe.row_sequences)


def batch_luck(job: Job, step: int) -> float:
    """How much easier a step's problems are than others, in standard deviations."""
    return balanced.level(job.seed, "reward", step - 1)


class _Course(NamedTuple):
    """How the expected reward and the lengths grow."""

    low: float  # reward at first
    gain: float  # by which it would rise in a run without an end
    rate: float  # per step at full rate
    against: float  # the part of the lengths' noise that goes against the reward's
    usual: float  # mean length of the first completions, a part of the longest
    trend: float  # by which it grows with the reward
    spread: float  # of a batch's mean length


@remembered()
def _course(job: Job) -> _Course:
    seed = job.seed
    low = 0.10 + 0.25 * noise.uniform(seed, "reward-start")
    gain = 0.60 + 0.25 * noise.uniform(seed, "reward-end") - low
    usual = noise.between(seed, "length", 0.28, 0.45)
    trend = noise.between(seed, "length trend", -0.3, 0.1)
    spread = LENGTH_NOISE * (usual + trend * gain * (1.0 - exp(-1.5)))  # half-way
    against = noise.between(seed, "length of the hard", 0.0, 0.6)
    return _Course(low, gain, 3.0 / job.schedule.steps, against, usual, trend, spread)


def expected_reward(job: Job, step: int) -> float:
    """The noise-free reward of this step: from 0.10..0.35 towards 0.60..0.85."""
    course = _course(job)
    moved = max(0, step - 1 - job.framework.lr_lag_steps)
    done = learning_rate.full_rate_steps(moved, job.schedule.warmup)
    return course.low + course.gain * (1.0 - exp(-course.rate * done))


def _left(job: Job, steps: float) -> float:
    """The integral of exp(-rate s) over the first steps, s at full rate.

    In the warmup s = x**2 / 2 w after x steps; later s = x - w / 2.
    """
    rate, warmup = _course(job).rate, float(job.schedule.warmup)
    left = 0.0
    if warmup:
        narrow = sqrt(rate / (2.0 * warmup))
        left = sqrt(pi) / (2.0 * narrow) * erf(narrow * min(steps, warmup))
    if steps > warmup:
        left += (exp(-rate * warmup / 2.0) - exp(-rate * (steps - warmup / 2.0))) / rate
    return left


def _usual_lengths(job: Job, steps: int) -> float:
    """The sum of the noise-free mean lengths of the first steps, in parts of the longest."""
    course = _course(job)
    moved = max(0.0, steps - 0.5 - job.framework.lr_lag_steps)
    return course.usual * steps + course.trend * course.gain * (moved - _left(job, moved))


def limit(job: Job) -> int:
    """Tokens that a completion may have."""
    return max(2, job.schedule.sequence - PROMPT_TOKENS)


@remembered(128)  # the length of a step is a difference of two
def _completed(job: Job, steps: int) -> int:
    """Tokens of all completions of the first steps."""
    course = _course(job)
    own = sqrt(1.0 - course.against**2) * balanced.total(job.seed, "length", steps)
    luck = own - course.against * balanced.total(job.seed, "reward", steps)
    lengths = _usual_lengths(job, steps) + course.spread * luck
    return round(lengths * limit(job) * job.schedule.global_batch)


def _prompted(job: Job, steps: int) -> int:
    """Tokens of all prompts of the first steps: a group's answers share each of them."""
    spread = min(MOST_PROMPT_SPREAD, PROMPT_SPREAD / sqrt(problems(job)))
    luck = balanced.total(job.seed, "prompt length", steps)
    return round(job.schedule.global_batch * PROMPT_TOKENS * (steps + spread * luck))


@remembered(128)  # a step's time, its rates and its metrics ask for them
def tokens_seen(job: Job, step: int) -> int:
    """Tokens of all prompts and completions of the first steps."""
    return _completed(job, step) + _prompted(job, step)


def tokens(job: Job, first: int, last: int) -> int:
    """Tokens of all prompts and completions of steps first..last, both included."""
    return tokens_seen(job, last) - tokens_seen(job, first - 1)


def mean_length(job: Job, step: int, stream: str = "") -> float:
    """Mean tokens of the completions of a step, or of an evaluation after it; their sum is a
    whole number.
    """
    count = job.schedule.global_batch
    if not stream:
        return (_completed(job, step) - _completed(job, step - 1)) / count
    course = _course(job)
    own = noise.normal(job.seed, f"{stream}length", step)
    luck = sqrt(1.0 - course.against**2) * own - course.against * batch_luck(job, step)
    grown = expected_reward(job, step) - course.low
    usual = (course.usual + course.trend * grown) * (1.0 + LENGTH_NOISE * luck)
    return round(max(0.05, min(0.9, usual)) * limit(job) * count) / count


def held_out_tokens(job: Job, step: int) -> int:
    """Tokens of all prompts and completions of an evaluation after this step."""
    spread = min(MOST_PROMPT_SPREAD, PROMPT_SPREAD / sqrt(problems(job)))
    luck = max(-2.5, min(2.5, noise.normal(job.seed, f"{HELD_OUT}prompt length", step)))
    length = PROMPT_TOKENS * (1.0 + spread * luck) + mean_length(job, step, HELD_OUT)
    return round(job.schedule.global_batch * job.schedule.validation_batches * length)
