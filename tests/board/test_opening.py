"""The opening and the finale, and lines that scroll in above the board."""

from datetime import datetime

import pyte
import pytest

from llmsim.board.letters import ROWS, big, broken, titled, width
from llmsim.board.opening import opening
from llmsim.dialects.line import Bar, Render
from llmsim.dialects.registry import NAMES
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.events import PhaseEnded
from llmsim.run.simulation import events, run_of
from llmsim.show.dashboard import Dashboard
from llmsim.show.facts import facts
from llmsim.show.live_region import LiveRegion
from llmsim.show.pace import Pace
from llmsim.show.playback import Playback
from llmsim.show.player import play
from llmsim.text.screen import Screen
from llmsim.text.style import cut
from tests.board.stage import Terminal, still

START = datetime(2026, 1, 30, 12)


def screen_of(width: int, height: int) -> Screen:
    return Screen(width, height, color=True, unicode=True, live=True)


def at(seconds: float, screen: Screen, dialect: str, seed: int) -> Terminal:
    """The terminal at a second of a run's show of three minutes."""
    terminal, clock = Terminal(screen.width, screen.height), 0.0
    options = Options(dialect, seed=seed, start=START)
    region = LiveRegion(lambda: screen, Playback(0.0))
    for frame in play(plan(options), options, lambda: screen, region=region):
        clock += frame.delay
        if clock > seconds:
            break
        terminal.stream.feed(frame.text)
    return terminal


@pytest.mark.parametrize("dialect", NAMES)
@pytest.mark.long
def test_the_screen_is_full_after_a_second(dialect: str) -> None:
    """In every dialect; where its log is short, the name of the model stands in its place."""
    terminal = at(1.0, screen_of(80, 24), dialect, seed=3)
    rows = [terminal.row(number) for number in range(24)]
    log = rows[: next(number for number, row in enumerate(rows) if row.startswith("── "))]
    unused = len(log) - len("\n".join(log).rstrip().split("\n"))  # a log has blank lines, too
    assert unused <= 0.1 * 24, rows
    assert rows[-1].endswith(tuple("0123456789")), rows[-1]


FOUR_SIZES = [(80, 24), (120, 40), (200, 50), (40, 15)]


@pytest.mark.parametrize("size", FOUR_SIZES)
@pytest.mark.parametrize(("dialect", "seed"), [("nanogpt", 6), ("hf", 8), ("pytorch", 6)])
def test_one_gpu_fills_nine_rows_of_ten(dialect: str, seed: int, size: tuple[int, int]) -> None:
    """A second after the first line: the graphs of a GPU that does nothing yet leave most of the
    board's rows to the name and the facts.
    """
    assert plan(Options(dialect, seed=seed, start=START)).layout.gpus == 1
    rows = after_a_second(dialect, seed, size)
    assert sum(bool(row.strip()) for row in rows) >= 0.9 * size[1], rows


@pytest.mark.parametrize("size", FOUR_SIZES)
@pytest.mark.parametrize(
    ("dialect", "seed"), [("olmo", 8), ("olmo", 14), ("trl", 1), ("lightning", 24)]
)
def test_a_launch_fills_nine_rows_of_ten_with_ink(
    dialect: str, seed: int, size: tuple[int, int]
) -> None:
    """Where a framework prints empty lines at its launch, too."""
    rows = after_a_second(dialect, seed, size)
    assert sum(bool(row.strip()) for row in rows) >= 0.9 * size[1], rows


@pytest.mark.parametrize("free", [1, 2, 3, 6])
def test_no_fact_stands_alone_above_the_board(free: int) -> None:
    """Between a log that has nearly filled a screen and the board, where all other facts are."""
    wanted = Options("pytorch", seed=4, start=START, gpus=1024, recipe="pretrain")
    view = Dashboard(run_of(plan(wanted))).view(0.0, 0.0)
    card = opening(view, free, screen_of(200, 50))
    assert len(card.rows) == free
    assert sum(bool(row) for row in card.rows) == card.told == (free if free >= 3 else 0)


