"""The llmc dialect against train_gpt2.cu's own formats, and its text against itself."""

import re
from math import fsum, isnan, sqrt

import pytest

from llmsim.dialects.llmc.estimates import WINDOW
from llmsim.dialects.llmc.framework import PEAKS
from tests.dialects.test_nvidia_smi import PATTERNS as SMI
from tests.dialects.transcripts import Log, log, screens, unmatched

EDGE = r"\+-{23}\+-{52}\+"
ROW = r"\| (?P<name>.{21}) \| (?P<value>.{50,}) \|"
Z = r"[+-](?:nan|\d+\.\d\d)"
STEP = (
    r"step (?P<step> *\d+)/(?P<steps>\d+) \| "
    rf"loss (?P<loss>\d+\.\d{{6}}) \((?P<loss_z>{Z})z\)"
    rf"\| norm (?P<norm>\d+\.\d{{4}}) \((?P<norm_z>{Z})z\)\| lr (?P<lr>\d\.\d\de-\d\d) \| "
    r"(?P<ms>\d+\.\d\d) ms \| (?P<mfu>-?\d+\.\d)% bf16 MFU \| (?P<rate>\d+) tok/s"
)
HELLASWAG = r"HellaSwag: (?P<right>\d+)/(?P<all>\d+) = (?P<share>0\.\d{6})"
BATCH = (
    r"batch_size B=(?P<b>\d+) \* seq_len T=(?P<t>\d+) \* num_processes=(?P<n>\d+) and "
    r"total_batch_size=(?P<total>\d+)"
)
SIZE = r"num_parameters: (?P<count>\d+) => bytes: (?P<bytes>\d+)"
ACCUMULATION = r"=> setting grad_accum_steps=(?P<accumulation>\d+)"
AVERAGE = r"total average iteration time: (?P<ms>\d+\.\d{6}) ms"
MEMORY = r"device memory usage: (?P<used>\d+) MiB / (?P<total>\d+) MiB"
PATTERNS = (
    EDGE,
    ROW,
    SIZE,
    r"allocated (?P<size>\d+) MiB for model parameters",
    BATCH,
    ACCUMULATION,
    r"created directory: [\w/-]+",
    r"allocating \d+ MiB for (?:parameter gradients|activations|master copy of params)",
    r"allocating \d+ MiB for AdamW optimizer state [mv]",
    MEMORY,
    r"memory per sequence: \d+ MiB",
    r" -> estimated maximum batch size: \d+",
    r"val loss (?P<loss>\d+\.\d{6})",
    STEP,
    HELLASWAG,
    r"Writing (?:model|state) to [\w/-]+/(?:model|state)_\d{8}(?:_\d{5})?\.bin",
    r"\| Zero Optimization is disabled {46}\|",
    r"(?:Writing|Deleting) checkpoint at step \d+",
    AVERAGE,
    *SMI,
)
# GPT-2 124M and 1558M on 8 H100, as their authors posted them.
REAL = """\
+-----------------------+----------------------------------------------------+
| Parameter             | Value                                              |
| zero_stage            | 1                                                  |
num_parameters: 1557686400 => bytes: 3115372800
allocated 2971 MiB for model parameters
batch_size B=16 * seq_len T=1024 * num_processes=8 and total_batch_size=1048576
=> setting grad_accum_steps=8
created directory: log_gpt2_1558M
allocating 40409 MiB for activations
val loss 11.129390
allocating 2971 MiB for parameter gradients
allocating 742 MiB for AdamW optimizer state m
allocating 742 MiB for AdamW optimizer state v
allocating 742 MiB for master copy of params
device memory usage: 21315 MiB / 81100 MiB
memory per sequence: 331 MiB
 -> estimated maximum batch size: 236
step    1/32000 | loss 11.133732 (+nanz)| norm 52.9732 (+nanz)| lr 8.57e-07 | 3056.36 ms | \
42.6% bf16 MFU | 343080 tok/s
step    2/21479 | loss 10.829729 (+nanz)| norm 15.0011 (+nanz)| lr 5.71e-06 | 2391.52 ms | \
-100.0% bf16 MFU | 191824 tok/s
step  200/18865 | loss 6.012345 (-0.52z)| norm 0.8123 (+1.04z)| lr 1.71e-04 | 2747.19 ms | \
47.4% bf16 MFU | 381690 tok/s
HellaSwag: 2951/10042 = 0.293866
"""


