"""Tests of a framework's dialect read dozens of whole logs: they are run apart."""

import pytest

from llmsim.dialects.registry import NAMES

FRAMEWORKS = {
    *(f"test_{name}.py" for name in NAMES if name != "pytorch"),
    "test_statements.py",
    "test_readers.py",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of the frameworks' dialects; the default dialect's are unit tests."""
    for item in items:
        if item.path.name in FRAMEWORKS:
            item.add_marker("transcripts")
