"""What the frameworks log to their trackers, read by the trackers' own readers."""

import csv
import json
from pathlib import Path
from struct import unpack
from typing import Any

import pytest

from llmsim.dialects.registry import NAMES, lines_of, scalars_of
from llmsim.errors import FLAG, ExportError
from llmsim.run import events
from llmsim.run.simulation import run_of as timeline_of
from llmsim.telemetry.kinds import Export
from llmsim.telemetry.sinks import Exports
from llmsim.telemetry.tensorboard import crc32c, masked, record
from llmsim.telemetry.writer import Settings
from tests.runs import Run, job_of, run_of, screen
from tests.telemetry.exporting import exported, files_of

TRACKERS = {"tensorboard": "tensorboard", "wandb": "wandb", "lightning": "csv",
            "trainer_state": "history"}  # fmt: skip


def writing(kind: str) -> list[str]:
    """The frameworks that write a kind of export."""
    return [name for name in NAMES if scalars_of(name, TRACKERS[kind])]


# Tags of each framework, from its source: torchtitan components/metrics.py, Megatron-LM
# training/training.py, DeepSpeed runtime/engine.py, MaxText common/metric_logger.py, transformers
# integrations/integration_utils.py, OLMo train.py, nanoGPT train.py, nanotron trainer.py, NeMo.
TAGS = {
    "tensorboard": {
        "torchtitan": ["loss_metrics/global_avg_loss", "loss_metrics/global_max_loss", "grad_norm",
                       "throughput(tps)", "tflops", "mfu(%)", "time_metrics/end_to_end(s)",
                       "memory/max_active(GiB)", "memory/num_ooms", "validation_metrics/loss"],
        "megatron": ["lm loss", "lm loss vs samples", "learning-rate", "grad-norm", "batch-size",
                     "iteration-time", "lm loss validation", "lm loss validation ppl vs samples"],
        "deepspeed": ["Train/Samples/train_loss", "Train/Samples/lr"],
        "maxtext": ["learning/loss", "perf/step_time_seconds", "perf/per_device_tflops_per_sec",
                    "eval/avg_loss"],
        "hf": ["train/loss", "train/grad_norm", "train/learning_rate", "train/epoch", "eval/loss",
               "eval/runtime", "train/train_runtime", "train/total_flos"],
        "trl": ["train/loss", "train/grad_norm", "eval/loss"],
        "nemo": ["reduced_train_loss", "lr", "train_step_timing in s", "val_loss"],
        "lightning": ["train_loss", "val_loss", "epoch"],
    },
    "wandb": {
        "nanogpt": ["iter", "train/loss", "val/loss", "lr", "mfu"],
        "nanotron": ["lm_loss", "consumed_tokens", "tokens_per_sec_per_gpu", "iteration_step"],
        "olmo": ["train/CrossEntropyLoss", "train/Perplexity", "optim/total_grad_norm",
                 "throughput/total_tokens", "optim/learning_rate_group0"],
        "hf": ["train/global_step", "train/loss", "eval/loss"],
        "megatron": ["lm loss", "samples vs steps"],
    },
}  # fmt: skip


# --- TensorBoard's file --------------------------------------------------------------------------


def test_the_crc_is_castagnolis() -> None:
    """The check values of RFC 3720, appendix B.4."""
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E


def payloads(data: bytes) -> list[bytes]:
    """The payloads of TFRecords, each with its two CRCs checked."""
    found = []
    while data:
        (length,) = unpack("<Q", data[:8])
        payload = data[12 : 12 + length]
        assert unpack("<I", data[8:12]) == (masked(crc32c(data[:8])),)
        assert unpack("<I", data[12 + length : 16 + length]) == (masked(crc32c(payload)),)
        found.append(payload)
        data = data[16 + length :]
    return found


def test_a_record_is_framed() -> None:
    assert payloads(record(b"abc") + record(b"")) == [b"abc", b""]


@pytest.mark.parametrize("dialect", writing("tensorboard"))
@pytest.mark.long
def test_an_event_file_is_complete_and_begins_with_its_version(
    dialect: str, tmp_path: Path
) -> None:
    run = timeline_of(job_of(3, dialect=dialect))
    folder = exported(run, tmp_path, "tensorboard")["tensorboard"]
    (path,) = [folder / name for name in files_of(folder) if "tfevents" in name]
    assert path.name.startswith("events.out.tfevents.1769774400."), path.name
    first, *others = payloads(path.read_bytes())
    assert first.endswith(b"brain.Event:2")
    assert len(others) > 100
    for tag in TAGS["tensorboard"].get(dialect, []):
        assert any(tag.encode() in other for other in others), f"{dialect}: {tag}"
    assert "simulated" in (folder / "SIMULATED").read_text()


