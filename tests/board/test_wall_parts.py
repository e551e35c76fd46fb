"""What stands on the wall: its numbers and its log."""

import re
from datetime import datetime

import pytest

from llmsim.board.board import View, board
from llmsim.board.wall import wall
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.events import Evaluated, Summary
from llmsim.run.simulation import events, run_of
from llmsim.run.timeline import Run, run_ended
from llmsim.show.dashboard import Dashboard, closing
from llmsim.show.live_region import LiveRegion
from llmsim.show.pace import Pace
from llmsim.show.playback import Playback
from llmsim.show.player import play
from llmsim.text import units
from llmsim.text.screen import Screen
from llmsim.text.style import Row, cells
from tests.board.stage import DURATION, Terminal

START = datetime(2026, 1, 30, 12)
WANTED = Options(seed=9, start=START, gpus=1024, recipe="pretrain", incidents="none")


def screen_of(width: int, height: int) -> Screen:
    return Screen(width, height, color=True, unicode=True, live=True)


def text_of(row: Row) -> str:
    return "".join(text for _, text in row)


def a_run(*incidents: str) -> Run:
    return run_of(plan(WANTED._replace(incident=incidents)))


def rows_at(run: Run, at: float, screen: Screen) -> tuple[View, list[str]]:
    """The view of a moment, and its wall."""
    view = Dashboard(run).view(at, 1.0)
    assert view.wall
    return view, [text_of(row) for row in wall(view, view.wall(), ["a line"] * 20, screen)]


@pytest.mark.parametrize(("kind", "gone"), [("gpu-lost", 1), ("node-fail", 8)])
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_a_wall_counts_what_is_gone(kind: str, gone: int, size: tuple[int, int]) -> None:
    """As many as stand red on the map: a node takes its GPUs along. Where not all has room, what
    is wrong is whole.
    """
    run = a_run(f"{kind}@40%")
    down = next(segment for segment in run.timeline if segment.kind == "outage")
    view, rows = rows_at(run, (down.began + down.ended) / 2, screen_of(*size))
    assert len(view.cluster.faulty) == gone
    rank = view.cluster.faulty[0] if gone == 1 else r"\d+"
    word = ", rank" if gone == 1 else " with rank"
    head = next(row for row in rows if " lost" in row)
    assert re.search(rf"\b{gone} lost{word} {rank}\b", head)
    others = re.search(r"([\d,]+) idle", head)
    assert not others or others[1] == f"{1024 - gone:,}"


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (90, 40), (120, 40)])
def test_a_small_wall_has_all_numbers_too(size: tuple[int, int]) -> None:
    run = a_run()
    view, rows = rows_at(run, 0.4 * run_ended(run), screen_of(*size))
    if size[0] >= 80:
        assert any("MFU" in row for row in rows)
        assert any(re.search(r"\bread\b", row) for row in rows)
    if size[0] < 100:
        mfu = next(number for _, name, number in view.training.numbers if name == "mfu")
        shown = re.search(r"MFU ([\d.]+%)", rows[1])
        assert shown
        assert shown[1] == mfu.split()[0]


def test_a_small_wall_says_in_colour_that_no_tokens_come() -> None:
    """As the board does: 0 in the blue of a throughput is easily passed over."""
    wanted = Options(seed=7, start=START, gpus=1024, incidents="none", incident=("gpu-lost@50%",))
    run, screen = run_of(plan(wanted)), screen_of(80, 24)
    outage = next(each for each in run.timeline if each.kind == "outage")
    view = Dashboard(run).view((outage.began + outage.ended) / 2, 1.0)
    assert view.wall
    row = wall(view, view.wall(), [], screen)[1]
    assert [role for role, text in row if text.strip() == "0"] == [view.training.alarm[0]]


