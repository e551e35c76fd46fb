"""torchtitan's log, against formats written down from its source and from real logs."""

import re
from datetime import datetime, timedelta
from itertools import pairwise

import pyte
import pytest

from llmsim.dialects.torchtitan.model import feed_forward
from llmsim.model.architecture import PUBLISHED, Architecture, config_for, parameter_count
from tests.dialects.logs import (
    COLORED,
    ESCAPE,
    found,
    in_order,
    log_of,
    near,
    number,
    played,
    unmatched,
)
from tests.runs import job_of

STAMP = r"(?P<stamp>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3})"
# Before 2025-03 without "[titan]"; without torchrun's --tee no rank.
PREFIX = rf"(?:\[rank\d+\]:)?\[titan\] {STAMP} - root - INFO - "
WARNING = PREFIX.replace("INFO", "WARNING")

# v0.1.0 has no grad_norm; v0.2.2 has a fifth decimal of the loss.
METRICS = (
    r"step: (?P<step>[ \d]\d+)  loss: (?P<loss>[ \d]\d\.\d{4,5})  "
    r"(?:grad_norm: (?P<norm>[ \d]+\.\d{4})  )?"
    r"memory: (?P<gib>[ \d]+\.\d\d)GiB\((?P<percent>\d+\.\d\d)%\)  "
    r"tps: (?P<tps>[\d,]+)  tflops: (?P<tflops>[\d,]+\.\d\d)  mfu: (?P<mfu>\d+\.\d\d)%"
)
VALIDATION = (
    r"validate step: (?P<vstep>[ \d]\d+)  loss: (?P<vloss>[ \d]\d\.\d{4})  "
    r"memory: (?P<vgib>[ \d]+\.\d\d)GiB\((?P<vpercent>\d+\.\d\d)%\)  tps: (?P<vtps>[\d,]+)"
)
SIZE = r"\d+\.\d\dGiB\(\d+\.\d\d%\)"
INFO = (
    r"Starting job: .+",
    r"Building \d-D device mesh with \[('\w+'(, '\w+')*)?\], \[(\d+(, \d+)*)?\]",
    r"Loading tokenizer from tokenizer\.json",
    r"Preparing \S+ dataset from \S+",
    r"Building (llama3|qwen3) \S+ with (TransformerModelArgs|Qwen3ModelArgs)\(\S.*\)",
    r"TensorBoard logging enabled\. Logs will be saved at \./outputs/tb/\d{8}-\d{4}",
    r"CUDA capacity: .+ with \d+\.\d\dGiB memory",
    r"Total parameter count: dense [\d,]+, sparse [\d,]+, active [\d,]+",
    r"Model (llama3|qwen3) \S+ size: (?P<size>[\d,]+) total parameters",
    r"Compiling (each TransformerBlock|the loss function) with torch\.compile",
    r"PP rank \d+ is building stage_idx \d+ with modules \['[\w.]+'(, '[\w.]+')*\]",
    r"Using pipeline schedule \w+ with \d+ microbatches and \d+ stages\.",
    r"Applied (selective|full) activation checkpointing to the model",
    r"Applied (FSDP|HSDP|DDP|Tensor Parallelism|Context Parallel) to the model",
    r"Peak FLOPS used for computing MFU: \d\.\d{3}e\+\d\d",
    rf"CUDA memory usage for model: {SIZE}",
    r"Checkpointing active\. Checkpoints will be loaded from and saved to \S+",
    r"Mixed precision training is (handled by (fully_shard|AMP)|disabled)",
    (
        r"Trainer is initialized with local batch size \d+, global batch size \d+, gradient "
        r"accumulation steps \d+, sequence length \d+, total steps \d+ \(warmup \d+\)\.?"
    ),
    r"Loading the checkpoint from \S+\.",
    r"Finished loading the checkpoint in \d+\.\d\d seconds\.",
    r"Training starts at step \d+\.?",
    r"Synchronizing and adjusting timeout for all ProcessGroups to 0:01:40",
    (
        r"\[GC\] (Initial GC collection|Performing periodic GC collection|GC collection invoked "
        r"by checkpointer\.|GC collection for checkpoint loading\.) took \d+\.\d\d seconds"
    ),
    r"Saving the checkpoint \(or staging if async is enabled\)\.",
    r"Finished saving the checkpoint \(or staging if async is enabled\)in \d+\.\d\d seconds\.",
    r"Saving a model only checkpoint in torch\.float32 at last step, step \d+\.",
    r"Checkpointer is deleting \S+\.",
    r"Checkpointer deleted \S+ in \d+\.\d\d seconds\.",
    r"loading from HF safetensors from --checkpoint\.initial_load_path: \S+",
    r"Destroying the purge thread\.",
    r"Sleeping 2 seconds for other ranks to complete",
    r"Training completed",
    r"Process group destroyed\.?",
)
LAUNCHER = r"W\d{4} \d\d:\d\d:\d\d\.\d{3}000 \d+ torch/distributed/run\.py:\d+\] "
PATTERNS = (
    r"\+ (export )?[A-Z_]+=\S+",
    r"\+ torchrun .*--nproc_per_node=\d+ .*--local-ranks-filter \d+ --role rank --tee 3 -m .*",
    rf"{LAUNCHER}(\*{{41}}|Setting OMP_NUM_THREADS environment variable .*)?",
    r"\[rank\d+\]:(NCCL version \d+\.\d+\.\d+\+cuda\d+\.\d+|RCCL version .*)",
    rf"{WARNING}ENV\[TORCH_NCCL_ASYNC_ERROR_HANDLING\] = 1 will be overridden to 3 based on .*",
    rf"{WARNING}Number of microbatches \(\d+\) is less than the total number of stages .+",
    rf"{WARNING}Pipeline Parallel loss is not visible\. Please add rank \d+ to LOG_RANK .+",
    rf"{WARNING}Mixed precision training with TP or PP is only supported when FSDP/HSDP/CP .+",
    rf"{WARNING}model\.safetensors\.index\.json not found at hf_assets_path: \S+ {{21}}Default.+",
    rf"{WARNING}(Peak flops undefined for: .+, fallback to A100|Dataset \S+ is being re-looped)",
    PREFIX + METRICS,
    PREFIX + VALIDATION,
    *(PREFIX + text for text in INFO),
)
# Group names are for single patterns.
ALL = [re.sub(r"\?P<\w+>", "", pattern) for pattern in PATTERNS]

