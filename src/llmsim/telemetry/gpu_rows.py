"""What the exports of gauges share: which GPUs they look at, and whom they refuse."""

from llmsim.catalog import gpus
from llmsim.errors import ExportError, Setting
from llmsim.job.records import Job


def expect_nvidia(job: Job, kind: str) -> None:
    """Raises ExportError where NVIDIA's tools would not run on the job's GPUs."""
    if not gpus.is_nvidia(job.gpu):
        raise ExportError(
            Setting("export", kind), f" is written by NVIDIA's tools, and {job.gpu.name} is none",
            " of NVIDIA's: give another ", Setting("gpu"), ".",
        )  # fmt: skip
