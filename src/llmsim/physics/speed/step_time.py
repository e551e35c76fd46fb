"""The time of the executed steps of a job, and of the pauses between them.

    step seconds = batch tokens * FLOPs/token / (GPUs * peak * MFU), with jitter.py's spread

A step here is an executed step, counted from 1: it counts what has been run, not what has been
learnt. Without a rollback it equals the optimizer step. Units are seconds and tokens.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import ceil, log2, pi

from llmsim.job.memo import remembered
from llmsim.job.microseconds import to_the_microsecond
from llmsim.job.records import Job, batch_tokens
from llmsim.job.schedule import last_step
from llmsim.physics import noise
from llmsim.physics.speed.compute import AGAIN
from llmsim.physics.speed.throughput import layout_seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmsim.physics.speed.jitter import StepTiming

# Generation takes 60 to 80 % of a GRPO step in reports of RLHF systems (HybridFlow, 2024).
ROLLOUT_SHARE = 0.7

# Tokens a second, short padded sequences against training's full ones. Up to 1B a fifth: the
# GPUs wait for launches; from 56B on as fast, since forward alone is a third of the work.
SPEED, SPEED_EXPONENT = 0.2, 0.4
PATIENCE = 3600.0  # seconds, beyond which an evaluation takes more nodes


def _filled(job: Job, first: int, last: int) -> float:
    """The tokens of these steps as a share of full batches; 1 except in GRPO."""
    if not job.recipe.generates:
        return 1.0
    from llmsim.physics.learning import completions  # the first line of most runs does without

    return completions.tokens(job, first, last) / ((last - first + 1) * batch_tokens(job))


def step_seconds(job: Job, step: int | None = None) -> float:
    """Mean seconds of this executed step, or by default of one with a full batch."""
    schedule = job.schedule
    layout, batch = job.layout, schedule.global_batch
    if step is not None and schedule.ramp:
        from llmsim.physics.speed import batch_ramp  # a plan does without

        layout, batch = batch_ramp.layout_at(job, step), batch_ramp.batch(schedule, step)
    seconds = layout_seconds(job.architecture, job.gpu, layout, schedule.sequence)[1]
    micro_batches = batch / (layout.dp * layout.micro_batch)
    training = seconds * micro_batches / layout.accumulation
    if step is not None:
        training *= _filled(job, step, step)
    return training / (1.0 - ROLLOUT_SHARE) if job.recipe.generates else training


def rollout_seconds(job: Job) -> float:
    """The part of a GRPO step in which completions are generated; 0 without them."""
    return step_seconds(job) * ROLLOUT_SHARE if job.recipe.generates else 0.0


@remembered(8)
def timing(job: Job, number: int = 0) -> "StepTiming":
    """The constants of this run's timing, in one stage of its ramp; see elapsed."""
    from llmsim.physics.speed import jitter  # a plan needs means alone

    seed, layout = job.seed, job.layout
    first, begun = 1, 0.0
    if number:
        first = job.schedule.ramp[number].first
        begun = elapsed(job, first - 1)
    if job.recipe.generates:
        mean = step_seconds(job) * _filled(job, 1, job.schedule.steps)
    else:
        mean = step_seconds(job, first)

    doublings = log2(layout.nodes)
    sigma = noise.between(seed, "step sigma", 0.0025, 0.008)
    sigma = sigma * (1.0 + 0.1 * doublings) + 0.0008 / mean
    if job.architecture.experts > 1:  # tokens reach experts unevenly: Mixtral 3.2, Qwen3 2.5 %
        sigma += 0.018
    sigma = min(sigma, 0.04)
    clock = job.start.hour * 3600.0 + job.start.minute * 60 + job.start.second
    collected = job.framework.gc_every
    clock += begun - (first - 1) * mean  # the start of a run whose steps all have this mean
    return jitter.StepTiming(
        seed=seed,
        steps=job.schedule.steps,
        mean=mean,
        sigma=sigma,
        first_extra=_first_extra(job, mean) * noise.between(seed, "compile", 0.85, 1.15),
        burst=sigma * min(1.2, 0.2 * doublings) * noise.between(seed, "step bursts", 0.5, 1.5),
        burst_steps=noise.integer(seed, "step burst", 8, 60),
        hour=noise.between(seed, "step hour", 0.001, 0.002 + 0.002 * min(8.0, doublings)),
        hour_steps=max(200, round(noise.between(seed, "step hours", 2.0, 6.0) * 3600.0 / mean)),
        outliers=(
            jitter.Outliers(
                "hiccup",
                noise.integer(seed, "hiccup every", 150, 600),
                mean * noise.between(seed, "hiccup", 0.1, 0.5),
            ),
            jitter.Outliers(
                "long hiccup",
                noise.integer(seed, "long hiccup every", 2500, 8000),
                mean * noise.between(seed, "long hiccup", 1.0, 3.0),
            ),
        ),
        gc_every=collected or 1,
        gc=min(noise.between(seed, "gc", 0.03, 0.12), 0.15 * mean) if collected else 0.0,
        diurnal_drift=noise.between(seed, "swing", 0.005, 0.01),
        phase=2.0 * pi * (clock / 86_400.0 - 9.0 / 24.0),  # slowest 6 h after 9:00
        slowdowns=jitter.slowdowns(
            seed, job.schedule.steps, mean, layout.gpus, layout.nodes, job.schedule.first_step
        ),
    )