REAL = """\
[rank0]:[titan] 2025-11-25 19:45:01,883 - root - INFO - step: 10  loss:  3.9761  grad_norm:  1.9366  memory:  1.34GiB(0.96%)  tps: 324,245  tflops: 23.21  mfu: 2.35%
[rank0]:[titan] 2025-06-04 08:51:48,074 - root - INFO - step:  1  loss: 12.2254  memory: 27.34GiB(28.78%)  tps: 375  tflops: 21.73  mfu: 2.20%
[rank0]:[titan] 2025-06-04 08:51:58,557 - root - INFO - step: 10  loss: 10.7069  memory: 30.99GiB(32.62%)  tps: 7,034  tflops: 407.35  mfu: 41.19%
[rank0]:[titan] 2025-06-16 22:30:50,322 - root - INFO - step: 200  loss:  6.1384  memory: 49.66GiB(52.28%)  tps: 5,856  tflops: 339.16  mfu: 34.29%
[titan] 2026-02-24 19:46:17,508 - root - INFO - step:  4  loss:  7.62585  grad_norm: 26.6250  memory: 66.91GiB(37.51%)  tps: 10,050  tflops: 314.69  mfu: 13.99%
[rank0]:[titan] 2025-10-30 20:35:20,681 - root - INFO - step: 40  loss:  7.7499  grad_norm:  1.2642  memory: 52.53GiB(66.33%)  tps: 11,527  tflops: 208.71  mfu: 21.10%
[rank0]:[titan] 2025-11-25 19:44:55,287 - root - INFO - Building 1-D device mesh with ['dp_shard'], [8]
[rank0]:[titan] 2025-11-25 19:44:55,290 - root - INFO - [GC] Initial GC collection took 0.00 seconds
[rank0]:NCCL version 2.27.5+cuda12.9
[rank0]:[titan] 2025-11-25 19:44:58,199 - root - INFO - Loading tokenizer from tokenizer.json
[rank0]:[titan] 2025-11-25 19:44:58,201 - root - INFO - Preparing c4_test dataset from tests/assets/c4_test
[rank0]:[titan] 2025-11-25 19:44:58,547 - root - INFO - CUDA capacity: NVIDIA H200 with 139.81GiB memory
[rank0]:[titan] 2025-11-25 19:44:58,595 - root - INFO - Model llama3 debugmodel size: 6,163,712 total parameters
[rank0]:[titan] 2025-11-25 19:44:58,837 - root - INFO - CUDA memory usage for model: 0.00GiB(0.00%)
[rank0]:[titan] 2025-11-25 19:44:58,838 - root - INFO - Trainer is initialized with local batch size 8, global batch size 64, gradient accumulation steps 1, sequence length 2048, total steps 10 (warmup 2)
[rank0]:[titan] 2025-11-25 19:44:58,838 - root - INFO - Training starts at step 1
[rank0]:[titan] 2025-11-25 19:45:03,885 - root - INFO - Training completed
""".splitlines()  # fmt: skip  # noqa: E501

