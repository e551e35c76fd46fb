"""A time of day that a test moves, and a healthy run that goes on with it."""

from llmsim.options.table import Options
from tests.runs import START


class Day:
    """A time of day that a test moves."""

    def __init__(self) -> None:
        self.now = START.timestamp()

    def __call__(self) -> float:
        return self.now


def run_all_day(**asked: object) -> Options:
    """A healthy run in real time, on one node unless more GPUs are asked for."""
    wanted = {"gpus": 8, "gpu": "NVIDIA H100 80GB HBM3", "recipe": "pretrain", "incidents": "none",
              "duration": float("inf"), "seed": 4, "start": START, **asked}  # fmt: skip
    return Options()._replace(**wanted)  # type: ignore[arg-type]  # any option
