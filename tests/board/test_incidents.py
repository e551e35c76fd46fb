"""The board when something breaks: who is to blame, what is gone, where the curve was cut."""

import re
from datetime import datetime
from functools import cache

import pytest

from llmsim.board.board import board
from llmsim.board.gpu_panel import gpu_panel
from llmsim.board.letters import big
from llmsim.board.plots import loss_curve
from llmsim.board.training import Training
from llmsim.board.wall import wall
from llmsim.job.records import Asked
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.events import Failed, Incident
from llmsim.run.moment import state
from llmsim.run.simulation import run_of
from llmsim.run.timeline import Run, Segment
from llmsim.show.dashboard import Dashboard
from llmsim.show.gauge_readings import Readings
from llmsim.show.pace import Pace
from llmsim.show.player import play
from llmsim.text.screen import TRUECOLOR, Screen
from llmsim.text.style import REVERSE, ROLES, Row
from tests.board.stage import Terminal
from tests.incidents.told import job_on

START = datetime(2026, 1, 30, 12)
SIZES = [(80, 24), (120, 40), (200, 60)]


@cache
def run_with(kind: str, gpus: int = 16) -> tuple[Run, Incident, Segment]:
    """A run, its one incident, and the segment in which it is told."""
    run = run_of(job_on(7, gpus=gpus)._replace(asked=(Asked(kind, "share", 0.5, rank=5),)))
    for segment in run.timeline:
        for event in segment.events:
            if isinstance(event, Incident):
                return run, event, segment
    raise AssertionError(kind)


def rows(run: Run, at: float, size: tuple[int, int]) -> list[Row]:
    screen = Screen(*size, color=True, unicode=True, live=True, colors=TRUECOLOR)
    return board(Dashboard(run).view(at, 0.0), screen)


def errors(shown: list[Row]) -> list[str]:
    """The texts in the colour of errors, or filled with it."""
    return [text.strip() for row in shown for role, text in row if role in ("error", "down")]


def words(shown: list[Row]) -> str:
    return "\n".join("".join(text for _, text in row) for row in shown)


@pytest.mark.parametrize("size", SIZES)
def test_nobody_knows_who_it_was_before_the_watchdog_says_so(size: tuple[int, int]) -> None:
    run, label, segment = run_with("nccl-timeout")
    silent = rows(run, 0.5 * (label.at + label.detected), size)
    assert "no step for 0:0" in words(silent)
    assert "nccl-timeout" not in words(silent)
    assert "eta" not in words(silent)
    (failed,) = [event for event in segment.events if isinstance(event, Failed)]
    known = rows(run, 0.5 * (label.detected + failed.at), size)
    assert "nccl-timeout" in words(known)
    assert "5" in errors(known)


@pytest.mark.parametrize("size", SIZES)
def test_a_board_says_no_more_of_a_failure_than_a_person_knows(size: tuple[int, int]) -> None:
    """How long nothing has come is known, and when the watchdog ends a hang; the end is not. No
    tokens are read meanwhile, whatever the last line says.
    """
    run, label, segment = run_with("nccl-timeout")
    silent = words(rows(run, label.at + 300.0, size))
    assert "no step for 0:05:0" in silent
    assert "50%" in silent  # of the ten minutes of torch's process group
    assert "FAILURE" in silent
    assert not re.search(r"FAILURE +\d", silent)  # no part of a time that nobody knows
    outage = words(rows(run, segment.ended + 60.0, size))
    assert "down for 0:12:" in outage
    assert "eta" not in outage
    assert "%" not in outage.splitlines()[-1]
    for shown in (silent, outage):
        assert re.search(r"tok/s +0\b|0\.0% of", shown), shown


def test_the_wall_has_a_word_for_what_became_of_the_rank_at_fault() -> None:
    for kind, word in (("nccl-timeout", "hung"), ("gpu-lost", "lost"), ("cuda-oom", "failed")):
        run, _, segment = run_with(kind)
        view = Dashboard(run).view(segment.ended - 0.01, 0.0)
        assert view.wall
        shown = view.wall()
        assert shown.doing[-1][1] == f"1 {word}, rank 5", kind
        assert [each.number for each in shown.numbers if "tokens per" in each.name] == ["0"]


@pytest.mark.parametrize("kind", ["gpu-lost", "cuda-oom", "nan", "nccl-timeout"])
def test_nothing_stands_before_anything_has_broken(kind: str) -> None:
    """A board said "stall" for up to half of a failure, while all GPUs computed a step as ever."""
    run, label, segment = run_with(kind)
    assert segment.began < label.at
    for at in (segment.began + 1e-3, 0.5 * (segment.began + label.at)):
        view = Dashboard(run).view(at, 0.0)
        assert view.wall
        assert (view.phase, view.band, view.training.alarm) == ("training", "", ())
        assert [text for _, text in view.wall().doing] == ["16 computing"]
        assert view.left
        assert not view.training.throughput_number.startswith("0 ")
    broken = Dashboard(run).view(label.detected, 0.0)
    assert (broken.phase, broken.band) == ("failure", "down")


