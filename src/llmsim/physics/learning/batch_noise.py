"""The noise of a mean loss over a batch's tokens: its size, its tails and its memory.

    sigma = 30 / sqrt(T) x loudness of the run        sigma x sqrt(T) is 25 to 37 in public runs

Who reads the data decides what the noise looks like. Shuffled samples are nearly normal and lean
slightly to below (skewness -0.1 to -0.2, at 65k to 131k tokens as at 4M). Contiguous streams have
rows that stay in one hard document: skewness +1.1 to +3.4 at 65k to 131k tokens, 0.9 at 524k, z
above 4 in 0.8 to 1.7 % of the steps and below -4 in 0.1 to 0.3 %. Data in the order of its
documents correlates from step to step: 0.28 to 0.46 at lag 1, 0.14 to 0.23 at lag 5. Figures are
of public logs (docs/physics.md section 7); z counts robust standard deviations.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import exp, log, sqrt

from llmsim.job.memo import remembered
from llmsim.job.records import Job, Loader
from llmsim.physics import autoregressive, noise
from llmsim.physics.learning.curve import Curve
from llmsim.physics.speed import batch_ramp
from llmsim.typed import NamedTuple, TypeVar

NOISE = 30.0  # nats x sqrt(tokens), of a middling run
NOISE_SPREAD = 0.13  # of its logarithm, from run to run
RELATIVE_LIMIT = 0.08  # of the loss: the noise of the tiniest batches stays below it

LEAN = -0.025  # of shuffled samples: a sixth of the skewness
# Of a contiguous stream: hard and easy documents, the share of steps that meet them and their
# excess in standard deviations, of 524,288 tokens. The excess falls with this power of the tokens.
HARD, EASY = 0.06, 0.010
EXCESS, EXCESS_POWER, USUAL_TOKENS = 1.65, 0.28, 524_288
LARGEST_EXCESS = 3.0
# Of ordered data: the part of the variance that lasts, and its correlation from step to step.
LASTING, PERSISTENCE = 0.44, 0.84


def loader(job: Job) -> Loader:
    """How the run reads its data."""
    if job.loader:
        return job.loader
    return "shuffled" if job.framework.shuffles else "contiguous"


def sigma(job: Job, curve: Curve, clean: float, first: int, last: int) -> float:
    """Standard deviation of a loss averaged over the tokens of these steps, in nats."""
    del curve
    usual = _steady_sigma(job) if first == last else 0.0
    usual = usual or _sigma(job, batch_ramp.tokens(job, first, last))
    return min(usual, RELATIVE_LIMIT * clean)


def _sigma(job: Job, tokens: int) -> float:
    """The same of a mean over this many tokens, without its limit."""
    return NOISE * _loudness(job.seed) / sqrt(tokens)


@remembered()
def _steady_sigma(job: Job) -> float:
    """The same of a single step where all have equally many tokens, else 0."""
    tokens = batch_ramp.steady_tokens(job)
    return _sigma(job, tokens) if tokens else 0.0


@noise.kept(64)
def _loudness(seed: int) -> float:
    """How noisy the run's data is: sigma x sqrt(tokens) is 25 to 37 from run to run."""
    return exp(NOISE_SPREAD * max(-1.6, min(1.6, noise.normal(seed, "loss loudness"))))


class _Tails(NamedTuple):
    """Hard and easy documents of a mean over a number of tokens."""

    excess: float  # standard deviations of the core
    mean: float
    scale: float  # brings the variance to 1


@remembered(16)
def _tails(job: Job, tokens: int) -> _Tails:
    """The tails of a contiguous stream; how heavy they are differs from run to run."""
    luck = exp(0.08 * noise.normal(job.seed, "loss tails"))
    excess = luck * EXCESS * float((USUAL_TOKENS / tokens) ** EXCESS_POWER)
    excess = min(LARGEST_EXCESS, excess)
    mean = (HARD - EASY) * excess
    variance = 1.0 + 2.0 * (HARD + EASY) * excess**2 - mean**2
    return _Tails(excess, mean, 1.0 / sqrt(variance))