# What train_gpt2.cu prints of its depths 12, 24, 36 and 48. (1558M: discussion 677.)
COUNTS = {
    "Heron-124M": ("d12", 12, 12, 768, 124_475_904, 237),
    "Heron-355M": ("d24", 24, 16, 1024, 354_871_296, 676),
    "Heron-774M": ("d36", 36, 20, 1280, 774_090_240, 1476),
    "Heron-1.5B": ("d48", 48, 25, 1600, 1_557_686_400, 2971),
}


def rows(told: Log) -> dict[str, str]:
    """The table of the configuration."""
    return {match["name"].strip(): match["value"].strip() for match in told.found(ROW)}


@pytest.mark.parametrize("seed", range(20))
def test_every_line_is_one_of_the_programs(seed: int) -> None:
    assert unmatched(log("llmc", seed).lines, PATTERNS) == []


def test_the_real_lines_are_matched_too() -> None:
    assert unmatched(REAL.splitlines(), PATTERNS) == []


@pytest.mark.parametrize("model", COUNTS)
def test_models_are_gpt2s_in_shape_and_in_count(model: str) -> None:
    start, layers, heads, width, parameters, mib = COUNTS[model]
    told = log("llmc", 5, model=model, gpus=8, gpu="NVIDIA H100 80GB HBM3", steps=300)
    table = rows(told)
    assert table["weight init method"] == start
    found = [int(table[name]) for name in ("num_layers L", "num_heads NH", "channels C")]
    assert found == [layers, heads, width]
    tokens = ("max_sequence_length T", "vocab_size V", "padded_vocab_size Vp")
    assert [int(table[name]) for name in tokens] == [1024, 50257, 50304]
    assert f"num_parameters: {parameters} => bytes: {2 * parameters}" in told.text
    assert f"allocated {mib} MiB for model parameters" in told.text


@pytest.mark.parametrize("seed", range(10))
def test_a_whole_run_reaches_the_rate_of_the_table(seed: int) -> None:
    told = log("llmc", seed, steps=400)  # without a number of steps a seed shows the end of a run
    assert told.job.schedule.first_step == 1
    highest = max(float(match["lr"]) for match in told.found(STEP))
    assert highest == pytest.approx(float(rows(told)["learning rate (LR)"]), rel=6e-3)


@pytest.mark.parametrize("seed", range(50))
def test_every_step_is_told_and_the_table_is_the_runs(seed: int) -> None:
    told = log("llmc", seed)
    table, steps = rows(told), told.found(STEP)
    first = told.job.schedule.first_step
    assert [int(match["step"]) for match in steps] == [*range(first, int(table["max_steps"]) + 1)]
    (batch,) = told.found(BATCH)
    product = int(batch["b"]) * int(batch["t"]) * int(batch["n"])
    (accumulated,) = told.found(ACCUMULATION)
    assert product * int(accumulated["accumulation"]) == int(table["total batch size"])
    (size,) = told.found(SIZE)
    assert int(size["bytes"]) == 2 * int(size["count"]) == 2 * int(table["num_parameters"])
    highest, peak = max(float(match["lr"]) for match in steps), float(table["learning rate (LR)"])
    assert highest <= 1.006 * peak
    for match in told.found(MEMORY):
        assert int(match["used"]) <= int(match["total"])
    for match in told.found(HELLASWAG):
        assert f"{int(match['right']) / int(match['all']):.6f}" == match["share"]


@pytest.mark.parametrize("seed", range(50))
def test_the_z_scores_are_those_of_the_window(seed: int) -> None:
    steps = log("llmc", seed).found(STEP)
    for key, digits in (("loss", 6), ("norm", 4)):
        values = [float(match[key]) for match in steps]
        for index, match in enumerate(steps):
            shown = float(match[f"{key}_z"])
            if index < WINDOW:
                assert isnan(shown)
                continue
            window = values[index - WINDOW + 1 : index + 1]
            mean = fsum(window) / WINDOW
            deviation = sqrt(fsum((value - mean) ** 2 for value in window) / WINDOW)
            assert shown == pytest.approx(
                (values[index] - mean) / deviation, abs=0.006 + 10.0**-digits / deviation
            )


