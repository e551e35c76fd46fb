"""Runs that are exported, for the tests of every kind."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from llmsim.run.simulation import events
from llmsim.run.timeline import Run
from llmsim.telemetry.kinds import Export
from llmsim.telemetry.sinks import Exports
from llmsim.telemetry.writer import Settings

ROOT = Path(__file__).parents[2]


def exported(run: Run, place: Path, *kinds: str, sample: float = 60.0) -> dict[str, Path]:
    """Writes a run in these kinds into a folder; where each of them is."""
    paths = {kind: place / kind for kind in kinds}
    exports = Exports(
        [Export(kind, str(path)) for kind, path in paths.items()], run, Settings(sample)
    )
    for _ in exports.tee(events(run)):
        pass
    assert exports.close() == []
    return paths


def command(*arguments: str) -> list[str]:
    """llmsim with these arguments, by this Python."""
    return [sys.executable, "-m", "llmsim", "--seed", "7", "--start", "2026-01-30T12", *arguments]


def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What llmsim did with these arguments."""
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False)


def files_of(place: Path) -> Iterator[str]:
    """Every file below a folder, by its path in it, sorted."""
    found = [Path(folder) / name for folder, _, names in os.walk(place) for name in names]
    yield from sorted(str(path.relative_to(place)) for path in found)
