"""A part of a fleet: some of its runs, written together by one process.

The part's files are made in a folder of their own and then moved to their places; last comes the
part's mark. A part that has a mark is done, and another process has nothing to do. A run
that fails spoils no other: the part goes on without it, or begins anew where a table has a half of
it, and the mark says what happened.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from llmsim.errors import FLAG, LlmsimError
from llmsim.fleet.columns import TABLES
from llmsim.fleet.joining import staged
from llmsim.fleet.mix import Member, member
from llmsim.fleet.places import Places
from llmsim.fleet.playing import play_member
from llmsim.fleet.spec import Spec
from llmsim.job.schedule import last_step
from llmsim.physics import noise
from llmsim.planning.plan import plan
from llmsim.telemetry.samples import MOST_GPUS
from llmsim.typed import Any, NamedTuple

MOST_RUNS = 1000  # of a part
MOST_SHORT_RUNS = 4000  # of a part, where runs have few steps
FEWEST_PARTS = 8
STEPS, MOST_SAMPLES = 900_000, 20_000_000  # rows of a part: 70 MB of steps, 140 MB of samples


class Failure(NamedTuple):
    """A run that could not be played."""

    run_id: str
    number: int
    seed: int
    reason: str


class Mark(NamedTuple):
    """What a part's mark says: the part is whole."""

    part: int
    digest: str
    runs: int
    rows: dict[str, int]  # of each table
    content: dict[str, str]  # checksums of each table's values
    files: list[tuple[str, int, str]]  # path in the data set, bytes, sha256
    answers: list[tuple[str, int, str]]  # the same for the folder of answers
    failed: list[Failure]
    written: list[tuple[str, int, str, str]]  # run, seed, split, start


Said = Callable[[int], object]  # a run of this number begins
_Spoilt = dict[int, str]  # runs to leave out, with the reason


class RunError(Exception):
    """A run could not be played; the part has to do without it."""

    def __init__(self, number: int, reason: str) -> None:
        """The run's number, and one sentence."""
        super().__init__(reason)
        self.number = number
        self.reason = reason


def size_of_part(spec: Spec) -> int:
    """Runs of a part: as many as 1,000, more where files would be small, fewer where large.

    A table of 64 to 512 MB is read fastest, and a part that is lost is made anew, so that it
    should not take long. The size follows from the SPEC alone: a data set is the same on every
    machine.
    """
    if spec.runs_a_part:
        return spec.runs_a_part
    most = MOST_RUNS
    if "parquet" in spec.kinds and spec.runs:
        looked = [*_looked_at(spec)]
        samples, steps = (sum(each) / len(looked) for each in zip(*looked, strict=True))
        most = min(MOST_SHORT_RUNS, max(most, int(STEPS / max(1.0, steps))))
        most = min(most, int(MOST_SAMPLES / max(1.0, samples)))
    return max(1, min(most, ceil(spec.runs / FEWEST_PARTS)))