def test_the_strips_of_a_wall_have_their_ends() -> None:
    """The highest and the lowest value of what is drawn."""
    run, screen = a_run(), screen_of(160, 45)
    view, rows = rows_at(run, 0.5 * run_ended(run), screen)
    place = next(number for number, row in enumerate(rows) if row.startswith(" ─ tokens/s "))
    high, low = (rows[place + row].split()[0] for row in (1, 3))
    first, last = 1, view.training.step
    speeds = [
        view.training.throughput(step, step) for step in range(first, last, max(1, last // 300))
    ]
    assert low != high
    sizes = [float(text[:-1]) * {"K": 1e3, "M": 1e6}[text[-1]] for text in (low, high)]
    assert min(speeds) <= sizes[0] * 1.01 < sizes[1] <= max(speeds) * 1.01
    assert units.short(sizes[1]) == high


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (160, 45)])
def test_the_log_on_a_wall_is_written_for_its_width(size: tuple[int, int]) -> None:
    """Its lines have a margin, so that what is laid out for a whole screen would be cut."""
    screen, terminal = screen_of(*size), Terminal(*size)
    region = LiveRegion(lambda: screen, Playback(0.0))
    region.wall = True
    for frame in play(plan(WANTED), Options(duration=DURATION), lambda: screen, region=region):
        terminal.stream.feed(frame.text)
        if frame.shown > 0.6 * DURATION:
            break
    steps = [row for row in terminal.display if re.search(r"step +[\d,]+/[\d,]+ +.*loss", row)]
    assert steps
    assert not any("…" in row for row in steps), steps
    assert max(cells(line) for line in region._tail) <= size[0] - 2


@pytest.mark.parametrize("step", [5, 40, 400])
def test_a_slow_first_step_does_not_flatten_the_others(step: int) -> None:
    """Also while each step is many columns wide."""
    run, screen = a_run(), screen_of(160, 45)
    view = Dashboard(run).view(0.5 * run_ended(run), 1.0)
    assert view.wall

    def speed(first: int, last: int) -> float:
        return 1000.0 if first == 1 else 9000.0 + 10.0 * (last % 8)

    training = view.training._replace(step=step, throughput=speed)
    drawn = wall(view._replace(training=training), view.wall(), ["a line"], screen)
    rows = [text_of(row) for row in drawn]
    place = next(number for number, row in enumerate(rows) if row.startswith(" ─ tokens/s "))
    high, low = (rows[place + row][:7].strip() for row in (1, 3))
    assert high.startswith("9.0")
    assert not low or low.startswith("9.0")


@pytest.mark.parametrize("dialect", ["nanotron", "nemo", "maxtext"])
@pytest.mark.parametrize("wall", [True, False])
def test_line_ends_and_tabs_in_a_line_leave_no_debris(dialect: str, wall: bool) -> None:
    """Nanotron's lines have several rows, and a tab does not clear the cells that it skips."""
    screen, terminal = screen_of(120, 40), Terminal(120, 40)
    options = Options(dialect, seed=3, start=START, duration=DURATION)
    region, checked = LiveRegion(lambda: screen, Playback(0.0)), 0
    region.wall = wall
    for number, frame in enumerate(play(plan(options), options, lambda: screen, region=region)):
        terminal.stream.feed(frame.text)
        if frame.shown > 10.0:
            break
        if frame.text and number % 3 == 0 and region._rows:
            fresh = Terminal(120, 40)
            fresh.stream.feed("\n".join([*list(region._tail)[-40:], *region._rows]))
            shown, wanted = terminal.display, fresh.display
            rows = len(region._rows)
            assert shown[-rows:] == wanted[-rows:], number
            checked += 1
    assert checked > 5
    assert not any(mark in line for line in region._tail for mark in "\n\t")


def exported_run() -> Run:
    """A run that comes to its export: the other has a time limit."""
    return run_of(plan(WANTED._replace(gpus=64, steps=2000)))


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_no_token_is_read_while_the_model_is_exported(part: float) -> None:
    """Its large digits said 4,642,295 tokens per second beside GPUs at 2 % and silent links."""
    run = exported_run()
    export = next(segment for segment in run.timeline if segment.kind == "export")
    before, _ = rows_at(run, export.began - 1.0, screen_of(160, 45))
    view, _ = rows_at(run, export.began + part * (export.ended - export.began), screen_of(160, 45))
    for each, idle in ((before, False), (view, True)):
        assert each.wall
        numbers = {figure.name: figure.number for figure in each.wall().numbers}
        assert (numbers["tokens per second"] == "0") == idle
        assert (each.training.throughput_number.strip() == "0") == idle
        mfu = next(number for _, name, number in each.training.numbers if name == "mfu")
        assert mfu.startswith("0.0% ") == idle


def test_the_bar_of_the_benchmarks_after_an_export_says_that_they_are_the_final_ones() -> None:
    run = exported_run()
    done = next(event for event in events(run) if isinstance(event, Evaluated))
    _, rows = rows_at(run, done.at - done.seconds / 2, screen_of(160, 45))
    assert rows[-1].startswith(" Final benchmarks ")


