"""Slurm's time limit ends a run: by the clock, with Slurm's lines, and without an export.

Slurm's source: PERIODIC_TIMEOUT is 30 s (slurmctld.h), KillWait 30 s by default (slurm.conf), the
banner is that of req.c. Public logs have srun's line, the job's banner and the step's, in that
order and with one stamp (ZettaAI/zetta_utils#671).
"""

import json
import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from llmsim.errors import PlanError
from llmsim.job.records import Asked, Job
from llmsim.options.table import Options
from llmsim.run import events
from llmsim.run.goodput import goodput
from llmsim.run.moment import state, time_was_up
from llmsim.run.simulation import run_of, simulate
from llmsim.run.timeline import step_done
from llmsim.show.player import play
from llmsim.show.trouble import details
from tests.dialects.logs import PIPE
from tests.runs import job_of
from tests.telemetry.exporting import exported

GPUS = ("pytorch", "torchtitan", "megatron", "nanotron", "olmo", "deepspeed", "hf", "nemo", "llmc",
        "lightning")  # fmt: skip
BANNER = re.compile(
    r"slurmstepd: error: \*\*\* STEP \d+\.0 ON \S+ CANCELLED AT (\S+) DUE TO TIME LIMIT \*\*\*"
)
HOURS, LIMIT = "02:00:00", 7200.0


def log_of(job: Job) -> str:
    """The log of a job's run, as a pipe has it."""
    return "".join(frame.text for frame in play(job, Options(view="log"), lambda: PIPE))


def limited(dialect: str, limit: str = HOURS, **schedule: object) -> Job:
    """An 8B model on 64 H100 in a queue; more of [schedule] as it is asked for."""
    told = {"steps": 500_000, "first_step": 240_001, "time_limit": limit} | schedule
    job = {
        "model": {"name": "Foo-8B"},
        "cluster": {"gpu": "H100 80GB HBM3", "gpus": 64},
        "schedule": told,
        "recipe": {"name": "pretrain"},
    }
    return job_of(7, dialect=dialect, job=job)


@pytest.mark.parametrize("dialect", GPUS)
def test_the_run_ends_at_the_limit_with_slurms_line_and_no_export(dialect: str) -> None:
    job = limited(dialect)
    run, facts = run_of(job), list(simulate(job))
    kinds = {type(event) for event in facts}
    assert run.timeline.last().kind == "failure"
    assert events.ExportStarted not in kinds
    assert events.Restarted not in kinds
    assert events.Incident not in kinds  # a planned end is none
    (over,) = [event for event in facts if isinstance(event, events.Failed)]
    ended = next(event.at for event in facts if isinstance(event, events.Symptom))
    assert LIMIT <= ended <= LIMIT + 30.0
    assert over.at - ended <= 30.0  # KillWait
    summary = facts[-1]
    assert isinstance(summary, events.Summary)
    assert (summary.ended_by, summary.state, summary.exported) == ("time-limit", "TIMEOUT", 0)
    assert 240_001 < summary.steps < 500_000
    assert summary.steps in (state(run, ended).step, state(run, ended).step + 1)
    (stamp,) = BANNER.findall(log_of(job))
    wall = timedelta(seconds=ended)
    assert datetime.fromisoformat(stamp) == (job.start + wall).replace(microsecond=0)


