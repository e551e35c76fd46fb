"""How nanotron writes a line and a number: src/nanotron/logging/base.py."""

from collections.abc import Iterator

from llmsim.dialects.line import Line
from llmsim.job.records import Job, gpus_per_node
from llmsim.run.cluster import hostname
from llmsim.text import units
from llmsim.text.screen import Screen

RULE = "=" * 50

_PREFIXES = {"INFO": "\x1b[2;3m", "WARNING": "\x1b[1;33m"}
_SUFFIX, _BOLD = "\x1b[0m", "\x1b[1m"


def human(number: float) -> str:
    """Three significant digits and K, M, B or T, without trailing zeros (base.py:270)."""
    if abs(number) < 1:
        return f"{number:.3g}"
    number, sizes = float(f"{number:.3g}"), iter(("K", "M", "B", "T", "P"))
    size = ""
    while abs(number) >= 1000:
        number, size = number / 1000, next(sizes)
    return f"{number:f}".rstrip("0").rstrip(".") + size


def say(
    job: Job, at: float, screen: Screen, text: str, level: str = "INFO", stage: int = 0,
    slice_: int = 0,
) -> Line:  # fmt: skip
    """A record of rank 0, or of a stage's and a slice's first data rank: all its lines have the
    prefix, which has the ranks of which there are several.
    """
    layout = job.layout
    ranks = {"DP": (layout.dp, 0), "PP": (layout.pp, stage), "TP": (layout.tp, slice_)}
    shown = "".join(f"|{name}={rank}" for name, (size, rank) in ranks.items() if size > 1)
    rank = stage * (layout.gpus // layout.pp) + slice_
    node = hostname(job, rank // gpus_per_node(job))
    start = f"{units.stamp(job.start, at):%m/%d %H:%M:%S} [{level}{shown}|{node}]"
    if screen.color:
        start = f"{_PREFIXES[level]}{start}{_SUFFIX}"
    return Line("\n".join(f"{start}: {part}" for part in text.split("\n")), rank=rank)


def title(job: Job, at: float, screen: Screen, text: str) -> Iterator[Line]:
    """A heading between rules: is_separator of log_rank."""
    for part in (RULE, text, RULE):
        bold = f"{_BOLD}{part}{_SUFFIX}" if screen.color else part
        yield say(job, at, screen, bold)
