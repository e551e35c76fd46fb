"""The lightning dialect against Lightning 2.6.6's own lines, and its text against itself."""

import re

import pytest
from tqdm.std import tqdm

from llmsim.dialects.lightning import lines as lightning
from llmsim.dialects.line import Bar
from llmsim.dialects.registry import lines_of
from llmsim.physics.learning import loss
from llmsim.run import events
from tests.dialects.transcripts import BAR, PIPE, TORCHRUN, check_bar, log, screens, unmatched
from tests.runs import run_of

# TQDMProgressBar.BAR_FORMAT.
FORMAT = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_noinv_fmt}{postfix}]"
START = (
    r"(?:\[rank: \d+\] )?Seed set to \d+",
    r"GPU available: True \(cuda\), used: True",
    r"TPU available: False, using: 0 TPU cores",
    r"Initializing distributed: GLOBAL_RANK: \d+, MEMBER: \d+/\d+",
    r"-{100}|-{40,90}|",
    r"distributed_backend=nccl",
    r"All distributed processes registered\. Starting with \d+ processes",
    r"LOCAL_RANK: \d+ - CUDA_VISIBLE_DEVICES: \[\d(?:,\d+)*\]",
    r"💡 Tip: For seamless cloud logging .*litlogger.*",
    r"Using bfloat16 Automatic Mixed Precision \(AMP\)",
    r"You are using a CUDA device \('[\w. -]+'\) that has Tensor Cores\. .*",
    r"/\S+/model_summary\.py:242: Precision bf16-mixed is not supported by the model summary\..*",
)
COUNT = r"(?:\d[\d,]*(?:\.\d)? [ KMBT]|0 +)"
TABLE = (
    r"  \| Name +\| Type +\| Params \| Mode  \| FLOPs",
    rf"0 \| mod(?:el|ule) \| \w+ +\| {COUNT} +\| train \| 0 +",
    rf"{COUNT} *(?:Trainable|Non-trainable|Total) params",
    r"[\d,]+\.\d{3} *Total estimated model params size \(MB\)",
    r"\d+ +(?:Modules in (?:train|eval) mode|Total Flops)",
)
RESTORED = r"Restor(?:ing|ed all) states from the checkpoint (?:path )?at \S+\.ckpt"
STOPPED = r"`Trainer\.fit` stopped: `max_steps=(?P<steps>\d+)` reached\."
BARS = (rf"Epoch (?P<epoch>\d+): {BAR}", rf"(?:Validation|Sanity Checking) DataLoader 0: {BAR}")
PATTERNS = (TORCHRUN, *START, *TABLE, RESTORED, STOPPED, *BARS)
REAL = """\
Seed set to 42
GPU available: True (cuda), used: True
TPU available: False, using: 0 TPU cores
LOCAL_RANK: 0 - CUDA_VISIBLE_DEVICES: [0,1,2,3,4,5,6,7]
Initializing distributed: GLOBAL_RANK: 0, MEMBER: 1/8
distributed_backend=nccl
All distributed processes registered. Starting with 8 processes
  | Name  | Type            | Params | Mode  | FLOPs
0 | model | GPT2LMHeadModel | 445 K  | train | 0    \n\
445 K     Trainable params
0         Non-trainable params
445 K     Total params
1.784     Total estimated model params size (MB)
34        Modules in train mode
0         Modules in eval mode
0         Total Flops
Sanity Checking DataLoader 0: 100%|██████████| 2/2 [00:00<00:00,  4.13it/s]
Epoch 0:  10%|█         | 4/40 [00:02<00:18,  1.95it/s, train_loss=4.410]
`Trainer.fit` stopped: `max_steps=40` reached.
"""


@pytest.mark.parametrize("seed", range(20))
def test_every_line_is_one_of_the_frameworks(seed: int) -> None:
    assert unmatched(log("lightning", seed).lines, PATTERNS) == []


def test_the_real_lines_are_matched_too() -> None:
    assert unmatched(REAL.splitlines(), PATTERNS) == []


