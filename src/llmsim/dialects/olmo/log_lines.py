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


def say(job: Job, at: float, screen: Screen, place: str, text: str) -> Line:
    """A record of rank 0."""
    now = units.stamp(job.start, at)
    if not screen.live:
        stamp = f"{now:%Y-%m-%d %H:%M:%S}.{now.microsecond // 1000:03d}"
        return Line(f"{stamp}\t{hostname(job, 0)}:0\t{place}\tINFO\t{text}")
    stamp, kind, origin = f"[{now:%Y-%m-%d %H:%M:%S}]", f"{'INFO':<8}", f"[{place}, rank=0]"
    if screen.color:
        stamp, kind = f"{_TIME}{stamp}{_RESET}", f"{_INFO}{kind}{_RESET}"
        origin = f"{_PLACE}{origin}{_RESET}"
    return Line(f"{stamp} {kind} {origin} {text}")


def block(
    job: Job, at: float, screen: Screen, head: str, metrics: Iterable[tuple[str, float]]
) -> Iterator[Line]:
    """A line and values below it (train.py:951, log_metrics_to_console)."""
    yield say(job, at, screen, METRICS, head)
    for name, value in metrics:
        yield Line(f"    {name}={number(value)}")
