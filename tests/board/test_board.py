"""The board at every size: it fits, it says what it may, and asks for no more than it shows."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache
from itertools import pairwise
from math import inf, nan

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmsim.board.board import SHARE, SHORTER, View, board, rows_of
from llmsim.board.letters import big
from llmsim.board.racks import MOST_CELLS
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run import simulation
from llmsim.run.events import Event, PhaseName, Status, Step, Validated
from llmsim.run.moment import state
from llmsim.run.timeline import run_ended, training_began
from llmsim.show.dashboard import Dashboard
from llmsim.show.pace import Pace
from llmsim.text import units
from llmsim.text.screen import Screen
from llmsim.text.style import Row, length
from tests.runs import run_of

START = datetime(2026, 1, 30)
GPUS = (1, 3, 8, 16, 64, 65, 1024, 131_072)
MOMENTS = ("launch", "first step", "middle", "export")
TERMINAL = Screen(80, 24, color=True, unicode=True, live=True)

WIDTHS = st.integers(20, 400)
HEIGHTS = st.integers(1, 120)


def moment_of(name: str, events: tuple[Event, ...]) -> int:
    """The place of an event at this time of the run."""
    steps = [number for number, event in enumerate(events) if isinstance(event, Step)]
    places = {"launch": steps[0] // 2, "first step": steps[0] + 1}
    return places.get(name, steps[len(steps) // 2] if name == "middle" else len(events) - 3)


@cache
def view_of(gpus: int, moment: str = "middle") -> View:
    """What there is to see of a run with so many GPUs."""
    run = run_of(7, gpus=gpus, gpu="NVIDIA H100 80GB HBM3", recipe="pretrain", dialect="pytorch")
    place = moment_of(moment, run.events)
    at = (run.events[place - 1].at + run.events[place].at) / 2
    return Dashboard(simulation.run_of(run.job)).view(at, 60.0)


def says(rows: list[Row], number: str) -> bool:
    """Whether a number is on a board, in the text or in big digits."""
    text = texts(rows)
    return any(number in row for row in text) or all(
        any(line.rstrip() in row for row in text) for line in big(number)
    )


def texts(rows: list[Row]) -> list[str]:
    return ["".join(text for _, text in row) for row in rows]


@settings(deadline=None)
@given(st.sampled_from(GPUS), st.sampled_from(MOMENTS), WIDTHS, HEIGHTS, st.booleans())
@example(131_072, "middle", 400, 100, True)
@example(64, "middle", 20, 5, True)
@example(1024, "export", 74, 15, False)
@pytest.mark.long
def test_the_board_fits_every_screen(
    gpus: int, moment: str, width: int, height: int, unicode: bool
) -> None:
    screen = TERMINAL._replace(width=width, height=height, unicode=unicode, color=unicode)
    rows = board(view_of(gpus, moment), screen)
    assert len(rows) <= max(2, SHARE * height + 0.5)
    assert bool(rows) == (height >= 5)
    assert all(length(row) < width for row in rows)
    for text in texts(rows):
        assert text.isprintable()
        assert unicode or text.isascii()


@pytest.mark.parametrize("size", [(400, 5), (100, 5), (300, 8), (80, 24), (200, 50)])
@pytest.mark.parametrize("broken", [nan, inf])
def test_a_loss_that_is_no_number_leaves_the_board_as_large(
    size: tuple[int, int], broken: float
) -> None:
    screen = TERMINAL._replace(width=size[0], height=size[1])
    view = view_of(8)
    usual, half = view.training.loss, view.training.step // 2
    training = view.training._replace(loss=lambda a, b: broken if b > half else usual(a, b))
    rows = board(view._replace(training=training), screen)
    assert len(rows) == len(board(view, screen))
    assert all(length(row) < size[0] for row in rows)


@pytest.mark.parametrize(("height", "rows"), [(4, 0), (5, 2), (10, 4), (24, 10), (100, 40)])
def test_the_board_takes_two_fifths_of_the_height(height: int, rows: int) -> None:
    assert rows_of(TERMINAL._replace(height=height)) == rows


def test_there_is_no_board_where_there_is_no_terminal_and_no_width() -> None:
    assert board(view_of(8), TERMINAL._replace(live=False)) == []
    assert board(view_of(8), TERMINAL._replace(width=19)) == []


@pytest.mark.parametrize(("width", "height"), [(20, 5), (40, 12), (80, 24), (120, 40), (400, 100)])
def test_what_matters_most_is_shown_at_every_size(width: int, height: int) -> None:
    view = view_of(8)
    rows = board(view, TERMINAL._replace(width=width, height=height))
    text = "\n".join(texts(rows))
    assert f"{round(view.share * 100)}%" in text
    assert says(rows, view.training.numbers[0][2])  # the loss
    if height >= 12:
        assert view.titles[0] in text
        assert view.phase in text
        assert view.doing in text


@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_board_of_usual_size_has_all_parts(width: int) -> None:
    view = view_of(8)
    rows = board(view, TERMINAL._replace(width=width, height=40))
    text = "\n".join(texts(rows))
    parts = ["loss", "val", "lr", "tok/s", "util", "temp", "power", "epoch", "eta", "step"]
    assert [part for part in parts if part not in text] == []
    assert says(rows, view.training.rate_number)
    assert says(rows, view.training.throughput_number)
    assert sum(0x2800 < ord(glyph) <= 0x28FF for glyph in text) > 20


@pytest.mark.parametrize("phase", ["validation", "checkpoint"])
@pytest.mark.parametrize("gpus", [1, 3, 8])
@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_how_much_of_a_pause_is_over_takes_no_room_from_the_titles(
    phase: PhaseName, gpus: int, width: int
) -> None:
    screen = TERMINAL._replace(width=width, height=30)
    view = view_of(gpus)._replace(phase=phase, phase_share=0.5)
    heading = texts(board(view, screen))[0]
    without = texts(board(view._replace(phase_share=-1.0), screen))[0]
    for title in view.titles[:2]:
        assert title not in without or title in heading
    assert phase in heading or SHORTER[phase] in heading
    assert width < 80 or gpus > 1 or "████    " in heading


@pytest.mark.parametrize(("phase", "word"), [("validation", "valid."), ("checkpoint", "saving")])
def test_a_phase_has_a_shorter_name_where_its_share_has_no_room(phase: str, word: str) -> None:
    view = view_of(8)._replace(
        titles=("Pebble-160M", "8 x H200"), brief="8 x H200", phase=phase, phase_share=0.74
    )
    heading = texts(board(view, TERMINAL._replace(width=80, height=24)))[0]
    assert f"Pebble-160M · 8 x H200 ─── {word} ██▏ " in heading
    wide = texts(board(view, TERMINAL._replace(width=120, height=24)))[0]
    assert f"{phase} █████▉   " in wide


@pytest.mark.parametrize("pace", ["paused", "paused 0.5x", "16x"])
@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_a_pace_takes_no_room_from_the_titles(pace: str, width: int) -> None:
    """A pause at 80 columns took the GPUs out of the heading, and the recipe came in."""
    titles = ("Pebble-1.4B", "8 x H100", "exploding-saddle-629", "grpo")
    view = view_of(8)._replace(titles=titles, brief="8 x H100", pace=pace)
    heading = texts(board(view, TERMINAL._replace(width=width, height=24)))[0]
    assert "Pebble-1.4B · 8 x H100 " in heading
    assert pace in heading
    assert width < 120 or f"{pace} {view.phase}" in heading


@pytest.mark.parametrize("width", range(30, 100, 7))
def test_no_lesser_title_stands_in_the_place_of_the_hardware(width: int) -> None:
    view = view_of(8)._replace(titles=("Pebble-1.4B", "8 x H100", "run", "sft"), brief="8 x H100")
    for pace in ("", "paused", "paused 0.5x"):
        heading = texts(board(view._replace(pace=pace), TERMINAL._replace(width=width)))[0]
        assert "8 x H100" in heading or ("sft" not in heading and "run" not in heading), heading


@pytest.mark.parametrize("phase", ["launch", "validation", "checkpoint", "export"])
@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_a_screen_has_one_percentage_of_time(phase: PhaseName, width: int) -> None:
    """Two of them, of the phase and of the run, looked alike."""
    view = view_of(8, phase if phase in MOMENTS else "middle")._replace(phase=phase)
    rows = texts(board(view._replace(phase_share=0.5), TERMINAL._replace(width=width, height=30)))
    assert "%" in rows[-1]
    assert not any(f"{digit}%" in rows[0] for digit in "0123456789")


@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_heading_with_nothing_beside_it_has_the_whole_width(width: int) -> None:
    """The graphs of one GPU have their names in rows of their own."""
    view = view_of(1)
    heading = texts(board(view, TERMINAL._replace(width=width, height=40)))[0]
    assert f"{view.titles[0]} · {view.titles[1]}" in heading
    assert heading.endswith(f" {view.phase} ──")


def test_eight_gpus_have_a_row_each_with_their_values() -> None:
    view = view_of(8)
    rows = texts(board(view, TERMINAL))
    for index in range(8):
        gauge = view.cluster.read(index)
        values = (str(index), f"{100 * gauge.busy:.0f}", f"{gauge.gib:.0f}", f"{gauge.celsius}")
        beside = rows[1 + index][-40:].replace("━", " ").replace("╸", " ").replace("─", " ")
        assert beside.split() == [*values, str(gauge.watts)]


def test_sixty_four_gpus_are_all_shown_in_80_columns() -> None:
    rows = texts(board(view_of(64), TERMINAL))
    labels = [row[40:].split()[0] for row in rows[1:9]]
    assert labels == ["1", "2", "3", "4", "5", "6", "7", "8"]
    assert all(len(group) == 8 for row in rows[1:9] for group in row[40:].split()[1:])


def test_pages_turn_through_all_nodes() -> None:
    view, seen = view_of(64), set()
    for page in range(20):
        cluster = view.cluster._replace(page=page)
        rows = texts(board(view._replace(cluster=cluster), TERMINAL._replace(width=60, height=12)))
        seen |= {row.split()[0] for row in rows if len(row.split()) == 5}
    assert seen >= {view.cluster.label(node) for node in range(8)}


@pytest.mark.parametrize("gpus", [65, 1024, 131_072])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (200, 50), (400, 100)])
def test_all_racks_are_on_the_map_and_who_is_at_fault(gpus: int, width: int, height: int) -> None:
    """Each GPU is in one of the map's cells, which shows it if it is at fault."""
    read: list[tuple[int, ...]] = []

    def celsius(chosen: tuple[int, ...]) -> list[int]:
        read.append(chosen)
        return [50] * len(chosen)

    view, guilty = view_of(gpus), gpus - 2
    cluster = view.cluster._replace(celsius=celsius, faulty=(guilty,), gone=())
    rows = board(view._replace(cluster=cluster), TERMINAL._replace(width=width, height=height))
    chosen, *more = dict.fromkeys(read)
    assert more == [(guilty,)]
    assert any("glow" in role.split() for row in rows for role, _ in row)
    apart = {after - before for before, after in pairwise(chosen)}
    assert len(apart) == 1
    assert chosen[0] == 0
    assert gpus - chosen[-1] <= max(apart)


