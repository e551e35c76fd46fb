"""An asciicast of the show, version 2: what it wrote, with the size of the screen and markers.

One JSON array a line: [show seconds, code, data] with the codes o (output), r (resize) and m (a
marker for each phase and each incident). Times are show seconds at the show's speed, not of the
machine that played it, so that the same run gives the same bytes. The last picture of a run that
has ended stays for some seconds: a player shows a picture until the next entry is due.
"""

import json

from llmsim.run.events import Event, PhaseStarted, Summary
from llmsim.run.events.incidents import Incident
from llmsim.run.timeline import Run
from llmsim.telemetry.clock import started
from llmsim.telemetry.writer import Piece, Pieces, Settings, Writer
from llmsim.text.screen import HIDE_CURSOR, SHOW_CURSOR, Screen
from llmsim.typed import Any

HOLD = 5.0  # seconds that the last picture stays, as in a loop


def header(run: Run, screen: Screen) -> str:
    """The first line: size, time, title and terminal."""
    job = run.job
    made = {
        "version": 2,
        "width": screen.width,
        "height": screen.height,
        "timestamp": int(started(job)),
        "title": f"{job.run_name} (simulated by llmsim)",
        "command": job.command,
        "env": {"TERM": "xterm-256color" if screen.color else "dumb", "SHELL": "/bin/sh"},
    }
    return json.dumps(made) + "\n"


def opening(run: Run, shown: float, screen: Screen) -> list[str]:
    """The header, and what hides the cursor where the show has a live region, as it does itself."""
    return [header(run, screen), *([entry(shown, "o", HIDE_CURSOR)] if screen.live else ())]


def entry(shown: float, code: str, data: str) -> str:
    """A line after the header."""
    return json.dumps([round(shown, 6), code, data], ensure_ascii=False) + "\n"


def marker(event: Any) -> str:
    """What a marker is called; empty for an event that has none."""
    if isinstance(event, PhaseStarted):
        return event.phase
    return f"incident: {event.kind}" if isinstance(event, Incident) else ""


def begin(run: Run, settings: Settings) -> Writer:  # noqa: ARG001  # every kind begins alike
    """A writer of the cast. A marker stands before the text of its event."""
    waiting: list[str] = []
    size: list[tuple[int, int]] = []
    hidden: list[str] = []  # the entry that hides the cursor, if it is hidden
    last = [0.0]  # when something was shown, in show seconds
    over: list[Event] = []  # the summary of a run that has ended

    def told(event: Event) -> Pieces:
        if name := marker(event):
            waiting.append(name)
        if isinstance(event, Summary):
            over.append(event)
        return ()

    def drawn(shown: float, text: str, screen: Screen) -> Pieces:
        lines = []
        now = (screen.width, screen.height)
        if not size:
            lines += opening(run, shown, screen)
            hidden.extend(lines[1:])
        elif size[-1] != now:
            lines.append(entry(shown, "r", f"{now[0]}x{now[1]}"))
        size[:], last[:] = [now], [shown]
        lines += [entry(shown, "m", name) for name in waiting]
        waiting.clear()
        # A terminal's line discipline makes \r\n of the program's \n.
        if text:
            lines.append(entry(shown, "o", text.replace("\n", "\r\n")))
        yield Piece("".join(lines))

    def ended(_at: float) -> Pieces:
        """Markers of phases in which the framework was silent, and the cursor again."""
        lines = [entry(last[0], "m", name) for name in waiting if size]
        until = last[0] + HOLD if over else last[0]
        lines += [entry(until, "o", SHOW_CURSOR) for _ in hidden]
        if over and size and not hidden:
            lines.append(entry(until, "o", ""))
        yield Piece("".join(lines))

    return Writer(event=told, frame=drawn, end=ended)
