"""The stages of a launch on the wall."""

import re
from datetime import datetime
from itertools import takewhile
from math import fsum

import pytest

from llmsim.board.wall import wall
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.events import BackendReady, Event, RanksJoined, TokenizerLoaded
from llmsim.run.moment import state
from llmsim.run.simulation import events, run_of
from llmsim.run.timeline import Run
from llmsim.show.dashboard import Dashboard
from llmsim.show.launch_stages import stages
from llmsim.text.screen import Screen

START = datetime(2026, 1, 30, 12)
HEAD = re.compile(r"─ launch (\d+) of (\d+) done ─")


def a_run(gpus: int, *incidents: str) -> Run:
    return run_of(plan(Options(seed=7, start=START, gpus=gpus, incident=incidents)))


def rows_at(run: Run, at: float, width: int, height: int) -> list[str]:
    view = Dashboard(run).view(at, 1.0)
    assert view.wall
    screen = Screen(width, height, color=True, unicode=True, live=True)
    return ["".join(text for _, text in row) for row in wall(view, view.wall(), [], screen)]


@pytest.mark.parametrize("gpus", [1, 8, 1024, 131_072])
def test_the_stages_take_the_whole_launch_one_after_the_other(gpus: int) -> None:
    run = a_run(gpus)
    ended = run.timeline[0].ended
    for part in (0.0, 0.1, 0.5, 0.9, 1.0):
        found = stages(run, state(run, min(part * ended, ended - 1e-6)))
        assert fsum(each.seconds for each in found) == pytest.approx(part * ended, abs=1e-3)
        assert [each.done for each in found] == sorted((each.done for each in found), reverse=True)
        assert found[0].begun == 0.0
        assert all(0.0 <= each.begun <= each.ended <= 1.0 for each in found)
    assert stages(run, state(run, ended)) == ()


@pytest.mark.parametrize("gpus", [8, 1024])
def test_stages_take_as_long_as_the_log_says(gpus: int) -> None:
    run = a_run(gpus)
    ended = run.timeline[0].ended
    found = {each.name: each.seconds for each in stages(run, state(run, ended - 1e-6))}
    names: dict[type[Event], str] = {BackendReady: "communicators", TokenizerLoaded: "tokenizer"}
    names[RanksJoined] = f"{gpus:,} ranks"
    told = 0
    for event in takewhile(lambda event: event.at <= ended, events(run)):
        if isinstance(event, BackendReady | TokenizerLoaded | RanksJoined):
            assert found[names[type(event)]] == pytest.approx(event.seconds, abs=0.02)
            told += 1
    assert told == len(names)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (160, 45), (400, 100)])
@pytest.mark.parametrize("gpus", [1, 8, 64, 1024])
def test_the_wall_of_a_launch_has_its_stages(gpus: int, size: tuple[int, int]) -> None:
    """Its right half was nearly empty."""
    run = a_run(gpus)
    ended = run.timeline[0].ended
    rows = rows_at(run, 0.6 * ended, *size)
    told = next(head for row in rows if (head := HEAD.search(row)))
    found = stages(run, state(run, 0.6 * ended))
    assert (int(told[1]), int(told[2])) == (sum(each.done for each in found), len(found))
    now = next(each for each in found if not each.done)
    assert any(re.search(rf" {now.name} +━+ +{now.seconds:.1f} s$", row) for row in rows)
    assert not any(HEAD.search(row) for row in rows_at(run, ended + 1e-3, *size))


def test_a_later_launch_leaves_the_links_where_they_are() -> None:
    run = a_run(64, "gpu-lost@40%")
    again = [segment for segment in run.timeline if segment.kind == "launch"][1]
    rows = rows_at(run, (again.began + again.ended) / 2, 160, 45)
    assert any("─ links " in row for row in rows)
    assert not any(HEAD.search(row) for row in rows)
