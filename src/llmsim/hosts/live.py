"""A run that somebody watches from outside: which simulated second of it is now.

    shown = since + (now - start) x speed    seconds of the show; `since` is that of --from
    at    = pace(shown)                      the simulated second

`llmsim serve`, `llmsim smi` and each program below `llmsim smi -- COMMAND` reckon alike, so that
all of them show the same second of the same run at the same time of day. A process that is started
again with the same seed and start goes on where the clock is. --at holds a moment instead.
"""

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from math import isfinite

from llmsim.errors import FLAG, OptionError, Setting
from llmsim.hosts.runs import ShownRun, runs_of, seeded
from llmsim.options.parsing import REAL_TIME, starting_point
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.events import Incident
from llmsim.run.moment import time_was_up
from llmsim.run.simulation import run_of
from llmsim.run.timeline import Run
from llmsim.show.pace import pace_of
from llmsim.show.player import beginning
from llmsim.show.seek import moment_of
from llmsim.typed import NamedTuple

# Where a run is found that has neither a start nor a moment: well in the middle of its training.
USUAL = "40%"


class Live:
    """The run that is going on, and the runs after it."""

    def __init__(self, options: Options, now: Callable[[], float] = time.time) -> None:
        """Plans the first run. Raises PlanError or OptionError. `now` is the time of day, Unix."""
        if not isfinite(options.speed_factor):
            raise OptionError(
                Setting("speed-factor", "max"), " has no present moment: give a number."
            )
        self.now, self.speed = now, options.speed_factor
        self.asked = options
        self._coming = runs_of(options._replace(runs=0))
        self._left = options.runs - 1  # -1: for ever
        first = next(self._coming)
        self._begin(first, first.options.start.timestamp() if first.options.start else now())

    def _begin(self, this: ShownRun, epoch: float) -> None:
        self.options, self.run, self._epoch = this.options, this.run, epoch
        self._pace = pace_of(self.run, self.options.duration)
        self._since = beginning(self.run, self.options)

    def at(self) -> float:
        """The simulated second of this moment, of the run that is going on."""
        at, over = self._place()
        while over > 1.0 and self._left:
            self._left -= 1
            after = self.clock(at) + 1.0
            self._begin(next(self._coming), after)
            at, over = self._place()
        return at + over * (over > 0.0)

    def clock(self, at: float) -> float:
        """The time of day, in Unix seconds, at which a simulated second is shown.

        What is before the beginning was shown as long before it; after the end a simulated second
        is one of the show.
        """
        over = max(0.0, at - self.run.timeline[self.run.timeline.number_at(at)].ended)
        shown = self._pace.shown(at - over) + over
        return self._epoch + (shown - self._since) / self.speed

    def _place(self) -> tuple[float, float]:
        """The simulated second, and the seconds of the show since the end of the run."""
        shown = self._since + max(0.0, (self.now() - self._epoch) * self.speed)
        at = self._pace.simulated(shown)
        if at < self.run.timeline[self.run.timeline.number_at(at)].ended:
            return at, 0.0
        return at, max(0.0, shown - self._pace.shown(at))

    def is_over(self) -> bool:
        """Whether the last run has ended already."""
        self.at()
        return self._place()[1] > 0.0 and not self._left

    def look(self) -> tuple[Run, float]:
        """The run that is going on, and its simulated second."""
        at = self.at()
        return self.run, at


def clock_words(options: Options) -> Iterator[tuple[str, str]]:
    """The options that say which second of a run is shown when: (name, text) pairs."""
    usual = Options(duration=REAL_TIME)
    if options.speed_factor != usual.speed_factor:
        yield "speed-factor", f"{options.speed_factor!r}".removesuffix(".0")
    if options.duration != usual.duration:
        yield "duration", f"{options.duration!r}".removesuffix(".0")
    if options.from_:
        yield "from", options.from_
    if options.runs != usual.runs:
        yield "runs", str(options.runs)


class Watched(NamedTuple):
    """A run and the moment of it that is now."""

    options: Options  # with a seed and a start, so that they name this very run
    live: bool  # whether the moment goes on with the time of day
    look: Callable[[], tuple[Run, float]]  # the run, and simulated seconds since its command


def watched(options: Options, at: str = "", now: Callable[[], float] = time.time) -> Watched:
    """The run of these options, held at a moment as --from has it, or live.

    A live run that has neither a start nor a --from is in the middle of its training now.
    Raises OptionError or PlanError.
    """
    options = seeded(options)
    begins = options.start is None and not options.from_
    if options.start is None:
        today = datetime.fromtimestamp(int(now()))  # noqa: DTZ006  # a log shows local time
        options = options._replace(start=today)
    if at:
        run = run_of(plan(options))
        held = _held(run, at)
        return Watched(options, live=False, look=lambda: (run, held))
    live = Live(options, now)
    if begins:
        assert options.start is not None  # it was set above
        before = live.clock(moment_of(live.run, USUAL)) - live.clock(0.0)
        options = options._replace(start=options.start - timedelta(seconds=int(before)))
        live = Live(options, now)
    return Watched(options, live=True, look=live.look)


def _struck(run: Run, began: float) -> float:
    """When the incident strikes that the failure which began at a moment is of, or the time is up
    that the job has.
    """
    broken = next(each for each in run.timeline if each.kind == "failure" and each.began == began)
    faults = [each.at for each in broken.events if isinstance(each, Incident)]
    first = min((*faults, time_was_up(broken)))
    return first if isfinite(first) else began


def _held(run: Run, at: str) -> float:
    """The moment that a value of --at means. Raises OptionError.

    A failure begins with the last whole step, before anything is wrong: what is held is the fault.
    """
    try:
        held = moment_of(run, at)
        return _struck(run, held) if starting_point(at).value == "failure" else held
    except OptionError as error:
        raise OptionError(f"--at{error.sentence(FLAG).removeprefix('--from')}") from None
    except ValueError:
        known = "a share such as 40%, step=1200, a time such as 1h20m, or a phase"
        raise OptionError(
            f"--at {at if at.isprintable() else ascii(at)} is no moment: give {known}."
        ) from None
