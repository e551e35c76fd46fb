"""A command line, and what it shows or how it is refused."""

from collections.abc import Iterator

import pytest

from llmsim import cli

Captured = pytest.CaptureFixture[str]


def shown(capfd: Captured, *arguments: str) -> str:
    """What a command line that must be right writes."""
    assert cli.main(arguments) == 0
    text, complaint = capfd.readouterr()
    assert complaint == ""
    return text


def refused(capfd: Captured, *arguments: str, status: int = 2) -> str:
    """The one sentence about a command line that must be wrong."""
    assert cli.main(arguments) == status
    text, complaint = capfd.readouterr()
    assert text == ""
    (sentence,) = sentences(complaint)
    return sentence


def sentences(complaint: str) -> Iterator[str]:
    """The sentences on standard error, a line each."""
    for line in complaint.splitlines():
        assert line.startswith("llmsim: ")
        assert line.endswith((".", "?"))
        assert line.isprintable()  # nothing that a terminal would obey
        yield line.removeprefix("llmsim: ")
