"""A new model is one row: in a copy of the project nothing else is touched, and whole runs play."""

import re
from pathlib import Path

import pytest

from tests.catalog.new_row import played_with

PLAY = """
import json, sys
from llmsim import cli
model, dialects = json.loads(sys.argv[1])
for dialect in dialects:
    cli.main(["--model", model, "--dialect", dialect, "--seed", "1", "--recipe", "pretrain",
              "--start", "2026-01-30 12:00:00", "--speed-factor", "max", "--runs", "1"])
"""


@pytest.mark.parametrize(
    ("row", "dialects", "parameters"),
    [
        ("Marmot-3.3B | 3.3B", ("pytorch", "megatron"), 3.3e9),
        ("Marmot-700M-Instruct | 700M", ("pytorch", "nanogpt"), 700e6),
        ("Marmot-8x9B | 70B | active=20B experts=8", ("pytorch", "torchtitan"), 70e9),
    ],
    ids=lambda value: value.partition(" |")[0] if isinstance(value, str) else "",
)
@pytest.mark.long
def test_a_new_model_is_one_row(
    row: str, dialects: tuple[str, ...], parameters: float, tmp_path: Path
) -> None:
    output = played_with(row, "llm_models.txt", PLAY, dialects, tmp_path)
    name = row.partition(" |")[0]
    says = f"INFO {name}: "
    told = next(line for line in output.splitlines() if says in line)
    counted = int(told.partition(says)[2].partition(" parameters")[0].replace(",", ""))
    assert counted == pytest.approx(parameters, rel=0.05), told
    plays = output.split("Same run again: llmsim ")  # the default dialect's last line
    assert re.search(rf"\| model +{name}\b", plays[0])  # the summary at its end
    assert plays[1].count("\n") > 200, f"the run of {dialects[1]}"
