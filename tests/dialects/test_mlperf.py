"""The mlperf dialect against MLPerf's own compliance checker, and its text against itself."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from mlperf_logging.compliance_checker.mlp_compliance import (
    main,
    make_checker,
)
from mlperf_logging.mllog import mllog

from llmsim.dialects.mlperf import lines as mlperf
from llmsim.job.milestones import checkpoints
from llmsim.run import events
from tests.dialects.transcripts import Log, log, unmatched
from tests.runs import START

RULES = "6.1.0"

KEY = r'"key": "(?P<key>[a-z_0-9]+)"'
KIND = r'"event_type": "(?:INTERVAL_START|INTERVAL_END|POINT_IN_TIME)"'
PLACE = r'"file": "/[\w/.-]+\.py", "lineno": \d+'
MLLOG = (
    r'(?: *\d+: )?:::MLLOG (?P<payload>\{"namespace": "", "time_ms": \d{13}, '
    rf'{KIND}, {KEY}, "value": .+, "metadata": \{{{PLACE}(?:, "\w+": (?:\d+|"\w+"))*\}}\}})'
)

# The keys before the run, in the order that published logs have them.
BEFORE = (
    "cache_clear init_start submission_benchmark submission_division submission_org "
    "submission_platform submission_status global_batch_size max_sequence_length opt_name "
    "opt_base_learning_rate opt_end_learning_rate opt_learning_rate_warmup_steps "
    "opt_learning_rate_decay_steps opt_learning_rate_decay_schedule opt_adamw_beta_1 "
    "opt_adamw_beta_2 opt_adamw_epsilon opt_adamw_weight_decay opt_gradient_clip_norm "
    "gradient_accumulation_steps train_samples eval_samples seed max_steps"
)

# Of EOS (v3.1) and of a Llama 2 70B LoRA on 8 H100.
REAL = """\
:::MLLOG {"namespace": "", "time_ms": 1696565401886, "event_type": "POINT_IN_TIME", "key": \
"tracked_stats", "value": {"throughput": 5154997.267404211}, "metadata": {"file": \
"/workspace/llm/custom_callbacks.py", "lineno": 284, "step": 1211105280}}
0: :::MLLOG {"namespace": "", "time_ms": 1721026805975, "event_type": "INTERVAL_END", "key": \
"block_stop", "value": null, "metadata": {"file": "/workspace/ft-llm/custom_callbacks.py", \
"lineno": 112, "samples_count": 3072}}
0: :::MLLOG {"namespace": "", "time_ms": 1721026805975, "event_type": "INTERVAL_START", "key": \
"eval_start", "value": null, "metadata": {"file": "/workspace/ft-llm/custom_callbacks.py", \
"lineno": 117, "samples_count": 3072}}
"""


def told_by(seed: int) -> Log:
    return log("mlperf", seed)


@lru_cache(maxsize=64)
def payloads(seed: int) -> tuple[dict[str, Any], ...]:
    """Every event of a log, read as JSON."""
    return tuple(json.loads(match["payload"]) for match in told_by(seed).found(MLLOG))


def keyed(seed: int, key: str) -> list[dict[str, Any]]:
    return [each for each in payloads(seed) if each["key"] == key]


def value(seed: int, key: str) -> Any:
    """The value of a key that is logged once."""
    (only,) = keyed(seed, key)
    return only["value"]


@pytest.mark.parametrize("seed", range(20))
def test_every_line_is_one_of_the_frameworks(seed: int) -> None:
    told = told_by(seed)
    assert unmatched(told.lines, (MLLOG,)) == []
    assert len(payloads(seed)) == len(told.lines)


def test_the_real_lines_are_matched_too() -> None:
    assert unmatched(REAL.splitlines(), (MLLOG,)) == []


def failures(told: Log, folder: Path, caplog: pytest.LogCaptureFixture) -> str:
    """What MLPerf's checker finds wrong with a log; nothing if it accepts it."""
    path = folder / "result_0.txt"
    path.write_text(told.text + "\n")
    checker = make_checker("training", RULES, quiet=False, werror=True)
    valid, *_ = main(str(path), f"training_{RULES}/common.yaml", checker)
    assert valid == (not caplog.text)
    return caplog.text


