"""torchtitan's logger and its colours (tools/logging.py:20-34, tools/utils.py:262-274)."""

from collections.abc import Callable, Iterator

from llmsim.dialects.line import Line
from llmsim.job.records import Job, gpus_per_node, speaking_rank
from llmsim.text import units
from llmsim.text.screen import Screen
from llmsim.typed import NamedTuple


class Color(NamedTuple):
    """Codes of the foreground; all empty on a screen without colours."""

    red: str = "\x1b[31m"
    green: str = "\x1b[32m"
    yellow: str = "\x1b[33m"
    blue: str = "\x1b[34m"
    magenta: str = "\x1b[35m"
    cyan: str = "\x1b[36m"
    orange: str = "\x1b[38;2;180;60;0m"
    turquoise: str = "\x1b[38;2;54;234;195m"
    reset: str = "\x1b[39m"


COLOR = Color()
NO_COLOR = Color(*[""] * len(COLOR))


def color(screen: Screen) -> Color:
    """The codes for a screen."""
    return COLOR if screen.color else NO_COLOR


def shown_rank(job: Job) -> int:
    """The rank whose log is kept: 0, or of a pipeline the first that computes the loss."""
    return 0 if job.capture == "rank0" else speaking_rank(job)


def shown_ranks(job: Job) -> Iterator[int]:
    """The ranks that the launchers show: one local rank (LOG_RANK) of each node that is kept."""
    size = gpus_per_node(job)
    if job.capture == "all":
        yield from range(shown_rank(job) % size, job.layout.gpus, size)
    else:
        yield shown_rank(job)


def knows_loss(job: Job, rank: int) -> bool:
    """Whether a rank is in the last stage of the pipeline: the others print -1 for the loss."""
    return rank >= speaking_rank(job)


def say(
    job: Job, at: float, text: str | Callable[[int], str], level: str = "INFO",
    behind: Callable[[int], float] | None = None,
) -> Iterator[Line]:  # fmt: skip
    """A line of the logger for each rank that is shown, behind the prefix that torchrun's --tee
    puts there: the local rank. A file of a rank has no prefix. Ranks may log some seconds behind.
    """
    size = gpus_per_node(job)
    for rank in shown_ranks(job):
        tee = "" if job.capture == "rank0" else f"[rank{rank % size}]:"
        now = units.asctime(job.start, at + (behind(rank) if behind else 0.0))
        told = text if isinstance(text, str) else text(rank)
        yield Line(f"{tee}[titan] {now} - root - {level} - {told}", rank=rank)
