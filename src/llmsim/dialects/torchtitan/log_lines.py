"""torchtitan's logger and its colours (tools/logging.py:20-34, tools/utils.py:262-274)."""

from llmsim.dialects.line import Line
from llmsim.job.records import Job
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
    layout = job.layout
    return layout.gpus // layout.pp * (layout.pp - 1)


def say(job: Job, at: float, text: str, level: str = "INFO") -> Line:
    """A line of the logger, behind the prefix that torchrun's --tee puts there."""
    now = units.asctime(job.start, at)
    return Line(f"[rank{shown_rank(job)}]:[titan] {now} - root - {level} - {text}")
