"""The nemo dialect against NeMo 2's own lines, and its text against itself."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

import pytest

from llmsim.dialects.lightning import lines as lightning
from llmsim.dialects.nemo import lines as nemo
from llmsim.dialects.nemo import scalars
from llmsim.dialects.nemo.statements import STATEMENTS
from llmsim.model.architecture import parameter_count
from llmsim.options.table import Options
from llmsim.run import events
from llmsim.run.attempts import job_after
from llmsim.run.simulation import run_of, simulate
from llmsim.show.player import play
from tests.dialects.logs import in_order
from tests.dialects.transcripts import PIPE, Log, log, screens, unmatched
from tests.physics import jobs as physics_jobs
from tests.runs import job_of

V = r"-?\d[\d.]*(?:e[+-]\d\d)?"
# NeMo-Run puts the job and the rank before each line.
RUN = r"(?:(?:\[[\dT:+-]+\] )?\w+/\d (?:\[\w+\]:)?)?"
KEYS = (
    "lr", "global_batch_size", "global_step", "reduced_train_loss", "train_step_timing in s",
    "TFLOPS_per_GPU", "consumed_samples", "val_loss",
)  # fmt: skip
LINE = (
    rf"{RUN}Training epoch 0, iteration (?P<iteration>\d+)/(?P<last>\d+) \| "
    rf"(?P<metrics>lr: {V}(?: \| [\w ]+: {V})+)"
)
VALIDATION = r"Validation: iteration (?P<done>\d+)/(?P<total>\d+)"
SAID = rf"{RUN}\[NeMo [IW] (?P<stamp>\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d) \w+:\d+\] "
PATH = r"[\w./=-]+"
GLOBAL = (
    rf"{SAID}Global Checkpoint Save : Rank: 0 : Iteration: (?P<iteration>\d+) : "
    r"Start time: (?P<start>\d+\.\d{3})s : Save duration: (?P<duration>\d+\.\d{3})s"
)
REAL = """\
retraining/0 [default0]:[NeMo W 2025-08-19 14:27:47 rerun_state_machine:239] RerunStateMachine \
initialized in mode RerunMode.DISABLED
[NeMo I 2025-06-18 16:52:43 nemo_logging:393] Global Checkpoint Save : Rank: 0 : Iteration: 49 : \
Start time: 1750290740.432s : Save duration: 23.107s
Validation: iteration 1/20
"""


# Llama 3.1 Nemotron Nano 4B on four tensor ranks.
REAL_TABLE = """\
\n\
  | Name   | Type | Params | Mode  | FLOPs
------------------------------------------------
0 | module | DDP  | 1.1 B  | train | 0    \n\
------------------------------------------------
1.1 B     Trainable params
0         Non-trainable params
1.1 B     Total params
4,514.918 Total estimated model params size (MB)
651       Modules in train mode
0         Modules in eval mode
0         Total Flops
"""


def metrics(told: Log) -> list[dict[str, float]]:
    """The keys and values of every line."""
    found = []
    for match in told.found(LINE):
        pairs = [part.split(": ") for part in match["metrics"].split(" | ")]
        assert [key for key, _ in pairs] == [key for key in KEYS if key in dict(pairs)]
        found.append({key: float(value) for key, value in pairs})
        found[-1]["iteration"] = int(match["iteration"])
    return found


@pytest.mark.parametrize("seed", range(20))
def test_every_line_is_one_of_the_frameworks(seed: int) -> None:
    assert unmatched(log("nemo", seed).lines, [each.text for each in STATEMENTS]) == []


def test_the_real_lines_are_matched_too() -> None:
    known = [rf"{RUN}{each.text}" for each in STATEMENTS]
    assert unmatched((REAL + REAL_TABLE).splitlines(), known) == []


def test_the_table_is_that_of_a_real_log() -> None:
    weights = 1_128_729_600
    lines = [line.text for line in lightning.table("module", "DDP", weights, weights, 651)]
    assert lines == REAL_TABLE.split("\n")[:-1]


@pytest.mark.parametrize("seed", range(30))
def test_the_table_tells_of_the_weights_on_one_rank(seed: int) -> None:
    """Rank 0's count is that of its buckets, and about its share of the model."""
    told = log("nemo", seed)
    (local,) = told.found(rf"{SAID} > number of parameters on .*: (?P<count>\d+)")
    (size,) = told.found(r"(?P<megabytes>[\d,.]+?) *Total estimated model params size \(MB\)")
    megabytes = float(size["megabytes"].replace(",", ""))
    layout, config = told.job.layout, told.job.architecture
    buckets = told.found(r"Params for bucket \d+ \((?P<count>\d+) elements, (?P<padded>\d+) .*")
    whole = trained = int(local["count"])
    if config.adapter_rank:  # the buckets are the adapters', and so is what the first table lacks
        (adapters,) = told.found(rf"{SAID} > number of trainable parameters: (?P<count>\d+) .*")
        trained = int(adapters["count"])
        whole -= trained
    assert sum(int(match["count"]) for match in buckets) == trained
    assert all(int(match["padded"]) >= int(match["count"]) for match in buckets)
    if layout.tp == layout.pp == layout.ep == 1:
        padding = -config.vocabulary % 128 * config.hidden_size * (1 if config.tied else 2)
        assert whole == parameter_count(config) + padding
    assert told.found(r"0 \| module \| (?:DDP|GPTModel) +\| .*")
    assert megabytes == pytest.approx(4e-6 * whole, abs=6e-4)


