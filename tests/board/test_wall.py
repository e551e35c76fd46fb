"""The wall: a run on the whole screen, on terminals of many sizes."""

import re
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from math import inf, isfinite, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsim.board.graphs import Mark, Scale, history, log_curve, plain_curve, scale, ticks
from llmsim.board.wall import has_room, wall
from llmsim.hosts.keys import hint
from llmsim.options.table import Options
from llmsim.physics.learning import objectives
from llmsim.planning.plan import plan
from llmsim.run.simulation import run_of
from llmsim.run.timeline import run_ended, step_ended
from llmsim.show.dashboard import Dashboard
from llmsim.show.live_region import LiveRegion
from llmsim.show.opening import shows_board
from llmsim.show.pace import Pace
from llmsim.show.playback import Playback
from llmsim.show.player import play
from llmsim.text.painting import painted
from llmsim.text.screen import Screen
from llmsim.text.style import Row, cells, length
from tests.board.stage import DURATION, Terminal, timed

GPUS = 8
START = datetime(2026, 1, 30)
SIZES = [(60, 16), (80, 24), (120, 40), (200, 50), (400, 100)]


def screen_of(width: int, height: int, unicode: bool = True, color: bool = True) -> Screen:
    return Screen(width, height, color, unicode, live=True, colors=256)


def frames(screen: Screen, region: LiveRegion, gpus: int = GPUS) -> Iterator[tuple[float, str]]:
    """What is written, with its show second."""
    run, _ = timed(7, gpus)
    for frame in play(run, Options(duration=DURATION), lambda: screen, region=region):
        yield frame.shown, frame.text


def on_wall(screen: Screen) -> LiveRegion:
    region = LiveRegion(lambda: screen, Playback(0.0))
    region.wall = True
    return region


def seen(screen: Screen, until: float, gpus: int = GPUS) -> Terminal:
    """The terminal at a second of the show."""
    terminal, region = Terminal(screen.width, screen.height), on_wall(screen)
    for shown, text in frames(screen, region, gpus):
        if shown > until:
            break
        terminal.stream.feed(text)
    return terminal


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("gpus", [1, 8, 64, 1024, 131_072])
@pytest.mark.parametrize("unicode", [True, False])
@pytest.mark.long
def test_the_wall_fills_the_screen_and_no_more(
    size: tuple[int, int], gpus: int, unicode: bool
) -> None:
    run, events = timed(7, gpus)
    screen = screen_of(*size, unicode=unicode)
    log = ["a line of the log"] * 20
    for part in (0.0, 0.3, 0.6, 0.99):
        moment = events[int(part * (len(events) - 1))][1].at
        view = Dashboard(run).view(moment, 1.0)
        assert view.wall
        rows = wall(view, view.wall(), log, screen)
        assert len(rows) == screen.height
        assert max(map(length, rows)) < screen.width
        text = "".join(painted(row, screen) for row in rows)
        assert unicode or "".join(re.split(r"\x1b\[[0-9;]*m", text)).isascii()
        assert "%" in "".join(piece for _, piece in rows[-1])


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (120, 40)])
@pytest.mark.long
def test_what_is_drawn_bit_by_bit_is_what_is_drawn_at_once(size: tuple[int, int]) -> None:
    """On a terminal, at several moments, against a fresh drawing of the same moment."""
    screen = screen_of(*size)
    region, terminal = on_wall(screen), Terminal(*size)
    checked = 0
    for number, (_, text) in enumerate(frames(screen, region)):
        terminal.stream.feed(text)
        if text and number % 5 == 0 and not region.finale:
            fresh = Terminal(*size)
            fresh.stream.feed("\x1b[H" + "\n".join(region._rows))
            assert terminal.display == fresh.display, number
            checked += 1
    assert checked > 10


@pytest.mark.long
def test_the_newest_lines_of_the_log_are_on_the_wall() -> None:
    screen = screen_of(120, 40)
    terminal = seen(screen, 15.0)
    steps = [row for row in terminal.display if re.search(r"step +[\d,]+/[\d,]+ .*loss", row)]
    assert len(steps) >= 3


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (160, 45)])
def test_a_wall_says_what_the_host_has_to_say(size: tuple[int, int]) -> None:
    """It had no place for the keys, nor for why a key did nothing."""
    screen = screen_of(*size)
    region, terminal = on_wall(screen), Terminal(*size)
    for shown, text in frames(screen, region):
        terminal.stream.feed(text)
        if shown > 10.0:
            break
    assert not any("quit" in row for row in terminal.display)
    region.note = hint
    terminal.stream.feed(region.redrawn())
    (row,) = (row for row in terminal.display if "q quit" in row)
    assert row.startswith(" ─ log ─")
    assert row.rstrip().endswith(" ─")
    assert "space pause" in row
    region.note = None
    terminal.stream.feed(region.redrawn())
    assert not any("quit" in row for row in terminal.display)