@pytest.mark.parametrize(("free", "stays"), [(40, True), (13, True), (11, False), (0, False)])
def test_a_large_screen_keeps_its_card_until_the_log_has_come_to_it(free: int, stays: bool) -> None:
    """A run that resumes makes its first step when a fifth of 100 rows is still blank."""
    card = opening(still(7, 8, 0.01), free, screen_of(400, 100))
    assert len(card.rows) == free
    assert card.big == stays
    assert any(card.rows) == stays


def after_a_second(dialect: str, seed: int, size: tuple[int, int]) -> list[str]:
    """The rows of a terminal a second after the first line of a run."""
    terminal, first = Terminal(*size), 0.0
    options, screen = Options(dialect, seed=seed, start=START), screen_of(*size)
    for frame in play(plan(options), options, lambda: screen):
        first = first or frame.shown * frame.lines
        if frame.shown > first + 1.0:
            break
        terminal.stream.feed(frame.text)
    return [terminal.row(number) for number in range(size[1])]


@pytest.mark.parametrize("size", [(40, 15), (80, 24), (120, 40), (200, 50)])
@pytest.mark.parametrize("gpus", [1, 8])
def test_no_fact_stands_above_the_board_and_on_it(gpus: int, size: tuple[int, int]) -> None:
    """What has no room in one place is in the other; the first fact is there in any case."""
    options, screen = Options("pytorch", gpus=gpus, seed=4, start=START), screen_of(*size)
    job, terminal, seconds = plan(options), Terminal(*size), [0.0, 0.5, 1.0, 2.0, 4.0]
    told = [f"{name}  {value}"[: size[0] // 3] for name, value in facts(job)]
    for frame in play(job, options, lambda: screen):
        while seconds and frame.shown > seconds[0]:
            rows = [terminal.row(number) for number in range(size[1])]
            counts = [sum(f" {fact}" in row for row in rows) for fact in told]
            assert counts[0] == 1, (seconds[0], rows)
            assert max(counts) == 1, (seconds[0], told[counts.index(max(counts))], rows)
            seconds.pop(0)
        if not seconds:
            break
        terminal.stream.feed(frame.text)


# A first step of each that takes long, on 16 or on 64 GPUs.
WAITING = [("nanotron", 9), ("maxtext", 11), ("mlperf", 3), ("mlperf", 4), ("trl", 8), ("nemo", 9)]


@pytest.mark.parametrize("size", [(80, 24), (40, 15)])
@pytest.mark.parametrize(("dialect", "seed"), WAITING)
def test_something_moves_within_a_second_of_a_long_step(
    dialect: str, seed: int, size: tuple[int, int]
) -> None:
    terminal, seen, changed = Terminal(*size), "", 0.0
    options, screen = Options(dialect, seed=seed, start=START), screen_of(*size)
    for frame in play(plan(options), options, lambda: screen):
        terminal.stream.feed(frame.text)
        shown = "\n".join(terminal.row(number) for number in range(size[1]))
        if shown != seen:
            assert frame.shown - changed <= 1.0, (changed, shown)
            seen, changed = shown, frame.shown
        if frame.shown > 15.0:
            break


def test_the_board_stands_at_the_bottom_from_the_first_frame() -> None:
    screen = screen_of(80, 24)
    terminal = at(0.0, screen, "pytorch", seed=3)
    assert "%" in terminal.row(23)
    assert terminal.row(14).startswith("── ")
    assert terminal.row(0).startswith("$ torchrun")


@pytest.mark.parametrize("seed", range(12))
def test_a_launch_takes_at_most_eight_seconds_of_three_minutes(seed: int) -> None:
    run = run_of(plan(Options("any", seed=seed, start=START)))
    ended = next(event.at for event in events(run) if isinstance(event, PhaseEnded))
    assert Pace(run, 180.0).shown(ended) <= 8.0


def test_letters_are_as_wide_as_they_say_and_break_where_words_do() -> None:
    for text in ("ButtGPT-420B", "1.8524", "x"):
        assert {len(row) for row in big(text)} == {width(text)}
        assert len(big(text)) == ROWS
    assert broken("NoIdeaWhyItWorks-2.9B", 60) == ["NoIdeaWhyIt", "Works-2.9B"]
    assert broken("Incomprehensibilities-7B", 20) == []
    assert titled("ButtGPT-420B", 80, 2, screen_of(80, 24)) == []


@pytest.mark.parametrize("most", [1, 2, 3, 5])
def test_letters_are_as_large_as_there_is_room_for(most: int) -> None:
    """Each dot of a letter has as many dots in each direction, so that its shape stays."""
    name, screen = "ButtGPT-420B", screen_of(400, 100)
    ink = sum({"█": 2, "▀": 1, "▄": 1}.get(cell, 0) for row in big(name) for cell in row)
    rows = titled(name, 3 * width(name), 90, screen, most)
    times = min(most, 3)
    assert len(rows) == times * ROWS
    assert {len(row) for row in rows} == {times * width(name)}
    cells = "".join(rows)
    assert 2 * cells.count("█") + cells.count("▀") + cells.count("▄") == ink * times**2
    assert len(titled(name, 400, 2 * ROWS + 1, screen, most)) == ROWS * min(most, 2)


def test_a_comma_in_big_letters_is_no_point_from_afar() -> None:
    """It reaches below the digits, where a point has nothing, and takes more room."""
    below = {text: any(glyph in "▄█" for glyph in big(text)[-1]) for text in "0123456789.,"}
    assert [text for text, reaches in below.items() if reaches] == [","]
    assert width("12,345") > width("12.345")


@pytest.mark.parametrize(
    ("letter", "others"), [("B", "03689"), ("D", "08B"), ("K", "HX"), ("%", "Z2")]
)
def test_big_letters_are_not_taken_for_others(letter: str, others: str) -> None:
    """B looked like an 8 behind the tokens, and K like an H: a dot or two made the difference."""
    for other in others:
        both = [[row.ljust(5) for row in big(text)] for text in (letter, other)]
        cells = zip(*map("".join, both), strict=True)
        dots = {" ": 0, "▀": 1, "▄": 2, "█": 3}
        differing = sum((dots[one] ^ dots[two]).bit_count() for one, two in cells)
        assert differing >= 3, (letter, other)


def test_a_painted_line_is_cut_by_its_cells_and_keeps_its_codes() -> None:
    assert cut("\x1b[1mabc\x1b[0mdef", 4) == "\x1b[1mabc\x1b[0md"
    assert cut("abc", 5) == "abc"


def test_lines_scroll_in_above_the_board_and_do_not_touch_it() -> None:
    """What is written for a line is the line itself and a few codes, once the screen is full."""
    screen, view = screen_of(80, 24), still(7, 8, 0.4)
    terminal, region = Terminal(80, 24), LiveRegion(lambda: screen, Playback(0.0))
    terminal.stream.feed(region.draw(lambda: view))
    told = [f"line {number}" for number in range(60)]
    for line in told:
        text = region.draw(lambda: view, [line])
        terminal.stream.feed(text)
    assert len(text) < 80
    shown = terminal.shown()
    assert [row for row in shown if row.startswith("line ")] == told
    assert terminal.row(23).endswith("2:31:12")


def test_a_pause_is_told_in_the_heading_and_moves_nothing() -> None:
    screen, view = screen_of(80, 24), still(7, 8, 0.4)
    playback = Playback(0.0, 4.0)
    terminal, region = Terminal(80, 24), LiveRegion(lambda: screen, playback)
    terminal.stream.feed(region.draw(lambda: view, ["a line of the log"]))
    before = [terminal.row(number) for number in range(24)]
    playback.pause(True, 0.0)
    terminal.stream.feed(region.redrawn())
    after = [terminal.row(number) for number in range(24)]
    changed = [row for old, row in zip(before, after, strict=True) if old != row]
    assert len(changed) == 1
    assert "paused 4x" in changed[0]


def test_a_pause_does_not_bring_a_bar_that_is_ahead_of_the_board() -> None:
    """What is drawn is of one moment, also if something has come since the last tick."""
    screen, view = screen_of(80, 24), still(7, 8, 0.4)
    job, playback = plan(Options("pytorch", seed=3, start=START)), Playback(0.0)
    terminal, region = Terminal(80, 24), LiveRegion(lambda: screen, playback)

    def bar(done: int) -> Render:
        return lambda _event, _job, _screen: iter([Bar(lambda: f"{done}/9", "Epoch", done / 9)])

    region.lines(bar(3), None, job)
    terminal.stream.feed(region.draw(lambda: view))
    region.lines(bar(4), None, job)
    playback.pause(True, 0.0)
    terminal.stream.feed(region.redrawn())
    shown = "\n".join(terminal.display)
    assert "paused" in shown
    assert "3/9" in shown
    terminal.stream.feed(region.draw(lambda: view))
    assert "4/9" in "\n".join(terminal.display)


@pytest.mark.parametrize(("wide", "high"), [(60, 20), (120, 40), (40, 12), (80, 24)])
def test_after_a_resize_the_screen_is_that_of_a_fresh_drawing(wide: int, high: int) -> None:
    """Whatever a terminal has made of its rows, one repaint puts the end of the log above."""
    screens, view = [screen_of(100, 30)], still(7, 64, 0.4)
    terminal, region = Terminal(100, 30), LiveRegion(lambda: screens[-1], Playback(0.0))
    told = [f"line {number}" for number in range(80)]
    terminal.stream.feed(region.draw(lambda: view))
    terminal.stream.feed(region.draw(lambda: view, told))
    terminal.grow_or_shrink(wide, high)
    terminal.stream.feed("debris\r")
    screens.append(screen_of(wide, high))
    terminal.stream.feed(region.draw(lambda: view))
    fresh = pyte.Screen(wide, high)
    fresh.set_mode(pyte.modes.LNM)
    stream, other = pyte.Stream(fresh), LiveRegion(lambda: screens[-1], Playback(0.0))
    stream.feed(other.draw(lambda: view))
    stream.feed(other.draw(lambda: view, told))
    assert list(terminal.display) == list(fresh.display)


def title(terminal: Terminal) -> int:
    """Rows of big letters above the board; a bar has such blocks, too, behind a percentage."""
    rows = [terminal.row(number) for number in range(terminal.lines)]
    above = rows[: next(number for number, row in enumerate(rows) if row.startswith("── "))]
    return sum(bool(set(row) & set("▀▄█")) and "%" not in row for row in above)


@pytest.mark.parametrize("size", [(46, 60), (80, 24), (120, 40)])
def test_no_line_leaves_a_part_of_the_big_name(size: tuple[int, int]) -> None:
    """A line that runs into the name moves it, at once: no tick comes between them."""
    screen = screen_of(*size)
    terminal = Terminal(*size)
    options = Options("pytorch", model="ButtGPT-420B", seed=7, start=START, incidents="none")
    region, with_lines, by_the_clock = LiveRegion(lambda: screen, Playback(0.0)), {0}, {0}
    for frame in play(plan(options), options, lambda: screen, region=region):
        terminal.stream.feed(frame.text)
        if frame.text:
            (with_lines if frame.lines else by_the_clock).add(title(terminal))
        if frame.shown > 12:
            break
    assert by_the_clock - {0}, "no name has been seen"
    assert with_lines <= by_the_clock, size


@pytest.mark.parametrize("width", [46, 80])
def test_lines_that_are_wider_than_a_terminal_are_whole_after_a_resize(width: int) -> None:
    """As the terminal itself has wrapped them, which is what a terminal does."""
    before, after = screen_of(width + 30, 30), screen_of(width, 30)
    screens, lines = [before], [f"{number} " + "log " * 40 + "end" for number in range(40)]
    region = LiveRegion(lambda: screens[-1], Playback(0.0))
    region.draw(lambda: still(7, 8, 0.4), lines)
    screens.append(after)
    terminal, plain = Terminal(*after[:2]), Terminal(*after[:2])
    terminal.stream.feed(region.draw(lambda: still(7, 8, 0.4)))
    rows = [terminal.row(number) for number in range(30)]
    log = rows[: next(number for number, row in enumerate(rows) if row.startswith("── "))]
    plain.stream.feed("".join(f"{line}\n" for line in lines))
    wrapped = [plain.row(number) for number in range(29)]
    assert log == wrapped[-len(log) :]