@pytest.mark.parametrize("gpus", [8, 1024])
def test_the_power_of_a_wall_has_its_limit(gpus: int) -> None:
    """The sum of the limits of all GPUs, as nvtop has 100 % at the top of each graph."""
    run = run_of(plan(WANTED._replace(gpus=gpus, gpu="NVIDIA H100 80GB HBM3")))
    limit = {8: "5.6 kW", 1024: "716.8 kW"}[gpus]  # 700 W each, by NVIDIA's sheet
    at = 0.4 * run_ended(run)
    _, rows = rows_at(run, at, screen_of(160, 45))
    head = next(number for number, row in enumerate(rows) if "─ power " in row)
    foot = next(number for number, row in enumerate(rows) if "─ links " in row)
    assert f" {limit} ┤" in rows[head + 1]
    assert " 0 kW ┤" in rows[foot - 1]
    small = next(row for row in rows_at(run, at, screen_of(80, 24))[1] if "─ power " in row)
    assert small.rstrip().endswith(f" 0 to {limit} ─")


def test_the_links_of_a_wall_have_a_round_number_above_them() -> None:
    run, screen = a_run(), screen_of(160, 45)
    pace = Pace(run, DURATION)
    shown = pace.shown(0.4 * run_ended(run))
    view = Dashboard(run, pace.simulated).view(pace.simulated(shown), shown)
    assert view.wall
    rows = [text_of(row) for row in wall(view, view.wall(), [], screen)]
    head = next(number for number, row in enumerate(rows) if "─ links " in row)
    top = re.search(r" (\d+\.?\d*) (.B/s) ┤", rows[head + 1])
    assert top
    size = {"GB/s": 1.0, "TB/s": 1e3, "PB/s": 1e6}[top[2]]
    most = max(view.cluster.links(100)) / size
    assert most <= float(top[1]) <= 1.7 * most
    assert len(top[1].replace(".", "").strip("0")) <= 2


@pytest.mark.parametrize(("kind", "words"), [("checkpoint", "save"), ("validation", "validation")])
def test_the_speed_is_grey_while_training_waits(kind: str, words: str) -> None:
    """Its large digits stayed blue during a save, as if steps were made."""
    run, screen = a_run(), screen_of(160, 45)
    during = [segment for segment in run.timeline if segment.kind == kind][1]
    for at, waits in ((during.began - 1e-3, False), ((during.began + during.ended) / 2, True)):
        view, rows = rows_at(run, at, screen)
        assert view.wall
        roles = {figure.name: figure.role for figure in view.wall().numbers}
        assert (roles["tokens per second"], roles["MFU"]) == (
            ("label", "label") if waits else ("throughput", "mfu")
        )
        assert any(f"tokens per second before the {words}" in row for row in rows) == waits
        small = [span for row in board(view, screen_of(80, 24)) for span in row]
        assert (("label", view.training.throughput_number) in small) == waits


def test_the_lines_of_a_wall_have_a_key() -> None:
    run = a_run("gpu-lost@40%")
    down = next(segment for segment in run.timeline if segment.kind == "outage")
    first = next(segment for segment in run.timeline if segment.kind == "training")
    heads = []
    for at in (first.ended - 1e-3, down.began - 1e-3, down.ended):
        _, rows = rows_at(run, at, screen_of(160, 45))
        heads.append(next(row for row in rows if row.startswith(" ─ loss ")).partition("│  ─")[0])
    assert [("┊ save" in head, "│ failure" in head) for head in heads] == [
        (False, False), (True, True), (True, True),
    ]  # fmt: skip


def test_what_is_read_of_a_part_and_of_the_whole_have_their_names() -> None:
    """A wall said 96.2B tokens, and the poster after it 20.7B."""
    part, whole = a_run(), exported_run()
    assert part.job.schedule.first_step > 1 == whole.job.schedule.first_step
    for run, names in (
        (part, ("tokens read since step 1", "tokens of this job")),
        (whole, ("tokens read", "tokens")),
    ):
        ended = next(event for event in events(run) if isinstance(event, Summary))
        _, rows = rows_at(run, 0.5 * run_ended(run), screen_of(160, 45))
        below = next(row for row in rows if "training loss" in row)
        last = closing(ended, run.job).numbers
        assert (re.split(r" {3,}", below.strip())[-1], last[-2][1]) == names
