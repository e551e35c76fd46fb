"""Runs that are exported and not shown; which exports go together."""

from collections.abc import Callable, Iterable, Iterator
from math import inf

from llmsim.errors import ExportError, OptionError, Setting
from llmsim.hosts.outlets import Outlets, outlets
from llmsim.hosts.output import remark
from llmsim.hosts.runs import ShownRun, drawn, runs_of
from llmsim.hosts.signals import Stopped
from llmsim.job.records import Job
from llmsim.options.table import Options
from llmsim.run.events import Event
from llmsim.run.simulation import events
from llmsim.show.pace import pace_of
from llmsim.show.player import beginning, play
from llmsim.text.screen import TRUECOLOR, Screen, fitted

TALLEST = 400  # rows of a recording

# The terminal that a run is recorded for when nothing is shown and there is no terminal.
UNSEEN = Screen(120, 40, color=True, unicode=True, live=True, colors=TRUECOLOR)


def unseen(options: Options) -> Screen:
    """The screen that a run is recorded for when nothing is shown.

    It is as large as COLUMNS and LINES say, or as the terminal, or else 120 x 40, and has the
    theme that was asked for.
    """
    import os
    from shutil import get_terminal_size

    from llmsim.text.screen import theme_of

    width, height = get_terminal_size((UNSEEN.width, UNSEEN.height))
    theme = theme_of(options.theme, os.environ)
    height = min(max(height, 1), TALLEST)
    return UNSEEN._replace(width=fitted(width), height=height, theme=theme)


def refuse(options: Options) -> None:
    """Raises OptionError if two exports have one destination, or one has that of the log."""
    from os.path import normpath

    from llmsim.telemetry.kinds import kind_named

    quiet = Setting("quiet")
    if options.quiet and not options.export:
        raise OptionError(quiet, " shows nothing: give an ", Setting("export"), " with it.")
    places = [normpath(each.destination) for each in options.export]  # ./a is a
    for kind, place in options.export:
        this = Setting("export", f"{kind}={place}")
        if place == "-" and not options.quiet:
            raise OptionError(
                this, " would write into the log: give ", quiet, " with it, or a file."
            )
        if place == "-" and kind_named(kind).folder:
            raise OptionError(this, " is a folder of files, not one: give it a name.")
        if places.count(normpath(place)) > 1:
            raise OptionError(this, " is asked for twice: give each export its own place.")
        if options.runs != 1 and place != "-" and "{seed}" not in place:
            who = "two runs of one name" if "{run}" in place else "every run"
            raise OptionError(this, f" would be written by {who}: put {{seed}} into the name.")


def export_only(
    options: Options,
    check: Callable[[], None],
    clock: Callable[[], float],
    deadline: float = inf,
    say: Callable[[Job], None] = lambda _job: None,
) -> bool:
    """Writes the exports of the options' runs and shows nothing; False when time was up first.

    `check` is called at every event and may raise Stopped. `say` is called when a run has ended or
    is stopped. Raises ExportError if an export fails, and BrokenPipeError when the reader of
    standard output has gone.
    """
    left = inf if options.exit_after_time is None else options.exit_after_time
    for number, this in enumerate(runs_of(options)):
        failures = list[str]()
        if number == 0:
            remark(drawn(options, this.job))
        since = beginning(this.run, this.options)  # before anything is written: it may be refused
        with outlets(this.options, this.run, failures) as out:
            try:
                for _ in _played(this, since, out, check, clock, deadline, left):
                    if out.exports and out.exports.failed:
                        break
            except Stopped:
                say(this.job)
                raise
        if any(failures):
            raise ExportError(" ".join(filter(None, failures)))
        if failures:
            raise BrokenPipeError
        say(this.job)
        left -= out.shown
        if left < 0.0 or (not out.films and clock() >= deadline):
            return False
    return True


def _played(
    this: ShownRun,
    since: float,
    out: Outlets,
    check: Callable[[], None],
    clock: Callable[[], float],
    deadline: float,
    left: float,
) -> Iterable[object]:
    """What happens in a run, each thing written before it is handed on.

    All exports begin at the show second `since`, as they do beside a show. A film ends after `left`
    show seconds: its bytes must not depend on how fast the machine is. Without a film everything is
    written until the deadline.
    """
    run, options = this.run, this.options
    if not out.films:
        at = pace_of(run, options.duration).simulated(since)
        return out.tee(_heard(events(run, at), check, clock, deadline))
    size = unseen(options)

    def through(coming: Iterable[Event]) -> Iterable[Event]:
        return out.tee(_heard(coming, check, clock, inf))

    frames = play(run, options, lambda: size, since, through)
    return out.taped(frames, lambda: size, left)


def _heard(
    coming: Iterable[Event], check: Callable[[], None], clock: Callable[[], float], deadline: float
) -> Iterator[Event]:
    for event in coming:
        check()
        if clock() >= deadline:
            return
        yield event
