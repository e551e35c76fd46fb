"""The jobs of tests/truth/jobs.jsonl, planned as a user plans them, and what the physics says of
each.

Nothing is fitted to these rows but the speed of compiled models of Hugging Face (torchtune) and of
llm.c's element-wise kernels. A row with `gradients` adds them up in bf16, which a job file cannot
ask for.
"""

import json
from datetime import datetime

from llmsim.job.records import batch_tokens
from llmsim.options.table import Options
from llmsim.physics.speed import step_time, throughput
from llmsim.planning.plan import plan
from tools.truth_rows import TRUTH

START = datetime(2026, 1, 30)


def ratios() -> list[tuple[str, float]]:
    """The source of each job, and what the physics says as a share of what was published."""
    text = (TRUTH / "jobs.jsonl").read_text(encoding="utf-8")
    return [
        (row["source"], _said(row) / row["value"]) for row in map(json.loads, text.splitlines())
    ]


def _said(row: dict[str, object]) -> float:
    """The speed of a job in the unit of its row."""
    job = plan(Options(seed=7, start=START, incidents="none", job=row["job"]))  # type: ignore[arg-type]  # a job's tables
    if row.get("gradients") == "bf16":
        job = job._replace(layout=job.layout._replace(fp32_gradients=False))
    rate = batch_tokens(job) / step_time.step_seconds(job) / job.layout.gpus
    if row["unit"] == "tok/s/GPU":
        return rate
    return rate * throughput.flops_per_token(job.architecture, job.schedule.sequence) / 1e12
