"""A new recipe is one row, and a new objective one module: whole runs of them play in a copy.

The steps are those of CONTRIBUTING.md. The copy counts what they touch.
"""

from pathlib import Path

import pytest

from tests.copied import Copy

ROW = """
    Recipe(
        "novel", "{objective}", "a kind of training that nobody has done", ("chat",),
        1e-5, False, 1 << 18, 2048, (150, 400), 1, 0.05, "linear", 0.0, 1 << 20,
        preparation=PACKING,
    ),
"""
# Distillation: the loss is a distance from a teacher, which falls by half in a run.
MODULE = '''
"""Distillation from a teacher."""

from math import log

from llmsim.physics.learning import gradient, loss, supervised
from llmsim.physics.learning.curve import Curve


def _curve(job):
    return Curve(
        floor=0.0,
        rest=0.5,
        start=1.0,
        terms=((0.5, 5.0 / job.schedule.steps),),
    )


OBJECTIVE = supervised.OBJECTIVE._replace(
    curve=_curve,
    gradient=lambda job, tokens: gradient.tuned(job, 0.5),
    metrics=lambda job, step, first: (("distance", loss.averaged(job, first, step)),),
)
'''
PLAY = """
from llmsim import cli
cli.main(["--recipe", "novel", "--dialect", "pytorch", "--seed", "1", "--model", "Novel-1B",
          "--start", "2026-01-30 12:00:00", "--speed-factor", "max", "--runs", "1"])
"""


@pytest.mark.parametrize(
    ("objective", "touched", "first_losses"),
    [
        ("supervised", {"job/recipes.py"}, (1.2, 3.4)),  # fine-tuning of a 1B model
        ("distillation", {"job/recipes.py", "physics/learning/distillation.py"}, (0.9, 1.1)),
    ],
)
@pytest.mark.long
def test_a_new_recipe_is_one_row_and_at_most_one_module(
    objective: str, touched: set[str], first_losses: tuple[float, float], tmp_path: Path
) -> None:
    copy, end = Copy(tmp_path), "\n)  # fmt: skip\n"
    row = ROW.format(objective=objective).rstrip()
    copy.replace("src/llmsim/job/recipes.py", end, row + end)
    if objective == "distillation":
        copy.write(f"src/llmsim/physics/learning/{objective}.py", MODULE.lstrip())

    assert copy.touched() == {f"src/llmsim/{path}" for path in touched}
    played = copy.python("-c", PLAY)
    (summary,) = (line for line in played.splitlines() if "| training loss" in line)
    first, last = map(float, summary.strip("| ").removeprefix("training loss").split("->"))
    low, high = first_losses
    assert low < first < high, f"seed 1, pytorch: {summary}"
    assert last < 0.8 * first, f"seed 1, pytorch: {summary}"
