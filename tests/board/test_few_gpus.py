"""One GPU to eight: what is worth its room on the board and on the wall."""

import re

import pytest

from llmsim.board.board import board, percent_of
from llmsim.board.gpu_panel import gpu_panel
from llmsim.board.letters import big, enlarged
from llmsim.board.poster import Closing, poster
from llmsim.board.wall import wall
from llmsim.board.wall_content import Wall
from llmsim.text.screen import Screen
from llmsim.text.style import Row
from tests.board.stage import still
from tests.board.test_board import texts, view_of

TERMINAL = Screen(80, 24, color=True, unicode=True, live=True)
CURVE = re.compile(r"┤.*[\u2801-\u28ff]{4}")  # a row of the loss with a number at its left


def on(width: int, height: int) -> Screen:
    return TERMINAL._replace(width=width, height=height)


@pytest.mark.parametrize("gpus", [1, 8])
@pytest.mark.parametrize("size", [(40, 15), (60, 20), (80, 24), (120, 40)])
def test_the_loss_has_a_curve_on_every_usual_screen(gpus: int, size: tuple[int, int]) -> None:
    """Also where one GPU could fill the rows alone."""
    rows = texts(board(still(7, gpus, 0.4), on(*size)))
    assert any(CURVE.search(row) for row in rows), rows


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_each_of_eight_gpus_has_its_numbers_on_the_wall(width: int) -> None:
    """A unit without a number says nothing."""
    view = view_of(8)
    assert view.wall is not None
    rows = texts(wall(view, view.wall(), [], on(width, 30)))
    for index in range(8):
        gauge = view.cluster.read(index)
        told = rf"│ +{index} .* {gauge.gib:.0f} .* {gauge.celsius} .* {gauge.watts}$"
        assert any(re.search(told, row.rstrip()) for row in rows), rows


@pytest.mark.parametrize("gpus", [1, 3, 8, 64])
@pytest.mark.parametrize("moment", ["launch", "middle"])
@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_hardware_is_in_the_heading(gpus: int, moment: str, width: int) -> None:
    """In short where the line is: what it is, without its memory."""
    heading = texts(board(view_of(gpus, moment), on(width, 24)))[0]
    assert f"{gpus} x H100" in heading


def test_the_first_fall_leaves_the_rows_of_the_wall_to_what_comes_after_it() -> None:
    """The loss falls from 10.3 to 2.6: by its logarithm the first tenth would have half of them."""
    more = Wall((), (("busy", "8 computing"),), lambda _first, _last: 1.0, "1.000", (), ())
    rows = texts(wall(still(7, 8, 0.9), more, [], on(120, 40)))
    numbers = [float(told[1]) for row in rows if (told := re.match(r" +([\d.]+) ┤", row))]
    assert len(numbers) >= 3
    assert max(numbers) < 2.6 + 0.4 * (10.3 - 2.6)


@pytest.mark.parametrize("width", [68, 72, 76, 80, 100])
def test_the_validation_is_whole_above_the_curve_of_a_narrow_wall(width: int) -> None:
    """With a shorter name where the longer one has no room."""
    view = view_of(8)
    assert view.wall is not None
    number = next(number for _, name, number in view.training.numbers if name == "val")
    rows = texts(wall(view, view.wall(), [], on(width, 20)))
    head = next(row for row in rows if row.startswith(" ─ loss "))
    assert re.search(rf"(◆|val|validation) {re.escape(number)} ", head), head


@pytest.mark.parametrize(("size", "times"), [((200, 50), 1), ((300, 80), 2), ((400, 110), 3)])
def test_numbers_grow_with_the_screen(size: tuple[int, int], times: int) -> None:
    """On the wall and on the poster, which are seen from afar; each keeps its place."""
    view, screen = view_of(8), on(*size)
    assert view.wall is not None
    closing = Closing((("loss", "training loss", "1.2345"),), "A joke.", "llmsim --seed 7")
    loss = view.training.numbers[0][2]
    shown = (wall(view, view.wall(), [], screen), loss), (poster(view, closing, screen), "1.2345")
    for rows, number in shown:
        text = texts(rows)
        assert all(
            any(row.rstrip() in line for line in text) for row in enlarged(big(number), times)
        )


@pytest.mark.parametrize("gpus", [2, 4, 6, 8])
@pytest.mark.parametrize("size", [(66, 22), (120, 38), (205, 38), (205, 30), (300, 60)])
def test_tiles_of_an_even_number_of_gpus_leave_no_hole(gpus: int, size: tuple[int, int]) -> None:
    """Where each GPU has graphs of its own, each row of tiles has as many."""
    panel = gpu_panel(still(7, gpus, 0.4).cluster, *size, TERMINAL)
    starts = [len(re.findall(r"\d util", text)) for text in map(text_of, panel.rows)]
    tiled = [count for count in starts if count]
    assert not tiled or (sum(tiled) == gpus and len(set(tiled)) == 1), tiled


def text_of(row: Row) -> str:
    return "".join(text for _, text in row)


@pytest.mark.parametrize("done", [0, 1, 17, 2126, 4448, 6999, 7065, 7100])
def test_a_part_of_the_steps_is_rounded_as_tqdm_rounds_it(done: int) -> None:
    """`'{:3.0f}%'.format(percentage)` of tqdm's format_meter; 100 % is the end alone."""
    told = int(f"{100 * done / 7100:3.0f}")
    assert percent_of(done / 7100) == (told if done == 7100 else min(told, 99))


@pytest.mark.parametrize("moment", ["launch", "middle"])
def test_a_name_is_whole_on_a_narrow_screen_before_it_says_on_what_it_runs(moment: str) -> None:
    """Not cut in one phase and whole in the next: the phases' names differ by two letters."""
    view = view_of(1, moment)._replace(titles=("ProcrastiLM-7B", "1 x H100", "run", "lora"))
    assert "ProcrastiLM-7B" in texts(board(view, on(40, 15)))[0]


@pytest.mark.parametrize("gpus", [1, 2])
def test_graphs_of_few_gpus_say_their_limits(gpus: int) -> None:
    """An H100 has 80 GB, of which the driver shows 79.6 GiB, and draws 700 W at most."""
    view = view_of(gpus)
    assert view.wall is not None
    rows = texts(wall(view, view.wall(), [], on(200, 50)))
    for name, limit in (("mem", "80 GiB"), ("power", "700 W")):
        heads = [number for number, row in enumerate(rows) if re.search(rf"\d?  ?{name} +\d", row)]
        assert heads
        assert re.search(rf" of +{limit}", rows[heads[0] + 1]), rows[heads[0] + 1]
