"""What there is to see before the first step: the facts of a run, and its plan."""

import re
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsim.board.board import board
from llmsim.board.sheet import in_columns, planned
from llmsim.board.wall import wall
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.events import Summary
from llmsim.run.simulation import events, run_of
from llmsim.run.timeline import Run
from llmsim.show.dashboard import Dashboard
from llmsim.text import units
from llmsim.text.screen import Screen
from llmsim.text.style import Row, length

START = datetime(2026, 1, 30, 12)
SIZES = [(60, 16), (80, 24), (120, 40), (160, 45), (200, 50), (400, 100)]


def screen_of(width: int, height: int, unicode: bool = True) -> Screen:
    return Screen(width, height, color=True, unicode=unicode, live=True)


def a_run(gpus: int, seed: int = 3) -> Run:
    return run_of(plan(Options(seed=seed, start=START, gpus=gpus, incidents="none")))


def text_of(row: Row) -> str:
    return "".join(text for _, text in row)


@given(
    st.integers(0, 24), st.integers(0, 30), st.integers(20, 250), st.integers(1, 30), st.booleans()
)
def test_columns_of_facts_fit_and_hold_the_first_ones(
    count: int, rows: int, width: int, longest: int, wide: bool
) -> None:
    facts = [(f"name {n}", f"<{n}>".ljust(1 + n * longest // 24, ".")) for n in range(count)]
    drawn = in_columns(facts, rows, width, screen_of(100, 30), wide)
    assert len(drawn) <= rows
    assert all(length(row) <= width for row in drawn)
    found = [int(number) for number in re.findall(r"<(\d+)>", "\n".join(map(text_of, drawn)))]
    assert sorted(found) == list(range(len(found)))
    assert len(found) >= min(count, rows) or width < 15 + 4 + longest


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("gpus", [1, 64, 131_072])
def test_a_wall_of_a_launch_is_full(gpus: int, size: tuple[int, int]) -> None:
    """The facts of the run stand where its curves will be; a narrow wall cuts long ones."""
    run, screen = a_run(gpus), screen_of(*size)
    view = Dashboard(run).view(1.0, 1.0)
    assert view.phase == "launch"
    assert view.wall
    rows = wall(view, view.wall(), ["a line of the log"] * 20, screen)
    left = [text_of(row)[: size[0] // 2].rstrip(" │") for row in rows]
    assert sum(bool(text) for text in left) >= 0.85 * size[1], left
    shown = "\n".join(left)
    for name, value in view.facts()[:6]:
        assert re.search(rf"\b{name}  {re.escape(value[:12])}", shown), (name, value)
    assert "no step" not in shown


def test_the_plan_of_the_rate_rises_in_the_warm_up_and_falls_after_it() -> None:
    screen, run = screen_of(200, 50), a_run(64)
    training = Dashboard(run).view(1.0, 1.0).training
    assert training.step == 0
    rows = [text_of(row)[7:] for row in planned(training, 107, 21, screen)[1:-1]]
    highest = [sum(row[column] not in " ⠀" for row in rows) for column in range(100)]
    warm = round(100 * run.job.schedule.warmup / run.job.schedule.steps)
    assert run.job.schedule.decay == "cosine"
    assert max(highest) == highest[warm + 1] == 19
    assert highest[warm + 1 :] == sorted(highest[warm + 1 :], reverse=True)
    assert highest[0] < highest[warm + 1] > highest[-1]


@pytest.mark.parametrize("gpus", [1024, 64])
def test_a_name_without_room_for_large_letters_leaves_the_facts(gpus: int) -> None:
    screen, run = screen_of(80, 24), a_run(gpus)
    view = Dashboard(run).view(1.0, 1.0)
    long = view._replace(titles=("Incomprehensibilities-7B", *view.titles[1:]))
    shown = [text_of(row) for row in board(long, screen)]
    assert any("parameters" in row for row in shown)
    assert not any("no step yet" in row for row in shown)


@pytest.mark.parametrize("told", [6, 12, 99])
def test_a_board_below_the_name_shows_the_plan_with_one_heading(told: int) -> None:
    view = Dashboard(a_run(64)).view(1.0, 1.0)._replace(titled=True, told=told)
    shown = [text_of(row) for row in board(view, screen_of(160, 60))]
    assert sum("as planned" in row for row in shown) == 1
    assert any(row.lstrip().startswith("step ") for row in shown)


def test_a_part_of_a_longer_run_says_which() -> None:
    """The steps of the part, what it reads, and its place in the plan of the whole run."""
    run = run_of(plan(Options(seed=4, start=START, gpus=131_072)))
    schedule, screen = run.job.schedule, screen_of(200, 50)
    assert 1 < schedule.first_step < schedule.steps < schedule.horizon
    view = Dashboard(run).view(1.0, 1.0)
    facts = dict(view.facts())
    own = f"{schedule.first_step:,} to {schedule.steps:,} of {schedule.horizon:,}"
    assert facts["steps"] == own
    ended = next(event for event in events(run) if isinstance(event, Summary))
    assert facts["to read"] == f"{units.short(ended.tokens)} tokens"
    _, *rows, _ = planned(view.training, 107, 21, screen)
    lowest = [(role, glyph) for role, text in rows[-1][2:] for glyph in text]
    bright = [place for place, (role, _) in enumerate(lowest) if role != "track"]
    assert bright == [*range(bright[0], bright[-1] + 1)]
    assert abs(bright[0] / 100 - schedule.first_step / schedule.horizon) <= 0.01
    assert abs(bright[-1] / 100 - schedule.steps / schedule.horizon) <= 0.02
    assert all(glyph != " " for _, glyph in lowest)