@pytest.mark.parametrize("seed", range(50))
def test_the_compliance_checker_accepts_it(
    seed: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert failures(told_by(seed), tmp_path, caplog) == ""


@pytest.mark.parametrize("seed", range(5))
def test_of_a_run_that_is_too_short_the_checker_says_that_alone(
    seed: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A job whose steps are given may end before it has reached the target."""
    (said,) = failures(log("mlperf", seed, steps=300), tmp_path, caplog).splitlines()
    assert "3.34" in said


@pytest.mark.parametrize("seed", range(50))
def test_a_run_ends_with_the_first_evaluation_at_the_target(seed: int) -> None:
    """The training rules of MLCommons: time is taken until the target is reached."""
    *earlier, last = (each["value"] for each in keyed(seed, "eval_accuracy"))
    (ended,) = keyed(seed, "run_stop")
    assert all(loss > 3.34 for loss in earlier)
    assert (last <= 3.34) == (ended["metadata"]["status"] == "success")
    assert value(seed, "max_sequence_length") == 8192


def test_most_runs_reach_the_target() -> None:
    ended = [keyed(seed, "run_stop")[0]["metadata"]["status"] for seed in range(50)]
    assert ended.count("success") >= 40


def test_the_compliance_checker_refuses_what_is_missing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told = log("mlperf", 0, model="Basalt-8B")
    lines = tuple(line for line in told.lines if '"run_stop"' not in line)
    assert "run_stop" in failures(told._replace(lines=lines), tmp_path, caplog)


@pytest.mark.parametrize("seed", range(10))
def test_mllog_itself_writes_the_same(seed: int) -> None:
    for match in told_by(seed).found(MLLOG)[:80]:
        line, read = match.string, json.loads(match["payload"])
        assert re.sub(r"^ *\d+: ", "", line) == mllog._encode_log(*read.values())


@pytest.mark.parametrize("seed", range(50))
def test_the_order_is_that_of_a_submission(seed: int) -> None:
    keys = [each["key"] for each in payloads(seed)]
    assert " ".join(keys).startswith(f"{BEFORE} ")
    begin = keys.index("init_stop")
    running = " ".join(key for key in keys[begin:] if key != "tracked_stats")
    block = "block_start block_stop eval_start eval_accuracy eval_stop"
    assert re.fullmatch(rf"init_stop run_start (?:{block} )+run_stop", running)


@pytest.mark.parametrize("seed", range(50))
def test_settings_agree_with_each_other(seed: int) -> None:
    batch, layout = value(seed, "global_batch_size"), told_by(seed).job.layout
    slices = value(seed, "tensor_parallelism") * value(seed, "pipeline_parallelism")
    each = value(seed, "micro_batch_size") * value(seed, "gradient_accumulation_steps")
    assert batch == each * layout.gpus // slices
    warmup, decay = (value(seed, f"opt_learning_rate_{part}_steps") for part in ("warmup", "decay"))
    assert warmup + decay == value(seed, "max_steps")
    assert value(seed, "opt_end_learning_rate") <= value(seed, "opt_base_learning_rate")
    assert value(seed, "max_steps") * batch % value(seed, "train_samples") == 0
    (ended,) = keyed(seed, "run_stop")
    assert ended["metadata"]["samples_count"] == value(seed, "max_steps") * batch
    lowest = min(each["value"] for each in keyed(seed, "eval_accuracy"))
    assert (ended["metadata"]["status"] == "success") == (lowest <= 3.34)


@pytest.mark.parametrize("seed", range(50))
def test_throughput_is_samples_over_time(seed: int) -> None:
    saves = 0
    for block in blocks(seed):
        stats = [each for each in block if "throughput" in each["value"]]
        for before, after in pairwise(stats):
            count = after["metadata"]["step"] - before["metadata"]["step"]
            expected = count / after["value"]["throughput"]
            seconds = (after["time_ms"] - before["time_ms"]) / 1000
            assert seconds > expected - 1.1e-3
            saves += seconds > expected + 1.1e-3
    assert saves <= checkpoints(told_by(seed).job)  # which it does not tell of


def blocks(seed: int) -> Iterator[list[dict[str, Any]]]:
    """The tracked statistics between two evaluations."""
    block: list[dict[str, Any]] = []
    for each in payloads(seed):
        if each["key"] == "block_stop":
            yield block
            block = []
        elif each["key"] == "tracked_stats":
            block.append(each)


@pytest.mark.parametrize("seed", range(50))
def test_time_is_the_jobs_own_and_never_goes_back(seed: int) -> None:
    stamps = [each["time_ms"] for each in payloads(seed)]
    assert stamps == sorted(stamps)
    assert datetime.fromtimestamp(stamps[0] / 1000, UTC).replace(tzinfo=None) == START


def test_the_table_of_events_is_whole() -> None:
    assert set(mlperf.LINES) >= {events.Step, events.Validated, events.TrainerReady}
