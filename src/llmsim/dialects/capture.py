"""Which processes' output a log holds: --capture node, all or rank0.

    node    what one node's launcher prints: of the node whose rank prints the steps
    all     what all nodes' launchers print, each line behind its node: srun -l's number of the
            task, of which each node has one, or the host's name, as pdsh has it, or no mark
    rank0   the file of rank 0's output (torchrun --redirects): no launcher speaks in it

A line says which rank prints it, or whose launcher; this module keeps what the log holds.
"""

from collections.abc import Iterable, Mapping
from functools import partial

from llmsim.dialects.line import Bar, Line, Render
from llmsim.job.records import Job, gpus_per_node, speaking_node, speaking_rank
from llmsim.run.cluster import hostname
from llmsim.text.screen import Screen
from llmsim.typed import Any


def nodes_kept(job: Job) -> tuple[int, ...]:
    """The numbers of the nodes whose launchers speak in the log."""
    if job.capture == "all":
        return tuple(range(job.layout.nodes))
    return (speaking_node(job),) if job.capture == "node" else ()


def ranks_kept(job: Job) -> tuple[int, ...]:
    """The ranks whose output the log holds, in order: who prints without a guard prints in each."""
    if job.capture == "rank0":
        return (0,)
    size = gpus_per_node(job)
    first, last = (0, job.layout.nodes - 1) if job.capture == "all" else [speaking_node(job)] * 2
    return tuple(range(first * size, (last + 1) * size))


def captured(job: Job, table: Mapping[type, Render]) -> Mapping[type, Render]:
    """A dialect's table of functions that give the lines of the job's log, with marks of nodes."""
    if job.capture == "node":
        return table if job.layout.nodes == 1 else _of_node(job, table)
    if job.capture == "all" and job.framework.marks == "none":
        return table
    return {event: _kept(render) for event, render in table.items()}


def _of_node(job: Job, table: Mapping[type, Render]) -> Mapping[type, Render]:
    """The same of one node's launcher: its ranks' lines and the bars, without marks."""
    size, node = gpus_per_node(job), speaking_node(job)
    first, last = node * size, (node + 1) * size - 1

    def kept(render: Render) -> Render:
        def chosen(event: Any, job: Job, screen: Screen) -> list[Line | Bar]:
            lines = render(event, job, screen)
            return [line for line in lines if isinstance(line, Bar) or first <= line.rank <= last]

        return chosen

    return {event: kept(render) for event, render in table.items()}


def _kept(render: Render) -> Render:
    def chosen(event: Any, job: Job, screen: Screen) -> list[Line | Bar]:
        return keep(render(event, job, screen), job, live=screen.live)

    return chosen


def keep(lines: Iterable[Line | Bar], job: Job, live: bool = False) -> list[Line | Bar]:
    """The lines that the log holds. Bars are of the rank that prints the steps; on a terminal,
    which they fill, they have no mark.
    """
    size = gpus_per_node(job)
    if job.capture == "all":
        return [
            _marked(line, node_mark(job, line.rank // size))
            if isinstance(line, Line)
            else line
            if live
            else line._replace(draw=partial(_drawn, node_mark(job, speaking_node(job)), line))
            for line in lines
        ]
    if job.capture == "rank0":
        speaks = speaking_rank(job) == 0
        return [
            line
            for line in lines
            if (speaks if isinstance(line, Bar) else not (line.rank or line.launcher))
        ]
    node = speaking_node(job)
    return [line for line in lines if isinstance(line, Bar) or line.rank // size == node]


def _marked(line: Line, mark: str) -> Line:
    """A line behind its node's mark, each row of it."""
    text = line.text.replace("\n", f"\n{mark}") if "\n" in line.text else line.text
    return Line(f"{mark}{text}", line.farewell, line.rank, line.launcher)


def _drawn(mark: str, bar: Bar) -> str:
    return f"{mark}{bar.text}"


def node_mark(job: Job, node: int) -> str:
    """What stands before a line of a node: " 3: ", as wide as the last task's number, its host's
    name, or nothing.
    """
    if job.framework.marks == "none":
        return ""
    if job.framework.marks == "host":
        return f"{hostname(job, node)}: "
    return f"{node:{len(str(job.layout.nodes - 1))}d}: "
