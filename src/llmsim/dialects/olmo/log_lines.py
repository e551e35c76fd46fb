"""How OLMo writes a line: with tabs into a file, with Rich on a terminal (olmo/util.py:77)."""

from collections.abc import Iterable, Iterator

from llmsim.dialects.line import Line
from llmsim.job.records import Job
from llmsim.run.cluster import hostname
from llmsim.text import units
from llmsim.text.screen import Screen

CHECKPOINTS = "/checkpoints"
MAIN, TRAINER, SAVER = "train:{}", "olmo.train:{}", "olmo.checkpoint:{}"
METRICS = TRAINER.format(967)
_TIME, _INFO, _PLACE, _RESET = "\x1b[2;36m", "\x1b[34m", "\x1b[2m", "\x1b[0m"
_WARNING = "\x1b[33m"


def number(value: float) -> str:
    """A number with the decimals that OLMo gives to its size (train.py:952)."""
    if value < 0.0001:
        return str(value)
    if value > 1000:
        return f"{int(value):,d}"
    if value > 100:
        return f"{value:.1f}"
    if value > 10:
        return f"{value:.2f}"
    return f"{value:.3f}" if value > 1 else f"{value:.4f}"


def say(
    job: Job, at: float, screen: Screen, place: str, text: str, level: str = "INFO", rank: int = 0
) -> Line:
    """A record of rank 0, or of a rank of the first node."""
    now = units.stamp(job.start, at)
    if not screen.live:
        stamp = f"{now:%Y-%m-%d %H:%M:%S}.{now.microsecond // 1000:03d}"
        return Line(f"{stamp}\t{hostname(job, 0)}:{rank}\t{place}\t{level}\t{text}", rank=rank)
    stamp, kind, origin = f"[{now:%Y-%m-%d %H:%M:%S}]", f"{level:<8}", f"[{place}, rank={rank}]"
    if screen.color:
        color = _INFO if level == "INFO" else _WARNING
        stamp, kind = f"{_TIME}{stamp}{_RESET}", f"{color}{kind}{_RESET}"
        origin = f"{_PLACE}{origin}{_RESET}"
    return Line(f"{stamp} {kind} {origin} {text}", rank=rank)


def block(
    job: Job, at: float, screen: Screen, head: str, metrics: Iterable[tuple[str, float]]
) -> Iterator[Line]:
    """A line and values below it (train.py:951, log_metrics_to_console)."""
    yield say(job, at, screen, METRICS, head)
    for name, value in metrics:
        yield Line(f"    {name}={number(value)}")
