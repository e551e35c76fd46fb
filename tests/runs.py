"""Whole runs for the tests, each simulated once."""

from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple, TypeVar

from llmsim.dialects.line import Line
from llmsim.dialects.registry import lines_of
from llmsim.job.records import Job
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.events import Event
from llmsim.run.simulation import simulate
from llmsim.text.screen import Screen

SEEDS = range(200)
# What a seed hardly draws by itself.
ASKED_FOR: tuple[dict[str, Any], ...] = (
    {"gpus": 1},
    {"gpus": 3},
    {"gpus": 128},
    {"gpus": 131_072, "model": "Basalt-405B", "recipe": "pretrain"},
    {"recipe": "dpo"},
    {"recipe": "grpo"},
    {"model": "Archipelago-8x7B", "recipe": "pretrain"},
)

START = datetime(2026, 1, 30, 12)
E = TypeVar("E")


class Run(NamedTuple):
    """A job and all that happens in it."""

    job: Job
    events: tuple[Event, ...]

    def all(self, kind: type[E]) -> list[E]:
        """The events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    def only(self, kind: type[E]) -> E:
        """The one event of a kind."""
        (event,) = self.all(kind)
        return event


# The jobs that were planned, by the text of their options, which tells 8 from 8.0 and True from 1.
PLANNED: dict[str, Job] = {}


def job_of(seed: int, **options: object) -> Job:
    """The job of a seed; options as `Options` has them, but any dialect and nothing that breaks.

    Each is planned once; a copy is given, which remembers nothing that another test has computed.
    """
    asked = {"dialect": "any", "incidents": "none", **options}
    made = Options(seed=seed, start=START)._replace(**asked)  # type: ignore[arg-type]  # any option
    text = repr(made)
    if text not in PLANNED:
        job = plan(made)
        PLANNED[text] = (job if options.get("job") else ending(job))._replace()
    return PLANNED[text]._replace()


def ending(job: Job) -> Job:
    """The job with the last part of its run, as long as the one that Slurm ends, if it does.

    test_time_limit.py has what Slurm does; other tests are of runs that come to their end.
    """
    schedule = job.schedule
    if not schedule.time_limit:
        return job
    first, every = int(job.framework.saves_first_step), schedule.save_every
    before = schedule.steps - (schedule.reached - schedule.first_step + 1)
    saved = max(0, (before - first) // every * every + first)
    return job._replace(schedule=schedule._replace(first_step=saved + 1, time_limit=0, reached=0))


@cache
def run_of(seed: int, **options: object) -> Run:
    """The run of a seed."""
    job = job_of(seed, **options)
    return Run(job, tuple(simulate(job)))


@cache
def many_runs(seeds: int = len(SEEDS)) -> tuple[Run, ...]:
    """The runs of the first seeds, two hundred by default, and some that were asked for."""
    return (
        *(run_of(seed) for seed in SEEDS[:seeds]),
        *(run_of(1, **asked) for asked in ASKED_FOR),
    )


def screen(width: int, *, live: bool = False, unicode: bool = True) -> Screen:
    """A colourless screen."""
    return Screen(width, height=40, color=False, unicode=unicode, live=live)


def told(run: Run, width: int) -> Iterator[str]:
    """The text of every line and bar of a run in the default dialect."""
    for _, text in told_by(run, width):
        yield text


def told_by(run: Run, width: int) -> Iterator[tuple[Event, str]]:
    """Every line and bar of a run in the default dialect, with its event."""
    table, surface = lines_of("pytorch"), screen(width)
    for event in run.events:
        if tell := table.get(type(event)):
            for line in tell(event, run.job, surface):
                yield event, line.text


def lines(run: Run, width: int, kind: type[Event], every: int = 1) -> list[str]:
    """The lines, not the bars, that every so many events of one kind make."""
    table, surface = lines_of("pytorch"), screen(width)
    return [
        line.text
        for event in run.all(kind)[::every]
        for line in table[kind](event, run.job, surface)
        if isinstance(line, Line)
    ]