def batch_number(job: Job, step: int) -> int:
    """Which batch of the data a step learns from, counted from 1: a process that has restarted may
    read them from the beginning.
    """
    return step - (job.resumed if job.framework.restarts_data else 0)


def residual(job: Job, step: int, first: int | None = None) -> float:
    """The noise of a step's tokens, or of the steps first..step, in units of sigma.

    Mean 0, variance 1.
    """
    if first is None:
        return residual_of(job)(step)
    return _drawn(job, loader(job), batch_number(job, step), batch_number(job, first))


@remembered()
def residual_of(job: Job) -> Callable[[int], float]:
    """`residual` as a function of the step alone, which keeps its latest values: of a block of
    steps the losses ask for them, and then the gradient norms.
    """
    kind, ahead, seed = loader(job), batch_number(job, 0), job.seed
    tokens = batch_ramp.steady_tokens(job)
    tails = _tails(job, tokens) if kind == "contiguous" and tokens else None

    def alone(step: int) -> float:
        return _drawn(job, kind, ahead + step, ahead + step)

    if not tails and kind != "shuffled":
        return lru_cache(64)(alone)

    def block(first: int, every: int) -> list[float]:
        normals = noise.normals(seed, "loss", ahead + first, 1, BLOCK, every)
        if not tails:
            return [_leaning(z) for z in normals]
        uniforms = noise.uniforms(seed, "loss-tail", ahead + first, 1, BLOCK, every)
        return [_with_tails(z, u, tails) for z, u in zip(normals, uniforms, strict=True)]

    return lru_cache(64)(by_blocks(job, block, alone))


BLOCK = 32  # logged steps whose numbers are drawn at once

T = TypeVar("T")


def by_blocks(
    job: Job, block: Callable[[int, int], Sequence[T]], alone: Callable[[int], T]
) -> Callable[[int], T]:
    """A number of a step, which is one of a block's where the step is logged, and else drawn
    `alone`. `block` gives the numbers of BLOCK steps: of the first, and of each that is as many
    steps after the one before as the second argument says.
    """
    every, known = job.schedule.log_every, lru_cache(4)(block)

    def number(step: int) -> T:
        place, away = divmod(step, every)
        if away:
            return alone(step)
        within = place % BLOCK
        return known(step - within * every, every)[within]

    return number


def _drawn(job: Job, kind: Loader, step: int, begun: int) -> float:
    """The same of the batches with these numbers."""
    if kind == "ordered":
        lasting = autoregressive.mean(job.seed, "loss order", begun, step, PERSISTENCE)
        lasting *= sqrt(step - begun + 1)
        return sqrt(1.0 - LASTING) * noise.normal(job.seed, "loss", step) + (
            sqrt(LASTING) * lasting
        )
    tokens = batch_ramp.tokens(job, begun, step) if kind == "contiguous" else 0
    return drawn(job, "loss", step, tokens, kind)


def drawn(job: Job, stream: str, index: int, tokens: int, kind: Loader) -> float:
    """The noise of a mean over this many tokens, read by this loader."""
    z = noise.normal(job.seed, stream, index)
    if kind == "shuffled":
        return _leaning(z)
    u = noise.uniform(job.seed, f"{stream}-tail", index)
    return _with_tails(z, u, _tails(job, tokens))


def _leaning(z: float) -> float:
    """A normal number with the skewness of shuffled samples."""
    return z + LEAN * (z * z - 1.0)


def _with_tails(z: float, u: float, tails: _Tails) -> float:
    """A normal number with the tails of a contiguous stream, where a uniform one is in them."""
    excess, mean, scale = tails
    if u < HARD:
        z += excess * log(HARD / u)
    elif u > 1.0 - EASY:
        z -= excess * log(EASY / (1.0 - u))
    return (z - mean) * scale
