"""Draws a run to a PNG, with the loss curves of real runs beside it.

python -m tools.plot_run --seed 7 --output docs/run.png
"""

import argparse
from datetime import datetime
from typing import Any

import matplotlib as mpl

mpl.use("Agg")  # draws to a file, without a screen
import matplotlib.pyplot as plt

from llmsim.job.records import Job
from llmsim.options.table import Options
from llmsim.physics.learning import loss
from llmsim.planning.plan import plan
from llmsim.run.events import Event, Step, Validated
from llmsim.run.moment import readings
from llmsim.run.simulation import run_of, simulate
from tests.physics.loss_jobs import MEASURED, ROWS

GPUS = 8  # telemetry of this many GPUs is drawn
MOMENTS = 240


def _loss(axes: Any, job: Job, steps: list[Step], validations: list[Validated]) -> None:
    axes.plot([s.step for s in steps], [s.loss for s in steps], lw=0.8, label="training")
    axes.plot([v.step for v in validations], [v.loss for v in validations], "o", label="validation")
    axes.axhline(loss.floor(job), ls=":", color="grey", label="floor")
    axes.set(title="loss, nats per token", xlabel="step")
    axes.legend()


def _measured(axes: Any) -> None:
    for name, (make, losses) in MEASURED.items():
        job = make(0)
        rows = [row for row, _ in zip(ROWS, losses, strict=False)]
        fine = [round(10 ** (k / 40)) for k in range(int(40 * 4.61))]
        line = axes.plot(fine, [loss.expected(job, step) for step in fine], lw=1, label=name)
        axes.plot(rows, losses, "o", ms=4, color=line[0].get_color())
    axes.set(title="the model (lines) and public logs (dots)", xlabel="step", xscale="log")
    axes.legend(fontsize=7)


def _gradient(axes: Any, steps: list[Step]) -> None:
    axes.plot([s.step for s in steps], [s.gradient_norm for s in steps], lw=0.8, color="C1")
    axes.set(title="gradient norm before clipping", xlabel="step", yscale="log")


def _rates(axes: Any, steps: list[Step]) -> None:
    numbers = [s.step for s in steps]
    axes.plot(numbers, [s.tokens_per_second / 1e3 for s in steps], lw=0.8, color="C2")
    axes.set(title="thousand tokens/s; learning rate (dashed)", xlabel="step", ylim=0)
    rate = axes.twinx()
    rate.plot(numbers, [s.learning_rate for s in steps], "--", color="C3")
    rate.set(ylim=0)


def _telemetry(axes: Any, job: Job, steps: list[Step], what: str, title: str) -> None:
    """GPU readings over the training."""
    began, ended = steps[0].at, steps[-1].at
    moments = [began + (ended - began) * k / MOMENTS for k in range(MOMENTS + 1)]
    run = run_of(job)
    shown = [readings(run, t, range(min(GPUS, job.layout.gpus))) for t in moments]
    for gauges in zip(*shown, strict=True):
        axes.plot([t / 60 for t in moments], [getattr(each, what) for each in gauges], lw=0.6)
    axes.set(title=title, xlabel="minutes")


def draw(job: Job, output: str) -> None:
    """Writes the PNG of a job's run to the file `output`."""
    events: list[Event] = list(simulate(job))
    steps = [event for event in events if isinstance(event, Step)]
    validations = [event for event in events if isinstance(event, Validated)]
    figure, grid = plt.subplots(2, 3, figsize=(15, 8), layout="constrained")
    _loss(grid[0][0], job, steps, validations)
    _measured(grid[1][0])
    _gradient(grid[0][1], steps)
    _rates(grid[1][1], steps)
    _telemetry(grid[0][2], job, steps, "temperature_c", "GPU temperature, C")
    _telemetry(grid[1][2], job, steps, "power_watts", "GPU power, W")
    figure.suptitle(f"{job.model.name} on {job.layout.gpus} x {job.gpu.name}: {job.command}")
    figure.savefig(output, dpi=110, metadata={"Software": None})


def main() -> None:
    """Draws the run that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--model", default="auto")
    parser.add_argument("--recipe", default="auto")
    parser.add_argument("--output", default="docs/run.png")
    given = parser.parse_args()
    start = datetime(2026, 1, 30, 12)
    options = Options(
        dialect="pytorch", seed=given.seed, start=start, model=given.model, recipe=given.recipe
    )
    draw(plan(options), given.output)


if __name__ == "__main__":
    main()
