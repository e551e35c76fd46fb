"""Whole logs of the frameworks' dialects, and what the tests of all of them need."""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from math import cos, pi, sqrt

from llmsim.options.table import Options
from llmsim.show.player import play
from llmsim.text.screen import Screen
from tests.runs import job_of

PIPE = Screen(width=200, height=24, color=False, unicode=True, live=False)
COLORED = PIPE._replace(color=True)

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def played(dialect: str, seed: int, screen: Screen, **options: object) -> str:
    """The text that a run writes to a screen."""
    job = job_of(seed, dialect=dialect, **options)
    return "".join(frame.text for frame in play(job, Options(view="log"), lambda: screen))


@cache
def log_of(dialect: str, seed: int, **options: object) -> tuple[str, ...]:
    """The lines that a run writes to a pipe."""
    return tuple(played(dialect, seed, PIPE, **options).removesuffix("\n").split("\n"))


def unmatched(lines: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """The lines that no pattern matches as a whole."""
    known = re.compile("|".join(f"(?:{pattern})" for pattern in patterns))
    return [line for line in lines if not known.fullmatch(line)]


def unmarked(lines: Iterable[str]) -> tuple[str, ...]:
    """The lines without what srun --label puts before them, where it does."""
    told = tuple(lines)
    marked = [re.match(r" *\d+: ", line) for line in told]
    if not all(marked):
        return told
    return tuple(line[match.end() :] for line, match in zip(told, marked, strict=True) if match)


def found(pattern: str, lines: Iterable[str]) -> dict[str, str]:
    """The named groups of the first line that has the pattern in it."""
    for line in lines:
        if match := re.search(pattern, line):
            return match.groupdict()
    raise AssertionError(f"no line has {pattern}")


def in_order(texts: Iterable[str], lines: Iterable[str]) -> str | None:
    """The first text that no line has after the line that had the one before; None if all do."""
    rest = iter(lines)
    return next((text for text in texts if not any(text in line for line in rest)), None)


def number(text: str) -> float:
    """A number with separators of thousands."""
    return float(text.replace(",", ""))


def rate(step: int, steps: int, warmup: int, peak: float, low: float, decay: str) -> float:
    """The learning rate of a step, by the formulas of learning_rate.py, written anew."""
    if step <= warmup:
        return peak * step / warmup
    done = (step - warmup) / (steps - warmup)
    left = {
        "cosine": (1 + cos(pi * done)) / 2,
        "linear": 1 - done,
        "wsd": 1 - sqrt(max(0.0, done - 0.8) / 0.2),
    }[decay]
    return low + (peak - low) * left


def near(value: float, expected: float, part: float, absolute: float) -> bool:
    """Whether two printed numbers agree: within a part, and what the digits leave open."""
    return abs(value - expected) <= part * abs(expected) + absolute
