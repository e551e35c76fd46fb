"""A run as frames: the events' lines, each after its delay. The only exchange office of clocks.

    simulate -> (event, delay) -> lines -> frames

`Event.at` is simulated seconds, `Frame.delay` show seconds at speed 1. Each phase gets its
share of the show; within a phase the rhythm is the simulation's.
"""

from collections.abc import Callable, Iterable, Iterator
from math import isfinite

from llmsim.dialects.line import Bar, Line, in_pipe
from llmsim.job.milestones import checkpoints, validations
from llmsim.job.records import Job
from llmsim.options.checking import checked, checked_job
from llmsim.options.parsing import REAL_TIME
from llmsim.options.table import Options
from llmsim.physics import noise
from llmsim.run.events import Event, MeshBuilt, PhaseEnded, PhaseStarted
from llmsim.run.simulation import events as events_of
from llmsim.run.simulation import run_of
from llmsim.show.streams import job_after, tellers
from llmsim.text.screen import Screen, blank_row
from llmsim.text.style import Span, paint
from llmsim.typed import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmsim.show.live_region import LiveRegion

# Parts of a show: training proper 0.68, with its validations and checkpoints 0.856. A launch takes
# at most eight seconds of three minutes, and less by its haste.
SHARES = {
    "launch": 0.044,
    "training": 0.68,
    "validation": 0.09,
    "checkpoint": 0.086,
    "export": 0.1,
}
# How many times faster a show goes until all GPUs know each other: too fast for the eye.
HASTE = 8.0

# What an incident adds to a show, as parts of it: each is over sooner if it is so in truth.
INTERRUPTIONS = {"failure": 0.02, "outage": 0.012, "relaunch": 0.04}


class Frame(NamedTuple):
    """Text to write after waiting `delay` show seconds."""

    delay: float
    text: str


def exchange_rate(started: PhaseStarted, job: Job, left: float) -> float:
    """Show seconds per simulated second in a phase; `left` are the show seconds without the launch.

    A launch is not stretched: nothing is duller than a slow one. What it leaves, others get.
    """
    if (known := INTERRUPTIONS.get(started.phase)) is not None:
        return min(1.0, known * left / (started.seconds or 1.0))
    times = {"validation": validations(job), "checkpoint": checkpoints(job)}
    share = SHARES[started.phase] / times.get(started.phase, 1)
    if started.phase == "launch":
        return min(1.0, share * left / (1.0 - share) / started.seconds)
    return share / (1.0 - SHARES["launch"]) * left / (started.seconds or 1.0)


def paced(events: Iterable[Event], job: Job, duration: float) -> Iterator[tuple[float, Event]]:
    """Each event with the show seconds since the one before it; phases nest."""
    rates: list[float] = []
    before, left, haste = 0.0, duration * (1.0 - SHARES["launch"]), 1.0
    for event in events:
        gap, before = event.at - before, event.at
        yield gap * rates[-1] / haste if rates else 0.0, event
        if isinstance(event, MeshBuilt):
            haste = 1.0
        if isinstance(event, PhaseStarted):
            rates.append(1.0 if duration == REAL_TIME else exchange_rate(event, job, left))
            haste = HASTE if event.phase == "launch" and rates[-1] < 1.0 else haste
        elif isinstance(event, PhaseEnded):
            rate = rates.pop()
            if event.phase == "launch":
                left = duration - rate * event.at


def on_terminal(lines: Iterable[Line | Bar], live: str, screen: Screen) -> tuple[str, str]:
    """The text that shows the lines above the live line, and the new live line.

    The live line is the last row, with the cursor at its start, so that what a terminal echoes
    stays on it. A bar that is full stays in the log and leaves no live line.
    """
    text, row = "", live
    for line in lines:
        shown = line.text
        text += (blank_row(screen) if row else "") + shown
        if isinstance(line, Bar):
            live = "" if line.fraction >= 1 else shown
        row = live if isinstance(line, Bar) else ""
        text += "\r" if row else "\n"
    return (text, live) if row == live else (f"{text}{live}\r", live)


def shows_board(options: Options, screen: Screen) -> bool:
    """Whether the board is on: by itself on a coloured terminal, at a speed that can be watched."""
    if options.view == "auto":
        return screen.live and screen.color and isfinite(options.speed_factor)
    return options.view == "board" and screen.live


def play(
    job: Job,
    options: Options,
    screen: Callable[[], Screen],
    events: Iterable[Event] | None = None,
    region: "LiveRegion | None" = None,
) -> Iterator[Frame]:
    """The frames of a run. `screen` is asked anew for each event, so that a resize takes hold.

    `events` are the job's own unless somebody who looks on hands them through. Who changes the
    board or the speed in the middle of it hands in a live region of this screen. Raises OptionError
    at once when the options or the job are wrong.
    """
    shown = checked(options)
    return _frames(checked_job(job), shown, screen, events, region)


def _frames(
    job: Job,
    options: Options,
    screen: Callable[[], Screen],
    events: Iterable[Event] | None,
    region: "LiveRegion | None",
) -> Iterator[Frame]:
    """The frames of a run of which all is right."""
    run = run_of(job)
    timed = paced(events_of(run) if events is None else events, job, options.duration)
    if not region and not shows_board(options, screen()):
        yield from _log(job, options, screen, timed)
        return
    from llmsim.show.live_region import LiveRegion, render  # a pipe does without
    from llmsim.show.playback import Playback

    region = region or LiveRegion(screen, Playback(0.0, options.speed_factor))
    for delay, text in render(
        timed, run, region, options.instant_print_lines, stream=options.stream
    ):
        yield Frame(delay, text)


def _log(
    job: Job,
    options: Options,
    screen: Callable[[], Screen],
    timed: Iterable[tuple[float, Event]],
) -> Iterator[Frame]:
    """The lines, and on a terminal the live bar."""
    printing = tellers(job, options.stream)
    delay, live, width, printed = 0.0, "", 0, 0
    notches: dict[str, int] = {}
    for gap, event in timed:
        delay += gap
        job = job_after(job, event)
        tell = printing.get(type(event))
        if tell is None:
            continue
        surface = screen()
        text, lines = "", tell(event, job, surface)
        if live and surface.width < width:  # the next bar will fit again
            text, live = blank_row(surface), ""
        width = surface.width
        if surface.live:
            more, live = on_terminal(lines, live, surface)
            text += more
        else:
            text = in_pipe(lines, notches)
        if text:
            yield Frame(0.0 if printed < options.instant_print_lines else delay, text)
            printed += text.count("\n")
            delay = 0.0


FAREWELLS = (
    "Interrupted. The loss would surely have gone down.",
    "Stopped. The GPUs thank you; the electricity company does not.",
    "Killed the run. It was overfitting to your attention anyway.",
    "Stopped early, which is a form of regularization.",
    "Job cancelled. 1,482 others move up in the queue.",
    "Leaving. The checkpoint is in our hearts.",
)


def farewell(seed: int, screen: Screen) -> str:
    """The dry line that a stopped run ends with."""
    spans: list[Span] = [("joke", noise.pick(seed, "farewell", FAREWELLS))]
    return paint(spans, screen)
