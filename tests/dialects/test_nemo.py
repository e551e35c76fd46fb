"""The nemo dialect against NeMo 2's own lines, and its text against itself."""

from datetime import datetime, timedelta
from itertools import pairwise
from math import exp

import pytest

from llmsim.dialects.lightning import lines as lightning
from llmsim.dialects.nemo import lines as nemo
from llmsim.model.architecture import parameter_count
from tests.dialects.test_lightning import START, STOPPED, TABLE
from tests.dialects.transcripts import TORCHRUN, Log, log, screens, unmatched
from tests.physics import jobs as physics_jobs

V = r"-?\d[\d.]*(?:e[+-]\d\d)?"
# NeMo-Run puts the job and the rank before each line.
RUN = r"(?:(?:\[[\dT:+-]+\] )?\w+/\d (?:\[\w+\]:)?)?"
KEYS = (
    "lr", "global_batch_size", "global_step", "reduced_train_loss", "train_step_timing in s",
    "tokens_per_sec_per_gpu", "consumed_samples", "val_loss", "val_ppl",
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
PATTERNS = (
    TORCHRUN,
    *START,
    *TABLE,
    STOPPED,
    LINE,
    VALIDATION,
    GLOBAL,
    rf"{SAID}Rank 0 has [a-z ]+ group ?: \[\d+(?:, \d+)*\]",
    rf"{SAID}Rank 0 has [a-z ]+ rank:? 0",
    rf"{SAID}Padded vocab_size: \d+, original vocab_size: \d+, dummy tokens: \d+\.",
    rf"{SAID} > number of parameters on \(tensor, pipeline\) model parallel rank \(0 ,0\): \d+",
    rf"{SAID}Copying Trainer's 'max_steps' \(\d+\) to LR scheduler's 'max_steps'\.",
    rf"{SAID}Using FullyParallelSaveStrategyWrapper\(torch_dist, \d+\) dist-ckpt save strategy\.",
    rf"{SAID}Scheduled async checkpoint save for {PATH}",
    rf"{SAID}Successfully saved checkpoint from iteration +\d+ to {PATH}",
    rf"{SAID}Async checkpoint save for step \d+ \({PATH}\) finalized successfully\.",
    rf"{SAID}RerunStateMachine initialized in mode RerunMode\.DISABLED",
)
REAL = """\
retraining/0 [default0]:[NeMo W 2025-08-19 14:27:47 rerun_state_machine:239] RerunStateMachine \
initialized in mode RerunMode.DISABLED
retraining/0 [default0]:Training epoch 0, iteration 0/99 | lr: 9.804e-08 | global_batch_size: 4 | \
global_step: 0 | reduced_train_loss: 14.66 | train_step_timing in s: 5.276
retraining/0 [default0]:Training epoch 0, iteration 1/99 | lr: 1.961e-07 | global_batch_size: 4 | \
global_step: 1 | reduced_train_loss: 15.07 | train_step_timing in s: 2.008 | consumed_samples: 8
[2025-11-20T14:55:23+08:00] retraining/0 Training epoch 0, iteration 97/99 | lr: 1.469e-05 | \
global_batch_size: 128 | global_step: 97 | reduced_train_loss: 6.265 | train_step_timing in s: \
12.22 | tokens_per_sec_per_gpu: 1.073e+04 | consumed_samples: 12544
Training epoch 0, iteration 28/99 | lr: 5.6e-06 | global_batch_size: 32 | global_step: 28 | \
reduced_train_loss: 2.778 | train_step_timing in s: 0.189 | consumed_samples: 928 | \
val_loss: 2.861 | val_ppl: 17.57
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
    assert unmatched(log("nemo", seed).lines, PATTERNS) == []


def test_the_real_lines_are_matched_too() -> None:
    assert unmatched((REAL + REAL_TABLE).splitlines(), PATTERNS) == []


def test_the_table_is_that_of_a_real_log() -> None:
    weights = 1_128_729_600
    lines = [line.text for line in lightning.table("module", "DDP", weights, weights, 651)]
    assert lines == REAL_TABLE.split("\n")[:-1]


@pytest.mark.parametrize("seed", range(30))
def test_the_table_tells_of_the_weights_on_one_rank(seed: int) -> None:
    told = log("nemo", seed)
    (local,) = told.found(rf"{SAID} > number of parameters on .*: (?P<count>\d+)")
    (size,) = told.found(r"(?P<megabytes>[\d,.]+?) *Total estimated model params size \(MB\)")
    megabytes = float(size["megabytes"].replace(",", ""))
    layout, weights = told.job.layout, parameter_count(told.job.architecture)
    split = layout.tp * layout.pp
    assert int(local["count"]) == -(-weights // split)
    assert told.found(r"0 \| module \| DDP +\| .*")
    assert megabytes == pytest.approx(4e-6 * int(local["count"]), abs=6e-4)


@pytest.mark.parametrize("seed", range(50))
def test_the_identities_hold_on_the_text_alone(seed: int) -> None:
    told = log("nemo", seed)
    schedule, gpus = told.job.schedule, told.job.layout.gpus
    values = metrics(told)
    assert values[0]["iteration"] == 0
    assert "consumed_samples" not in values[0]
    assert values[-1]["iteration"] == schedule.steps - 1
    for line in values:
        iteration, batch = line["iteration"], line["global_batch_size"]
        assert line["global_step"] == iteration
        if iteration:
            assert line["consumed_samples"] == (iteration + 1) * batch
        per_gpu = batch * schedule.sequence / line["train_step_timing in s"] / gpus
        assert line["tokens_per_sec_per_gpu"] == pytest.approx(per_gpu, rel=2e-3)
        if "val_loss" in line:
            assert line["val_ppl"] == pytest.approx(exp(line["val_loss"]), rel=6e-3)
    held_out = [line["val_loss"] for line in values if "val_loss" in line]
    changes = sum(before != after for before, after in pairwise(held_out))
    assert changes < len(values) / 4


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