@pytest.mark.parametrize("seed", range(50))
def test_rates_times_and_mfu_agree(seed: int) -> None:
    told = log("llmc", seed)
    tokens = int(rows(told)["total batch size"])
    steps = told.found(STEP)
    mean, scale = 0.0, 0.0
    for number, match in enumerate(steps):
        step, milliseconds = int(match["step"]), float(match["ms"])
        rate = 1000 * tokens / milliseconds
        if step == 1:
            corrected = rate
        else:
            mean = 0.95 * mean + 0.05 * rate
            corrected = mean / (1 - 0.95 ** (step - 1))
        rounding = 0.006 / milliseconds + 1e-4
        assert float(match["rate"]) == pytest.approx(corrected, rel=rounding, abs=0.6)
        mfu = float(match["mfu"])
        if number == 1:
            scale = mfu * milliseconds
        elif number > 1:
            assert mfu == pytest.approx(scale / milliseconds, abs=0.11)
    (average,) = told.found(AVERAGE)
    # train_gpt2.cu:1887: step 1 is left out, and the sum is divided by the number of all others.
    total = fsum(float(match["ms"]) for match in steps if int(match["step"]) > 1)
    others = int(rows(told)["max_steps"]) - 1
    assert float(average["ms"]) == pytest.approx(total / others, abs=0.006)


@pytest.mark.parametrize("seed", range(20))
def test_mfu_is_what_the_program_estimates(seed: int) -> None:
    """train_gpt2.cu, gpt2_estimate_mfu: 6 N + 6 L C T against the peak that the table shows."""
    told = log("llmc", seed)
    table = rows(told)
    layers, width, length = (
        int(table[name]) for name in ("num_layers L", "channels C", "sequence length T")
    )
    flops = 6 * int(table["num_parameters"]) + 6 * layers * width * length
    tokens = int(table["total batch size"]) / int(table["num_processes"])
    assert table["peak TFlops"] == f"{PEAKS[table['device']]:.1f}"
    for match in told.found(STEP)[1:20]:
        mfu = 100 * flops * tokens / (float(match["ms"]) / 1000) / (PEAKS[table["device"]] * 1e12)
        assert float(match["mfu"]) == pytest.approx(mfu, abs=0.06)


def test_a_gpu_that_the_program_does_not_know_has_no_mfu() -> None:
    told = log("llmc", 1, gpu="NVIDIA H200")
    assert rows(told)["peak TFlops"] == "-1.0"
    assert {match["mfu"] for match in told.found(STEP)} == {"-100.0"}


@pytest.mark.parametrize(
    ("gpu", "tflops"),
    [("NVIDIA A100-SXM4-80GB", 312), ("NVIDIA GeForce RTX 4090", 165.2), ("NVIDIA H100 PCIe", 756),
     ("NVIDIA H100 80GB HBM3", 989)],
)  # fmt: skip
def test_peaks_are_those_of_the_data_sheets(gpu: str, tflops: float) -> None:
    assert PEAKS[gpu] == pytest.approx(tflops, rel=1e-3)


@pytest.mark.parametrize("seed", range(50))
def test_the_memory_is_the_sum_of_what_was_allocated(seed: int) -> None:
    """Weights and gradients are whole on every GPU; ZeRO-1 cuts what Adam keeps (zero.cuh)."""
    told = log("llmc", seed)
    table = rows(told)
    parameters, mib = int(table["num_parameters"]), 1 << 20
    shards = int(table["num_processes"]) if table["zero_stage"] == "1" else 1
    (weights,) = told.found(r"allocated (?P<size>\d+) MiB for model parameters")
    parts = [int(match["size"]) for match in told.found(r"allocating (?P<size>\d+) MiB for .*")]
    gradients, activations, *states = parts
    assert int(weights["size"]) == gradients == 2 * parameters // mib
    assert states == [4 * parameters // shards // mib] * 3
    (used,) = told.found(MEMORY)
    context = int(used["used"]) - int(weights["size"]) - sum(parts)
    assert 500 < context < 3000  # CUDA and NCCL
    assert int(used["used"]) <= int(used["total"])
    assert activations > 0


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (200, 50)])
def test_a_terminal_shows_no_leftovers(width: int, height: int) -> None:
    for shown in screens("llmc", 3, width, height, every=20):
        told = [row for row in shown if re.match(r"step +\d+/", row)]
        if width > 120:
            assert unmatched(told, [STEP]) == []
