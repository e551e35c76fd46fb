"""Settings of all tests."""

import os

import pytest
from hypothesis import settings

# Nobody's own defaults: neither the config file nor variables.
for name in [name for name in os.environ if name.startswith("LLMSIM_")]:
    del os.environ[name]
os.environ["LLMSIM_CONFIG"] = os.devnull

# Speed is measured by `make bench`, never by a test: a busy machine makes no test fail. And the
# same examples every time, so that a failure belongs to the change that is tested;
# `pytest --hypothesis-profile=curious` looks further.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.register_profile("curious", deadline=None)
settings.load_profile("steady")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what needs programs that a plain machine lacks, unless it is asked for."""
    if "readers" in config.option.markexpr:
        return
    left_out = [item for item in items if item.get_closest_marker("readers")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
