"""The client of Weights & Biases, and TensorBoard's line."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsim.dialects.parts import tensorboard, wandb
from llmsim.run import names
from llmsim.text.screen import Screen
from tests.dialects.transcripts import CLIENT, PIPE, unmatched
from tests.runs import job_of

COLORED = PIPE._replace(color=True)
PLAIN = PIPE._replace(unicode=False)
# As wandb 0.31.0 printed it.
REAL = """\
wandb: Run history:
wandb:           eval/perplexity █▄▃▂▂▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁
wandb:                train/loss █▇▆▆▆▅▅▄▄▄▄▄▃▃▃▂▂▂▂▂▂▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁
wandb: Run summary:
wandb:           eval/perplexity 13.54189
wandb:                  train/lr 0.0003
"""


def finish(surface: Screen, keys: int = 3) -> list[str]:
    history = {f"train/key_{index:02d}": [1.0, 2.0, 3.5] for index in range(keys)}
    summary = {key: values[-1] for key, values in history.items()}
    job = job_of(1)
    return [line.text for line in wandb.finish(job, surface, "huggingface", 59.0, history, summary)]


def test_the_real_lines_are_matched() -> None:
    assert unmatched(REAL.splitlines(), CLIENT) == []


@pytest.mark.parametrize("seed", range(20))
def test_the_banner_is_the_clients(seed: int) -> None:
    told = [line.text for line in wandb.start(job_of(seed), PIPE, "huggingface", 59.0)]
    assert unmatched(told, CLIENT) == []
    assert len(told) == 7


def test_ten_keys_are_shown_and_the_rest_counted() -> None:
    told = finish(PIPE, keys=14)
    assert unmatched(told, CLIENT) == []
    assert [line.split() for line in told].count(["wandb:", "+4", "..."]) == 2
    assert sum("▁" in line for line in told) == 10


def test_without_unicode_there_is_no_history() -> None:
    told = finish(PLAIN)
    assert "wandb: Run history:" not in told
    assert all(line.isascii() for line in told)


def test_colours_are_those_of_the_client() -> None:
    (first, *_) = [line.text for line in wandb.start(job_of(1), COLORED, "huggingface", 59.0)]
    assert first.startswith("\x1b[34m\x1b[1mwandb\x1b[0m: Currently logged in as: \x1b[33m")
    assert "to \x1b[32mhttps://api.wandb.ai\x1b[0m. " in first
    saved = [line.text for line in wandb.start(job_of(1), COLORED, "huggingface", 59.0)][2]
    assert "saved locally in \x1b[35m\x1b[1m/workspace/huggingface/wandb/run-" in saved


def test_a_sparkline_is_the_clients() -> None:
    # The examples of sdk/lib/sparkline.py.
    assert wandb.sparkline([0.5, 1.2, 3.5, 7.3, 8.0, 12.5, 13.2, 15.0, 14.2, 11.8, 6.1, 1.9]) == (
        "▁▁▂▄▅▇▇██▆▄▂"
    )
    assert wandb.sparkline([1, 1, -2, 3, -5, 8, -13]) == "▆▆▅▆▄█▁"
    assert wandb.sparkline([3.0, 3.0]) == "▁▁"


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=300))
@pytest.mark.long
def test_downsampling_keeps_the_first_and_the_order(values: list[float]) -> None:
    kept = wandb.downsampled(values)
    assert len(kept) == min(len(values), wandb.POINTS)
    assert kept[0] == values[0]
    places = iter(values)
    assert all(value in places for value in kept)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (1.0, "1"),
        (0.0003, "0.0003"),
        (13.541892, "13.54189"),
        (52847.471082, "52847.47108"),
        (1.3781500749403914e19, "13781500749403914000"),
        (-2.5, "-2.5"),
    ],
)
def test_numbers_of_the_summary(value: float, told: str) -> None:
    assert wandb.number(value) == told


def test_a_run_has_one_name_everywhere() -> None:
    job = job_of(3)
    name = names.run_id(job)
    started = [line.text for line in wandb.start(job, PIPE, "huggingface", 59.0)]
    ended = [
        line.text for line in wandb.finish(job, PIPE, "huggingface", 59.0, {"a": [1.0]}, {"a": 1})
    ]
    assert sum(name in line for line in started) == 2
    assert sum(name in line for line in ended) == 2


def test_tensorboards_line() -> None:
    line = tensorboard.enabled("./outputs/tb", datetime(2025, 2, 13, 11, 33))
    assert line == "TensorBoard logging enabled. Logs will be saved at ./outputs/tb/20250213-1133"
