"""A run as frames: the events' lines, each after its delay.

    events -> (show second, event) -> lines -> frames

`Event.at` is simulated seconds, `Frame.delay` show seconds at speed 1; show/pace.py turns one
into the other.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice

from llmsim.dialects.line import Bar, Line, Render, in_pipe, parted
from llmsim.job.records import Job
from llmsim.options.checking import checked, checked_job
from llmsim.options.table import Options
from llmsim.physics import noise
from llmsim.run.attempts import job_after
from llmsim.run.events import Event, Failed, Launched, Restarted
from llmsim.run.simulation import events, run_of
from llmsim.run.timeline import Run, segment_at, speaker
from llmsim.show.opening import Frame, shows_board
from llmsim.show.pace import NOTHING, Timed, pace_of
from llmsim.show.streams import draws_bars, follows, renderers
from llmsim.text.screen import Screen, blank_row
from llmsim.text.style import paint
from llmsim.text.wording import wrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmsim.show.live_region import LiveRegion


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


Through = Callable[[Iterable[Event]], Iterable[Event]]  # gives the same events


def play(
    job: Job | Run,
    options: Options,
    screen: Callable[[], Screen],
    since: float | None = None,
    through: Through = iter,
    region: "LiveRegion | None" = None,
    complete: bool = True,
    opened: int = 0,
) -> Iterator[Frame]:
    """The frames of a run. `screen` is asked anew for each event, so that a resize takes hold.

    It begins at the show second `since`, or where the options say: the last screenful before
    that comes at once. A caller that has a run hands it in, so that its timeline is not computed
    again. A caller that needs the events hands in a function that they pass `through`, and whether
    they must be `complete`: if not, moves of a bar are left out where a file does not show them. A
    caller that changes the board or the speed during the run hands in a live region of this screen.
    A caller that has shown the opening says how many lines it had, and gets the frames after it.
    Raises OptionError at once when the options or the job are wrong, or when the moment is not in
    the run.
    """
    options = checked(options)
    run = job if isinstance(job, Run) else run_of(checked_job(job))
    since = beginning(run, options) if since is None else since
    complete = complete and through is not iter
    pace, at = pace_of(run, options.duration), 0.0
    recent = NOTHING
    if since > 0.0:
        from llmsim.show.seek import screenful

        at = pace.simulated(since)
        recent = screenful(run, at, screen(), options.stream)
    begun = [*recent.before, *recent.events][:1]
    speaking = speaker(run, segment_at(run, begun[0].at if begun else 0.0))
    draws = draws_bars(renderers(speaking, options.stream))
    coming = events(run, at) if complete else events(run, at, lambda: draws and screen().live)
    if through is iter and not screen().live:  # nobody else waits for an event's moment
        coming = _ahead(coming)
    timed = Timed(run, speaking, pace, pace.shown(at), recent, through(coming))
    return _frames(timed, options, screen, region, opened)


AHEAD = 32  # events that are computed before the first of them is drawn


def _ahead(coming: Iterator[Event]) -> Iterator[Event]:
    """The same events, computed some at a time: physics and drawing in turns for each line push
    each other out of the processor's caches, which takes a tenth longer.

    The first is alone, so that the first line does not wait.
    """
    size = 1
    while batch := [*islice(coming, size)]:
        yield from batch
        size = min(2 * size, AHEAD)


def beginning(run: Run, options: Options) -> float:
    """The show second at which the options have a run begin.

    Raises OptionError when that moment is not in the run.
    """
    if not options.from_:
        return 0.0
    from llmsim.show.seek import moment_of

    return pace_of(run, options.duration).shown(moment_of(run, options.from_))


def _frames(
    timed: Timed,
    options: Options,
    screen: Callable[[], Screen],
    region: "LiveRegion | None",
    opened: int,
) -> Iterator[Frame]:
    """The frames of a run whose options are checked."""
    if not region and not shows_board(options, screen()):
        yield from _log(timed, options, screen, opened)
        return
    from llmsim.show.live_region import LiveRegion  # a pipe does without
    from llmsim.show.playback import Playback
    from llmsim.show.with_region import render

    if region is None:
        region = LiveRegion(screen, Playback(0.0, options.speed_factor))
        region.wall = options.view == "wall"
    at_once, stream = options.instant_print_lines, options.stream
    for each in render(timed, region, at_once, stream):
        yield Frame(*each)


def _log(
    timed: Timed, options: Options, screen: Callable[[], Screen], opened: int
) -> Iterator[Frame]:
    """The lines, and on a terminal the live bar."""
    printing, notches = renderers(timed.job, options.stream), dict(timed.recent.notches)
    job, live = _above(timed, printing, notches, screen())
    if live:
        yield Frame(0.0, f"{live}\r", timed.since)
    before, width, printed = timed.since, screen().width, opened
    coming, hidden = timed.events(), timed.recent.hidden
    if opened:  # no event before the typed command has a line
        next((event for _, event in coming if isinstance(event, Launched)), None)
    for shown, event in coming:
        if isinstance(event, Restarted):
            job = job_after(job, event)
        tell = printing.get(type(event))
        if tell is None and type(event) is not Failed:
            continue
        surface = screen()
        lines = tell(event, job, surface) if tell else ()
        if hidden:
            above, lines = parted(lines, hidden)
            (_, live), hidden = _written(above, live, notches, surface), 0
        if surface.live:
            text, live = _settled(event, live, surface.width < width, surface)
            width = surface.width
            more, live = on_terminal(lines, live, surface)
            text += more
        else:
            text = in_pipe(lines, notches)
        if text:
            delay = 0.0 if printed < options.instant_print_lines else shown - before
            yield Frame(delay, text, shown, "\n" in text)
            printed += text.count("\n")
            before = shown


def _settled(event: Event, live: str, narrower: bool, screen: Screen) -> tuple[str, str]:
    """What comes before an event's lines, and the live line that is left."""
    if live and isinstance(event, Failed):  # the bar of processes that are gone stays as it is
        return "\n", ""
    if live and narrower:  # the next bar will fit again
        return blank_row(screen), ""
    return "", live


