"""What an engine tells while it works, and what a fleet has come to."""

from errno import ENOSPC

from llmsim.fleet.parts import Failure, Mark
from llmsim.typed import NamedTuple


class Brief(NamedTuple):
    """A part that is whole, in a few words: what a worker sends back."""

    part: int
    runs: int
    bytes: int
    failed: tuple[Failure, ...]


class Problem(NamedTuple):
    """A part that could not be written, and why: one sentence."""

    part: int
    sentence: str
    hopeless: bool = False  # whether no other part can be written either


class Playing(NamedTuple):
    """A run begins in a part."""

    part: int
    number: int


Outcome = Brief | Problem | Playing


def brief_of(mark: Mark) -> Brief:
    """A mark in a few words."""
    size = sum(each[1] for each in (*mark.files, *mark.answers))
    return Brief(mark.part, mark.runs, size, tuple(mark.failed))


def problem_of(number: int, error: OSError) -> Problem:
    """Why a part could not be written."""
    return Problem(number, _sentence(error), hopeless=error.errno == ENOSPC)


def _sentence(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    name = f": {error.filename}" if error.filename else ""
    return f"{reason[:1].lower()}{reason[1:]}{name}".rstrip(".")