def _looked_at(spec: Spec, most: int = 12) -> Iterator[tuple[float, float]]:
    """The rows of samples and of steps of a few runs."""
    for number in range(0, spec.runs, max(1, spec.runs // most)):
        yield rows_of(spec, number)


def rows_of(spec: Spec, number: int) -> tuple[float, float]:
    """The rows of samples and of steps that a run has, if nothing breaks; none if it cannot be."""
    from llmsim.job.milestones import logged_before
    from llmsim.physics.speed.step_time import training_seconds

    try:
        job = plan(member(spec, number).options)
    except LlmsimError:
        return 0.0, 0.0
    samples = training_seconds(job) / spec.sample * min(job.layout.gpus, MOST_GPUS)
    return samples, float(logged_before(job, last_step(job.schedule) + 1))


def parts_of(spec: Spec, size: int) -> int:
    """How many parts a fleet has; a cluster is the last of them."""
    return ceil(spec.runs / size) + (spec.cluster is not None)


def write_part(
    spec: Spec, places: Places, size: int, number: int, spoilt: _Spoilt, said: Said
) -> Mark:
    """Writes a part unless its mark is there, and returns its mark.

    `spoilt` are runs to leave out. Raises OSError when the part cannot be written.
    """
    known: Mark | None = places.mark(number, mark_of)
    if known is not None:
        return known
    left_out = dict(spoilt)
    while True:
        work = places.work / f"part-{number:05d}-{os.getpid()}-{uuid4().hex[:8]}"
        for folder in ("data", *(("answers",) if places.apart else ())):
            (work / folder).mkdir(parents=True)
        try:
            write = _written if number * size < spec.runs else _cluster
            mark = write(spec, places, size, number, left_out, said, work)
            places.store(number, work, mark)
        except RunError as error:
            left_out[error.number] = error.reason
        else:
            return mark
        finally:
            shutil.rmtree(work, ignore_errors=True)


def mark_of(told: dict[str, Any]) -> Mark:
    """A mark as it was read."""
    lists = {
        "files": [tuple(each) for each in told["files"]],
        "answers": [tuple(each) for each in told["answers"]],
        "failed": [Failure(*each) for each in told["failed"]],
        "written": [tuple(each) for each in told["written"]],
    }
    return Mark(**told | lists)


def members_of(spec: Spec, size: int, number: int) -> Iterator[Member]:
    """The runs of a part."""
    for each in range(number * size, min(spec.runs, (number + 1) * size)):
        yield member(spec, each)


def _written(
    spec: Spec, places: Places, size: int, number: int, spoilt: _Spoilt, said: Said, work: Path
) -> Mark:
    """The part's files in its folder, and the mark that goes with them."""
    tables = _Tables(work, number, places.apart) if "parquet" in spec.kinds else None
    failed, written = list[Failure](), list[tuple[str, int, str, str]]()
    for each in members_of(spec, size, number):
        if each.number in spoilt:
            failed.append(Failure(each.run_id, each.number, each.seed, spoilt[each.number]))
            continue
        said(each.number)
        before = tables.counts() if tables else {}
        try:
            _tried(spec, each, work, tables)
        except RunError as error:
            if tables and tables.counts() != before:
                raise  # half of its rows are there: the part begins anew
            _removed(work, each.run_id)
            failed.append(Failure(each.run_id, each.number, each.seed, error.reason))
            continue
        written.append((each.run_id, each.seed, each.split, each.start.isoformat()))
    content = tables.close() if tables else {}
    return Mark(
        part=number,
        digest=places.digest,
        runs=len(written),
        rows=tables.counts() if tables else {},
        content=content,
        files=_listed(work / "data"),
        answers=_listed(work / "answers"),
        failed=failed,
        written=written,
    )


def _cluster(
    spec: Spec, places: Places, size: int, number: int, spoilt: _Spoilt, said: Said, work: Path
) -> Mark:
    """The part of the cluster's days."""
    from llmsim.fleet.cluster.writing import Writing

    del size, spoilt, said  # a cluster has no runs
    assert spec.cluster is not None
    tables, apart = "parquet" in spec.kinds, places.apart
    writing = Writing(spec.cluster, spec.start, spec.zone, work, tables, apart)
    writing.write()
    content = {name: table.close() for name, table in writing.tables.items()}
    counts = {name: table.rows for name, table in writing.tables.items()}
    files, answers = _listed(work / "data"), _listed(work / "answers")
    return Mark(number, places.digest, 0, counts, content, files, answers, [], [])


def _tried(spec: Spec, each: Member, work: Path, tables: "_Tables | None") -> None:
    """Plays a run. Raises RunError if it cannot be played; a full disk is not the run's fault."""
    try:
        play_member(spec, each, work, tables)
    except OSError:
        raise
    except LlmsimError as error:
        raise RunError(each.number, error.sentence(FLAG)) from None
    except Exception as error:  # noqa: BLE001  # whatever it is, the other runs go on
        raise RunError(each.number, f"{type(error).__name__}: {error}") from None
    finally:
        noise.let_go()  # the next run has another seed


def _removed(work: Path, run_id: str) -> None:
    """Takes away the files that a run has written before it failed."""
    for path in sorted(work.glob(f"*/files/*/{run_id}*")):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def play_alone(spec: Spec, number: int) -> bool:
    """Plays one run for nothing but to see whether it can be played here."""
    with TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "data").mkdir()
        tables = _Tables(work, 0, False) if "parquet" in spec.kinds else None
        with suppress(RunError):
            _tried(spec, member(spec, number), work, tables)
        if tables:
            tables.close()
    return True


def _listed(folder: Path) -> list[tuple[str, int, str]]:
    """The files of a folder, in order, with sizes and checksums."""
    made = []
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        content = path.read_bytes()
        name = path.relative_to(folder).as_posix()
        made.append((name, len(content), sha256(content).hexdigest()))
    return made


class _Tables:
    """The Parquet files of a part."""

    def __init__(self, work: Path, number: int, apart: bool) -> None:
        """Opens all of them; labels, and what else tells, go apart if they shall."""
        from llmsim.fleet.parquet_files import TableFile

        self.apart = apart
        self._files: dict[str, Any] = {}
        for table in TABLES:
            self._files[table.name] = TableFile(
                table, self._path(work, table.name, number, apart and table.name == "labels")
            )
            if apart and table.name in ("runs", "events"):
                path = self._path(work, table.name, number, True)
                self._files[f"answers/{table.name}"] = TableFile(table, path)

    @staticmethod
    def _path(work: Path, table: str, number: int, answers: bool) -> str:
        folder = work / ("answers" if answers else "data") / staged(table)
        folder.mkdir(parents=True)
        return str(folder / f"part-{number:05d}.parquet")

    def __getitem__(self, name: str) -> Any:
        """The file of a table."""
        return self._files[name]

    def counts(self) -> dict[str, int]:
        """Rows by table."""
        return {name: file.rows for name, file in self._files.items()}

    def close(self) -> dict[str, str]:
        """Completes all files; returns the checksums of their values."""
        return {name: file.close() for name, file in self._files.items()}