# --- cost --------------------------------------------------------------------------------------


def counted(view: View) -> tuple[View, list[int]]:
    """The view, and a list that grows with every gauge that is read."""
    read: list[int] = []
    look = view.cluster.read

    def noted(index: int) -> object:
        read.append(index)
        return look(index)

    return view._replace(cluster=view.cluster._replace(read=noted)), read  # type: ignore[arg-type]  # what look gives


@pytest.mark.parametrize("gpus", [1024, 131_072])
@pytest.mark.parametrize(("width", "height"), [(20, 5), (80, 24), (200, 50), (400, 100)])
def test_no_more_gauges_are_read_than_shown(gpus: int, width: int, height: int) -> None:
    view, read = counted(view_of(gpus))
    look = view.cluster.celsius

    def celsius(chosen: tuple[int, ...]) -> Sequence[int]:
        read.extend(chosen)
        return look(chosen)

    view = view._replace(cluster=view.cluster._replace(celsius=celsius))
    board(view, TERMINAL._replace(width=width, height=height))
    assert len(read) <= min(width * height, MOST_CELLS + 8 * 8 * 8)


def test_a_board_that_shows_the_same_reads_nothing_again() -> None:
    view, read = counted(view_of(64))
    first = board(view, TERMINAL)
    before = len(read)
    assert board(view, TERMINAL) == first
    assert len(read) == before > 0