@pytest.mark.long
def test_a_key_makes_a_wall_of_the_board_and_back() -> None:
    screen = screen_of(100, 30)
    region, terminal = LiveRegion(lambda: screen, Playback(0.0)), Terminal(100, 30)
    changes = {8.0: True, 12.0: False}
    for shown, text in frames(screen, region):
        terminal.stream.feed(text)
        for moment in [moment for moment in changes if shown >= moment]:
            region.wall = changes.pop(moment)
            terminal.stream.feed(region.redrawn())
            is_wall = any("tokens per second" in row for row in terminal.display)
            assert is_wall == region.wall, moment
        if shown > 14.0:
            break
    assert not changes
    board = "\n".join(terminal.display)
    assert "tokens per second" not in board
    assert len(re.findall(r"step +[\d,]+/[\d,]+ .*loss", board)) >= 8, board
    assert "%" in terminal.display[-1] or "%" in terminal.display[-2]


@pytest.mark.long
def test_a_resize_leaves_no_debris() -> None:
    sizes = [(120, 40), (80, 24), (60, 16), (50, 10), (100, 30)]
    current = [screen_of(*sizes[0])]
    region = LiveRegion(lambda: current[0], Playback(0.0))
    region.wall = True
    run, _ = timed(7, GPUS)
    terminal, number = Terminal(*sizes[0]), 0
    for frame in play(run, Options(duration=DURATION), lambda: current[0], region=region):
        terminal.stream.feed(frame.text)
        if frame.shown > 8.0 + 3.0 * number and number + 1 < len(sizes):
            number += 1
            current[0] = screen_of(*sizes[number])
            terminal.grow_or_shrink(*sizes[number])
            terminal.stream.feed(region.redrawn())
            if has_room(current[0]):
                fresh = Terminal(*sizes[number])
                fresh.stream.feed("\x1b[H" + "\n".join(region._rows))
                assert terminal.display == fresh.display, sizes[number]
    assert number + 1 == len(sizes)


@pytest.mark.long
def test_a_small_screen_has_a_board_instead() -> None:
    assert not has_room(screen_of(50, 10))
    assert shows_board(Options(view="wall"), screen_of(80, 24))
    terminal = seen(screen_of(50, 12), 12.0)
    assert not any("kettles" in row for row in terminal.display)


# --- graphs -----------------------------------------------------------------------------------


@given(st.lists(st.one_of(st.just(nan), st.floats(1e-4, 1e4)), max_size=60), st.integers(3, 40))
def test_an_axis_holds_its_values_and_its_numbers_are_round(values: list[float], rows: int) -> None:
    axis = scale(values)
    known = [value for value in values if isfinite(value)]
    assert all(0.0 <= axis.height(value) <= 1.0 for value in known)
    for row, text in ticks(axis, rows).items():
        assert 0 <= row < rows
        assert axis.height(float(text)) == pytest.approx(1 - row / (rows - 1), abs=0.6 / (rows - 1))


@given(st.lists(st.floats(-5.0, 5.0), min_size=1, max_size=60))
def test_a_loss_below_zero_has_an_axis_too(values: list[float]) -> None:
    axis = scale(values)
    assert not axis.logarithmic or min(values) > 0
    assert all(0.0 <= axis.height(value) <= 1.0 for value in values)


@given(st.floats(1e-6, 1e-4), st.floats(0.008, 0.03), st.integers(6, 40))
def test_a_loss_that_begins_at_zero_has_an_axis_from_zero(
    low: float, high: float, rows: int
) -> None:
    """A GRPO's loss rises from nearly nothing: by logarithms it looked like a wall."""
    for lowest in (0.0, low):
        axis = scale([lowest, high])
        assert (axis.low, axis.logarithmic) == (0.0, False)
        assert float(ticks(axis, rows)[rows - 1]) == 0.0


@given(st.floats(0.0, 3.0), st.floats(0.01, 3.0), st.integers(7, 60))
def test_the_numbers_of_a_linear_axis_are_evenly_apart(low: float, rise: float, rows: int) -> None:
    """Where not all had room, every other step was missing somewhere: 0.010, 0.006, 0.002, 0."""
    axis = Scale(low, low + rise, logarithmic=False)
    numbers = sorted(float(text) for text in ticks(axis, rows).values())
    steps = [after - before for before, after in pairwise(numbers)]
    assert len(numbers) > 1
    assert max(steps) == pytest.approx(min(steps))


