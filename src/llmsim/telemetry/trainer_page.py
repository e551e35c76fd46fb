"""A trainer's own page: loss, step, tokens per second, and when the last step was done.

No convention is shared by trainers; the names follow the one worked precedent
(PrimeIntellect-ai/prime-rl, pull request 1547), whose alert on a stall is
`time() - trainer_last_step_timestamp_seconds > 600`.
"""

from llmsim.run.moment import state
from llmsim.run.simulation import step as step_of
from llmsim.run.timeline import Run, number_of_step, step_ended
from llmsim.telemetry.clock import Clock, unix
from llmsim.telemetry.exposition import Family, text
from llmsim.telemetry.samples import ended_by

PORT = 8000
GIB = 2**30


def page(run: Run, at: float, clock: Clock | None = None) -> str:
    """The page at a simulated second; see families."""
    return text(families(run, at, clock))


def families(run: Run, at: float, clock: Clock | None = None) -> list[Family]:
    """The families at a simulated second; before the first step, and after the end, few or none.

    A time stamp of the page is in the clock of the scraper: `clock` says what it shows at a
    simulated second. Without it, that is the time that stands in the log.
    """
    if at < 0.0 or ended_by(run, at):
        return []
    now, job = state(run, at), run.job
    if now.segment.kind in ("launch", "outage"):
        return []  # the process is not there yet
    attempt, done = now.attempt, now.step
    name = (("run", job.run_name),)
    found = [_gauge("trainer_step", "Optimizer steps done.", name, done)]
    found.append(_gauge("trainer_attempt", "Attempts begun, the first included.", name, attempt))
    try:
        segment = run.timeline[number_of_step(run, done, attempt)]
    except IndexError:
        return found  # no step has been done
    last = step_of(run, done, attempt)
    done_at = step_ended(job, segment, done)
    when = round(clock(done_at) if clock else unix(job, done_at), 3)
    peak = round(last.reserved / GIB, 3)
    return [
        *found,
        _gauge("trainer_loss", "Training loss of the last step.", name, round(last.loss, 6)),
        _gauge("trainer_grad_norm", "Gradient norm of the last step, before clipping.", name,
               round(last.gradient_norm, 6)),
        _gauge("trainer_learning_rate", "Learning rate of the last step.", name,
               float(f"{last.learning_rate:.6g}")),
        _gauge("trainer_throughput_tokens_per_sec", "Tokens per second of the whole cluster.",
               name, round(last.tokens_per_second, 1)),
        _gauge("trainer_mfu_percent", "Model FLOPs utilization.", name, round(100 * last.mfu, 3)),
        _gauge("trainer_peak_memory_gib", "Memory reserved by the allocator of a rank.", name,
               peak),
        _gauge("trainer_step_time_seconds", "Seconds of the last step.", name,
               round(last.step_seconds, 6)),
        _gauge("trainer_last_step_timestamp_seconds", "When the last step was done.", name, when),
        Family("trainer_tokens_total", "counter", "Tokens that the model has seen.",
               ((name, last.tokens),)),
    ]  # fmt: skip


def _gauge(name: str, meaning: str, labels: tuple[tuple[str, str], ...], value: float) -> Family:
    return Family(name, "gauge", meaning, ((labels, value),))
