"""Another moment of a run: how a text names it, and the screenful of the log before it."""

from collections.abc import Iterator, Mapping
from itertools import takewhile

from llmsim.dialects.line import Bar, Render, in_pipe, rows_left
from llmsim.errors import OptionError, Setting
from llmsim.job.milestones import step_of_part
from llmsim.job.schedule import is_timed
from llmsim.options.parsing import starting_point
from llmsim.run.attempts import job_after
from llmsim.run.events import Event
from llmsim.run.simulation import events, events_of
from llmsim.run.timeline import (
    Run,
    run_ended,
    segment_at,
    speaker,
    step_began,
    step_done,
    step_ended,
    step_in,
)
from llmsim.show.pace import NOTHING, Screenful
from llmsim.show.streams import draws_bars, renderers
from llmsim.text import units
from llmsim.text.screen import Screen

# The first search goes back by the screen's rows divided by this number, in logged steps; each
# further search goes back twice as far.
LOOK = 8
AHEAD = 2  # logged steps that come before a screenful: some lines follow from the ones above them
TRAINING = ("log", "all")  # streams that training speaks in

Table = Mapping[type, Render]  # the function that tells each kind of event


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


def screenful(run: Run, at: float, screen: Screen, stream: str = "log") -> Screenful:
    """The last screenful before a moment; one event of it at least.

    It looks back by logged steps, further each time, so that its cost is that of what it finds;
    a log that seldom says anything may leave the screen emptier. In other streams only failures,
    outages and launches speak, and what segments have of incidents: it looks at these alone.
    """
    table, left = renderers(run.job, stream), screen.height
    kept: list[Event] = []
    window, since = list[Event](), at
    for stretch in _windows(run, at, screen) if stream in TRAINING else _rare(run, at):
        since, window = stretch
        rows = _rows(run, window, table, screen)
        while window and left > 0:
            left -= next(rows)
            kept.append(window.pop())
        if left <= 0:
            break
    if not kept:
        return NOTHING
    begun = _back(run, kept[-1].at, AHEAD) if stream in TRAINING else since
    if begun < since:
        window = [*_before(run, begun, since), *window]
    before = [event for event in window if event.at >= begun]
    notched = draws_bars(table) and not screen.live
    notches = _notches(run, begun, table, screen) if notched else {}
    return Screenful(before, kept[::-1], max(0, -left), notches)


def _rows(run: Run, told: list[Event], table: Table, screen: Screen) -> Iterator[int]:
    """The rows that each event leaves in the log, from the latest event back. They are counted as
    they are asked for, but where a framework holds lines back: its events are told in order.
    """
    job = speaker(run, segment_at(run, told[0].at)) if told else run.job
    jobs = [job := job_after(job, event) for event in told]

    def count(number: int) -> int:
        tell = table.get(type(told[number]))
        return sum(map(rows_left, tell(told[number], jobs[number], screen) if tell else ()))

    if run.job.framework.holds_lines:
        return reversed([*map(count, range(len(told)))])
    return map(count, range(len(told) - 1, -1, -1))


Windows = Iterator[tuple[float, list[Event]]]  # stretches of time: their beginnings, their events


def _windows(run: Run, at: float, screen: Screen) -> Windows:
    """All events before a moment, from the latest stretch of time back, each longer."""
    steps, until = max(2, screen.height // LOOK), at
    while until > 0.0 and steps <= 2 * screen.height * LOOK:
        since = _back(run, at, steps)
        yield since, [*_before(run, since, until)]
        until, steps = since, steps * 2


def _rare(run: Run, at: float) -> Windows:
    """The events before a moment that incidents bring, segment by segment from the latest back."""
    for number in range(run.timeline.number_at(at), -1, -1):
        segment = run.timeline[number]
        if segment.kind in ("launch", "failure", "outage"):
            yield segment.began, [each for each in events_of(run, number) if each.at < at]
        elif segment.events:
            yield segment.began, [each for each in segment.events if each.at < at]


def _notches(run: Run, at: float, table: Table, screen: Screen) -> dict[str, int]:
    """The notches that a pipe has shown of the bars which moved before a moment: in the latest
    validation and in the latest save.
    """
    shown: dict[str, int] = {}
    numbers, missing = list[int](), {"validation", "checkpoint"}  # their bars a pipe shows
    for number in range(run.timeline.number_at(at), -1, -1):
        segment = run.timeline[number]
        if segment.kind in missing and segment.began < at:
            numbers.insert(0, number)
            missing -= set() if segment.cut else {segment.kind}
        if not missing:
            break
    for number in numbers:
        job = speaker(run, run.timeline[number])
        for event in takewhile(lambda each: each.at < at, events_of(run, number)):
            tell = table.get(type(event))
            lines = tell(event, job, screen) if tell else ()
            in_pipe([line for line in lines if isinstance(line, Bar)], shown)
    return shown


def _back(run: Run, at: float, steps: int) -> float:
    """The moment this many logged steps before another; 0 where there are not as many.

    It counts the steps as they were run, with the ones that a failure has lost.
    """
    number, wanted = run.timeline.number_at(at), steps * run.job.schedule.log_every
    for segment in map(run.timeline.__getitem__, range(number, -1, -1)):
        if segment.kind == "training":
            done = step_in(run.job, segment, at) if at < segment.ended else segment.last
            if done - wanted >= segment.first - 1:
                return step_ended(run.job, segment, done - wanted)
            wanted -= done - segment.first + 1
    return 0.0


def _before(run: Run, since: float, at: float) -> Iterator[Event]:
    for event in events(run, since):
        if event.at >= at:
            return
        yield event
