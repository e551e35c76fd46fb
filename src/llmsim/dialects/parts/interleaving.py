"""What happens when many processes print at once: mild, drawn from the seed, off with --tidy.

Real logs show lines of ranks in any order, the tail of one line on a later one, and two lines
without the line end between them, which then follows as an empty line.
"""

from collections.abc import Iterator, Sequence

from llmsim.job.records import Job
from llmsim.run import cluster


def interleaved(job: Job, name: str, streams: Sequence[Sequence[str]]) -> Iterator[str]:
    """The streams' lines, each stream in its own order; one after another if the job is tidy."""
    if job.tidy:
        for stream in streams:
            yield from stream
        return
    waiting = [list(reversed(stream)) for stream in streams if stream]
    count = 0
    while waiting:
        # Processes keep about the same pace: the next is one of the three that said least.
        waiting.sort(key=len, reverse=True)
        index = cluster.pick_index(job, name, min(3, len(waiting)), count)
        yield waiting[index].pop()
        if not waiting[index]:
            del waiting[index]
        count += 1


def split(job: Job, name: str, lines: list[str], mark: str) -> list[str]:
    """One of the lines that have the mark breaks there, and its tail follows the next line."""
    places = [at for at, line in enumerate(lines[:-1]) if mark in line]
    if job.tidy or not places:
        return lines
    at = places[cluster.pick_index(job, name, len(places))]
    cut = lines[at].rindex(mark)
    head, tail = lines[at][:cut], lines[at][cut:]
    return [*lines[:at], head + lines[at + 1], tail, *lines[at + 2 :]]


def joined(job: Job, name: str, lines: list[str]) -> list[str]:
    """Two of the lines stand on one, and the line end that is missing comes after it."""
    if job.tidy or len(lines) < 2:
        return lines
    at = cluster.pick_index(job, name, len(lines) - 1)
    return [*lines[:at], lines[at] + lines[at + 1], "", *lines[at + 2 :]]
