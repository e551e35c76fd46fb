"""A new model is one row: in a copy of the project nothing else is touched, and whole runs play."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

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
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "data", tmp_path / "data")
    with (tmp_path / "data/llm_models.txt").open("a", encoding="ascii") as listed:
        listed.write(f"{row}\n")
    name = row.partition(" |")[0]
    played = subprocess.run(
        [sys.executable, "-c", PLAY, json.dumps([name, dialects])],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "src"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (played.returncode, played.stderr) == (0, "")
    says = f"INFO {name}: "
    told = next(line for line in played.stdout.splitlines() if says in line)
    counted = int(told.partition(says)[2].partition(" parameters")[0].replace(",", ""))
    assert counted == pytest.approx(parameters, rel=0.05), told
    assert name in played.stdout.partition("Training complete")[2], f"the run of {dialects[1]}"
