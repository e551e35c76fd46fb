"""Another moment of a run: how a text names it, and the screenful of the log before it."""

from collections.abc import Iterator, Sequence

from llmsim.dialects.line import Bar
from llmsim.errors import OptionError, Setting
from llmsim.job.milestones import step_of_part
from llmsim.job.schedule import is_timed
from llmsim.options.parsing import starting_point
from llmsim.run.events import Event
from llmsim.run.simulation import events
from llmsim.run.timeline import Run, run_ended, segment_at, speaker, step_at, step_began, step_done
from llmsim.show.streams import renderers
from llmsim.text import units
from llmsim.text.screen import Screen

# The first search goes back by the screen's rows divided by this number, in logged steps; each
# further search goes back twice as far.
LOOK = 8


def moment_of(run: Run, text: str) -> float:
    """The simulated second that a value of --from means in this run.

    A share is a part of the run's optimizer steps. A step or a phase means the moment when it first
    begins. Raises OptionError when the moment is not in the run.
    """
    kind, value = starting_point(text)
    limited = is_timed(run.job.schedule)  # by the clock, so only the timeline knows its steps
    steps = run.timeline.last().last if limited else run.job.schedule.steps
    if kind == "share":
        done = min(int(step_of_part(run.job, float(value))), steps)
        return step_began(run, done + 1) if done < steps else step_done(run, steps)
    if kind == "step":
        first = run.job.schedule.first_step
        if int(value) > steps:
            raise _refused(text, f"the run has {steps:,} steps")
        if int(value) < first:
            raise _refused(text, f"the run goes on from step {first:,}")
        return step_began(run, int(value))
    if kind == "time":
        if float(value) > run_ended(run):
            raise _refused(text, f"the run takes {units.hours(run_ended(run)).strip()}")
        return float(value)
    for segment in run.timeline:
        if segment.kind == value:
            return segment.began
    raise _refused(text, "the run has no phase of that name")


def _refused(text: str, reason: str) -> OptionError:
    return OptionError(Setting("from"), f" cannot be {text}: {reason}.")


def screenful(run: Run, at: float, screen: Screen, stream: str = "log") -> Sequence[Event]:
    """The last events before a moment whose lines fill a screen, in order; one of them at least.

    It looks back by logged steps, further each time, so that its cost is that of what it finds;
    a stream that seldom says anything may leave the screen emptier.
    """
    job = speaker(run, segment_at(run, at))
    table, steps = renderers(job, stream), max(2, screen.height // LOOK)
    kept: list[Event] = []
    left, until = screen.height, at
    while True:
        since = _back(run, at, steps)
        for event in reversed(list(_before(run, since, until))):
            tell = table.get(type(event))
            lines = tell(event, job, screen) if tell else ()
            left -= sum(not isinstance(line, Bar) or line.fraction >= 1 for line in lines)
            if left < 0 and kept:
                return kept[::-1]
            kept.append(event)
        if left <= 0 or since == 0.0 or steps > screen.height * LOOK:
            return kept[::-1]
        until, steps = min(until, since), steps * 2


def _back(run: Run, at: float, steps: int) -> float:
    """The moment this many logged steps before another; 0 where there are not as many."""
    first = step_at(run, at) + 1 - steps * run.job.schedule.log_every
    return step_began(run, first) if first > run.job.schedule.first_step else 0.0


def _before(run: Run, since: float, at: float) -> Iterator[Event]:
    for event in events(run, since):
        if event.at >= at:
            return
        yield event
