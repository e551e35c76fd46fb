"""The first line: the typed command, which follows from the job alone."""

from collections.abc import Iterator

from llmsim.dialects.line import Line
from llmsim.job.records import Job, gpus_per_node
from llmsim.run.cluster import PORT, hostname
from llmsim.text.screen import Screen
from llmsim.text.wording import wrapped


def _command(job: Job) -> list[str]:
    """The typed command, as words that are not broken at a line's end."""
    script = [
        "train.py",
        f"--model {job.model.name}",
        f"--data {job.dataset.name}",
        f"--seed {job.seed}",
    ]
    if job.layout.gpus == 1:
        return ["python", *script]
    return [
        "torchrun",
        f"--nnodes {job.layout.nodes}",
        f"--nproc-per-node {gpus_per_node(job)}",
        f"--rdzv-id {job.run_name}",
        "--rdzv-backend c10d",
        f"--rdzv-endpoint {hostname(job, 0)}:{PORT}",
        *script,
    ]


def typed(job: Job, screen: Screen) -> Iterator[Line]:
    """The lines of the command, with which the log begins."""
    for index, text in enumerate(wrapped(_command(job), screen.width - 4, " \\")):
        role, start = ("", "    ") if index else ("prompt", "$ ")
        if not screen.color:
            yield Line(start + text)
            continue
        from llmsim.text.style import paint  # a file has no colours, and its first line no wait

        yield Line(paint(((role, start), ("title", text)), screen))