def collection_seconds(job: Job, step: int) -> float:
    """Seconds of the garbage collection before a step; their mean is what the step times have.

    One public run shows .06 and .08 s (pytorch/torchtitan#1287).
    """
    return timing(job).gc * noise.between(job.seed, "collected", 0.75, 1.25, step)


def _first_extra(job: Job, mean: float) -> float:
    """Seconds that step 1 takes longer: compilation block by block, NCCL's lazy connections.

    A first tps of 2-21 % of the steady rate is 3.8 to 49 steps more (give or take 15 %), but at
    least 5 s and at most 60 s. Mixtral: 92.4 s for a step of 9.0 s.

    Kernels that are there need no compiler, and are loaded one by one: public logs of NeMo begin
    with 1.8, 3.3, 5.6 and 8.5 s more, a 175B of Megatron's with 12.5 s, and a 7B of DeepSpeed's
    (issue 3742) takes 6.7 s in all. llm.c's are in its program: 0.31 s on 8 x H100, 0.35 s on an
    A100, 0.41 s on an RTX 5090.
    """
    kind = job.framework.first_step
    layers, connecting = job.architecture.layers / job.layout.pp, 0.5 * log2(job.layout.nodes)
    if kind == "ready":
        return 0.35
    if kind == "loads" or not job.layout.engine.compiled:
        return 1.5 + 0.05 * layers + connecting
    compiling = 8.0 + 0.4 * layers + connecting
    return min(50.0, max(5.8, 4.5 * mean, min(compiling, 42.0 * mean)))


def elapsed(job: Job, step: int) -> float:
    """Seconds from the first executed step's start to the end of this one, without pauses.

    A stage of a ramp is timed as the same steps of a run that has the stage's batch from its first
    step on, moved to the end of the earlier stage.
    In GRPO time goes by tokens: the longer the answers, the slower a step.
    """
    return elapsed_of(job)(step)


@remembered()
def elapsed_of(job: Job) -> Callable[[int], float]:
    """`elapsed` as a function of the step alone, which keeps its latest values: an interval begins
    where the one before ended.
    """
    from llmsim.physics.learning import epochs

    if job.recipe.generates:
        return lru_cache(64)(_by_tokens(job))
    staged = job.schedule.ramp or epochs.have_rests(job)
    return lru_cache(64)(_by_stages(job) if staged else _clock(job, 0))


@remembered(8)
def _clock(job: Job, number: int) -> Callable[[int], float]:
    """`elapsed` of steps that all have the work of one stage of the ramp."""
    from llmsim.physics.speed import jitter

    return jitter.clock(timing(job, number))


def _by_tokens(job: Job) -> Callable[[int], float]:
    """`elapsed` of steps whose answers have more tokens or fewer."""
    from llmsim.physics.learning import completions

    usual, mean, steps = _clock(job, 0), timing(job).mean, job.schedule.steps
    whole = completions.tokens_seen(job, steps)

    def elapsed(step: int) -> float:
        if step <= 0:
            return usual(step)
        ahead = steps * completions.tokens_seen(job, step) / whole - step
        return to_the_microsecond(usual(step) + mean * ahead)

    return elapsed


def _by_stages(job: Job) -> Callable[[int], float]:
    """`elapsed` of a ramp's steps, and of epochs whose last step has less than a full batch."""
    from llmsim.physics.learning import epochs
    from llmsim.physics.speed import batch_ramp

    schedule, mean = job.schedule, timing(job).mean

    def elapsed(step: int) -> float:
        number = batch_ramp.stage_number(schedule, step)
        whole = _clock(job, number)(step) + (_offset(job, number) if number else 0.0)
        missing = epochs.unfilled(job, 1, step)
        return to_the_microsecond(whole - missing * mean) if missing else whole

    return elapsed


