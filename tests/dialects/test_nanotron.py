"""nanotron's log, against formats written down from its source and from real logs."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pprint import pformat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsim.dialects.nanotron.config import Record, config, model_config, pretty
from llmsim.dialects.nanotron.log_lines import human
from llmsim.dialects.nanotron.statements import STATEMENTS
from llmsim.model.architecture import parameter_count
from tests.dialects.logs import COLORED, ESCAPE, found, in_order, log_of, near, played, rate
from tests.dialects.logs import unmatched as unknown
from tests.runs import job_of

# Month and day; in 2024 the year as well. Only what has more than one rank is named.
PREFIX = (
    r"(?P<stamp>\d\d/\d\d(?:/\d{4})? \d\d:\d\d:\d\d) \[(?P<level>INFO|WARNING)"
    r"(?:\|DP=\d+)?(?:\|PP=\d+)?(?:\|TP=\d+)?(?:\|[\w-]+)?\]: "
)
HUMAN = r"-?\d+(?:\.\d+)?(?:e-\d\d)?[KMBTP]?"
ITERATION = (
    r"iteration: (?P<it>\d+) / (?P<n>\d+) \| consumed_tokens: (?P<tokens>H)"
    r" \| time_per_iteration_ms: (?P<ms>H) \| tokens_per_sec: (?P<tps>H)"
    r" \| tokens_per_sec_per_gpu: (?P<per>H) \| global_batch_size: (?P<batch>H)"
    r" \| grad_norm: (?P<norm>H) \| lm_loss: (?P<loss>H) \| lr: (?P<lr>H)"
    r" \| model_tflops_per_gpu: (?P<tf>H) \| eta: (?P<eta>(?:\d+ days?, )?\d+:\d\d:\d\d)"
).replace("H)", HUMAN + ")")
PATTERNS = [re.sub(r"\?P<\w+>", "", one.text) for one in STATEMENTS]

# Of other releases, too: formats that have not changed.
REAL = """\
12/21 01:39:51 [INFO|DP=0|TP=0|lrdn0007]: iteration: 211364 / 1500000 | consumed_tokens: 480B | time_per_iteration_ms: 8.79K | tokens_per_sec: 182K | tokens_per_sec_per_gpu: 699 | global_batch_size: 1.6M | grad_norm: 0.112 | lm_loss: 2.04 | lr: 0.0001 | model_tflops_per_gpu: 15.4 | eta: 131 days, 1:45:39
08/31/2024 14:37:31 [INFO|DP=0|PP=0|TP=0]:  Memory usage: 64.15MiB. Peak allocated 309.29MiB. Peak reserved: 496.00MiB
08/31/2024 14:37:22 [INFO|DP=0|PP=0|TP=0]: Total number of parameters: 12.4K (0.02MiB)
08/31/2024 14:37:22 [INFO|DP=0|PP=0|TP=0]: LlamaConfig(bos_token_id=1,
08/31/2024 14:37:22 [INFO|DP=0|PP=0|TP=0]:             eos_token_id=2,
08/31/2024 14:37:22 [INFO|DP=0|PP=0|TP=0]:             vocab_size=256)
08/31/2024 14:37:22 [INFO|DP=0|PP=0|TP=0]: [After model building] Memory usage: 0.04MiB. Peak allocated: 0.06MiB Peak reserved: 2.00MiB
""".splitlines()  # fmt: skip  # noqa: E501

ORDER = (
    "OMP_NUM_THREADS", "Building model", "Total number", "Local number", "After model building",
    "No checkpoint path", "Parametrizing", "[Optimizer Building]", "[ZeRO sharding]",
    "Libraries versions:", "torch version", "Python version", "ParallelismArgs(", "TokensArgs(",
    "LRSchedulerArgs(", "Model Config:", "LlamaConfig(", "vocab_size=", "Training plan",
    "start from step 1", "has consumed 0 samples", "Start training", "mbs:", "Resuming training",
    "Before train", " Memory usage", "After train", "iteration: 1 /", "iteration: 2 /",
    "Saving checkpoint at", "destroy_process_group",
)  # fmt: skip

OTHERS: tuple[dict[str, object], ...] = (
    {"gpus": 1},
    {"gpus": 131_072, "model": "Basalt-405B"},
    {"recipe": "continue"},
    {"model": "Archipelago-8x7B"},
)


@pytest.mark.parametrize("seed", range(20))
def test_every_line_is_one_that_nanotron_prints(seed: int) -> None:
    assert unknown(log_of("nanotron", seed), PATTERNS) == []


@pytest.mark.parametrize("options", OTHERS, ids=str)
def test_so_it_is_in_unusual_jobs(options: dict[str, object]) -> None:
    assert unknown(log_of("nanotron", 1, **options), PATTERNS) == []


def test_real_lines_match_the_same_patterns() -> None:
    """What stands behind the prefix, which had the year in 2024."""
    texts = [line.partition("]: ")[2] for line in REAL]
    assert unknown([f"01/30 12:00:16 [INFO|DP=0|n1]: {text}" for text in texts], PATTERNS) == []


def test_the_phases_come_in_the_order_of_a_complete_log() -> None:
    assert in_order(ORDER, log_of("nanotron", 1, recipe="pretrain", gpus=16, steps=300)) is None


def test_the_prefix_is_dim_and_italic_and_a_warning_bold_yellow() -> None:
    text = played("nanotron", 3, COLORED)
    assert ESCAPE.sub("", text).splitlines() == list(log_of("nanotron", 3))
    lines = [line for line in text.splitlines() if re.search(r" \[(INFO|WARNING)\|", line)]
    for line in lines:
        start = "\x1b[1;33m" if "WARNING" in line else "\x1b[2;3m"
        assert re.match(re.escape(start) + r"\d\d/\d\d [\d:]+ \[.*?\]\x1b\[0m: ", line)
    assert sum("\x1b[1m=====" in line for line in lines) == 14  # separators


# base.py:268, on numbers of real lines.
@pytest.mark.parametrize(
    ("number", "text"),
    [(0.0003, "0.0003"), (1.87e-05, "1.87e-05"), (0.00015, "0.00015"), (2.962, "2.96"),
     (9.0, "9"), (12_400, "12.4K"), (999.6, "1K"), (4096, "4.1K"), (1_572_864, "1.57M"),
     (480e9, "480B"), (1.6e12, "1.6T"), (8789.9, "8.79K"), (109.4, "109")],
)  # fmt: skip
def test_numbers_are_written_as_in_real_lines(number: float, text: str) -> None:
    assert human(number) == text


@given(st.floats(1e-6, 9e17))
def test_three_digits_are_enough(number: float) -> None:
    assert near(parsed(human(number)), number, 0.0051, 0)


# --- identities on the text --------------------------------------------------------------

SIZES = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12, "P": 1e15}


def parsed(text: str) -> float:
    return float(text.rstrip("KMBTP")) * SIZES.get(text[-1], 1)


def eta(text: str) -> float:
    days, _, clock = text.rpartition(", ")
    hours, minutes, seconds = map(int, clock.split(":"))
    whole = int(days.split()[0]) if days else 0
    return timedelta(whole, seconds, 0, 0, minutes, hours).total_seconds()


def check_identities(log: tuple[str, ...]) -> int:
    value = {
        name: parsed(text) for name, text in re.findall(r"(\w+)=([\d.e-]+)[,)]", "\n".join(log))
    }
    gpus = value["dp"] * value["pp"] * value["tp"]
    start = found(r"sequence_length: (?P<length>\d+) \| global_batch_size: (?P<batch>\d+)", log)
    tokens = int(start["batch"]) * int(start["length"])
    style = found(r"lr_decay_style='(?P<style>[\w-]+)'", log)["style"].replace("1-sqrt", "wsd")
    seen, paused, ratios = 0, 0, []
    clock: datetime | None = None
    for line in log:
        match = re.fullmatch(PREFIX + ITERATION, line)
        if not match:
            clock = None if "Saving" in line else clock
            continue
        step, steps = int(match["it"]), int(match["n"])
        part = {name: parsed(match[name]) for name in ("tokens", "ms", "tps", "per", "batch", "lr")}
        assert near(part["batch"], tokens, 0.0051, 0)
        assert near(part["tokens"], step * tokens, 0.0051, 0)
        assert near(part["tps"] * part["ms"] / 1000, tokens, 0.0102, 0)
        assert near(part["per"], part["tps"] / gpus, 0.0102, 0)
        left = (steps - step) * part["ms"] / 1000
        assert near(eta(match["eta"]), left, 0.0051, 1)
        expected = rate(
            step, steps, int(value["lr_warmup_steps"]), value["learning_rate"],
            value["min_decay_lr"], style,
        )  # fmt: skip
        assert near(part["lr"], expected, 0.0051, 0)
        ratios.append(parsed(match["tf"]) / part["per"])
        now = datetime.strptime(f"2026/{match['stamp']}", "%Y/%m/%d %H:%M:%S")
        if clock:
            late = (now - clock).total_seconds() - part["ms"] / 1000
            assert late >= -1.01 - 0.0051 * part["ms"] / 1000
            paused += late > 1.01 + 0.0051 * part["ms"] / 1000
        clock, seen = now, seen + 1
    assert max(ratios) / min(ratios) < 1.021  # FLOPs per token
    assert paused == 0  # it validates nothing
    return seen


@pytest.mark.parametrize("seed", range(10))
def test_iterations_wait_for_a_save(seed: int) -> None:
    """Twelve bytes a weight and more take their time on the store; only an upload would not."""
    job, begun, waits = job_of(seed, dialect="nanotron"), None, []
    for line in log_of("nanotron", seed):
        if match := re.fullmatch(PREFIX + ITERATION, line):
            now = datetime.strptime(f"2026/{match['stamp']}", "%Y/%m/%d %H:%M:%S")
            if begun:
                waits.append((now - begun).total_seconds() - parsed(match["ms"]) / 1000)
            begun = None
        elif "Saving checkpoint at" in line:
            begun = now
    least = 12 * parameter_count(job.architecture) / (job.storage_gb_s * 1e9)
    assert waits
    assert min(waits) > 0.8 * least - 1.1


@dataclass
class Inner:
    dp: int
    tp_mode: str


@dataclass
class Outer:
    general: int
    parallelism: Inner
    stages: list[Inner]
    short: Inner
    layers: list[int]
    profiler: None


def test_the_configuration_is_shown_as_pprint_shows_it() -> None:
    inner = Record("Inner", {"dp": 8, "tp_mode": f"'{'reduce' * 9}'"})
    short = Record("Inner", {"dp": 8, "tp_mode": "'sum'"})
    for count in (20, 40):
        record = Record("Outer", {
            "general": 1, "parallelism": inner, "stages": [inner, short], "short": short,
            "layers": [*range(count)], "profiler": None,
        })  # fmt: skip
        real, small = Inner(8, "reduce" * 9), Inner(8, "sum")
        outer = Outer(1, real, [real, small], small, [*range(count)], None)
        assert pretty(record) == pformat(outer)


def test_the_configuration_has_every_field_of_the_release() -> None:
    """Counted in config.py, parallelism_config.py and models_config.py of the commit."""
    for model, fields in (("Basalt-8B", 24), ("Archipelago-8x7B", 35)):
        job = job_of(1, dialect="nanotron", model=model)
        told = config(job)
        counts = {
            part.name: len(part.fields) for part in told.fields.values() if isinstance(part, Record)
        }
        assert counts == {
            "GeneralArgs": 7, "ParallelismArgs": 10, "ModelArgs": 5, "TokenizerArgs": 3,
            "CheckpointsArgs": 8, "LoggingArgs": 3, "TokensArgs": 7, "OptimizerArgs": 7,
        }  # fmt: skip
        assert len(told.fields) == 13
        assert len(model_config(job).fields) == fields


@pytest.mark.parametrize("seed", range(20))
def test_it_saves_right_after_the_iteration(seed: int) -> None:
    """trainer.py evaluates nothing: between an iteration's line and its save no time passes."""
    log = log_of("nanotron", seed)
    for before, line in pairwise(log):
        if "Saving checkpoint at" in line:
            assert "iteration: " in before
            assert line[:14] == before[:14]


