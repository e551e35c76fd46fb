"""Whole logs for the tests of dialects: what a pipe or a terminal gets of a run."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

import pyte

from llmsim.job.records import Job
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.show.player import play
from llmsim.text.screen import PIPE_WIDTH, Screen
from tests.runs import START, ending

PIPE = Screen(PIPE_WIDTH, height=40, color=False, unicode=True, live=False)

# A bar of tqdm's in a pipe, ten cells wide; the label, if there is one, comes before.
BAR = (
    r" *(?P<percent>\d+)%\|(?P<cells>[ ▏▎▍▌▋▊▉█]{10})\| (?P<done>[\d.]+[kMGT]?)/"
    r"(?P<total>[\d.]+[kMGT]?) \[(?P<elapsed>(?:\d+:)?\d\d:\d\d)<"
    r"(?P<left>(?:\d+:)?\d\d:\d\d|\?), +(?P<rate>\?|[\d.]+[kMGT]?)(?P<unit>[a-zA-Z ]+/[a-zA-Z ]+)"
    r"(?:, (?P<note>.*))?\]"
)
SANITY = 1e-9
FRAMES = 500  # that are shown on a terminal

# torchrun's banner (2.13.0).
TORCHRUN = (
    r"W\d{4} \d\d:\d\d:\d\d\.\d{3}000 \d+ torch/distributed/run\.py:\d+\] "
    r"(?:|\*{41}|Setting OMP_NUM_THREADS environment variable for each process to be .* needed\. )"
)

# The client of Weights & Biases, 0.31.0.
WANDB = r"wandb: "
RUN = r"run-\d{8}_\d{6}-[a-z0-9]{8}"
URL = r"https://wandb\.ai/[\w-]+/[\w-]+"
RELOGIN = r"Use `wandb login --relogin` to force relogin"
CLIENT = (
    rf"{WANDB}",
    rf"{WANDB}Currently logged in as: [\w-]+ \([\w-]+\) to https://api\.wandb\.ai\. {RELOGIN}",
    rf"{WANDB}Tracking run with wandb version \d+\.\d+\.\d+",
    rf"{WANDB}Run data is saved locally in /[\w/-]+/wandb/{RUN}",
    rf"{WANDB}Run `wandb offline` to turn off syncing\.",
    rf"{WANDB}Syncing run [\w-]+",
    rf"{WANDB}⭐️ View project at {URL}",
    rf"{WANDB}🚀 View run at {URL}/runs/[a-z0-9]{{8}}",
    rf"{WANDB}Run (?:history|summary):",
    rf"{WANDB} *(?:eval|train)/[\w/]+ [▁▂▃▄▅▆▇█]{{1,40}}",
    rf"{WANDB} *(?:(?:eval|train)/[\w/]+|t\w+) -?\d+(?:\.\d{{1,5}})?(?:e-\d+)?",
    rf"{WANDB} *\+\d+ \.\.\.",
    rf"{WANDB}🚀 View run [\w-]+ at: {URL}/runs/[a-z0-9]{{8}}",
    rf"{WANDB}⭐️ View project at: {URL}",
    rf"{WANDB}Synced 5 W&B file\(s\), 0 media .*, 0 artifact file\(s\) and 0 other file\(s\)",
    rf"{WANDB}Find logs at: \./wandb/{RUN}/logs",
)


class Log(NamedTuple):
    """A job and the lines of its log."""

    job: Job
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """The whole log."""
        return "\n".join(self.lines)

    def found(self, pattern: str) -> list[re.Match[str]]:
        """The lines that match a pattern as a whole."""
        compiled = re.compile(pattern)
        return [match for line in self.lines if (match := compiled.fullmatch(line))]


@lru_cache(maxsize=256)
def log(dialect: str, seed: int, **asked: object) -> Log:
    """What a pipe gets of the seed's run."""
    whole = Options(seed=seed, start=START, dialect=dialect, incidents="none")
    options = whole._replace(**asked)  # type: ignore[arg-type]
    job = plan(options)
    job = job if options.job else ending(job)
    text = "".join([frame.text for frame in play(job, options, lambda: PIPE)])
    return Log(job, tuple(text.removesuffix("\n").split("\n")))


def unmatched(lines: Iterable[str], patterns: Iterable[str]) -> list[str]:
    """The lines that no pattern matches as a whole."""
    known = re.compile("|".join(f"(?:{without_names(pattern)})" for pattern in patterns))
    return [line for line in lines if not known.fullmatch(line)]


def without_names(pattern: str) -> str:
    """The pattern with its groups nameless, so that several can be joined."""
    return re.sub(r"\(\?P<\w+>", "(", pattern)


def seconds(clock: str) -> int:
    """Seconds of tqdm's MM:SS or H:MM:SS."""
    total = 0
    for part in clock.split(":"):
        total = 60 * total + int(part)
    return total


def number(text: str) -> float:
    """A number with thousands separators, or with a suffix of tqdm's."""
    factor = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}.get(text[-1], 1.0)
    return float(text.rstrip("kMGT").replace(",", "")) * factor


def check_bar(match: re.Match[str]) -> None:
    """A bar agrees with itself: percent = done / total, rate x elapsed = done, and the rest."""
    done, total, elapsed = (
        number(match["done"]),
        number(match["total"]),
        seconds(match["elapsed"]),
    )
    told = match.string
    rough = 0.006 * total if match["done"][-1].isalpha() else 0.0  # SI numbers have three digits
    assert abs(float(match["percent"]) - 100 * done / total) <= 0.51 + 100 * rough / total, told
    assert abs(10 * done / total - filled(match["cells"])) <= 0.13 + 10 * rough / total, told
    if match["rate"] == "?":
        assert done == 0 or elapsed == 0, told
        return
    rate = number(match["rate"])
    per_second = 1 / rate if match["unit"].startswith("s/") else rate
    slack = 0.006 * per_second if match["unit"].startswith("s/") else 0.006
    slack = max(slack, 0.006 * per_second if match["rate"][-1].isalpha() else 0.0) + SANITY
    low, high = elapsed * (per_second - slack), (elapsed + 1) * (per_second + slack)
    assert low - rough <= done <= high + rough, told
    left = seconds(match["left"])
    assert (left - 1) * (per_second - slack) - rough <= total - done, told
    assert total - done <= (left + 1) * (per_second + slack) + rough, told


def filled(cells: str) -> float:
    """How many cells of a bar are filled, in eighths."""
    return sum(" ▏▎▍▌▋▊▉█".index(cell) for cell in cells) / 8


def screens(
    dialect: str, seed: int, width: int, height: int, every: int = 1, **asked: object
) -> Iterator[list[str]]:
    """What a terminal of that size shows after every so many of a run's first FRAMES.

    Without the board, which has a bar of its own in the place of the dialect's.
    """
    whole = Options(seed=seed, start=START, dialect=dialect, view="log", incidents="none")
    options = whole._replace(**asked)  # type: ignore[arg-type]
    surface = Screen(width, height, color=True, unicode=True, live=True)
    terminal = pyte.Screen(width, height)
    stream = pyte.Stream(terminal)
    for index, frame in enumerate(islice(play(plan(options), options, lambda: surface), FRAMES)):
        stream.feed(frame.text.replace("\n", "\r\n"))
        if index % every == 0:
            yield [row.rstrip() for row in terminal.display]
    yield [row.rstrip() for row in terminal.display]