# What stands in this order in a complete log.
ORDER = (
    "+ torchrun", "OMP_NUM_THREADS", "Starting job", "ENV[TORCH", "device mesh", "[GC] Initial",
    "CCL version", "Loading tokenizer", "Preparing", "with TransformerModelArgs",
    "TensorBoard logging", "CUDA capacity",
    "total parameters", "Compiling each", "Applied FSDP", "Peak FLOPS", "CUDA memory usage",
    "Checkpointing active", "Mixed precision", "Trainer is initialized", "Training starts",
    "step:  1", "validate step:  1", "Synchronizing", "[GC] Performing", "validate step",
    "Saving the checkpoint",
    "Saving a model only checkpoint", "Sleeping 2 seconds", "Training completed",
    "Process group destroyed",
)  # fmt: skip

OTHERS: tuple[dict[str, object], ...] = (
    {"gpus": 1},
    {"gpus": 131_072, "model": "Basalt-405B"},
    {"gpu": "NVIDIA L40S"},
    {"recipe": "continue"},
    {"model": "Archipelago-8x7B"},
)


@pytest.mark.parametrize("seed", range(20))
def test_every_line_is_one_that_torchtitan_prints(seed: int) -> None:
    assert unmatched(log_of("torchtitan", seed, precision="bf16"), ALL) == []


@pytest.mark.parametrize("options", OTHERS, ids=str)
def test_so_it_is_in_unusual_jobs(options: dict[str, object]) -> None:
    assert unmatched(log_of("torchtitan", 1, **options), ALL) == []


def test_real_lines_match_the_same_patterns() -> None:
    assert unmatched(REAL, ALL) == []


def test_the_phases_come_in_the_order_of_a_complete_log() -> None:
    log = log_of("torchtitan", 1, model="Magic8Ball-8B", gpu="NVIDIA H100 80GB HBM3", gpus=8,
                 steps=4000)  # fmt: skip
    assert in_order(ORDER, log) is None


# --- colours -----------------------------------------------------------------------------

REAL_BYTES = (
    "[rank0]:[titan] 2025-11-25 19:45:01,883 - root - INFO - \x1b[31mstep: 10  \x1b[32mloss:  "
    "3.9761  \x1b[38;2;180;60;0mgrad_norm:  1.9366  \x1b[38;2;54;234;195mmemory:  "
    "1.34GiB(0.96%)  \x1b[34mtps: 324,245  \x1b[36mtflops: 23.21  \x1b[35mmfu: 2.35%\x1b[39m"
)


def skeleton(line: str) -> list[str]:
    """The names of the fields with the codes before them."""
    return re.findall(r"\x1b\[[\d;]+m(?:\w+:)?", line)


def test_colours_are_the_bytes_of_a_real_line() -> None:
    colored = played("torchtitan", 3, COLORED).splitlines()
    steps = [line for line in colored if "mstep: " in line and "validate" not in line]
    assert steps
    assert {tuple(skeleton(line)) for line in steps} == {tuple(skeleton(REAL_BYTES))}
    validations = [line for line in colored if "validate step" in line]
    assert {tuple(skeleton(line)) for line in validations} == {
        ("\x1b[33m", "\x1b[32mloss:", "\x1b[38;2;54;234;195mmemory:", "\x1b[34mtps:", "\x1b[39m")
    }
    (model,) = (line for line in colored if "total parameters" in line)
    assert skeleton(model) == ["\x1b[34m", "\x1b[31msize:", "\x1b[39m"]


