"""--from and seeking: which moment is meant, what is shown at once there, and what it costs."""

import re
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cache
from itertools import islice
from math import inf
from typing import Any

import pytest

from llmsim.dialects.line import Bar, Line, Render
from llmsim.dialects.registry import NAMES
from llmsim.errors import FLAG, OptionError
from llmsim.job.records import Job
from llmsim.options.parsing import REAL_TIME
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.attempts import segments
from llmsim.run.events import PhaseStarted, RankJoined
from llmsim.run.simulation import events, run_of
from llmsim.run.timeline import (
    Run,
    Segment,
    Timeline,
    run_ended,
    segment_at,
    step_began,
    step_done,
)
from llmsim.show import player, seek
from llmsim.show.opening import Frame
from llmsim.show.pace import Pace
from llmsim.show.player import play
from llmsim.show.seek import moment_of, screenful
from llmsim.show.streams import renderers
from llmsim.text.screen import Screen
from tests.board.stage import Terminal

START = datetime(2026, 1, 30, 12)
PIPE = Screen(width=120, height=24, color=False, unicode=True, live=False)
TERMINAL = Screen(width=80, height=24, color=True, unicode=True, live=True)
SEED = 5


@cache
def a_run(seed: int = SEED, dialect: str = "pytorch") -> Run:
    options = Options(seed=seed, start=START, dialect=dialect, recipe="pretrain", gpus=8)
    return run_of(plan(options))


def first(run: Run, phase: str) -> float:
    """When a phase first began, as its event says."""
    return next(e.at for e in events(run) if isinstance(e, PhaseStarted) and e.phase == phase)


def test_a_share_is_of_the_steps_as_the_board_counts_them() -> None:
    run = a_run()
    steps = run.job.schedule.steps
    assert moment_of(run, "0%") == step_began(run, 1)
    assert moment_of(run, "40%") == step_began(run, int(0.4 * steps) + 1)
    assert moment_of(run, "100%") == step_done(run, steps)


def test_a_step_is_meant_from_its_beginning_on() -> None:
    run = a_run()
    began = moment_of(run, "step=300")
    assert began == step_began(run, 300)
    assert step_done(run, 299) <= began < step_done(run, 300)


def test_a_time_is_simulated_time() -> None:
    assert moment_of(a_run(), "1h20m") == 4800.0


@pytest.mark.parametrize("phase", ["launch", "training", "validation", "checkpoint", "export"])
def test_a_phase_is_meant_from_its_first_beginning_on(phase: str) -> None:
    assert moment_of(a_run(), phase) == first(a_run(), phase)


def refusal(text: str) -> str:
    with pytest.raises(OptionError) as refused:
        play(a_run(), Options(from_=text), lambda: PIPE)
    return refused.value.sentence(FLAG)


def test_a_moment_that_a_run_does_not_have_is_refused() -> None:
    steps = f"{a_run().job.schedule.steps:,}"
    assert refusal("step=1000000") == f"--from cannot be step=1000000: the run has {steps} steps."
    pattern = r"--from cannot be 400d: the run takes \d+:\d\d:\d\d\."
    assert re.fullmatch(pattern, refusal("400d"))


def log(run: Run, **options: object) -> list[Frame]:
    asked = Options(view="log")._replace(**options)  # type: ignore[arg-type]  # any option
    return list(play(run, asked, lambda: PIPE))


def lines_of(frames: list[Frame]) -> list[str]:
    return "".join(frame.text for frame in frames).splitlines()


@pytest.mark.parametrize("dialect", ["pytorch", "olmo", "hf", "lightning"])
@pytest.mark.parametrize("text", ["40%", "step=300", "validation", "export", "100%"])
@pytest.mark.long
def test_the_log_from_a_moment_is_the_end_of_the_whole_log(dialect: str, text: str) -> None:
    run = a_run(dialect=dialect)
    whole, part = lines_of(log(run)), log(run, from_=text)
    shown = [line for line in lines_of(part) if "%|" not in line]
    assert shown == [line for line in whole if "%|" not in line][-len(shown) :], (dialect, text)
    at_once = lines_of([frame for frame in part if frame.shown <= part[0].shown])
    assert len(at_once) >= PIPE.height // 2, (dialect, text)


@pytest.mark.parametrize("dialect", NAMES)
def test_every_log_from_a_moment_is_the_end_of_the_whole_log(dialect: str) -> None:
    """Where a line comes late, the event that it tells of may be above the first screenful."""
    run = run_of(plan(Options(seed=2, start=START, dialect=dialect, incidents="typical")))
    whole, pace = "".join([frame.text for frame in log(run)]), Pace(run, 180.0)
    for share in (0.2, 0.5, 0.9):
        since = pace.shown(share * run_ended(run))
        part = play(run, Options(view="log"), lambda: PIPE, since)
        assert whole.endswith("".join([frame.text for frame in part])), (dialect, share)