@pytest.mark.parametrize("seed", range(50))
def test_bars_agree_with_themselves(seed: int) -> None:
    told = log("lightning", seed)
    schedule = told.job.schedule
    for pattern in BARS:
        for match in told.found(pattern):
            check_bar(match)
    epochs = told.found(BARS[0])
    assert {int(match["epoch"]) for match in epochs} == set(range(schedule.epochs))
    batches = schedule.steps // schedule.epochs * told.job.layout.accumulation
    assert {int(match["total"]) for match in epochs} == {batches}
    # A full bar is there when the last step is done, and the last one once more at the end.
    full = [int(match["epoch"]) for match in epochs if match["done"] == match["total"]]
    assert full == [*range(schedule.epochs), schedule.epochs - 1]
    before = schedule.first_step - 1  # a part of a longer run begins with a checkpoint's step
    logged = schedule.steps // schedule.log_every - before // schedule.log_every
    logged += schedule.log_every > 1 and not before
    assert len(epochs) == logged + 1
    (end,) = told.found(STOPPED)
    assert int(end["steps"]) == schedule.steps
    # The bar that stays knows what the last validation found.
    if validated := schedule.steps // schedule.validate_every * schedule.validate_every:
        held_out = lightning.padded(loss.validation(told.job, validated))
        assert epochs[-1]["note"].endswith(f"val_loss={held_out}")
    notes = (re.findall(r"train_loss=([\d.]+)", epochs[i]["note"]) for i in (0, -1))
    first, last = (float(told) for (told,) in notes)
    assert first > 0.95 * last


@pytest.mark.parametrize("seed", [0, 3, 7])
def test_bars_are_tqdms(seed: int) -> None:
    run, tell = run_of(seed, dialect="lightning"), lines_of("lightning")[events.Progress]
    per_epoch = run.job.schedule.steps // run.job.schedule.epochs
    batches = run.job.layout.accumulation
    for event in run.all(events.Progress):
        for line in tell(event, run.job, PIPE):
            assert isinstance(line, Bar) == (event.task != "epoch")  # a file's bars are lines
            if event.task == "epoch":
                epoch = int(line.text.split()[1][:-1])
                step = epoch * per_epoch + event.done
                note = re.split(r"it/s, ", line.text)[-1].removesuffix("]")
                shown = lightning.padded(loss.training(run.job, step))
                assert note.startswith(f"v_num=0, train_loss={shown}")
                label = f"Epoch {epoch}"
            else:
                label, note = "Validation DataLoader 0", ""
            assert line.text == tqdm.format_meter(
                event.done * batches, event.total * batches, event.elapsed,
                prefix=label, postfix=note, bar_format=FORMAT,
            )  # fmt: skip


@pytest.mark.parametrize(
    ("number", "told"), [(0, "0  "), (123, "123  "), (1234, "1.2 K"), (445_000, "445 K"),
                         (2_000_000, "2.0 M"), (3_000_000_000, "3.0 B")],
)  # fmt: skip
def test_counts_are_lightnings(number: int, told: str) -> None:
    assert lightning.count(number) == told


@pytest.mark.parametrize(
    ("value", "told"), [(4.41, "4.410"), (10.99, "11.00"), (0.5613, "0.561"), (2.0, "2.000")]
)
def test_numbers_in_the_bar_are_padded(value: float, told: str) -> None:
    assert lightning.padded(value) == told


def test_processes_speak_at_once_unless_the_job_is_tidy() -> None:
    seeds = re.compile(r"\[rank: (\d)\] Seed set to \d+")
    spoken = {}
    for tidy in (False, True):
        told = log("lightning", 3, gpus=8, tidy=tidy)
        spoken[tidy] = [int(match[1]) for match in told.found(seeds.pattern)]
        (begun,) = (at for at, line in enumerate(told.lines) if "[rank: 7] Seed" in line)
        (joined,) = (at for at, line in enumerate(told.lines) if "MEMBER: 8/8" in line)
        assert begun < joined  # a process keeps its own order
    assert spoken[True] == [*range(8)]
    assert spoken[False] != spoken[True] == sorted(spoken[False])


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (200, 50)])
def test_a_terminal_shows_no_leftovers(width: int, height: int) -> None:
    seen = 0
    for rows in screens("lightning", 3, width, height, every=7):
        shown = [row for row in rows if "%|" in row]
        assert all(len(row) < width for row in shown)
        unfinished = [row for row in shown if not re.match(r"Epoch \d+: 100%", row)]
        assert len(unfinished) <= 1, rows
        seen += len(unfinished)
        if unfinished:
            assert [row for row in rows if row][-1] == unfinished[0]
    assert seen > 10
