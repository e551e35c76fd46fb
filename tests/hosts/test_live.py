"""One clock for all that watch a run from outside: serve, smi, and programs below smi."""

import json
import re
from pathlib import Path

import pytest

from llmsim.cli import live_options
from llmsim.cli.smi import seen_by, words_of
from llmsim.errors import OptionError
from llmsim.hosts.live import Live, watched
from llmsim.run.simulation import run_of
from llmsim.run.timeline import number_of_step, run_ended, step_ended
from llmsim.show.pace import Pace
from llmsim.show.seek import moment_of
from llmsim.telemetry import gpu_exporter_page, node_page, trainer_page
from llmsim.telemetry.samples import sample
from tests.hosts.days import Day, run_all_day
from tests.runs import START

ASKED: tuple[dict[str, object], ...] = (
    {}, {"speed_factor": 60.0}, {"duration": 3600.0}, {"duration": 600.0, "speed_factor": 2.5},
    {"from_": "40%"}, {"from_": "40%", "speed_factor": 10.0}, {"duration": 600.0, "from_": "60%"},
)  # fmt: skip


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_serve_and_smi_show_the_same_second(asked: dict[str, object]) -> None:
    """Second t of the clock at speed s is second pace(since + t s) of the run, for all."""
    day = Day()
    given = run_all_day(**asked)
    live, smi = Live(given, day), watched(given, now=day)
    pace = Pace(live.run, given.duration)
    since = pace.shown(moment_of(live.run, given.from_)) if given.from_ else 0.0
    for second in (0.0, 1.0, 37.25, 90.0):
        day.now = START.timestamp() + second
        at = live.at()
        assert at == pytest.approx(pace.simulated(since + second * given.speed_factor), abs=1e-5)
        assert smi.look() == (smi.look()[0], at)
        assert live.clock(at) == pytest.approx(day.now, abs=1e-3)


def test_a_run_without_a_start_is_in_the_middle_of_its_training_now() -> None:
    day = Day()
    for asked in ({}, {"speed_factor": 30.0}, {"duration": 900.0}):
        smi = watched(run_all_day(start=None, **asked), now=day)
        run, at = smi.look()
        usual = moment_of(run, "40%")
        assert at == pytest.approx(usual, abs=0.01 * run_ended(run))  # a start is a whole second


@pytest.mark.parametrize(("kind", "seen"), [("gpu-lost", 7), ("hbm-ecc", 8)])
def test_a_failure_is_held_at_its_fault(kind: str, seen: int) -> None:
    """NVML finds no GPU that has fallen off the bus, and counts a double-bit error at Xid 48."""
    given = run_all_day(incidents="none", incident=(f"{kind}@50%:rank=3",), gpus=8)
    run, at = watched(given, "failure", Day()).look()
    gauges = sample(run, at).gpus
    assert len(gauges) == seen
    assert sum(each.uncorrectable_errors for each in gauges) == (kind == "hbm-ecc")


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_another_process_is_told_the_same_run_at_the_same_second(asked: dict[str, object]) -> None:
    day = Day()
    smi = watched(run_all_day(**asked), now=day)
    day.now += 123.0
    told = json.loads(json.dumps(words_of(smi, {})))
    again = watched(seen_by(told)[0].options, now=day)
    assert again.look()[1] == smi.look()[1]
    assert again.look()[0].job == smi.look()[0].job


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_time_stamps_are_in_the_scrapers_clock(asked: dict[str, object]) -> None:
    """The last step is as long ago as the show has taken since; collects are now."""
    day = Day()
    live = Live(run_all_day(**{"from_": "50%", **asked}), day)
    day.now += 60.0
    at = live.at()
    page = trainer_page.page(live.run, at, live.clock)
    (told,) = re.findall(r"^trainer_last_step_timestamp_seconds\S* (\S+)", page, re.MULTILINE)
    (step,) = re.findall(r"^trainer_step\{\S* (\S+)", page, re.MULTILINE)
    segment = live.run.timeline[number_of_step(live.run, int(float(step)), 1)]
    ended = step_ended(live.run.job, segment, int(float(step)))
    assert float(told) == pytest.approx(live.clock(ended), abs=1e-2)
    assert day.now - 600.0 < float(told) <= day.now
    own = gpu_exporter_page.page(live.run, 0, at, live.clock)
    (collected,) = re.findall(
        r"^nvidia_smi_last_collect_success_timestamp_seconds (\S+)", own, re.MULTILINE
    )
    assert float(collected) == pytest.approx(day.now, abs=1.0)


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_a_nodes_clock_is_the_scrapers(asked: dict[str, object]) -> None:
    """An alert on `abs(time() - node_time_seconds) > 30` stays silent, the boot stands still, and
    the modes of a processor add up to the seconds that the node is up, at any speed.
    """
    day = Day()
    live = Live(run_all_day(**{"from_": "40%", **asked}), day)
    boots = set()
    for _ in range(3):
        day.now += 60.0
        page = node_page.page(live.run, 0, live.at(), live.clock)
        values = dict(re.findall(r"^(node_\w*time_seconds) (\S+)$", page, re.MULTILINE))
        now, boot = float(values["node_time_seconds"]), float(values["node_boot_time_seconds"])
        assert now == pytest.approx(day.now, abs=1.0)
        boots.add(boot)
        counted = re.findall(r'^node_cpu_seconds_total\{cpu="0"\S* (\S+)$', page, re.MULTILINE)
        assert sum(map(float, counted)) == pytest.approx(now - boot, abs=1.1)
    assert len(boots) == 1


def test_after_the_end_the_clock_goes_on() -> None:
    day = Day()
    for asked in ({}, {"duration": 600.0}):
        live = Live(run_all_day(**asked), day)
        day.now = START.timestamp() + Pace(live.run, live.options.duration).shown(
            run_ended(live.run)
        ) + 500.0  # fmt: skip
        at = live.at()
        assert at == pytest.approx(run_ended(live.run) + 500.0, abs=1e-3)
        assert live.clock(at) == pytest.approx(day.now, abs=1e-3)


def test_each_run_begins_where_from_says() -> None:
    """As on a terminal."""
    day = Day()
    for from_ in ("training", "40%", "step=12", "3m"):
        live = Live(run_all_day(from_=from_, runs=0, steps=30), day)
        first = live.run
        day.now = live.clock(run_ended(first)) + 3.0
        at = live.at()
        assert live.run is not first
        assert at == pytest.approx(moment_of(live.run, from_) + 2.0, abs=0.1)


def test_a_job_file_that_somebody_wrote_long_ago_is_going_on_now(tmp_path: Path) -> None:
    """Its start is of that day; a flag's start sets the clock."""
    (tmp_path / "job.toml").write_text("[run]\nseed = 4\nstart = 2020-01-30T12:00:00\n")
    given = [("job", f"{tmp_path}/job.toml"), ("gpus", "8")]
    run, at = watched(live_options(given), now=(day := Day())).look()
    assert run.job.seed == 4
    assert at == pytest.approx(moment_of(run, "40%"), abs=0.01 * run_ended(run))
    held = watched(live_options([*given, ("start", "2020-01-30T12:00:00")]), now=day).look()
    assert held[0].job.start.year == 2020


def test_no_speed_without_a_present_moment() -> None:
    for make in (Live, watched):
        with pytest.raises(OptionError, match="no present moment"):
            make(run_all_day(speed_factor=float("inf")))
    held = watched(run_all_day(speed_factor=float("inf")), "40%")
    run, at = held.look()
    assert at == moment_of(run_of(run.job), "40%")
