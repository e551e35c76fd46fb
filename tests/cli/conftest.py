"""What the tests of the command line share."""

import pytest

from llmsim.hosts import native
from llmsim.options.table import Options


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for everything, wherever the tests run."""
    monkeypatch.setenv("COLUMNS", "400")


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[Options]:
    """The options that the host was handed, instead of a show."""
    calls: list[Options] = []

    def main(options: Options, ends_process: bool) -> int:
        calls.append(options)
        return 0

    monkeypatch.setattr(native, "main", main)
    return calls