# --- a part of a longer run --------------------------------------------------------------------


@pytest.mark.parametrize("size", [(120, 46), (240, 67)])
def test_the_axis_of_a_part_has_the_steps_that_the_log_has(size: tuple[int, int]) -> None:
    """By the axis's numbers the curve of the throughput ends at the newest step."""
    wanted = Options(seed=4, start=START, gpus=64, recipe="pretrain", dialect="pytorch")
    run = simulation.run_of(plan(wanted))
    assert run.job.schedule.first_step > 1000
    for part in (0.4, 0.6, 0.9):
        step = state(run, run_ended(run) * part).step
        view = Dashboard(run).view(run_ended(run) * part, 60.0)
        rows = texts(board(view, TERMINAL._replace(width=size[0], height=size[1])))
        axis = next(row for row in rows if row.lstrip().startswith("step └"))
        axis = axis[: axis.index("   ", axis.index("└"))]
        found = [*re.finditer(r"[\d,]+", axis)]
        (one, first), (other, last) = (
            ((each.start() + each.end()) / 2, int(each[0].replace(",", "")))
            for each in (found[0], found[-1])
        )
        speed = next(row for row in rows if row.lstrip().startswith("tok/s  "))
        end = max(place for place, glyph in enumerate(speed[: len(axis)]) if "⠀" < glyph <= "⣿")
        apart = (last - first) / (other - one)  # steps of a cell
        assert first + (end + 1 - one) * apart == pytest.approx(step, abs=3 * apart), part


