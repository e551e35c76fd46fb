"""The losses of tests/truth/curves.json, and what the physics says of each."""

import json
from math import exp, log
from typing import Any, NamedTuple

from llmsim.catalog.records import datasets
from llmsim.physics.learning import loss
from tests.physics.loss_jobs import make_job
from tools.truth_rows import TRUTH

STARTS = 8  # seeds, whose first losses differ


class Point(NamedTuple):
    """One published loss and ours, nats."""

    curve: str
    step: int
    real: float
    ours: float


def _mean(job: Any, step: int) -> float:
    """The noise-free loss over the steps within 5 % of this one."""
    half = int(0.05 * step)
    steps = sorted({step - half, step, step + half})
    return sum(loss.expected(job, each) for each in steps) / len(steps)


def _points(curve: dict[str, Any]) -> list[Point]:
    job = curve["job"]
    made = [
        make_job(
            seed=seed,
            parameters=int(job["n"]),
            vocabulary=job["vocab"],
            kind=job["kind"],
            sequence=job["seq"],
            global_batch=job["gbs"],
            steps=job["steps"],
            warmup=job["warmup"],
            peak_lr=job["lr"],
            final_lr=job["final"],
            decay=job["decay"],
        )
        for seed in range(STARTS)
    ]
    if "data" in job:
        (listed,) = [each for each in datasets() if each.name == job["data"]]
        made = [each._replace(dataset=each.dataset._replace(level=listed.level)) for each in made]
    return [
        Point(
            curve["name"],
            step,
            real,
            exp(sum(log(_mean(each, step)) for each in made) / len(made)),
        )
        for step, real in curve["points"]
    ]


def points() -> list[Point]:
    """Every point of every curve."""
    text = (TRUTH / "curves.json").read_text(encoding="utf-8")
    return [point for curve in json.loads(text) for point in _points(curve)]
