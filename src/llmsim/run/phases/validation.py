"""A pause in training: the loss on held-out data, and benchmarks if they were asked for."""

from llmsim.job.records import Job, batch_tokens
from llmsim.physics.learning import loss, metrics, reinforcement
from llmsim.physics.speed import step_time
from llmsim.run.events import Validated
from llmsim.run.phases.evaluation import evaluated
from llmsim.run.phases.timing import Phase, announced, watched


def validation(job: Job, at: float, step: int, best: float) -> Phase:
    """Validates after `step`; `best` is the lowest validation loss before."""
    return (yield from announced("validation", at, _passes(job, at, step, best)))


def _passes(job: Job, at: float, step: int, best: float) -> Phase:
    seconds = step_time.validation_seconds(job, step)
    batches = job.schedule.validation_batches
    yield from watched(job, at, seconds, "validation", "Validating", batches, "batch")
    at += seconds
    value = loss.validation(job, step)
    grpo = job.recipe == "grpo"
    full = batches * batch_tokens(job)
    tokens = reinforcement.held_out_tokens(job, step) if grpo else full
    yield Validated(
        at,
        step,
        value,
        loss.perplexity(value),
        min(best, value),
        tokens,
        seconds,
        metrics.accuracy(job, step),
    )
    if job.evaluates and step < job.schedule.steps:  # the last step's come after the export
        at = yield from evaluated(job, at, step)
    return at