def test_adapters_are_on_the_four_joined_matrices() -> None:
    """Rank 32 on Llama 3 8B: 32 (4096 + 4096) + 32 (4096 + 6144) + 32 (4096 + 28672) + 32 (14336 +
    4096) weights in each of 32 layers are 71.3 million (collections/llm/peft/lora.py: linear_proj,
    linear_qkv, linear_fc1, linear_fc2). PEFT's adapters on seven matrices have 83.9 million.
    """
    asked = {
        "model": {"name": "Llama-3-8B"}, "recipe": {"name": "lora", "rank": 32},
        "cluster": {"gpu": "H100 80GB HBM3", "gpus": 8}, "parallel": {"tp": 1, "pp": 1},
        "schedule": {"steps": 4}, "batch": {"sequence": 4096, "global": 32, "micro": 1},
    }  # fmt: skip
    job = job_of(3, dialect="nemo", job=asked)
    text = "".join(frame.text for frame in play(job, Options(view="log"), lambda: PIPE))
    told = Log(job, tuple(text.removesuffix("\n").split("\n")))
    assert unmatched(told.lines, [each.text for each in STATEMENTS]) == []
    (found,) = told.found(rf"{SAID} > number of trainable parameters: (?P<count>\d+) .*")
    assert int(found["count"]) == 32 * 32 * (8192 + 10_240 + 32_768 + 18_432) == 71_303_168
    added = told.found(rf"{SAID}Adding lora to: 0\.module\.decoder\.layers\.(?P<layer>\d+)\..*")
    assert [int(match["layer"]) for match in added] == [n for n in range(32) for _ in range(4)]
    order = [
        "Doing selective restore",
        "Adding lora",
        "Initializing model",
        "Setting up optimizer ",
    ]
    assert in_order(order, told.lines) is None


@pytest.mark.parametrize("seed", range(50))
def test_the_identities_hold_on_the_text_alone(seed: int) -> None:
    told = log("nemo", seed)
    values = metrics(told)
    schedule = told.job.schedule
    done = schedule.first_step - 1
    assert [line["iteration"] for line in values] == [*range(done, schedule.steps)]
    assert ("consumed_samples" in values[0]) == (done > 0)
    for line in values:
        iteration, batch = line["iteration"], line["global_batch_size"]
        assert line["global_step"] == iteration
        if iteration:
            assert line["consumed_samples"] == (iteration + 1) * batch
    held_out = [line["val_loss"] for line in values if "val_loss" in line]
    changes = sum(before != after for before, after in pairwise(held_out))
    assert changes < len(values) / 4


@pytest.mark.parametrize("every", [4, 10])
def test_a_longer_interval_prints_means_at_its_end(every: int) -> None:
    """n % log_interval == 0: iterations 9, 19, ...; what a part of the interval lacks counts 0."""
    job = job_of(3, dialect="nemo", steps=200)
    job = job._replace(schedule=job.schedule._replace(log_every=every))
    text = "".join(frame.text for frame in play(job, Options(view="log"), lambda: PIPE))
    values = metrics(Log(job, tuple(text.split("\n"))))
    assert [line["iteration"] for line in values] == [*range(every - 1, 200, every)]
    batch = values[0]["global_batch_size"]
    first = sum(step * batch for step in range(2, every + 1)) / every
    assert values[0]["consumed_samples"] == pytest.approx(first, rel=1e-3)
    second = sum(step * batch for step in range(every + 1, 2 * every + 1)) / every
    assert values[1]["consumed_samples"] == pytest.approx(second, rel=1e-3)


@pytest.mark.parametrize(("step", "told"), [(1, "9.804e-08"), (2, "1.961e-07"), (51, "5e-06")])
def test_a_warmup_is_the_one_of_the_real_log(step: int, told: str) -> None:
    """Fifty steps to 5e-6 in the first lines of REAL; the peak comes one step late."""
    job = physics_jobs.job()
    schedule = job.schedule._replace(warmup=50, peak_lr=5e-6, final_lr=5e-7)
    assert nemo.shown(nemo.lagged_rate(job._replace(schedule=schedule), step)) == told


