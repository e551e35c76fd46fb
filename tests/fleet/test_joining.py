"""The files of parts become the files of tables: large enough, whole, and once."""

import shutil
from pathlib import Path

import pytest

from llmsim.fleet import finish, joining, parts, places
from llmsim.fleet.beginning import begin
from llmsim.fleet.joining import File, groups
from llmsim.fleet.places import Places
from llmsim.fleet.spec import Spec, digest, spec_of
from llmsim.fleet.stores import FleetError
from llmsim.physics import noise
from tests.fleet.undisturbed import same, tree

SPEC = """runs = 8
seed = 5
sample = "10min"
runs_a_part = {part}
[export]
kinds = ["parquet"]
[[mix]]
steps = 60
gpus = 8
"""
MEGABYTES = 1_000_000


@pytest.mark.parametrize("largest", [1, 20, 150, 440])
def test_files_of_tables_have_64_to_512_megabytes(largest: int) -> None:
    """Row groups and files of this size are what DuckDB, polars and pyarrow read fastest."""
    for seed in range(50):
        files: list[File] = [
            (f"_parts/steps/part-{number:05d}.parquet",
             int(largest * MEGABYTES * noise.uniform(seed, "size", number)), "")
            for number in range(200)
        ]  # fmt: skip
        made = groups("steps", files)
        assert [file for group in made for file in group.sources] == files, seed
        assert [group.number for group in made] == [*range(len(made))], seed
        for group in made:
            size = sum(each[1] for each in group.sources)
            assert size <= 512 * MEGABYTES, (seed, group.number)
            assert size >= 64 * MEGABYTES or len(made) == 1, (seed, group.number)


def test_files_of_exports_and_of_other_tables_stay_as_they_are() -> None:
    files: list[File] = [("files/logs/x.gz", 3, ""), ("_parts/runs/part-00000.parquet", 3, "")]
    assert groups("steps", files) == []
    assert [group.sources for group in groups("runs", files)] == [files[1:]]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of 30 kB are large enough: steps are moved, and all else is joined."""
    monkeypatch.setattr(joining, "LEAST", 30_000)


def written(folder: Path, part: int, out: str, *, apart: bool = True) -> tuple[Spec, Places]:
    """The parts of a fleet, whose tables are not joined yet."""
    path = folder / f"{part}.toml"
    path.write_text(SPEC.format(part=part), encoding="utf-8")
    spec = spec_of(str(path))
    root = out if "://" in out else str(folder / out)
    where = Places(root, f"{root}-answers" if apart else "", digest(spec))
    begin(where, part)
    for number in range(parts.parts_of(spec, part)):
        parts.write_part(spec, where, part, number, {}, lambda _run: None)
    return spec, where


@pytest.mark.fleets
@pytest.mark.usefixtures("small")
def test_a_table_is_the_same_however_many_parts_it_was_made_of(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    counts, rows = set[int](), dict[str, list[dict[str, object]]]()
    for part in (1, 3, 8):
        finish.finish(*written(tmp_path, part, f"out-{part}"), part)
        counts.add(len([*(tmp_path / f"out-{part}/steps").iterdir()]))
        for table in ("runs", "steps", "samples", "events"):
            found = pq.read_table(tmp_path / f"out-{part}" / table).to_pylist()
            # A loss may be no number, which equals nothing: texts are compared.
            assert repr(found) == repr(rows.setdefault(table, found)), (table, part)
            assert found, table
    assert len(counts) > 1, "the sizes of parts made no difference: the test shows nothing"


class Stopped(BaseException):
    """What stands in for a kill: nothing catches it."""


@pytest.mark.fleets
@pytest.mark.usefixtures("small")
def test_a_fleet_killed_while_it_joins_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, where = written(tmp_path, 2, "begun")
    begun, answers = Path(where.root), Path(where.answers)
    shutil.copytree(begun, tmp_path / "whole")
    shutil.copytree(answers, tmp_path / "whole-answers")
    at = where._replace(root=str(tmp_path / "whole"), answers=str(tmp_path / "whole-answers"))
    finish.finish(spec, at, 2)
    whole, told = tree(tmp_path / "whole"), tree(tmp_path / "whole-answers")
    left = [0]

    def counted(name: str) -> None:
        done = getattr(places, name)

        def call(*words: object) -> object:
            left[0] -= 1
            if left[0] < 0:
                raise Stopped
            return done(*words)

        monkeypatch.setattr(places, name, call)

    monkeypatch.setattr(places, "settle", lambda _root, _names: None)  # slow, and no step of ours
    for name in ("put", "moved", "remove", "remove_folder", "put_text"):
        counted(name)
    step = 0
    while True:
        out = where._replace(root=str(tmp_path / "out"), answers=str(tmp_path / "out-answers"))
        shutil.copytree(begun, out.root)
        shutil.copytree(answers, out.answers)
        left[0] = step
        try:
            finish.finish(spec, out, 2)
        except Stopped:
            left[0] = 10**6
            finish.finish(spec, out, 2)
            same(Path(out.root), whole)
            same(Path(out.answers), told)
        else:
            break
        step += 1
        shutil.rmtree(out.root)
        shutil.rmtree(out.answers)
    assert step > 30, "joining has more steps than that"


@pytest.mark.fleets
def test_a_table_in_several_files_has_the_checksum_of_one(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    from llmsim.fleet.columns import COLUMNS
    from llmsim.fleet.parquet_files import TableFile, TableFiles

    rows = [[("runs", f"column {number}", "text", None, "?")] * 3 for number in range(9)]
    (tmp_path / "several").mkdir()
    several = TableFiles(COLUMNS, tmp_path / "several", most=6)
    one = TableFile(COLUMNS, str(tmp_path / "one.parquet"))
    for some in rows:
        several.add(some)
        one.add(some)
    assert several.rows == one.rows == 27
    assert several.close() == one.close()
    sizes = [pq.read_metadata(path).num_rows for path in sorted((tmp_path / "several").iterdir())]
    assert sizes == [6, 6, 6, 6, 3]
    assert pq.read_table(tmp_path / "several").equals(pq.read_table(tmp_path / "one.parquet"))


@pytest.mark.fleets
def test_a_lost_file_of_a_part_is_said(tmp_path: Path) -> None:
    spec, where = written(tmp_path, 4, "out")
    (Path(where.root) / "_parts/events/part-00001.parquet").unlink()
    with pytest.raises(FleetError, match="the table of events"):
        finish.finish(spec, where, 4)


@pytest.mark.fleets
def test_an_object_store_joins_too(tmp_path: Path) -> None:
    made = []
    for root in (str(tmp_path / "here"), "memory://joined"):
        made.append(written(tmp_path, 4, root, apart=False))
        finish.finish(*made[-1], 4)
    import fsspec

    store = fsspec.filesystem("memory")
    found = {name.removeprefix("/joined/"): store.cat_file(name) for name in store.find("/joined")}
    assert found == tree(tmp_path / "here")