@pytest.mark.parametrize("text", ["40%", "step=300", "validation", "export"])
def test_after_a_moment_the_show_goes_on_as_it_would(text: str) -> None:
    run = a_run()
    since = Pace(run, 180.0).shown(moment_of(run, text)) + 1e-6  # a moment there and back
    later = [f for f in log(run, from_=text) if f.shown > since and "%|" not in f.text]
    usual = [f for f in log(run) if f.shown > since and "%|" not in f.text]
    assert [frame.shown for frame in later] == [frame.shown for frame in usual]
    frames = log(run, from_=text)
    assert all(frame.delay == 0.0 for frame in frames if frame.shown <= since)
    assert sum(frame.delay for frame in frames) == pytest.approx(frames[-1].shown - since, abs=1e-5)


@pytest.mark.parametrize("height", [5, 24, 100])
@pytest.mark.long
def test_no_more_than_a_screenful_comes_at_once(height: int) -> None:
    run, screen = a_run(), PIPE._replace(height=height)
    for part in (0.001, 0.01, 0.2, 0.5, 0.9, 1.0):
        at = part * run_ended(run)
        found = screenful(run, at, screen).events
        facts = [event for event in events(run) if event.at < at]
        assert list(found) == facts[len(facts) - len(found) :], part
        frames = play(run, Options(view="log"), lambda: screen, Pace(run, 180.0).shown(at))
        at_once = [f for f in frames if f.delay == 0.0 and f.shown < Pace(run, 180.0).shown(at)]
        lines = [line for line in lines_of(at_once) if "%|" not in line]
        assert len(lines) <= height, part


def test_the_board_shows_the_moment_and_not_the_beginning() -> None:
    run, terminal = a_run(), Terminal(80, 24)
    options = Options(from_="step=300", duration=30.0)
    since = Pace(run, 30.0).shown(moment_of(run, "step=300"))
    for frame in play(run, options, lambda: TERMINAL):
        if frame.shown > since + 0.25:
            break
        terminal.stream.feed(frame.text)
    shown = "\n".join(terminal.display)
    assert re.search(r"step +(29\d|30\d)/", shown), shown


@pytest.mark.parametrize("view", ["board", "wall"])
def test_the_first_picture_is_the_moment_with_the_last_lines_before_it(view: str) -> None:
    run, screen = a_run(), TERMINAL._replace(width=120, height=40)
    frames = play(run, Options(from_="46%", duration=30.0, view=view), lambda: screen)
    terminal = Terminal(120, 40)
    terminal.stream.feed(next(frame.text for frame in frames if frame.text))
    begun = int(0.46 * run.job.schedule.steps)
    shown = "\n".join(terminal.display)
    assert f"{begun:,}/{run.job.schedule.steps:,}" in shown, shown
    assert len(re.findall(r"step +[\d,]+/[\d,]+ .*loss", shown)) >= 4, shown


# --- around a failure --------------------------------------------------------------------------


@cache
def broken_run(dialect: str) -> tuple[Run, dict[str, float]]:
    """A run that loses a GPU, and moments while it lies dead, waits and starts again."""
    asked = Options(seed=7, start=START, dialect=dialect, gpus=16, incidents="none")
    kind = "node-fail" if dialect == "maxtext" else "gpu-lost"  # its machines are TPUs
    run = run_of(plan(asked._replace(incident=(f"{kind}@40%:rank=13",))))
    failure, outage, relaunch = (
        next(each for each in run.timeline if each.kind == kind and each.began > 0.0)
        for kind in ("failure", "outage", "launch")
    )
    moments = {
        f"{segment.kind} {share:.0%}": segment.began + share * (segment.ended - segment.began)
        for segment in (failure, outage, relaunch)
        for share in (0.01, 0.3, 0.6, 0.99)
    }
    return run, moments | {"just after": relaunch.ended + 1.0}


@pytest.mark.parametrize(
    ("dialect", "stream"),
    [*((each, "log") for each in ("pytorch", "hf", "deepspeed", "maxtext", "nemo", "trl")),
     *(("pytorch", each) for each in ("all", "kernel", "slurm"))],
)  # fmt: skip
@pytest.mark.long
def test_around_a_failure_the_last_screenful_is_there(dialect: str, stream: str) -> None:
    run, moments = broken_run(dialect)
    whole, asked = log(run, stream=stream), Options(view="log", stream=stream)
    for name, at in moments.items():
        since = Pace(run, 180.0).shown(at)
        now = Pace(run, 180.0).shown(Pace(run, 180.0).simulated(since))
        before, after = (
            "".join([each.text for each in whole if (each.shown < now) == earlier])
            for earlier in (True, False)
        )
        part = list(islice(play(run, asked, lambda: PIPE, since), 200))
        shown = "".join([each.text for each in part if each.shown <= now])
        assert before.endswith(shown), (dialect, stream, name)
        rows = min(PIPE.height, before.count("\n"))
        lines = [line for line in shown.splitlines() if "%|" not in line]
        assert rows <= shown.count("\n"), (dialect, stream, name)
        assert len(lines) <= PIPE.height + 3, (dialect, stream, name)  # MaxText holds lines back
        later = "".join([each.text for each in part if each.shown > now])
        assert after.startswith(later), (dialect, stream, name)


