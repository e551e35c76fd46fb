"""A run above a live region: its lines as they come, and the region at each tick."""

from collections.abc import Iterator
from math import inf

from llmsim.run.attempts import job_after
from llmsim.run.events import Step, Validated
from llmsim.show.dashboard import Dashboard
from llmsim.show.live_region import LiveRegion
from llmsim.show.pace import Timed, moments
from llmsim.show.streams import follows, renderers

TICK = 0.25  # show seconds at speed 1 after which the board is drawn anew
# Events whose numbers the board has, too: it is drawn with their lines, in place of the next tick.
NUMBERED = Step, Validated


def render(
    timed: Timed, live: LiveRegion, at_once: int, stream: str = "log"
) -> Iterator[tuple[float, str, float, bool]]:
    """For each piece of text: the show seconds to wait before it, the text, the show second that
    it belongs to, and whether it has lines of the log.

    A piece with a wait has no text: text is made after the wait, when the terminal may have
    another size. At a higher speed ticks are farther apart, so that there are four of them in a
    second of real time. The first lines, `at_once` of them, do not wait.
    """

    def tick() -> float:
        return TICK * live.pace()

    run, simulated = timed.run, timed.pace.simulated
    printing, dashboard = renderers(run.job, stream), Dashboard(run, simulated)
    clock, printed, job = timed.since, 0, timed.job
    renewed = -inf  # the show second at which the board was last drawn with a line
    kept: list[str] = []  # one picture of this moment, and none of the lines' own moments
    told = follows(run.job, printing)
    for event in timed.recent.before:  # their lines are not shown, but others may follow from them
        job = job_after(job, event)
        live.lines(printing.get(type(event)) if told else None, event, job)
    for event in timed.recent.events:
        job = job_after(job, event)
        kept += live.lines(printing.get(type(event)), event, job)
    kept = "\n".join(kept).split("\n")[timed.recent.hidden :] if timed.recent.hidden else kept
    view = dashboard.seen(simulated(clock), clock, live.pace())
    yield 0.0, live.draw(view, kept), clock, bool(kept)
    printed += len(kept)
    for shown, event in timed.later():
        start, clock = clock, shown
        before = start
        for now in moments(start, clock, tick) if shown > start and printed >= at_once else ():
            yield now - before, "", now, False
            before = now
            view = dashboard.seen(simulated(now), now, live.pace())
            is_new = now - renewed < tick() and live.is_sized()
            if now < clock and not is_new and (text := live.draw(view)):
                yield 0.0, text, now, False
        job = job_after(job, event)
        if lines := live.lines(printing.get(type(event)), event, job):
            view = dashboard.seen(event.at, clock, live.pace())
            text = live.draw(view, lines)
            if isinstance(event, NUMBERED) and clock - renewed >= tick():
                text, renewed = text + live.draw(view), clock
            yield 0.0, text, clock, True
            printed += len(lines)
    yield 0.0, live.cleared(), clock, False