# --- one truth -----------------------------------------------------------------------------------


def rows(path: Path) -> list[dict[str, Any]]:
    """The lines of an export for Weights & Biases, without the run's."""
    return [json.loads(each) for each in path.read_text().splitlines()][1:]


@pytest.mark.long
@pytest.mark.parametrize("dialect", writing("wandb"))
def test_rows_for_the_client_have_the_frameworks_keys(dialect: str, tmp_path: Path) -> None:
    run = timeline_of(job_of(3, dialect=dialect))
    made = rows(exported(run, tmp_path, "wandb")["wandb"])
    keys = {key for each in made for key in each}
    assert {"_step", "_runtime", "_timestamp", *TAGS["wandb"].get(dialect, [])} <= keys
    times = [each["_timestamp"] for each in made]
    assert times == sorted(times)


def texts(run: Run) -> str:
    """The log of a run in a pipe."""
    table, surface = lines_of(run.job.framework.name), screen(200)
    told = (tell(e, run.job, surface) for e in run.events if (tell := table.get(type(e))))
    return "\n".join(line.text for lines in told for line in lines)


# How each framework's log writes the loss that its trackers get under a key.
PRINTED = {
    "pytorch": ("train/loss", "loss {:7.4f}"),
    "torchtitan": ("loss_metrics/global_avg_loss", "loss: {:7.4f}"),
    "megatron": ("lm loss", "lm loss: {:.6E}"),
    "olmo": ("train/CrossEntropyLoss", "train/CrossEntropyLoss={:.4g}"),
    "hf": ("train/loss", "'loss': '{:.4g}'"),
    "trl": ("train/loss", "'loss': '{:.4g}'"),
    "nemo": ("reduced_train_loss", "reduced_train_loss: {:.4g}"),
    "nanogpt": ("val/loss", "val loss {:.4f}"),
}


@pytest.mark.parametrize("dialect", PRINTED)
@pytest.mark.long
def test_trackers_get_the_loss_that_the_log_prints(dialect: str, tmp_path: Path) -> None:
    key, form = PRINTED[dialect]
    run = run_of(3, dialect=dialect)
    log, seen = texts(run), 0
    for each in rows(exported(timeline_of(run.job), tmp_path, "wandb")["wandb"]):
        if key in each:
            seen += 1
            assert form.format(each[key]) in log, f"{dialect}, step {each['_step']}"
    assert seen > 3, dialect


# --- transformers and Lightning ------------------------------------------------------------------


@pytest.mark.parametrize("dialect", writing("trainer_state"))
def test_each_checkpoint_has_the_trainers_state(dialect: str, tmp_path: Path) -> None:
    run = run_of(3, dialect=dialect)
    folder = exported(timeline_of(run.job), tmp_path, "trainer_state")["trainer_state"]
    saves = [event.step for event in run.all(events.CheckpointSaved)]
    names = [f"checkpoint-{step}/trainer_state.json" for step in saves]
    assert [*files_of(folder)] == sorted(["trainer_state.json", *names])
    text = (folder / "trainer_state.json").read_text()
    state = json.loads(text)
    assert text == json.dumps(state, indent=2, sort_keys=True) + "\n"
    assert state["global_step"] == state["max_steps"] == run.job.schedule.steps
    steps = [each["step"] for each in state["log_history"] if "loss" in each]
    assert steps == [event.step for event in run.all(events.Step)]
    validated = [each["eval_loss"] for each in state["log_history"] if "eval_loss" in each]
    told = [event.loss for event in run.all(events.Validated)]
    assert validated == pytest.approx(told, rel=1e-7)  # a tensor's item, of 24 bits
    assert {"train_runtime", "total_flos"} <= state["log_history"][-1].keys()
    newest = json.loads((folder / names[-1]).read_text())
    assert newest["stateful_callbacks"]["TrainerControl"]["args"]["should_training_stop"]


@pytest.mark.parametrize(("dialect", "older"), [("hf", "4.57.1"),
                                                ("trl", "1.16.0+transformers-4.57.1")])  # fmt: skip
