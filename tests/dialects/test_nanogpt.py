"""The nanogpt dialect against train.py's own lines, and its text against itself."""

import re
from math import prod

import pytest

from llmsim.dialects import nanogpt
from llmsim.physics import compute
from tests.dialects.transcripts import TORCHRUN, Log, log, number, screens, unmatched
from tests.runs import job_of

ITER = (
    r"iter (?P<iter>\d+): loss (?P<loss>\d+\.\d{4}), time (?P<time>\d+\.\d\d)ms"
    r"(?:, mfu (?P<mfu>-?\d+\.\d\d)%)?"
)
STEP = r"step (?P<step>\d+): train loss (?P<train>\d+\.\d{4}), val loss (?P<val>\d+\.\d{4})"
PRODUCT = (
    r"# (?P<factors>\d+ batch size \* \d+ block size \* \d+ gradaccum \* \d+ GPUs) = "
    r"(?P<tokens>[\d,]+)"
)
SETTING = r"(?P<name>[a-z_]+) = (?P<value>'[\w./-]+'|\d+(?: \* \d+)?|\d(?:\.\d+)?e-\d+)"
PATTERNS = (
    TORCHRUN,
    r"Overriding config with config/\w+\.py:",
    r"# [\w.+-]+ on [\d,]+ x [\w .-]+",
    PRODUCT,
    SETTING,
    r"",
    r"tokens per iteration will be: (?P<tokens>[\d,]+)",
    r"found vocab_size = \d+ \(inside data/[\w./-]+/meta\.pkl\)",
    r"Initializing a new model from scratch",
    r"number of parameters: (?P<millions>\d+\.\d\d)M",
    r"num decayed parameter tensors: \d+, with (?P<count>[\d,]+) parameters",
    r"num non-decayed parameter tensors: \d+, with (?P<count>[\d,]+) parameters",
    r"using fused AdamW: True",
    r"compiling the model\.\.\. \(takes a ~minute\)",
    r"saving checkpoint to [\w/-]+",
    ITER,
    STEP,
)
# GPT-2 124M on 8 A100, and a log in issue 110.
REAL = """\
tokens per iteration will be: 491,520
Initializing a new model from scratch
number of parameters: 123.59M
num decayed parameter tensors: 50, with 124,318,464 parameters
num non-decayed parameter tensors: 25, with 19,200 parameters
using fused AdamW: True
compiling the model... (takes a ~minute)
step 0: train loss 10.9886, val loss 10.9898
iter 0: loss 10.9888, time 56841.38ms, mfu -100.00%
iter 1631: loss 4.0863, time 561.94ms
saving checkpoint to out
"""


def only(told: Log, pattern: str) -> re.Match[str]:
    (match,) = told.found(pattern)
    return match


@pytest.mark.parametrize("seed", range(20))
def test_every_line_is_one_of_the_scripts(seed: int) -> None:
    assert unmatched(log("nanogpt", seed).lines, PATTERNS) == []


def test_the_real_lines_are_matched_too() -> None:
    assert unmatched(REAL.splitlines(), PATTERNS) == []


@pytest.mark.parametrize("seed", range(50))
def test_the_config_is_that_of_the_run(seed: int) -> None:
    told = log("nanogpt", seed)
    product, tokens = only(told, PRODUCT), only(told, PATTERNS[6])
    factors = [int(factor) for factor in re.findall(r"\d+", product["factors"])]
    assert prod(factors) == number(product["tokens"]) == number(tokens["tokens"])
    settings = {match["name"]: match["value"] for match in told.found(SETTING)}
    assert int(settings["batch_size"]) * int(settings["block_size"]) == factors[0] * factors[1]
    iterations = [int(match["iter"]) for match in told.found(ITER)]
    every = int(settings["log_interval"])
    assert all(each % every == 0 for each in iterations)
    assert iterations == sorted(set(iterations))
    assert iterations[-1] in (int(settings["max_iters"]), int(settings["max_iters"]) - 1)
    weights, vectors = (only(told, pattern) for pattern in PATTERNS[10:12])
    millions = only(told, PATTERNS[9])["millions"]
    assert f"{(number(weights['count']) + number(vectors['count'])) / 1e6:.2f}" == millions


@pytest.mark.parametrize("seed", range(50))
def test_the_running_mfu_follows_from_the_times(seed: int) -> None:
    found = log("nanogpt", seed).found(ITER)
    running, scale = -1.0, 0.0
    for match in found:
        seconds, shown = float(match["time"]) / 1000, float(match["mfu"])
        if int(match["iter"]) < nanogpt.FIRST_MFU:
            assert shown == -100
            continue
        scale = scale or shown * seconds  # MFU is inverse to the time
        now = scale / seconds
        running = now if running < 0 else 0.9 * running + 0.1 * now
        assert shown == pytest.approx(running, abs=0.012 + 6e-3 / shown * now)
    assert scale > 0


@pytest.mark.parametrize("seed", range(50))
def test_evaluations_come_before_their_iteration_and_improve(seed: int) -> None:
    lines = log("nanogpt", seed).lines
    marks = [line for line in lines if re.match(r"step|iter|saving", line)]
    losses = []
    for index, line in enumerate(marks):
        if match := re.fullmatch(STEP, line):
            losses.append(float(match["val"]))
            after = [mark for mark in marks[index + 1 :] if mark.startswith("iter")]
            before = [mark for mark in marks[:index] if mark.startswith("iter")]
            number_of = int(match["step"])
            assert all(int(mark.split()[1][:-1]) < number_of for mark in before)
            assert not after or int(after[0].split()[1][:-1]) >= number_of
    assert losses[0] > losses[-1]


def test_the_times_of_all_iterations_are_the_runs() -> None:
    """Where every step is told, the steps and the pauses between them add up."""
    job = job_of(1, dialect="nanogpt")
    job = job._replace(schedule=job.schedule._replace(log_every=1))
    steps = range(1, job.schedule.validate_every + 2)
    total = sum(nanogpt.iteration_seconds(job, step) for step in steps)
    alone = compute.interval_seconds(job, 1, steps[-1])
    pauses = sum(nanogpt.pause(job, step) for step in steps[:-1])
    assert pauses > 0
    assert total - alone == pytest.approx(pauses)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (200, 50)])
def test_a_terminal_shows_no_leftovers(width: int, height: int) -> None:
    for rows in screens("nanogpt", 3, width, height, every=20):
        told = [row for row in rows if row.startswith("iter")]
        assert unmatched(told, [ITER]) == []
