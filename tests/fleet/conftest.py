"""What tests of kills and of networks share: a SPEC, and its data set that nobody disturbed."""

from pathlib import Path

import pytest

from llmsim.fleet import command
from tests.fleet.undisturbed import SPEC, tree


@pytest.fixture(scope="session")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spec") / "fleet.toml"
    path.write_text(SPEC, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def whole(spec: Path) -> dict[str, bytes]:
    """The data set that nobody disturbed."""
    out = spec.parent / "whole"
    assert command.main([str(spec), "--out", str(out), "--workers", "1", "--quiet"]) == 0
    return tree(out)