@pytest.mark.parametrize(("dialect", "saves"), [("pytorch", True), ("megatron", False)])
def test_the_next_job_goes_on_from_the_last_checkpoint(dialect: str, saves: bool) -> None:
    """Who handles SIGTERM has saved the step it was at; the others lose what no save holds."""
    job = limited(dialect, save_every=500)
    run = run_of(job)
    *_, summary = simulate(job)
    assert isinstance(summary, events.Summary)
    assert summary.kept == (summary.steps if saves else summary.steps // 500 * 500)
    lost = step_done(run, summary.steps) - step_done(run, summary.kept)
    assert goodput(run).lost == pytest.approx(lost, abs=60.0)


def test_a_save_that_takes_longer_than_the_grace_is_signalled_ahead() -> None:
    """sbatch --signal=TERM@SECONDS: the framework ends in order, and Slurm has nothing to say."""
    job = limited("pytorch")._replace(storage_gb_s=1.0)  # 96 GB take 96 s
    *facts, summary = simulate(job)
    assert isinstance(summary, events.Summary)
    assert (summary.state, summary.kept) == ("COMPLETED", summary.steps)
    assert summary.at < LIMIT
    said = [event.name for event in facts if isinstance(event, events.Symptom)]
    assert said == ["sigterm handled", "stopped in order"]


def test_a_requeued_job_has_its_whole_time_again() -> None:
    job = limited("torchtitan", save_every=100)
    broken = job_of(7, dialect="torchtitan", incident=("gpu-lost@1h",), job={
        "model": {"name": "Foo-8B"}, "cluster": {"gpu": "H100 80GB HBM3", "gpus": 64},
        "schedule": {"steps": 500_000, "first_step": 240_001, "time_limit": HOURS,
                     "save_every": 100},
        "recipe": {"name": "pretrain"},
    })  # fmt: skip
    assert broken.schedule == job.schedule
    facts = list(simulate(broken))
    (again,) = [event for event in facts if isinstance(event, events.Restarted)]
    last = next(
        event for event in facts if isinstance(event, events.Symptom) and (event.at > again.at)
    )
    assert last.name == "time limit"
    assert again.at + LIMIT <= last.at <= again.at + LIMIT + 30.0


def test_a_run_that_is_done_before_its_limit_ends_as_ever() -> None:
    *_, before, summary, _ = simulate(limited("pytorch", "24h", steps=240_100))
    assert isinstance(summary, events.Summary)
    assert not summary.ended_by
    assert summary.exported > 0
    assert before


def test_the_last_lines_say_where_it_goes_on() -> None:
    told = log_of(limited("pytorch"))
    *_, ended = re.findall(r"Ended by Slurm's time limit, after step ([\d,]+) of 500,000", told)
    assert re.search(rf"goes on from +step {ended}", told)
    assert re.search(r"time limit +02:00:00, state TIMEOUT", told)


@pytest.mark.parametrize("limit", ["00:00:01", "1s", "00:01:01"])
def test_a_time_that_is_too_short_is_named_as_asked_and_with_what_is_enough(limit: str) -> None:
    """sbatch's manual: seconds are rounded up to the next minute."""
    asked = limit if ":" in limit else "00:00:01"

    def planned(limit: str) -> Job:
        return job_of(7, dialect="pytorch", gpu="H100 80GB HBM3", model="Foo-8B", gpus=64,
                      recipe="pretrain",
                      job={"schedule": {"steps": 5000, "time_limit": limit}})  # fmt: skip

    with pytest.raises(PlanError, match=f'time_limit = "{asked}" is too short: a launch') as met:
        planned(limit)
    (enough,) = re.findall(r'Give "(\d\d:\d\d:00)" or more', str(met.value))
    assert planned(enough).schedule.time_limit == int(enough[3:5]) * 60


@pytest.mark.parametrize(
    ("limit", "dialect", "sentence"),
    [("60s", "pytorch", '"00:01:00" is too short'), ("24h", "maxtext", "needs Slurm")],
)
def test_what_cannot_be_is_refused(limit: str, dialect: str, sentence: str) -> None:
    gpu = "TPU v5p" if dialect == "maxtext" else "H100 80GB HBM3"
    with pytest.raises(PlanError, match=sentence):
        job_of(7, dialect=dialect, gpu=gpu, model="Foo-8B", gpus=64, recipe="pretrain",
               job={"schedule": {"steps": 5000, "time_limit": limit}})  # fmt: skip


@pytest.mark.parametrize(
    ("dialect", "schedule"),
    [("pytorch", {}), ("megatron", {}), ("megatron", {"exit_after": "90m"})],
)
def test_a_planned_end_is_no_incident_of_the_labels(
    dialect: str, schedule: dict[str, str], tmp_path: Path
) -> None:
    """As truth for a detector it would be an incident that nobody can find before it comes."""
    job = limited(dialect, **schedule)._replace(asked=(Asked("gpu-lost", "seconds", 3600.0),))
    for wanted, each in (["gpu-lost"], job), ([], job._replace(asked=())):
        run = run_of(each)
        place = tmp_path / str(len(wanted))
        place.mkdir()
        path = exported(run, place, "labels")["labels"]
        assert run.timeline.last().kind == "failure"  # the limit has ended it
        _, *told = (json.loads(line) for line in path.read_text().splitlines())
        assert [label["kind"] for label in told] == wanted


@pytest.mark.parametrize(
    ("dialect", "said"), [("pytorch", "ended in order"), ("megatron", "ended by Slurm")]
)
def test_the_board_says_at_once_that_the_time_is_up(dialect: str, said: str) -> None:
    """Slurm's line says it, so nobody waits for a watchdog."""
    job = limited(dialect)
    run = run_of(job)
    last = run.timeline.last()
    told = details(run, state(run, max(last.began, time_was_up(last)) + 0.1))
    assert told[0] == f"time-limit, {said}"