def test_without_colours_there_is_the_same_text() -> None:
    colored = played("torchtitan", 3, COLORED)
    assert ESCAPE.sub("", colored) == "\n".join(log_of("torchtitan", 3)) + "\n"


def test_a_terminal_shows_the_log_and_no_bars() -> None:
    screen = COLORED._replace(width=80, live=True)
    terminal = pyte.Screen(80, 24)
    terminal.set_mode(pyte.modes.LNM)
    pyte.Stream(terminal).feed(played("torchtitan", 3, screen))
    assert "".join(terminal.display).rstrip().endswith("Process group destroyed")
    assert terminal.display[-1].strip() == ""


# --- identities on the text --------------------------------------------------------------


def when(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S,%f")


def flops_per_token(log: tuple[str, ...]) -> float:
    """6 (N - embedding) + 12 L H Q T, from what is printed of the model."""
    args = next(line for line in log if "ModelArgs(" in line)
    shape = {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)\b", args)}
    weights = number(found(r"size: (?P<n>[\d,]+) total parameters", log)["n"])
    if any("Total parameter count" in line for line in log):  # active, a tied embedding twice
        weights = number(found(r"active (?P<n>[\d,]+)$", log)["n"])
    heads = shape.get("head_dim", shape["dim"] // shape["n_heads"]) * shape["n_heads"]
    attention = 12 * shape["n_layers"] * heads * shape["max_seq_len"]
    return 6 * (weights - shape["vocab_size"] * shape["dim"]) + attention


def check_identities(log: tuple[str, ...]) -> int:
    flops = flops_per_token(log)
    peak = float(found(r"MFU: (?P<peak>\S+)$", log)["peak"])
    capacity = float(found(r"with (?P<gib>[\d.]+)GiB memory", log)["gib"])
    mesh = found(r"device mesh with .*, \[(?P<sizes>.*)\]", log)["sizes"]
    gpus = 1
    for size in mesh.split(", ") if mesh else ():
        gpus *= int(size)
    plan = found(r"global batch size (?P<batch>\d+), .* length (?P<length>\d+), ", log)
    batch = int(plan["batch"]) * int(plan["length"]) / gpus
    before, clock, seen = 0.0, "", 0
    for line in log:
        if match := re.fullmatch(PREFIX + METRICS, line):
            shown = match.groupdict()
            step, tps, tflops = (number(shown[name]) for name in ("step", "tps", "tflops"))
            half = 0.5 / (tps - 0.5)  # of a token: what its rounding leaves open
            assert near(tflops, tps * flops / 1e12, half, 0.006)
            assert near(float(shown["mfu"]), tflops * 1e14 / peak, 0, 0.011)
            percent = 100 * float(shown["gib"]) / capacity
            assert near(float(shown["percent"]), percent, 2e-4, 0.006 + 0.6 / capacity)
            if clock:
                gap = (when(shown["stamp"]) - when(clock)).total_seconds()
                took = (step - before) * batch / tps
                assert -0.0025 - took * half <= gap - took <= 0.0025 + took * half
            before, clock, seen = step, shown["stamp"], seen + 1
        elif match := re.fullmatch(PREFIX + VALIDATION, line):
            clock = match["stamp"]
    return seen


@pytest.mark.parametrize("seed", range(50))
def test_the_identities_hold_on_the_text_alone(seed: int) -> None:
    assert check_identities(log_of("torchtitan", seed)) > 50


def test_each_node_has_a_clock_of_its_own() -> None:
    """Public logs without a filter of ranks: tokens a second differ a little."""
    nodes: dict[str, list[str]] = {}
    for line in log_of("torchtitan", 5, gpus=64, capture="all", steps=60):
        if match := re.match(r" *(?P<node>\d+): (?P<line>\[rank\d\]:.*)", line):
            nodes.setdefault(match["node"], []).append(match["line"])
    assert len(nodes) > 1
    assert all(check_identities(tuple(each)) > 5 for each in nodes.values())
    rates = {
        tuple(re.findall(r"step: +\d+ .*tps: ([\d,]+)", "\n".join(each))) for each in nodes.values()
    }
    assert len(rates) == len(nodes)
    for same in zip(*rates, strict=True):
        values = [number(each) for each in same]
        assert max(values) - min(values) <= 0.005 * max(values)


@pytest.mark.parametrize("options", OTHERS, ids=str)
def test_they_hold_in_unusual_jobs(options: dict[str, object]) -> None:
    assert check_identities(log_of("torchtitan", 1, **options)) > 50


@pytest.mark.parametrize("seed", range(20))
def test_time_never_goes_back_and_saves_take_what_they_say(seed: int) -> None:
    stamps, begun = [], timedelta()
    for line in log_of("torchtitan", seed):
        if match := re.match(PREFIX.replace("INFO", r"\w+"), line):
            stamps.append(when(match["stamp"]))
        if "Saving the checkpoint" in line:
            begun = stamps[-1] - stamps[0]
        if match := re.search(r"Finished saving .*in ([\d.]+) seconds", line):
            took = (stamps[-1] - stamps[0] - begun).total_seconds()
            assert took == pytest.approx(float(match[1]), abs=0.0065)
    # Lines of a garbage collection are dated from the interval's mean step.
    assert all(earlier <= later for earlier, later in pairwise(stamps))


def test_garbage_is_collected_every_fifty_steps() -> None:
    log = log_of("torchtitan", 1)
    plan = found(r"total steps (?P<steps>\d+)", log)
    collected = [line for line in log if "periodic GC" in line]
    assert len(collected) == int(plan["steps"]) // 50


def test_a_background_save_ends_with_its_staging() -> None:
    logs = [log_of("torchtitan", seed) for seed in range(20)]
    for log in logs:
        started = sum("Saving the checkpoint" in line for line in log)
        finished = sum("Finished saving" in line for line in log)
        assert started == finished + 1  # the last save says something else


@pytest.mark.parametrize("config", PUBLISHED, ids=lambda c: f"{c.hidden_size}x{c.layers}")
def test_llamas_rule_gives_the_inner_width(config: Architecture) -> None:
    check_rule(config.hidden_size, config.feed_forward, *feed_forward(config))


@pytest.mark.parametrize("billions", [0.02, 0.3, 1, 2, 5, 9, 20, 50, 100, 300, 1000, 5000])
def test_it_does_for_any_size(billions: float) -> None:
    config = config_for(int(billions * 1e9))
    check_rule(config.hidden_size, config.feed_forward, *feed_forward(config))


def check_rule(width: int, inner: int, multiple: int, factor: float) -> None:
    """models/llama3/model/model.py, FeedForward."""
    hidden = int(factor * int(2 * 4 * width / 3))
    assert multiple * ((hidden + multiple - 1) // multiple) == inner


def test_llama_3_8b_has_its_own_arguments() -> None:
    (config,) = (
        each for each in PUBLISHED if (each.hidden_size, each.vocabulary) == (4096, 128_256)
    )
    assert feed_forward(config) == (1024, 1.3)


@pytest.mark.parametrize(
    ("model", "pp"), [("Fathom-671B-A37B", 16), ("Basalt-405B", 8), ("ButtGPT-420B", 16)]
)
def test_a_pipelines_log_is_of_its_last_stage(model: str, pp: int) -> None:
    """Its rank has the modules that it names, an fp32 part of each, and nothing else."""
    gpu = "NVIDIA H100 80GB HBM3"
    options: dict[str, object] = {
        "model": model,
        "gpus": 256,
        "gpu": gpu,
        "recipe": "pretrain",
        "pp": pp,
    }
    log, job = log_of("torchtitan", 4, **options), job_of(4, dialect="torchtitan", **options)
    config, layout = job.architecture, job.layout
    assert layout.pp > 1
    names = re.findall(r"'([\w.]+)'", found(r"with modules (?P<names>.*)", log)["names"])
    layers = [int(name.removeprefix("layers.")) for name in names if name.startswith("layers.")]
    assert layers == list(range(layers[0], config.layers))
    assert names[-2:] == ["norm", "output"]
    embedding = config.vocabulary * config.hidden_size
    block = (parameter_count(config) - 2 * embedding - config.hidden_size) / config.layers
    held = len(layers) * block + embedding + config.hidden_size
    told = float(found(r"memory usage for model: (?P<gib>[\d.]+)GiB", log)["gib"])
    expected = 4 * held / layout.tp / layout.dp / 2**30
    # A mixture's first layers may be dense, so that its last stage has more than its share.
    most = 1.1 * expected if config.experts > 1 else expected + 0.01
    assert expected - 0.01 <= told <= most