@remembered(8)
def _offset(job: Job, number: int) -> float:
    """Seconds by which a stage begins later than in a run that always has the stage's batch."""
    last = job.schedule.ramp[number].first - 1
    return to_the_microsecond(elapsed(job, last) - _clock(job, number)(last))


def interval_seconds(job: Job, first: int, last: int) -> float:
    """Seconds that the executed steps first..last took together, both included, counted from 1.

    Validation, checkpoints and logging are not in it. Intervals add up: 1..10 is 1..4 and
    5..10. Rounded to microseconds.
    """
    return intervals_seconds(job, first, (last,))[0]


def intervals_seconds(job: Job, first: int, lasts: Sequence[int]) -> list[float]:
    """`interval_seconds` of intervals that begin with one step and end with each of some others."""
    since = elapsed_of(job)
    if first == 1:
        return [*map(since, lasts)]
    begun = since(first - 1)
    # to_the_microsecond, written out: each step has one
    return [round((since(last) - begun) * 1e6) / 1e6 for last in lasts]


def compile_seconds(job: Job) -> float:
    """The part of step 1 in which the host compiles; its devices wait."""
    return to_the_microsecond(timing(job).first_extra)


def dispatch_seconds(job: Job, step: int) -> float:
    """Seconds in which a host hands a compiled step to its devices, without waiting for its end.

    JAX on TPUs: 0.319 and 0.323 s (public MaxText logs of v5p); less where steps are short.
    """
    usual = 0.25 + 0.15 * noise.uniform(job.seed, "dispatch")
    spread = 0.95 + 0.1 * noise.uniform(job.seed, "dispatch of a step", step)
    return to_the_microsecond(min(usual, 0.1 * step_seconds(job)) * spread)


def training_seconds(job: Job) -> float:
    """Seconds of all steps that an undisturbed run executes: the sum of all intervals."""
    return seconds_until(job, last_step(job.schedule))


def seconds_until(job: Job, step: int) -> float:
    """Seconds of the run's own steps up to this one; the first of them compiles, in a run that
    goes on from a checkpoint, too.
    """
    return each_seconds_until(job, (step,))[0]


def each_seconds_until(job: Job, steps: Sequence[int]) -> list[float]:
    """Seconds of the run's own steps up to each of some steps; the first of them compiles."""
    first = job.schedule.first_step
    seconds = intervals_seconds(job, first, steps)
    if first == 1:
        return seconds
    compiling = compile_seconds(job)
    return [to_the_microsecond(each + compiling) for each in seconds]


def validation_seconds(job: Job, step: int, part: str = "validation") -> float:
    """Seconds of one validation, on a part of the held-out data.

    It is forward only, a third of the FLOPs, and some overhead.
    Forward is as fast with recompute as without, so its time is a third of the step without.
    """
    batches = job.schedule.validation_batches
    filled = _filled(job, step, step)
    forward = step_seconds(job) * filled / (3.0 + AGAIN[job.layout.recompute])
    spread = 1.0 + 0.015 * noise.normal(job.seed, f"{part} time", step)
    overhead = 0.4 + 0.8 * noise.uniform(job.seed, f"{part} overhead", step)
    return to_the_microsecond(batches * forward * max(0.9, spread) + overhead)


def evaluation_seconds(job: Job) -> float:
    """Mean seconds of running the benchmarks, on one node unless that would take over an hour."""
    from llmsim.physics.learning import benchmarks

    load = 20.0 + 20.0 * noise.uniform(job.seed, "evaluation-load")
    training = step_seconds(job) - rollout_seconds(job)
    size = max(1.0, job.model.active_parameters / 1e9)
    speed = min(1.0, SPEED * float(size**SPEED_EXPONENT))
    rate = speed * batch_tokens(job) / training / job.layout.nodes  # of one node
    alone = benchmarks.effort(job).tokens / rate
    return load + alone / min(job.layout.nodes, ceil(alone / PATIENCE))


def loading_seconds(job: Job, step: int) -> float:
    """Seconds of a step in which the process waits for its next batch: some milliseconds.

    Workers have fetched the batch before; the hand-over takes 2-15 ms, at most a twentieth of the
    step.
    """
    usual = noise.between(job.seed, "data loading", 0.002, 0.015)
    spread = 0.8 + 0.4 * noise.uniform(job.seed, "data loading of a step", step)
    return to_the_microsecond(min(usual, 0.05 * step_seconds(job)) * spread)
