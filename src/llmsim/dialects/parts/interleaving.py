"""Interleaved output of many processes, drawn from the seed; --tidy turns it off.

In real logs the lines of ranks come in any order, the end of one line follows a later line, and
two lines stand on one, followed by the empty line of the missing line end.
"""

from collections.abc import Iterator, Sequence

from llmsim.dialects.capture import ranks_kept
from llmsim.dialects.line import Line
from llmsim.job.records import Job, gpus_per_node
from llmsim.run import cluster
from llmsim.typed import TypeVar

Printed = TypeVar("Printed", str, Line)  # a text, or a line that says whose it is


def interleaved(
    job: Job, name: str, streams: Sequence[Sequence[Printed]], begin: int = 0
) -> Iterator[Printed]:
    """The streams' lines, each stream in its own order; one after another if the job is tidy.

    `begin` tells apart the times at which the same processes print.
    """
    if job.tidy:
        for stream in streams:
            yield from stream
        return
    waiting = [list(reversed(stream)) for stream in streams if stream]
    count = begin
    while waiting:
        # Processes run at about the same speed: one of the three with most lines left is next.
        waiting.sort(key=len, reverse=True)
        index = cluster.pick_index(job, name, min(3, len(waiting)), count)
        yield waiting[index].pop()
        if not waiting[index]:
            del waiting[index]
        count += 1


def copies(job: Job, name: str, texts: Sequence[str]) -> Iterator[Line]:
    """What every process of the captured stream prints without a guard.

    A text is what one call prints, of several lines or one; the calls of a node's processes
    interleave.
    """
    size, kept = gpus_per_node(job), ranks_kept(job)
    for first in range(0, len(kept), size):
        count = min(size, len(kept) - first)
        for text in interleaved(job, name, [texts] * count):
            yield from (Line(each, rank=kept[first]) for each in text.split("\n"))


def split(job: Job, name: str, lines: list[str], mark: str) -> list[str]:
    """The lines, one of them split at the mark: its end follows the next line."""
    places = [at for at, line in enumerate(lines[:-1]) if mark in line]
    if job.tidy or not places:
        return lines
    at = places[cluster.pick_index(job, name, len(places))]
    cut = lines[at].rindex(mark)
    head, tail = lines[at][:cut], lines[at][cut:]
    return [*lines[:at], head + lines[at + 1], tail, *lines[at + 2 :]]


def joined(job: Job, name: str, lines: list[str]) -> list[str]:
    """The lines, two of them joined on one line; the missing line end gives an empty line after
    it.
    """
    if job.tidy or len(lines) < 2:
        return lines
    at = cluster.pick_index(job, name, len(lines) - 1)
    return [*lines[:at], lines[at] + lines[at + 1], "", *lines[at + 2 :]]
