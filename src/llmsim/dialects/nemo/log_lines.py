"""NeMo's logger, which speaks on rank 0 alone: [NeMo I 2025-03-04 02:58:29 nemo_logging:393] text.

From Python 3.11 on the place is the line of NeMo's logger, not that of its caller. Megatron core's
loggers write to the same stream and show a place in core (0.13.1).
"""

from llmsim.dialects.line import Line
from llmsim.job.records import Job
from llmsim.text import units

INFO, WARNING = "nemo_logging:393", "nemo_logging:405"
SINGLE_RANK, EACH_STAGE = "utils:661", "utils:682"  # log_single_rank, log_on_each_pipeline_stage


def said(job: Job, at: float, text: str, place: str = INFO, level: str = "I") -> Line:
    """A message with its level, I or W, and its time."""
    return Line(f"[NeMo {level} {units.stamp(job.start, at):%Y-%m-%d %H:%M:%S} {place}] {text}")


def warned(job: Job, at: float, text: str, place: str = WARNING) -> Line:
    """A warning."""
    return said(job, at, text, place, "W")
