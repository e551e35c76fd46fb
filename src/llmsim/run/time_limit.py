"""The end of a run by the clock: of sbatch's --time or the framework's, anew from each launch.

slurmctld looks for jobs beyond their limit every 30 s, and sends SIGTERM to all processes;
KillWait later, 30 s, it sends SIGKILL. A framework that saves at the signal and needs longer is
signalled earlier: sbatch's --signal=TERM@SECONDS, of which Slurm prints nothing. The job's state
in sacct is TIMEOUT, or COMPLETED where it has ended before the limit.

Megatron-LM looks at its own clock after each iteration (--exit-duration-in-mins): with the first
one that ends later it saves and exits.
"""

from llmsim.job.microseconds import to_the_microsecond
from llmsim.job.records import Job
from llmsim.physics import noise
from llmsim.physics.hardware import storage
from llmsim.physics.speed import step_time
from llmsim.run.faults import Fault
from llmsim.run.incidents import LIMIT, Incident
from llmsim.run.stretches import Attempt
from llmsim.run.timeline import Segment

KIND = "time-limit"
LOOKS = 30.0  # seconds between two looks: PERIODIC_TIMEOUT in src/slurmctld/slurmctld.h
_FITS = 25.0  # seconds that an end in order may take without a signal ahead of the limit
_AHEAD = (60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0)


def time_up(job: Job, attempt: Attempt, began: float) -> Fault:
    """The fault that ends the run in an attempt whose training begins at a moment. Its first step
    is always made.
    """
    if not job.schedule.time_limit:
        return _exit(job, attempt, began)
    limit = _slurms(job, attempt, began)
    if not job.schedule.exit_after:
        return limit
    return min(limit, _exit(job, attempt, began), key=lambda fault: fault.at)


def _exit(job: Job, attempt: Attempt, began: float) -> Fault:
    """The end by the framework's own clock."""
    at = max(attempt.began + job.schedule.exit_after, began + 1e-3)
    return Fault(to_the_microsecond(at), _incident(attempt, at), own=True)


def _incident(attempt: Attempt, at: float) -> Incident:
    uptime = attempt.uptime + at - attempt.began
    return Incident(LIMIT, KIND, "", uptime, 0, 0.0, by_person=False)


def _slurms(job: Job, attempt: Attempt, began: float) -> Fault:
    """The end by Slurm's clock."""
    limit = job.schedule.time_limit
    late = noise.between(job.seed, "time limit", 0.0, LOOKS, attempt.number)
    ahead = _ahead(job, attempt)
    step = step_time.compile_seconds(job) + 1.5 * step_time.step_seconds(job, attempt.resumed + 1)
    at = max(attempt.began + limit + (0.0 if ahead else late) - ahead, began + step)
    return Fault(to_the_microsecond(at), _incident(attempt, at), ahead=ahead)


def _ahead(job: Job, attempt: Attempt) -> float:
    """Seconds before the limit at which the signal comes; 0: with the limit."""
    if not job.framework.saves_at_sigterm:
        return 0.0
    step = attempt.resumed + 1
    needs = storage.save_seconds(job, step) + 2.0 * step_time.step_seconds(job, step)
    if needs <= _FITS:
        return 0.0
    waits = needs + step_time.validation_seconds(job, step)
    return next((each for each in _AHEAD if each >= 1.5 * waits), _AHEAD[-1])


def first_of(drawn: Fault | None, limit: Fault, segment: Segment) -> Fault | None:
    """What ends an attempt in a segment: a fault that is drawn there, or the time limit.

    Handlers of an early signal run when a pause is over.
    """
    if segment.kind == "launch" or limit.at >= segment.ended:
        return drawn
    if (limit.ahead or limit.own) and segment.kind != "training":
        return drawn
    if limit.at < segment.began:
        limit = limit._replace(at=to_the_microsecond(segment.began + 1e-3))
    return drawn if drawn and drawn.at < limit.at else limit