@pytest.mark.parametrize("dialect", ["pytorch", "hf", "lightning"])
def test_around_a_failure_a_terminal_shows_what_it_would_have_come_to(dialect: str) -> None:
    run, moments = broken_run(dialect)
    asked = Options(view="log")
    whole = list(play(run, asked, lambda: TERMINAL))
    for name in ("failure 60%", "outage 30%", "launch 60%", "just after"):
        since = Pace(run, 180.0).shown(moments[name])
        now = Pace(run, 180.0).shown(Pace(run, 180.0).simulated(since))
        usual, there = Terminal(80, 24), Terminal(80, 24)
        usual.stream.feed("".join([f.text for f in whole if f.shown < now][-400:]))
        frames = play(run, asked, lambda: TERMINAL, since)
        there.stream.feed("".join(f.text for f in frames if f.shown <= now))
        rows, wanted = (
            [row.rstrip() for row in each.display[: each.cursor.y + 1]] for each in (there, usual)
        )
        assert rows == wanted, (dialect, name)


# --- cost --------------------------------------------------------------------------------------

MANY = 1_200_000  # steps


def long_job(pauses: int) -> Job:
    """A job of many steps that validates and saves this often."""
    job = plan(Options(seed=SEED, start=START, dialect="pytorch", recipe="pretrain", gpus=8))
    every = MANY // pauses
    plan_of = job.schedule._replace(steps=MANY, save_every=every, validate_every=every)
    return job._replace(schedule=plan_of)


def seconds_to_the_first_line(from_: str | None, screen: Screen) -> float:
    """CPU seconds, the best of some: a machine may do other things as well."""
    best = inf
    for _ in range(5):
        job, began = long_job(120), time.process_time()
        frames = play(job, Options(duration=REAL_TIME, from_=from_), lambda: screen)
        assert next(frame.text for frame in frames if frame.text)
        best = min(best, time.process_time() - began)
    return best


@pytest.mark.parametrize("screen", [PIPE, TERMINAL], ids=["pipe", "terminal"])
@pytest.mark.parametrize("text", ["50%", "step=600000", "export"])
@pytest.mark.long
def test_the_middle_of_a_long_run_comes_as_fast_as_its_beginning(text: str, screen: Screen) -> None:
    usual, there = seconds_to_the_first_line(None, screen), seconds_to_the_first_line(text, screen)
    assert there - usual < 0.060, f"{text}: {there:.3f} s, {usual:.3f} s from the beginning"


def test_a_screenful_asks_for_the_lines_of_what_it_shows_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A launch above the screen has hundreds of lines, of which nobody sees one."""
    options = Options(seed=SEED, start=START, dialect="megatron", recipe="pretrain", gpus=64)
    run = run_of(plan(options))
    asked: list[object] = []

    def noting(job: Job, stream: str) -> dict[type, Render]:
        def noted(render: Render) -> Render:
            def told(event: Any, job: Job, screen: Screen) -> Iterable[Line | Bar]:
                asked.append(event)
                return render(event, job, screen)

            return told

        return {event: noted(render) for event, render in renderers(job, stream).items()}

    monkeypatch.setattr(seek, "renderers", noting)
    monkeypatch.setattr(player, "renderers", noting)
    at = step_began(run, run.job.schedule.first_step + 1)
    recent = screenful(run, at, PIPE)
    assert any(isinstance(event, RankJoined) for event in recent.before), "no launch is above it"
    shown = [event for event in recent.events if type(event) in noting(run.job, "log")]
    assert asked == shown[::-1]
    asked.clear()
    next(play(run, options, lambda: PIPE, Pace(run, options.duration).shown(at)))
    assert not [event for event in asked if event in recent.before]


def test_the_middle_of_a_run_with_incidents_draws_nothing_beyond_it() -> None:
    options = Options(seed=SEED, start=START, dialect="pytorch", gpus=16_384, incidents="rare")
    job = plan(options._replace(recipe="pretrain", model="Basalt-8B"))
    every = MANY // 120
    schedule = job.schedule._replace(steps=MANY, save_every=every, validate_every=every)
    # Not a part that a time limit ends: its last step is known when all of it is drawn.
    job = job._replace(schedule=schedule._replace(first_step=1, time_limit=0, reached=0))
    drawn: list[Segment] = []

    def noted() -> Iterator[Segment]:
        for segment in segments(job):
            drawn.append(segment)
            yield segment

    run = Run(job, Timeline(noted()), {})
    at = moment_of(run, "50%")
    assert segment_at(run, at).attempt > 1, "the seed has no incident before the middle"
    assert drawn[-2].began <= at, f"{len(drawn)} segments, the last from step {drawn[-1].first:,}"