def test_the_wall_counts_a_lost_gpu_before_anybody_knows_the_cause() -> None:
    """The panel beside it has a cross already, and cannot say "16 waiting"."""
    run, label, _ = run_with("gpu-lost")
    seen = 0
    for share in range(1, 100):
        view = Dashboard(run).view(label.at + (label.detected - label.at) * share / 100, 0.0)
        assert view.wall
        if view.cluster.gone:
            doing = [text for _, text in view.wall().doing]
            assert doing[0].startswith("15 "), share
            assert doing[-1] == "1 lost", share
            seen += 1
    assert seen


@pytest.mark.parametrize("gpus", [1, 8])
@pytest.mark.parametrize("size", SIZES)
def test_what_was_read_of_a_lost_gpu_stays_in_grey(size: tuple[int, int], gpus: int) -> None:
    """Half of a board of one GPU was blank. After the loss there are no readings."""
    run = run_of(job_on(7, gpus=gpus)._replace(asked=(Asked("gpu-lost", "share", 0.5, rank=0),)))
    number = next(n for n, segment in enumerate(run.timeline) if segment.kind == "outage")
    at, pace = run.timeline[number].ended - 1.0, Pace(run, 180.0)
    view = Dashboard(run, pace.simulated).view(at, pace.shown(at))
    assert view.cluster.gone == (0,)
    past = [each.fault for each in view.cluster.trail(0, 400).gauges]
    assert {past[0], past[-1]} == {"", "gone"}
    assert past == sorted(past)
    screen = Screen(*size, color=True, unicode=True, live=True, colors=TRUECOLOR)
    panel = gpu_panel(view.cluster, size[0] // 2, 16, screen, whole=False)
    mine = panel.rows[: len(panel.rows) // gpus]
    shapes = [role for row in mine for role, text in row if set(text) & set("⣿⡇█▇▆▅")]
    assert shapes
    assert set(shapes) == {"track"}


@pytest.mark.parametrize("step", [850, 1000, 1200, 1900])
def test_the_mark_of_an_incident_stands_on_the_curve(step: int) -> None:
    """Also while the curve has not reached the end of its width."""
    shown = Training(
        step=step,
        steps=2000,
        loss=lambda _first, last: 2.0 + 8.0 / (1.0 + last / 300),
        rate=float,
        throughput=lambda _first, _last: 1.0,
        numbers=(),
        rate_number="-",
        throughput_number="-",
        broken=(400,),
    )
    screen = Screen(120, 40, color=True, unicode=True, live=True)
    cells = words(loss_curve(shown, 90, 20, screen)).splitlines()
    ((row, place),) = [
        (number, line.index("×")) for number, line in enumerate(cells) if "×" in line
    ]
    tops = [
        next(number for number, line in enumerate(cells) if line[beside] not in " ·")
        for beside in (place - 1, place + 1)
    ]
    assert tops[0] - 1 <= row <= tops[1] + 1


SEEN_FROM_AFAR = {
    "nccl-timeout": ("HANG", "down", "FAILURE"),
    "gpu-lost": ("LOST", "down", "FAILURE"),
    "cuda-oom": ("FAILED", "down", "FAILURE"),
    "preempt": ("STOP", "stopped", "STOPPED"),  # by agreement: nothing is broken
}


@pytest.mark.parametrize("kind", SEEN_FROM_AFAR)
def test_a_failure_is_seen_from_the_other_end_of_a_room(kind: str) -> None:
    """A band across the screen, filled, so that a screen of one colour shows it, too; and a word in
    large letters in the place of a number that would be zero.
    """
    run, _, segment = run_with(kind)
    word, role, phase = SEEN_FROM_AFAR[kind]
    at = segment.ended - 0.01
    stands = next(each for each in run.timeline if each.kind == "failure")
    at = at if segment.kind == "failure" else stands.ended - 0.01
    view = Dashboard(run).view(at, 0.0)
    assert view.wall
    screen = Screen(160, 60, color=True, unicode=True, live=True, colors=TRUECOLOR)
    for shown in (board(view, screen), wall(view, view.wall(), [], screen)):
        ((band, text),) = shown[0]
        assert (band, phase in text, len(text)) == (role, True, screen.width - 1), kind
        assert REVERSE in ROLES[band][1].split(";")
        assert big(word)[0] in words(shown), (kind, word)
    assert "preempt" in view.doing or kind != "preempt"
    assert view.cluster.faulty == (() if kind == "preempt" else (5,))


@pytest.mark.parametrize("width", [100, 160, 240])
def test_no_number_of_the_wall_moves_when_no_token_is_read(width: int) -> None:
    run, label, segment = run_with("gpu-lost")
    screen = Screen(width, 45, color=True, unicode=True, live=True, colors=TRUECOLOR)
    names = []
    for at in (label.at - 1.0, segment.ended - 0.01):
        view = Dashboard(run).view(at, 0.0)
        assert view.wall
        shown = words(wall(view, view.wall(), [], screen)).splitlines()
        row = next(row for row in shown if "MFU" in row)
        names.append([row.find(name) for name in ("tokens per", "MFU", "tokens read")])
    assert names[0] == names[1]


@pytest.mark.parametrize("size", SIZES)
def test_a_lost_gpu_has_a_cross_and_no_numbers(size: tuple[int, int]) -> None:
    run, label, segment = run_with("gpu-lost")
    before = rows(run, label.at - 30.0, size)
    assert "×" not in words(before)
    during = rows(run, segment.ended - 0.01, size)
    assert "5" in errors(during)
    assert errors(during).count("×") >= 4
    after = rows(run, label.over + 900.0, size)
    assert "5" not in errors(after)


def test_a_dead_node_has_crosses_alone() -> None:
    run, label, segment = run_with("node-fail", gpus=64)
    during = rows(run, segment.ended - 0.01, (80, 24))
    name = label.hostname.rpartition("-")[2].lstrip("0")
    assert any(text.endswith(name) for text in errors(during)), errors(during)
    assert any("××××××××" in text for text in errors(during)), errors(during)


@pytest.mark.parametrize("kind", ["gpu-lost", "preempt", "loss-spike"])
def test_the_curve_has_a_mark_where_it_broke(kind: str) -> None:
    run, label, _ = run_with(kind)
    for size in SIZES:
        assert "×" in errors(rows(run, label.over + 1200.0, size)), size


@pytest.mark.parametrize("size", SIZES)
def test_the_next_attempt_is_counted_and_so_is_what_the_time_was_good_for(
    size: tuple[int, int],
) -> None:
    run, label, _ = run_with("gpu-lost")
    first, second = (words(rows(run, at, size)) for at in (label.at - 30.0, label.over + 900.0))
    assert "attempt 2" in second
    assert "goodput" in second
    assert "attempt" not in first
    assert "goodput" not in first


def test_an_outage_shows_no_gpu_as_busy() -> None:
    """An outage of hours takes some seconds of the show, in which few GPUs have their turn."""
    for kind in ("cuda-oom", "nccl-timeout", "gpu-lost"):
        run = run_with(kind, gpus=64)[0]
        outage = next(each for each in run.timeline if each.kind == "outage")
        pace = Pace(run, 180.0)
        for after in (0.3, 1.0):  # a beat later, and some
            shown = pace.shown(outage.began) + after
            at = pace.simulated(shown)
            seen = Readings(run, pace.simulated).cluster(state(run, at), shown, 1.0)
            busy = [seen.read(index).busy for index in range(64)]
            assert max(busy) < 0.1, (kind, after, busy)


@pytest.mark.parametrize("kind", ["thermal", "preempt", "straggler"])
def test_no_gpu_computes_while_a_job_that_was_asked_to_stop_ends(kind: str) -> None:
    """The last step is made and its save goes on in the background: 700 W stood there for it."""
    options = Options(seed=11, gpus=8, start=START, incident=(f"{kind}@50%",))
    run = run_of(plan(options._replace(recipe="sft", incidents="none")))
    ending = next(each for each in run.timeline if each.kind == "failure")
    assert any(getattr(event, "name", "") == "stopped in order" for event in ending.events)
    at = 0.5 * (ending.began + ending.ended)
    view = Dashboard(run).view(at, 0.0)
    assert view.wall
    assert "computing" not in " ".join(text for _, text in view.wall().doing)
    assert max(view.cluster.read(index).power for index in range(8)) < 0.5


@pytest.mark.parametrize("gpus", [1, 8])
def test_a_launch_that_fails_has_no_weights_on_its_gpus(gpus: int) -> None:
    options = Options(seed=11, gpus=gpus, start=START, incident=("init-fail@50%",))
    run = run_of(plan(options._replace(incidents="none")))
    failed = next(each for each in run.timeline if each.kind == "failure")
    for part in (0.1, 0.5, 0.9):
        at = failed.began + part * (failed.ended - failed.began)
        view = Dashboard(run).view(at, 0.0)
        assert max(view.cluster.read(index).gib for index in range(gpus)) < 5.0
        assert max(view.cluster.read(index).busy for index in range(gpus)) < 0.3


@pytest.mark.parametrize("gpus", [4, 8, 64, 256])
@pytest.mark.parametrize("pace", [8.0, 100.0])
def test_no_reading_is_older_at_a_higher_speed(gpus: int, pace: float) -> None:
    """Four show seconds at most: at 1,024x a GPU once showed what it did an eighth of a run ago."""
    run = run_of(job_on(7, gpus=gpus))
    shows = Pace(run, 180.0)
    training = next(each for each in run.timeline if each.kind == "training")
    moment = state(run, 0.5 * (training.began + training.ended))
    shown = shows.shown(moment.at)
    readings = Readings(run, shows.simulated)
    readings.cluster(state(run, 0.0), 0.0, pace)
    cluster = readings.cluster(moment, shown, pace)
    began = shows.shown(training.began)
    assert shown - began > 4.0, "the moment is too early to tell"
    assert min(cluster.read(index).busy for index in range(gpus)) > 0.5
    assert min(cluster.celsius(tuple(range(gpus)))) > 40


@pytest.mark.parametrize(("dialect", "ends"), [("pytorch", "in order"), ("hf", "by Slurm")])
def test_of_what_slurm_ends_no_rank_is_to_blame(dialect: str, ends: str) -> None:
    """A preempted run of a framework that handles SIGTERM has saved, and exits with 0."""
    asked = (Asked("straggler", "share", 0.3, rank=9), Asked("preempt", "share", 0.5, rank=5))
    run = run_of(job_on(7, gpus=16, dialect=dialect)._replace(asked=asked))
    (event,) = [
        event
        for segment in run.timeline
        for event in segment.events
        if isinstance(event, Failed) and event.kind == "preempt"
    ]
    for at in (event.at - 1e-3, event.at + 60.0):
        shown = rows(run, at, (120, 40))
        assert "5" not in errors(shown), at
        assert "straggler" not in words(shown), at
    assert f"preempt, ended {ends}" in words(rows(run, event.at - 1e-3, (120, 40)))


@pytest.mark.parametrize("view", ["board", "log"])
def test_a_bar_of_processes_that_are_gone_scrolls_away_with_the_log(view: str) -> None:
    """While the next attempt starts, no bar of the one before stands below its lines."""
    run = run_of(job_on(7, gpus=16)._replace(asked=(Asked("gpu-lost", "share", 0.47, rank=5),)))
    launch = next(each for each in run.timeline if each.kind == "launch" and each.began)
    options, screen = Options(view=view), Screen(120, 40, color=True, unicode=True, live=True)
    pace, terminal, bars = Pace(run, options.duration), Terminal(120, 40), 0
    until = pace.shown(0.4 * launch.began + 0.6 * launch.ended)
    for frame in play(run, options, lambda: screen, pace.shown(launch.began) - 8.0):
        if frame.shown > until:
            break
        terminal.stream.feed(frame.text)
        bars += "it/s]" in frame.text or "s/it]" in frame.text
    assert bars > 1
    shown = [*terminal.gone, *map(str.rstrip, terminal.display)]
    left = [number for number, row in enumerate(shown) if re.search(r"(it/s|s/it)\]", row)]
    up = max(number for number, row in enumerate(shown) if "is up" in row)
    assert len(left) == 1
    assert left[0] < up


@pytest.mark.parametrize("theme", ["phosphor", "amber"])
@pytest.mark.parametrize("colors", [256, TRUECOLOR])
def test_above_a_board_of_one_colour_the_log_has_no_second_one(theme: str, colors: int) -> None:
    """A traceback has no colours of its own: on most terminals it would be white."""
    run = run_of(job_on(7, gpus=16)._replace(asked=(Asked("gpu-lost", "share", 0.47, rank=5),)))
    outage = next(each for each in run.timeline if each.kind == "outage")
    screen = Screen(120, 40, color=True, unicode=True, live=True, colors=colors, theme=theme)
    options, terminal = Options(view="board", theme=theme), Terminal(120, 40)
    pace = Pace(run, options.duration)
    for frame in play(run, options, lambda: screen, pace.shown(outage.began) - 2.0):
        if frame.shown > pace.shown(outage.ended):
            break
        terminal.stream.feed(frame.text)
    assert any("Traceback" in row or "File " in row for row in terminal.display)
    cells = [terminal.buffer[row][column] for row in range(40) for column in range(120)]
    assert {cell.data for cell in cells if cell.fg == "default"} <= {" "}