@pytest.mark.parametrize("seed", range(20))
def test_the_configuration_is_the_runs(seed: int) -> None:
    log = log_of("nanotron", seed)
    value = dict(re.findall(r"(\w+)=(\d+)[,)]", "\n".join(log)))
    start = found(
        r"mbs: (?P<m>\d+) \| grad_accum: (?P<g>\d+) \| .*global_batch_size: (?P<b>\d+)", log
    )
    assert (value["micro_batch_size"], value["batch_accumulation_per_replica"]) == (
        start["m"], start["g"]
    )  # fmt: skip
    assert int(start["b"]) == int(value["dp"]) * int(start["m"]) * int(start["g"])
    saved = [int(n) for n in re.findall(r"Saving checkpoint at checkpoints/(\d+)", "\n".join(log))]
    every, steps = int(value["checkpoint_interval"]), int(value["train_steps"])
    done = int(found(r"start_iteration_step: (?P<n>\d+)", log)["n"])
    due = {*range(every, steps + 1, every), steps}
    assert saved == sorted(step for step in due if step > done)
    assert value["zero_stage"] == "1"
    # A rate that is held decays in the last fifth alone.
    decay, warmup = int(value["lr_decay_steps"]), int(value["lr_warmup_steps"])
    if "lr_decay_style='1-sqrt'" in "\n".join(log):
        assert decay == pytest.approx(0.2 * (steps - warmup), abs=1)
        assert int(value["lr_decay_starting_step"]) + decay == steps
    else:
        assert decay == steps - warmup
    assert value["iteration_step_info_interval"] == "1"


