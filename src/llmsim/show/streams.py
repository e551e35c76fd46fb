"""Which of a run's streams is shown: the log, its launchers alone, the kernel, Slurm, or all."""

from collections.abc import Iterator, Mapping

from llmsim.dialects.capture import captured
from llmsim.dialects.line import Bar, Line, Render
from llmsim.dialects.registry import lines_of
from llmsim.job.records import Job
from llmsim.run.events import Event, Progress, Symptom
from llmsim.text.screen import Screen


def renderers(job: Job, stream: str) -> Mapping[type, Render]:
    """For each kind of event the function that gives its lines in a stream, or in all of them."""
    log = captured(job, lines_of(job.framework.name))
    if stream == "log":
        return log
    if stream == "launcher":
        return {event: _launchers(render) for event, render in log.items()}
    if stream != "all":
        return {Symptom: lambda event, job, screen: _other(event, job, screen, stream)}
    own = log.get(Symptom)

    def everything(event: Symptom, job: Job, screen: Screen) -> Iterator[Line | Bar]:
        if event.stream == "log" and own:
            yield from own(event, job, screen)
        yield from _other(event, job, screen, event.stream)

    return {**log, Symptom: everything}


def follows(job: Job, table: Mapping[type, Render]) -> bool:
    """Whether a stream's lines may follow from the events before them: bars do, and held lines."""
    return draws_bars(table) or job.framework.holds_lines


def draws_bars(table: Mapping[type, Render]) -> bool:
    """Whether the lines of a stream may have bars: a framework that draws bars prints Progress."""
    return Progress in table


def _launchers(render: Render) -> Render:
    """Of what a function gives only the lines that a launcher prints."""

    def chosen(event: Event, job: Job, screen: Screen) -> Iterator[Line]:
        for line in render(event, job, screen):
            if isinstance(line, Line) and line.launcher:
                yield line

    return chosen


def _other(event: Symptom, job: Job, screen: Screen, stream: str) -> Iterator[Line]:
    """The lines of the kernel, as the system's log has them, and of Slurm."""
    del screen  # neither is cut to a terminal's width
    if event.stream != stream:
        return
    from llmsim.dialects.parts import kernel, slurm  # a training log does without

    if stream == "kernel":
        node = kernel.node_of(event, job)
        for text in kernel.lines(event, job):
            yield Line(kernel.syslog(job, event.at, node, text))
    elif stream == "slurm":
        yield from map(Line, slurm.lines(event, job, event.at))
