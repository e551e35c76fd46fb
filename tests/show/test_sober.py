"""With --jokes no a show has no joke: not in the log, not on the poster, not on the wall."""

from datetime import datetime
from functools import cache

import pytest

from llmsim.board.poster import poster
from llmsim.catalog.records import samples
from llmsim.job.records import Job
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run import names
from llmsim.run.events import Summary
from llmsim.run.simulation import events, run_of
from llmsim.run.timeline import run_ended
from llmsim.show.dashboard import Dashboard, closing
from llmsim.show.player import play
from llmsim.text.screen import Screen

START = datetime(2026, 1, 30, 12)
PIPE = Screen(width=200, height=24, color=False, unicode=True, live=False)
TERMINAL = Screen(width=120, height=36, color=True, unicode=True, live=True)
FAILED = [line for lines in names.FAILED_LINES.values() for line in lines]
JOKES = (*names.LAST_LINES, *names.RESUMED_LINES, *FAILED, *(each.text for each in samples()))


@cache
def job_of(seed: int, jokes: bool) -> Job:
    """A run that breaks, of a model that is in both kinds of run."""
    asked = {"model": "Basalt-8B", "gpus": 64, "gpu": "NVIDIA H200", "recipe": "pretrain"}
    breaks = ("gpu-lost@40%",)
    return plan(Options(seed=seed, start=START, jokes=jokes, incident=breaks, **asked))  # type: ignore[arg-type]  # texts and a number


def told(job: Job) -> list[str]:
    text = "".join(frame.text for frame in play(job, Options(view="log"), lambda: PIPE))
    return text.splitlines()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_sober_log_is_the_log_without_its_jokes(seed: int) -> None:
    """Line by line, but for the names of run and hosts, and the command at the end."""
    jolly, sober = (job_of(seed, jokes) for jokes in (True, False))
    rest = [line for line in told(jolly) if not any(joke in line for joke in JOKES)]
    lines = told(sober)
    assert len(lines) == len(rest) < len(told(jolly)) - 3
    assert not any(joke in line for joke in JOKES for line in lines)
    assert not any(name in line for name in (jolly.run_name, jolly.cluster) for line in lines)
    assert lines[-1].startswith("Same run again: llmsim ")
    assert " --jokes no " in lines[-1]


def test_a_sober_poster_has_a_larger_curve_in_the_jokes_place() -> None:
    rows = {}
    for jokes in (True, False):
        job = job_of(1, jokes)
        run = run_of(job)
        (summary,) = [event for event in events(run, 0.0) if isinstance(event, Summary)]
        view = Dashboard(run).view(run_ended(run), 180.0)
        drawn = poster(view, closing(summary, job), TERMINAL)
        rows[jokes] = ["".join(text for _, text in row) for row in drawn]
    assert any(joke in row for joke in JOKES for row in rows[True])
    assert not any(joke in row for joke in JOKES for row in rows[False])
    assert "Same run again" in "".join(rows[False])
    blank = [at for at, row in enumerate(rows[False]) if not row.strip()]
    assert not any(at + 1 in blank for at in blank)


def test_the_odometers_of_a_sober_wall_count_nothing_funny() -> None:
    units = {}
    for jokes in (True, False):
        run = run_of(job_of(1, jokes))
        view = Dashboard(run).view(0.9 * run_ended(run), 160.0)
        assert view.wall
        units[jokes] = [unit for _, unit in view.wall().odometers]
    assert {"kettles boiled", "novels read"} <= {*units[True]}
    assert units[False] == ["kWh", "at list price", "GPU-hours", "tokens processed", "attempts"]


def test_a_sober_team_is_logged_in_to_the_tracker() -> None:
    run = job_of(1, jokes=False)
    assert (names.user(run), names.team(run)) == ("ada", "research")