@given(st.lists(st.floats(0.0, 1e9), max_size=300), st.integers(1, 80), st.integers(1, 12))
def test_a_history_has_its_size(values: list[float], width: int, rows: int) -> None:
    for unicode in (True, False):
        drawn = history(tuple(values), width, rows, screen_of(100, 30, unicode=unicode))
        assert [length(row) for row in drawn] == [width] * rows


@pytest.mark.parametrize("unicode", [True, False])
def test_a_history_has_the_hue_that_was_asked_for(unicode: bool) -> None:
    """In ASCII the power is violet and the links are blue, too: green is what computes."""
    for hue in ("violet", "blue"):
        drawn = history((1.0, 2.0), 8, 3, screen_of(100, 30, unicode=unicode), hue)
        roles = {role for row in drawn for role, text in row if text.strip() and role != "track"}
        assert {role.split()[-1] for role in roles} == {hue}


def test_the_number_of_a_strip_with_one_value_stands_beside_it() -> None:
    """It stood some rows above, at the top of a scale that had no other end."""
    run, screen = run_of(plan(Options("pytorch", seed=22, gpus=8, start=START))), screen_of(120, 40)
    training = next(segment for segment in run.timeline if segment.kind == "training")
    view = Dashboard(run).view(step_ended(run.job, training, 2) + 0.1, 1.0)
    assert view.wall
    rows = ["".join(text for _, text in row) for row in wall(view, view.wall(), [], screen)]
    begun = next(number for number, row in enumerate(rows) if "gradient norm" in row)
    told = [row for row in rows[begun + 1 : begun + 4] if re.match(r" +\d", row)]
    drawn = [row for row in rows[begun + 1 : begun + 4] if re.match(r".{7} ?[⠀-⣿]", row)]
    assert len(told) == 1
    assert told == drawn


@pytest.mark.parametrize("values", [(nan,), (1.0, nan, 2.0), (nan, nan, 3.0), ()])
def test_a_strip_has_gaps_where_a_run_has_no_number(values: tuple[float, ...]) -> None:
    rows = plain_curve(values, (1.0, 3.0), 8, 3, False)
    assert [len(row) for row in rows] == [8, 8, 8]
    for column, value in enumerate(values):
        assert any(row[column] != " " for row in rows) == isfinite(value), column


def test_marks_stand_where_they_belong() -> None:
    screen = screen_of(100, 30)
    marks = (Mark(0.5, 2.0, "validation", "◆", "o"), Mark(0.25, nan, "failure", "┃", "#"))
    rows = log_curve(tuple([8.0] * 30 + [1.0] * 30), 80, 12, marks, screen)
    text = ["".join(piece for _, piece in row) for row in rows]
    assert sum("◆" in row for row in text) == 1
    assert all(row[7 + 10] in "┃⢸⡇⣿⠁" or row[7 + 10] != " " for row in text)
    assert inf not in [cells(row) for row in text]


def each_cell(row: Row) -> Iterator[tuple[str, str]]:
    """Role and glyph of each cell of a row."""
    yield from ((role, glyph) for role, text in row for glyph in text)


@pytest.mark.parametrize(("unicode", "color"), [(True, True), (True, False), (False, False)])
def test_the_line_of_a_checkpoint_leaves_the_curve_whole(unicode: bool, color: bool) -> None:
    """In ASCII a curve has dots as the grid has."""
    screen = screen_of(100, 30, unicode=unicode, color=color)
    values = tuple(8.0 / (1 + column / 20) for column in range(60))
    marks = tuple(Mark(place / 20, nan, "save", "┊", ":") for place in range(20))
    plain, marked = (log_curve(values, 80, 12, each, screen) for each in ((), marks))
    lines = 0
    for bare, row in zip(plain, marked, strict=True):
        for (role, glyph), (seen, other) in zip(each_cell(bare), each_cell(row), strict=True):
            lines += seen == "save"
            assert (seen, other) == (role, glyph) or glyph == " " or role == "track"
    assert lines > 40


@pytest.mark.parametrize(("unicode", "color"), [(True, True), (True, False), (False, False)])
def test_the_line_of_a_failure_ends_above_the_curve(unicode: bool, color: bool) -> None:
    """Below it a dozen of them would hide the axis from who has no colours, too."""
    screen = screen_of(100, 30, unicode=unicode, color=color)
    values = tuple(8.0 / (1 + column / 20) for column in range(80))
    marks = (Mark(0.5, nan, "down", "┃", "#"),)
    rows = log_curve(values, 80, 12, marks, screen)
    column = next(
        place for row in rows for place, (role, _) in enumerate(each_cell(row)) if role == "down"
    )
    roles = [list(each_cell(row))[column][0] for row in rows]
    assert 2 < roles.count("down") < 11
    assert roles[: roles.count("down")] == ["down"] * roles.count("down")