# --- a dashboard agrees with the log -----------------------------------------------------------


def steps() -> Iterator[tuple[View, Step]]:
    """Every logged step, and what there is to see when it is logged."""
    run = run_of(7, gpus=8, dialect="pytorch")
    dashboard = Dashboard(simulation.run_of(run.job))
    for step in run.all(Step):
        yield dashboard.view(step.at, 0.0), step


def test_the_board_shows_the_numbers_of_the_last_logged_step() -> None:
    for shown, step in steps():
        assert shown.training.numbers[0] == ("curve", "loss", f"{step.loss:.4f}")
        assert shown.training.throughput_number == f"{step.tokens_per_second:,.0f}"
        assert shown.training.step == step.step
        assert shown.share == step.step / shown.training.steps


def test_time_left_is_the_logs() -> None:
    for shown, step in steps():
        assert shown.left == units.hours(step.remaining).strip(), step.step


def test_time_goes_on_within_a_step() -> None:
    """By the seconds that the step has taken: something moves however long it takes."""
    told = run_of(7, gpus=8, dialect="pytorch")
    run, compared = simulation.run_of(told.job), 0
    dashboard = Dashboard(run)
    began = training_began(run)
    assert dashboard.view(began, 0.0).doing == "first step 0:00:00"
    assert dashboard.view(began + 3.0, 0.0).doing == "first step 0:00:03"
    for step in told.all(Step)[:-1]:
        assert dashboard.view(step.at, 0.0).doing.startswith("step "), step.step
        passed = 0.5 * step.step_seconds
        now = state(run, step.at + passed)
        if (now.segment.kind, now.step) == ("training", step.step):
            left = units.hours(step.remaining - passed).strip()
            assert dashboard.view(now.at, 0.0).left == left, step.step
            compared += 1
    assert compared > 10


@pytest.mark.parametrize("gpus", [8, 16, 32, 64])
def test_some_gpus_are_read_four_times_a_second(gpus: int) -> None:
    """In turns; each of them every four seconds, of at most eight every second."""
    run = simulation.run_of(run_of(7, gpus=gpus, dialect="pytorch").job)
    pace = Pace(run, 180.0)
    dashboard, trails = Dashboard(run, pace.simulated), list[list[object]]()
    for beat in range(80, 97):
        shown = 0.25 * beat
        cluster = dashboard.view(pace.simulated(shown), shown).cluster
        trails.append([cluster.trail(index, 8) for index in range(gpus)])
    read = [
        {index for index in range(gpus) if one[index] is not other[index]}
        for one, other in pairwise(trails)
    ]
    assert all(read)
    assert set().union(*read) == set(range(gpus))
    assert max(map(len, read)) <= max(2, gpus // 16)


def test_gauges_agree_with_the_grid_of_the_log() -> None:
    run = run_of(7, gpus=8, dialect="pytorch")
    dashboard, compared = Dashboard(simulation.run_of(run.job)), 0
    for number, event in enumerate(run.all(Status)):
        view = dashboard.view(event.at, 10.0 * number)
        for reading in event.gpus:
            gauge = view.cluster.read(reading.index)
            assert gauge.watts == reading.power_watts
            assert gauge.celsius == reading.temperature_c
            assert round(gauge.busy * 100) == reading.utilization
            assert round(gauge.gib * 1024) == reading.memory_mib
            compared += 1
    assert compared == 8 * 5


def test_the_latest_validation_is_on_the_board() -> None:
    run = run_of(7, gpus=8, dialect="pytorch")
    dashboard = Dashboard(simulation.run_of(run.job))
    for event in run.all(Validated):
        numbers = dashboard.view(event.at, 0.0).training.numbers
        assert ("number", "val", f"{event.loss:.4f}") in numbers, event.step
