"""Two hundred runs of 54 days on 16,384 H100: their interruptions, and their effective time.

python -m tools.long_runs [--runs 200] [--processes 2]

Judges: Llama 3's table of 419 interruptions (arXiv 2407.21783, table 5; chi-square, 17 degrees of
freedom), its effective time of more than 90 % and Meta's 85 to 90 % (arXiv 2410.21680), and that
paper's formula: ETTR = (1 - (u0 + dt / 2) / MTTF) / (1 + w / dt).

What is compared: u0 is what the run waited for each of its failures, from the fault to the first
step of the next attempt; dt is the interval between saves; w is what a save keeps the GPUs waiting.
The formula knows failures that end a process at once, and lose half an interval. Two things are
not in it:

    found late  silent corruption, a spike that stays and numbers that are none cost all steps since
                they began, hours of them. The second line adds the time from there to the end; the
                third has what the run really lost in place of both
    slow steps  incidents that end nothing (heat, stragglers, flapping links) are in none of them
"""

import argparse
import gc
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from functools import cache
from math import fsum
from statistics import mean
from time import perf_counter

from llmsim.job.records import Job
from llmsim.options.table import Options
from llmsim.physics.hardware import storage
from llmsim.physics.speed import step_time
from llmsim.planning.plan import plan
from llmsim.run.events.incidents import Failed, Incident
from llmsim.run.goodput import goodput
from llmsim.run.incident_kinds import CAUSES, RUNS
from llmsim.run.incidents import incidents
from llmsim.run.numbers import is_of_numbers
from llmsim.run.simulation import run_of
from llmsim.run.timeline import Segment
from llmsim.typed import NamedTuple

DAYS, GPUS = 54, 16_384
SAVE_EVERY = 100  # steps: ten minutes
AT_ONE_PERCENT = 33.41  # chi-square with 17 degrees of freedom
LEAST, MOST = 0.85, 0.95  # effective time
NEAR = 0.03  # of the formula: the mean of all runs; each run with what is found late
FORMULAS = (
    ("formula", "by the formula"),
    ("late", "and found late"),
    ("own", "with its own losses"),
)
EXACT = 0.015  # of the formula with what a run has really lost: each run


class Outcome(NamedTuple):
    """One run: its effective time and what the formula says, and what interrupted it."""

    share: "Share"
    causes: Counter[str]


@cache
def job(days: int = DAYS, save_every: int = SAVE_EVERY) -> Job:
    """The job of which each run is a seed: 405B, with a save every so many steps."""
    asked = Options(seed=1, start=datetime(2026, 1, 1), gpus=GPUS, gpu="NVIDIA H100 80GB HBM3",
                    model="Basalt-405B", recipe="pretrain", dialect="pytorch")  # fmt: skip
    made = plan(asked)
    steps = round(days * 86_400 / step_time.step_seconds(made))
    # From the first step on, and without a limit, also if the seed plans a part of a longer run.
    schedule = made.schedule._replace(
        steps=steps, validate_every=steps, save_every=save_every, first_step=1, horizon=0,
        time_limit=0,
    )  # fmt: skip
    return made._replace(schedule=schedule)


def restarts(segments: list[Segment]) -> float:
    """Seconds from faults to the first steps of the next attempts."""
    return fsum(
        each.ended - each.began
        for each in segments
        if each.kind in ("failure", "outage") or (each.kind == "launch" and each.attempt > 1)
    )


class Share(NamedTuple):
    """Effective time as a share of all time: as it was, and by the formula."""

    effective: float
    formula: float
    late: float  # with the time for which numbers were wrong before somebody ended the run
    own: float  # the formula with the mean time that the run's failures lost, for half an interval
    failures: int
    seconds: float  # from the command to the end of the training