@pytest.mark.parametrize("seed", range(50))
def test_memory_holds_what_nanotron_keeps(seed: int) -> None:
    """It shards no weights: bf16 weights, fp32 gradients and a part of Adam's states are there."""
    log = log_of("nanotron", seed)
    local = float(found(r"Local number of parameters: \S+ \((?P<n>[\d.]+)MiB\)", log)["n"])
    built = found(r"After model building\] Memory usage: (?P<now>[\d.]+)MiB", log)
    assert float(built["now"]) == pytest.approx(local, rel=1e-3)
    values = dict(re.findall(r"\b(dp|pp|tp)=(\d+)[,)]", "\n".join(log)))
    told = [
        (float(m[1]), float(m[2]), float(m[3]))
        for line in log
        if (
            m := re.search(r" usage: ([\d.]+)MiB\. Peak allocated ([\d.]+)MiB.*: ([\d.]+)MiB", line)
        )
    ]
    assert told
    for now, most, held in told:
        assert local <= now + 0.01 <= most + 0.02 <= held + 0.03
    least = local * (1 + 2 + 6 / int(values["dp"]))
    assert told[-1][0] == pytest.approx(least, rel=0.1)


@pytest.mark.parametrize("seed", range(50))
def test_the_identities_hold_on_the_text_alone(seed: int) -> None:
    assert check_identities(log_of("nanotron", seed)) > 50


@pytest.mark.parametrize("options", OTHERS, ids=str)
def test_they_hold_in_unusual_jobs(options: dict[str, object]) -> None:
    assert check_identities(log_of("nanotron", 1, **options)) > 50


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_reserved_before_the_first_forward_pass_after_a_load(seed: int) -> None:
    """A process that loads reserves what it keeps: torch's allocator takes pages of 2 MiB."""
    log = log_of("nanotron", seed)
    assert any("Loading weights from" in line for line in log), seed
    first = next(at for at, line in enumerate(log) if "Before train_batch_iter" in line)
    told = re.search(r"allocated ([\d.]+)MiB\. Peak reserved: ([\d.]+)MiB", log[first + 1])
    assert told, (seed, log[first + 1])
    assert float(told[2]) == pytest.approx(float(told[1]), rel=0.01, abs=2.0), seed