def _above(
    timed: Timed, printing: Mapping[type, Render], notches: dict[str, int], screen: Screen
) -> tuple[Job, str]:
    """The job and the live line after the events whose lines are above the first screenful: the
    live line, the notches and lines that are held back follow from these lines.
    """
    job, live, told = timed.job, "", follows(timed.job, printing)
    for event in timed.recent.before:
        job = job_after(job, event)
        if not told:
            continue
        tell = printing.get(type(event))
        if screen.live:
            _, live = _settled(event, live, narrower=False, screen=screen)
        _, live = _written(tell(event, job, screen) if tell else (), live, notches, screen)
    return job, live


def _written(
    lines: Iterable[Line | Bar], live: str, notches: dict[str, int], screen: Screen
) -> tuple[str, str]:
    """The text that shows the lines, and the new live line; a pipe has none."""
    if screen.live:
        return on_terminal(lines, live, screen)
    return in_pipe(lines, notches), ""


FAREWELLS = (
    "Interrupted. The loss would surely have gone down.",
    "Stopped. The GPUs thank you; the electricity company does not.",
    "Killed the run. It was overfitting to your attention anyway.",
    "Stopped early, which is a form of regularization.",
    "Job cancelled. 1,482 others move up in the queue.",
    "Leaving. The checkpoint is in our hearts.",
)


def farewell(seed: int, screen: Screen) -> str:
    """The dry line that a stopped run ends with; a narrow screen has it in two."""
    lines = wrapped(noise.pick(seed, "farewell", FAREWELLS).split(), screen.width)
    return "\n".join(paint([("joke", line)], screen) for line in lines)
