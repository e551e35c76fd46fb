"""What a fleet packs of a run is what --export writes of it, gzipped."""

import gzip
from datetime import datetime
from pathlib import Path

import pytest

from llmsim.fleet.packing import Packing
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.simulation import events, run_of
from llmsim.run.timeline import Run
from llmsim.telemetry.kinds import KINDS, Export
from llmsim.telemetry.sinks import Exports
from llmsim.telemetry.writer import Settings
from tests.fleet.undisturbed import tree

SETTINGS = Settings(sample=3600.0)
# Kinds of other frameworks, of the show, and the tables, which a fleet writes in another way.
OTHERS = ("trainer_state", "lightning", "cast", "parquet")


@pytest.fixture(scope="module")
def run() -> Run:
    options = Options(seed=3, start=datetime(2026, 1, 30, 12), steps=40, gpus=8, recipe="pretrain",
                      dialect="pytorch", incidents="chaos")  # fmt: skip
    return run_of(plan(options))


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS if kind.name not in OTHERS])
def test_every_kind_is_what_export_writes(kind: str, run: Run, tmp_path: Path) -> None:
    exports = Exports([Export(kind, str(tmp_path / "exported"))], run, SETTINGS)
    for _ in exports.tee(events(run)):
        pass
    assert exports.close() == []
    packing = Packing(kind, run, tmp_path / "packed/run", SETTINGS, lambda _file: True)
    at = 0.0
    for event in events(run):
        at = event.at
        packing.take(event)
    packing.close(at)
    packed = {
        name.removeprefix("run/").removesuffix(".gz"): content
        for name, content in tree(tmp_path / "packed").items()
    }
    place = tmp_path / "exported"
    if place.is_dir():
        whole = {name: body for name, body in tree(place).items() if body}
    else:
        whole = {name: place.read_bytes() for name in packed}
        assert len(whole) == 1, "a single file of a kind has one name"
    assert sorted(packed) == sorted(whole)
    for name, content in packed.items():
        plain = content if "tfevents" in name else gzip.decompress(content)
        assert plain == whole[name], name


def test_streams_that_are_not_wanted_have_no_file(run: Run, tmp_path: Path) -> None:
    packing = Packing("logs", run, tmp_path / "run", SETTINGS, lambda file: "kernel" not in file)
    for event in events(run):
        packing.take(event)
    packing.close(0.0)
    names = [*tree(tmp_path)]
    assert names
    assert not [name for name in names if "kernel" in name]