def test_the_trainers_state_is_that_of_the_release(
    dialect: str, older: str, tmp_path: Path
) -> None:
    """Version 4 rounds a step's loss (trainer.py:3205), and evaluates where that is due alone:
    DefaultFlowCallback.on_step_end has another evaluation at the end since version 5.
    """
    options = {"dialect": dialect, "recipe": "sft", "incidents": "none"}
    job = next(
        job
        for job in (job_of(seed, **options) for seed in range(40))
        if job.schedule.steps % job.schedule.validate_every
    )
    states = {}
    for release in (job.release, older):
        folder = tmp_path / release
        folder.mkdir()
        run = timeline_of(job_of(job.seed, **options, release=release))
        text = exported(run, folder, "trainer_state")["trainer_state"] / "trainer_state.json"
        states[release] = json.loads(text.read_text())
    assert states[job.release].keys() == states[older].keys()
    losses = {
        release: [each["loss"] for each in state["log_history"] if "loss" in each]
        for release, state in states.items()
    }
    rounded = [round(value, 4) for value in losses[job.release]]
    assert losses[older] == rounded != losses[job.release]
    validated = {
        release: [each["step"] for each in state["log_history"] if "eval_loss" in each]
        for release, state in states.items()
    }
    every, steps = job.schedule.validate_every, job.schedule.steps
    assert validated[older] == [*range(every, steps, every)]
    assert validated[job.release] == [*validated[older], steps]


@pytest.mark.parametrize("dialect", writing("lightning"))
def test_metrics_csv_has_a_row_for_each_call(dialect: str, tmp_path: Path) -> None:
    run = run_of(3, dialect=dialect)
    folder = exported(timeline_of(run.job), tmp_path, "lightning")["lightning"]
    assert [*files_of(folder)] == [
        "lightning_logs/version_0/hparams.yaml", "lightning_logs/version_0/metrics.csv"
    ]  # fmt: skip
    with (folder / "lightning_logs/version_0/metrics.csv").open(newline="") as file:
        made = [*csv.DictReader(file)]
    columns = [*made[0]]
    assert columns == sorted(columns)
    assert {"epoch", "step"} <= {*columns} or dialect == "nemo"
    steps, checks = len(run.all(events.Step)), len(run.all(events.Validated))
    assert len(made) == steps + checks
    assert sum(each["val_loss"] != "" for each in made) == checks


@pytest.mark.parametrize(("kind", "dialect"), [
    ("tensorboard", "nanogpt"), ("wandb", "llmc"), ("lightning", "hf"), ("trainer_state", "olmo"),
])  # fmt: skip
def test_what_a_framework_does_not_write_is_refused(
    kind: str, dialect: str, tmp_path: Path
) -> None:
    run = timeline_of(job_of(3, dialect=dialect))
    with pytest.raises(ExportError) as error:
        Exports([Export(kind, str(tmp_path / "x"))], run, Settings())
    sentence = error.value.sentence(FLAG)
    assert sentence.startswith(f"--export {kind} needs a framework that writes it, and {dialect} ")
    assert [*tmp_path.iterdir()] == []


# --- one run, many readers, one truth ------------------------------------------------------------

# Where the kinds have the loss of the same step under the name of the framework.
LOSSES = {
    "pytorch": ("train/loss", 0),
    "torchtitan": ("loss_metrics/global_avg_loss", 0),
    "nanotron": ("lm_loss", 0),
    "olmo": ("train/CrossEntropyLoss", 0),
    "lightning": ("train_loss", 1),
    "nemo": ("reduced_train_loss", 1),
}


@pytest.mark.parametrize("dialect", LOSSES)
@pytest.mark.long
def test_a_steps_loss_is_the_same_in_every_kind(dialect: str, tmp_path: Path) -> None:
    """Frameworks that log the loss of the very step; the others log means (PRINTED holds those)."""
    key, first = LOSSES[dialect]
    run = run_of(3, dialect=dialect)
    step = next(each for each in run.all(events.Step) if each.step >= 100)
    paths = exported(timeline_of(run.job), tmp_path, "jsonl", "csv", "wandb", "otlp", sample=1e6)
    told = [json.loads(each) for each in paths["jsonl"].read_text().splitlines()]
    (ours,) = [each["loss"] for each in told if each.get("step") == step.step
               and each["event"] == "step"]  # fmt: skip
    with (paths["csv"] / "steps.csv").open(newline="") as file:
        (row,) = [each for each in csv.DictReader(file) if int(each["step"]) == step.step]
    sent = [each for each in rows(paths["wandb"]) if each["_step"] == step.step - first]
    (logged,) = [each[key] for each in sent if key in each]
    (point,) = [
        metric["gauge"]["dataPoints"][0]["asDouble"]
        for line in paths["otlp"].read_text().splitlines()
        for metric in json.loads(line)["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
        if metric["name"] == "llm.training.loss"
        and metric["gauge"]["dataPoints"][0]["attributes"][0]["value"]["intValue"] == str(step.step)
    ]
    assert {ours, float(row["loss"]), logged, point} == {step.loss}, f"{dialect}, {step.step}"