@pytest.mark.parametrize("seed", range(50))
def test_saves_say_when_they_began(seed: int) -> None:
    for match in log("nemo", seed).found(GLOBAL):
        ended = datetime.strptime(match["stamp"], "%Y-%m-%d %H:%M:%S")
        began = datetime(1970, 1, 1) + timedelta(seconds=float(match["start"]))
        passed = (ended - began).total_seconds()
        assert passed == pytest.approx(float(match["duration"]), abs=1.01)


def test_who_goes_back_from_the_middle_of_a_save_reads_the_same_log() -> None:
    """The callback looks where a save is behind the training, and nowhere else (law 3)."""
    job = job_of(0, dialect="nemo", steps=300, gpus=8, incidents="none")
    assert job.background_saves
    run, begun = run_of(job), "Scheduled async checkpoint save"

    def texts() -> Iterator[str]:
        return (frame.text for frame in play(run, Options(view="log"), lambda: PIPE))

    whole = "".join(texts())
    assert begun in next(text for text in texts() if begun in text)  # the page leaves it there
    assert "".join(texts()) == whole


@pytest.mark.parametrize("seed", range(20))
def test_validations_count_their_batches(seed: int) -> None:
    counts = [
        (int(match["done"]), int(match["total"])) for match in log("nemo", seed).found(VALIDATION)
    ]
    assert counts
    assert all(0 < done <= total for done, total in counts)
    assert counts[-1][0] == counts[-1][1]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (200, 50)])
def test_a_terminal_shows_no_leftovers(width: int, height: int) -> None:
    for rows in screens("nemo", 3, width, height, every=25):
        assert not any("%|" in row for row in rows)


def test_the_first_stage_has_fewer_layers() -> None:
    """Llama 3 405B, 126 layers on 16 stages: one less on the first and last (section 3.3.2)."""
    told = log(
        "nemo", 4, model="Basalt-405B", gpus=1024, gpu="NVIDIA H100 80GB HBM3", recipe="pretrain"
    )
    assert any(line.split()[:4] == ["151", "Modules", "in", "train"] for line in told.lines)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("incident", ["data-stall@step=40", "preempt@50%:rank=0"])
def test_printer_and_loggers_have_one_value_of_a_step(seed: int, incident: str) -> None:
    """One self.log of the timing feeds both, of slow steps and of an attempt's first, too."""
    short: dict[str, object] = {"model": "Basalt-1B", "gpus": 8, "steps": 120}
    job = job_of(seed, dialect="nemo", incident=(incident,), **short)
    logger: Any = scalars.WANDB[events.Step]
    times = []
    for event in simulate(job):
        job = job_after(job, event)
        if isinstance(event, events.Step):
            (point,) = logger(event, job)
            written, printed = dict(point.values), nemo.iteration(event, job)
            for name in ("train_step_timing in s", "TFLOPS_per_GPU"):
                close = pytest.approx(written[name], rel=1e-6)
                assert printed[name] == close, (seed, event.step, name)
            times.append(written["train_step_timing in s"])
    assert max(times[1:]) > 1.2 * median(times), seed


_SHORT = {"model": "Basalt-1B", "gpus": 8, "steps": 120}
# Restarts after a signal and after a fault, and a part of a longer run.
RESUMING: list[tuple[int, dict[str, object]]] = [
    (1, {**_SHORT, "incident": ("preempt@50%:rank=0",)}),
    (1, {**_SHORT, "incident": ("gpu-lost@70%",)}),
    (4, {}),
]


@pytest.mark.parametrize(("seed", "asked"), RESUMING)
def test_a_validations_loss_is_that_of_the_same_processes(
    seed: int, asked: dict[str, object]
) -> None:
    """ProgressPrinter reads the trainer's live metrics, which no checkpoint brings back."""
    validated, before = False, 0
    for line in log("nemo", seed, **asked).lines:
        if "Padded vocab_size" in line:
            validated, before = False, 0
        validated = validated or line.startswith("Validation: iteration")
        if line.startswith("Training epoch"):
            before += not validated
            assert ("val_loss" in line) == validated, (seed, line)
    assert before


@pytest.mark.parametrize(("seed", "asked"), RESUMING)
def test_a_resume_names_the_folder_of_the_last_save(seed: int, asked: dict[str, object]) -> None:
    """AutoResume takes the folder whose name ends in -last; ckpt_to_dir takes .ckpt away."""
    told = log("nemo", seed, **asked)
    folder = rf"{PATH}--val_loss=\d\.\d\d-step=(?P<step>\d+)-consumed_samples=\d+\.0-last"
    saved = {match["path"] for match in told.found(rf".* save for (?P<path>{PATH})\.ckpt")}
    found = told.found(rf"Restoring states from the checkpoint path at (?P<path>{folder})")
    assert len(found) == 1
    done = told.job.schedule.first_step - 1
    for match in found:
        assert match["path"] in saved or int(match["step"]) == done - 1, (seed, match["path"])
