"""A new GPU is one row: in a copy of the project nothing else is touched, and whole runs play."""

from pathlib import Path

import pytest

from tests.catalog.new_row import played_with

PLAY = """
import json, sys
from llmsim import cli
gpu, dialects = json.loads(sys.argv[1])
for dialect in dialects:
    cli.main(["--gpu", gpu, "--dialect", dialect, "--seed", "1", "--model", "Novel-1B",
              "--start", "2026-01-30 12:00:00", "--speed-factor", "max", "--runs", "1"])
"""


@pytest.mark.parametrize(
    ("row", "dialects", "texts"),
    [
        (
            "NVIDIA R200 | 294912 | 1800 | 8000 | 20 | 1800 | 100 | 8 | sxm | 2200 | 40",
            ("pytorch", "megatron"),
            (" x NVIDIA R200, 294,912 MiB, ", "NVLS multicast support"),
        ),
        (
            "NVIDIA GeForce RTX 6090 | 49152 | 600 | 300 | 2.5 | 64 | 6 | 4 | geforce | 2800 | 45",
            ("pytorch", "nanogpt"),
            ("|   0  NVIDIA GeForce RTX 6090 ", "P8             ", "W /  600W |", "iter 0: loss"),
        ),
        (
            "AMD Instinct MI455X | 442368 | 1800 | 5000 | 19 | 900 | 50 | 8 | instinct | 2400 | 35",
            ("pytorch", "torchtitan"),
            ("8 x AMD Instinct MI455X", "rocm7.0", "[titan]"),
        ),
        (
            "TPU v9 | 97524 | 480 | 2000 | 8 | 270 | 180 | 4 | tpu | 2000 | 55",
            ("maxtext",),
            ("completed step: ",),
        ),
    ],
    ids=lambda value: value.partition(" |")[0] if isinstance(value, str) else "",
)  # fmt: skip
@pytest.mark.long
def test_a_new_gpu_is_one_row(
    row: str, dialects: tuple[str, ...], texts: tuple[str, ...], tmp_path: Path
) -> None:
    output = played_with(row, "llm_gpus.txt", PLAY, dialects, tmp_path)
    name = row.partition(" |")[0]
    missing = [text for text in texts if text not in output]
    assert missing == [], f"seed 1, {name}, {dialects}"
