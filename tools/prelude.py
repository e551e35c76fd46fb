"""The prelude: how one fixed run opens. The build writes it; the page plays it while Python loads.

Its lines are those that Python prints, for a few widths; a page between two takes the lesser. When
Python is there, it goes on at the moment that the prelude has reached.
"""

import json
from collections.abc import Iterator
from datetime import datetime

from llmsim.dialects.line import Bar
from llmsim.dialects.registry import lines_of
from llmsim.options.command import identity
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.events import PhaseEnded
from llmsim.run.simulation import events, run_of
from llmsim.show.live_region import bar_parts
from llmsim.show.pace import Pace
from llmsim.text.painting import painted
from llmsim.text.screen import TRUECOLOR, Screen

# Many phones have some 70 columns, and a screen of 1920 pixels 237: these are close below.
WIDTHS = (60, 68, *range(80, 180, 20), 220, 240)
RUN = Options(dialect="pytorch", seed=461, start=datetime(2026, 1, 30, 12))


def lines(width: int) -> Iterator[tuple[float, float, str]]:
    """The log's lines in the launch of the run: show second, simulated second and text of each."""
    job = plan(RUN)
    screen = Screen(width, 50, color=True, unicode=True, live=True, colors=TRUECOLOR)
    printing = lines_of(job.framework.name)
    run = run_of(job)
    pace = Pace(run, RUN.duration)
    for event in events(run):
        for line in printing[type(event)](event, job, screen) if type(event) in printing else ():
            bar = isinstance(line, Bar)
            if not isinstance(line, Bar) or line.fraction >= 1:
                text = painted(bar_parts(line.text, "track"), screen) if bar else line.text
                yield round(pace.shown(event.at), 3), event.at, text
        if isinstance(event, PhaseEnded):  # the launch: the rest is Python's
            return


def prelude() -> str:
    """What web/prelude.js reads: the run's options, and the lines of each width."""
    widths = {width: list(lines(width)) for width in WIDTHS}
    return json.dumps({"run": list(identity(RUN)), "widths": widths})
