"""The exports, read by the programs of the people who receive them (make test-exports)."""

import json
from pathlib import Path
from typing import Any

import pytest

from llmsim.run import events
from llmsim.run.simulation import run_of as timeline_of
from tests.runs import job_of, run_of
from tests.telemetry.exporting import exported, files_of
from tests.telemetry.test_trackers import TAGS, writing

pytestmark = pytest.mark.exports


# --- TensorBoard ---------------------------------------------------------------------------------


def scalars(folder: Path) -> dict[str, list[Any]]:
    """What TensorBoard reads from a folder: events with wall_time, step and value, by tag."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (path,) = [folder / name for name in files_of(folder) if "tfevents" in name]
    read = EventAccumulator(str(path), size_guidance={"scalars": 0})
    read.Reload()
    return {tag: read.Scalars(tag) for tag in read.Tags()["scalars"]}


@pytest.mark.filterwarnings("ignore")  # of TensorBoard about its own packages
@pytest.mark.parametrize("dialect", writing("tensorboard"))
def test_tensorboard_reads_what_the_client_of_wandb_gets(dialect: str, tmp_path: Path) -> None:
    paths = exported(timeline_of(job_of(3, dialect=dialect)), tmp_path, "tensorboard")
    read = scalars(paths["tensorboard"])
    assert {*TAGS["tensorboard"].get(dialect, [])} <= read.keys()
    for tag, points in read.items():
        steps = [point.step for point in points]
        assert steps == sorted(steps), f"{dialect}: {tag}"
        times = [point.wall_time for point in points]
        assert times == sorted(times), f"{dialect}: {tag}"


@pytest.mark.filterwarnings("ignore")
def test_tensorboard_reads_the_losses_of_the_events(tmp_path: Path) -> None:
    run = run_of(3, dialect="torchtitan")
    paths = exported(timeline_of(run.job), tmp_path, "tensorboard")
    points = scalars(paths["tensorboard"])["loss_metrics/global_avg_loss"]
    told = run.all(events.Step)
    assert [point.step for point in points] == [event.step for event in told]
    for point, event in zip(points, told, strict=True):
        assert point.value == pytest.approx(event.loss, rel=1e-7)  # a float has 24 bits


# --- transformers --------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")  # that torch is not there
@pytest.mark.parametrize("dialect", writing("trainer_state"))
def test_transformers_loads_the_trainers_state(dialect: str, tmp_path: Path) -> None:
    from transformers.trainer_callback import TrainerState

    run = timeline_of(job_of(3, dialect=dialect))
    folder = exported(run, tmp_path, "trainer_state")["trainer_state"]
    for name in files_of(folder):
        state = TrainerState.load_from_json(str(folder / name))
        assert state.max_steps == run.job.schedule.steps
        state.save_to_json(str(tmp_path / "again"))
        again, ours = (
            json.loads((tmp_path / "again").read_text()),
            json.loads((folder / name).read_text()),
        )
        assert again == again | ours, name
