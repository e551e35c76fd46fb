"""A run that somebody watches from outside: which moment of it is now.

Each command that answers for a cluster (smi, NVML's stand-in) asks a Watched for its moment. A
run with a start goes on with the time of day, from that start; --at holds a moment instead.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from math import isinf

from llmsim.errors import FLAG, OptionError
from llmsim.hosts.runs import fresh_seed
from llmsim.options.parsing import REAL_TIME
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.simulation import run_of
from llmsim.run.timeline import Run
from llmsim.show.seek import moment_of
from llmsim.typed import NamedTuple

# Where a run is found that has neither a start nor a moment: well in the middle of its training.
USUAL = "40%"


class Watched(NamedTuple):
    """A run and the moment of it that is now."""

    run: Run
    options: Options  # with a seed and a start, so that they name this very run
    live: bool  # whether the moment goes on with the time of day
    now: Callable[[], float]  # simulated seconds since the run's command


def watched(options: Options, at: str = "") -> Watched:
    """The run of these options, held at a moment as --from has it, or live.

    Raises OptionError or PlanError.
    """
    if isinf(options.speed_factor):
        raise OptionError("--speed-factor max has no present moment: give a number.")
    if options.seed is None:
        options = options._replace(seed=fresh_seed())
    today = datetime.now().replace(microsecond=0)  # noqa: DTZ005  # a log shows local time
    if options.start is None:
        options = options._replace(start=today)
        if not at:
            options = _begun(_lasting(options))
    run = run_of(plan(options))
    if at:
        held = _held(run, at)
        return Watched(run, options, live=False, now=lambda: held)
    return Watched(run, options, live=True, now=lambda: _elapsed(run, options.speed_factor))


def _held(run: Run, at: str) -> float:
    """The moment that a value of --at means. Raises OptionError."""
    try:
        return moment_of(run, at)
    except OptionError as error:
        raise OptionError(f"--at{error.sentence(FLAG).removeprefix('--from')}") from None
    except ValueError:
        known = "a share such as 40%, step=1200, a time such as 1h20m, or a phase"
        raise OptionError(
            f"--at {at if at.isprintable() else ascii(at)} is no moment: give {known}."
        ) from None


def _lasting(options: Options) -> Options:
    """The options with a run that takes its real time, unless they say how long it takes."""
    if options.duration != Options().duration:
        return options
    return options._replace(duration=REAL_TIME)


def _begun(options: Options) -> Options:
    """The options with a start so long ago that the run is in the middle of its training now."""
    run = run_of(plan(options))
    assert options.start is not None  # it was set by the caller
    before = moment_of(run, USUAL) / options.speed_factor
    return options._replace(start=options.start - timedelta(seconds=int(before)))


def _elapsed(run: Run, factor: float) -> float:
    return max(0.0, factor * (time.time() - run.job.start.timestamp()))
