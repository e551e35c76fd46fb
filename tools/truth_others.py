"""The jobs of tests/truth/jobs.jsonl and unseen.jsonl, planned as a user plans them, and what the
physics says of each.

Nothing is fitted to jobs.jsonl but the speed of compiled models of Hugging Face (torchtune) and of
llm.c's element-wise kernels. The jobs of unseen.jsonl were collected after everything had been
fitted. Since then four constants follow some of them: tests/truth/README.md says which. A row with
`gradients` adds them up in bf16, which a job file cannot ask for.
"""

import json
from datetime import datetime
from typing import NamedTuple

from llmsim.errors import PlanError
from llmsim.job.records import Job, batch_tokens
from llmsim.options.table import Options
from llmsim.physics.hardware import memory
from llmsim.physics.speed import step_time, throughput
from llmsim.planning.plan import plan
from tools.truth_rows import TRUTH

START = datetime(2026, 1, 30)


class Ratio(NamedTuple):
    """A published job, and what llmsim says of it as a share of what was published."""

    source: str
    speed: float | None  # None where none was published
    memory: float | None  # of the peak of one GPU without its context


def ratios(file: str) -> tuple[list[Ratio], list[str]]:
    """The jobs of a file, and the names of those that llmsim refuses."""
    text = (TRUTH / file).read_text(encoding="utf-8")
    found, refused = [], []
    for row in map(json.loads, text.splitlines()):
        try:
            job = _planned(row)
        except PlanError:
            refused.append(f"{row['source']}: {row['name']}")
            continue
        speed = _speed(job, row["unit"], row["value"]) if "value" in row else None
        peak = _peak(job) / row["memory"] if "memory" in row else None
        found.append(Ratio(row["source"], speed, peak))
    return found, refused


def _planned(row: dict[str, object]) -> Job:
    job = plan(Options(seed=7, start=START, incidents="none", job=row["job"]))  # type: ignore[arg-type]  # a job's tables
    if row.get("gradients") == "bf16":
        return job._replace(layout=job.layout._replace(fp32_gradients=False))
    return job


def _speed(job: Job, unit: str, published: float) -> float:
    """The speed of a job against the published one, which is in the unit of its row."""
    seconds = step_time.step_seconds(job)
    if unit == "s":
        return published / seconds
    rate = batch_tokens(job) / seconds / job.layout.gpus
    if unit == "tok/s/GPU":
        return rate / published
    flops = throughput.flops_per_token(job.architecture, job.schedule.sequence)
    return rate * flops / 1e12 / published


def _peak(job: Job) -> float:
    """GiB of the most loaded GPU, without its context."""
    need = memory.estimate(job.architecture, job.layout, job.schedule.sequence)
    return (memory.total(need) - need.context) / memory.GIB