def effective_time(this: Job) -> Share:
    """The effective time of a run. Raises ZeroDivisionError if nothing failed in it."""
    run = run_of(this)
    segments = [*run.timeline]
    wall, failures = segments[-1].began, segments[-1].attempt - 1
    interval = this.schedule.save_every * step_time.step_seconds(this)
    write = (storage.staging_seconds if this.background_saves else storage.save_seconds)(
        this, this.schedule.save_every
    )
    waited, saving = restarts(segments), 1.0 + write / interval
    usual = failures * interval / 2
    effective = step_time.training_seconds(this) / wall
    formula, late, own = [
        (1.0 - (waited + lost) / wall) / saving
        for lost in (usual, usual + fsum(found_late(segments)), goodput(run).lost)
    ]
    return Share(effective, formula, late, own, failures, wall)


def found_late(segments: list[Segment]) -> Iterator[float]:
    """Seconds from the first wrong number to the end of the attempt, of each run of them that
    ended one.
    """
    begun: dict[str, float] = {}
    for segment in segments:
        for event in segment.events:
            if isinstance(event, Incident) and is_of_numbers(event.kind):
                begun[event.kind] = event.at
            if isinstance(event, Failed) and event.kind in begun:
                yield segment.began - begun.pop(event.kind)


def outside(seed: int, share: Share) -> str:
    """A run that is farther from the formula than NEAR, and how much of that is what the formula
    leaves out: the time between the first wrong number and the end that somebody made.
    """
    apart, late = share.effective - share.formula, share.late - share.formula
    return f"    run {seed}: {apart:+.3f} from the formula, of which {late:+.3f} was found late"


def outcome(seed: int) -> Outcome:
    """One run of the job."""
    this = job()._replace(seed=seed)
    found = incidents(this, DAYS * 86_400.0, DAYS * 86_400.0)
    causes = Counter(each.cause for each in found if each.cause)
    return Outcome(effective_time(this), causes)


def chi_square(counts: Counter[str]) -> float:
    """How far the counts are from Llama 3's shares."""
    whole = counts.total()
    expected = {cause: whole * count / RUNS for cause, count, _ in CAUSES}
    return fsum([(counts[cause] - many) ** 2 / many for cause, many in expected.items()])


def main(args: list[str]) -> int:
    """Print the outcome; the exit status is 1 where a judge is not content."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args(args)
    begun = perf_counter()
    # A run's records refer to one another in no circle, for which Python need not look.
    with ProcessPoolExecutor(given.processes, initializer=gc.disable) as pool:
        found = list(pool.map(outcome, range(1, given.runs + 1), chunksize=5))
    took = perf_counter() - begun
    counts: Counter[str] = sum((each.causes for each in found), Counter())
    shares, square = [each.share for each in found], chi_square(counts)
    effective = mean(each.effective for each in shares)
    seconds = step_time.step_seconds(job())
    print(f"{given.runs} runs of {DAYS} days on {GPUS:,} GPUs in {took:.1f} s")
    print(f"a save every        {SAVE_EVERY} steps of {seconds:.2f} s")
    print(f"failures a run      {mean(each.failures for each in shares):.0f}")
    print(f"effective time      {effective:.3f}, from {min(shares).effective:.3f} to "
          f"{max(shares).effective:.3f}")  # fmt: skip
    for name, told in FORMULAS:
        values = [(each.effective, getattr(each, name)) for each in shares]
        apart = [abs(one - other) for one, other in values]
        print(f"{told:19} {mean(other for _, other in values):.3f}; a single run is off by "
              f"{max(apart):.3f} at most, {sum(each < NEAR for each in apart)} of {len(apart)} "
              f"runs by less than {NEAR}")  # fmt: skip
    for seed, share in enumerate(shares, 1):
        if abs(share.effective - share.formula) >= NEAR:
            print(outside(seed, share))
    print(f"chi-square          {square:.1f} (1 % lies at {AT_ONE_PERCENT})")
    right = LEAST < effective < MOST and square < AT_ONE_PERCENT
    near = abs(effective - mean(each.formula for each in shares)) < NEAR
    near &= max(abs(each.effective - each.late) for each in shares) < NEAR
    exact = max(abs(each.effective - each.own) for each in shares) < EXACT
    return 0 if right and near and exact else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