def test_the_wall_marks_the_saves_that_the_board_marks() -> None:
    """Also of a run that goes back to one of them: what was saved after it is gone on both."""
    wanted = Options(seed=1, start=START, gpus=64, recipe="pretrain", incidents="none")
    run = run_of(plan(wanted._replace(incident=("gpu-lost@45%",))))
    shown, counts = Dashboard(run), list[int]()
    for part in range(1, 11):
        view = shown.view(run_ended(run) * part / 10, 1.0)
        assert view.wall is not None
        saves = tuple(step for kind, step in view.wall().marks if kind == "checkpoint")
        assert saves == view.training.saved, f"after {part} of 10 parts"
        counts.append(len(saves))
    assert counts[-1] > 1


@pytest.mark.parametrize("part", [0.01, 0.2, 0.5])
def test_the_power_of_few_gpus_is_the_sum_of_what_stands_beside_each(part: float) -> None:
    """They are read in turns, and power moves faster than that: two sums would differ."""
    wanted = Options(seed=4, start=START, gpus=8, recipe="sft", incidents="none")
    run = run_of(plan(wanted))
    pace = Pace(run, 180.0)
    shown = part * 180.0
    view = Dashboard(run, pace.simulated).view(pace.simulated(shown), shown)
    assert view.wall is not None
    rows = wall(view, view.wall(), [], screen_of(120, 40))
    text = "\n".join("".join(piece for _, piece in row) for row in rows)
    each = [int(watts) for watts in re.findall(r"(?m)│ +\d .* (\d+)$", text)]
    told = re.search(r"power ([\d.]+) kW", text)
    assert len(each) == 8
    assert told
    assert float(told[1]) == pytest.approx(sum(each) / 1000, abs=0.051)


def test_the_odometers_of_one_gpu_move_and_are_of_this_job_alone() -> None:
    """A part of a longer run has not read what the jobs before it have."""
    wanted = Options(seed=9, start=START, gpus=1, dialect="maxtext", incidents="none")
    job = plan(wanted)
    assert job.schedule.first_step > 1000
    run = run_of(job)
    view = Dashboard(run).view(run_ended(run) / 2, 1.0)
    assert view.wall is not None
    told = {name: number for number, name in view.wall().odometers}
    assert 0.0 < float(told["TPU-hours"]) < 1.0
    own = objectives.tokens(job, job.schedule.first_step, job.schedule.steps)
    assert int(told["novels read"].replace(",", "")) < own / 133_000
    assert float(told["at list price"].removeprefix("$")) > 0.0


def test_many_validations_leave_the_curve_to_be_seen() -> None:
    """Their marks stand at even distances, at some of the validations, and none comes late."""
    wanted = Options(seed=9, start=START, gpus=64, recipe="pretrain", incidents="none")
    run = run_of(plan(wanted._replace(steps=200_000)))
    validated = {segment.last for segment in run.timeline if segment.kind == "validation"}
    assert len(validated) > 18
    shown, before = Dashboard(run), set[int]()
    for part in range(2, 11):
        marks = shown.view(run_ended(run) * part / 10, 1.0).training.validated
        steps = [step for step, _ in marks]
        assert 1 <= len(steps) <= 16
        assert set(steps) <= validated
        assert len({after - step for step, after in pairwise(steps)}) <= 1
        assert all(step in before or step > max(before, default=0) for step in steps)
        before = set(steps)


def test_a_failure_is_seen_where_a_checkpoint_has_the_same_step() -> None:
    """On the drawn wall, while the run stands still and after it has gone on."""
    screen = screen_of(160, 45)
    wanted = Options(seed=1, start=START, gpus=64, recipe="pretrain", incidents="none")
    saved = next(s for s in run_of(plan(wanted)).timeline if s.kind == "checkpoint").last
    run = run_of(plan(wanted._replace(incident=(f"gpu-lost@step={saved + 1}",))))
    failed = next(segment for segment in run.timeline if segment.kind == "failure")
    assert failed.last - saved <= 1  # the same column of the curve
    for at in ((failed.began + failed.ended) / 2, failed.ended + 1.0):
        view = Dashboard(run).view(at, 1.0)
        assert view.wall is not None
        rows = wall(view, view.wall(), ["a line"] * 20, screen)
        lines = [row for row in rows if any(r == "failure" and "│" in text for r, text in row)]
        assert len(lines) > 3, at
