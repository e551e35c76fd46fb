"""The tables of a data set, made of the files of its parts: the last step before it is whole.

A part has a file of each table, and of a table with few rows a run that file is small. Readers are
fastest with files of 64 to 512 MB, so that neighbours are joined until they are large enough; a
file that is large already is moved. The files of parts wait in the folder of marks
(`_parts/TABLE/`), which no reader looks into, and a joined file has a mark of its own: a fleet
that is killed here goes on here. Row groups stay whole runs, in the same order, and checksums of
values do not change.
"""

import json
import os
import shutil
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from llmsim.fleet import places
from llmsim.fleet.columns import TABLES
from llmsim.fleet.places import PARTS, Places
from llmsim.fleet.stores import FleetError
from llmsim.typed import Any, NamedTuple

# A joined file has 64 MB and more, though joining saves a little; no part has 448 MB.
LEAST = 66_000_000

File = tuple[str, int, str]  # path in the data set, bytes, sha256


class Group(NamedTuple):
    """Files of parts that become one file of a table."""

    table: str
    number: int
    sources: list[File]

    @property
    def name(self) -> str:
        """The path of the file in the data set."""
        return f"{self.table}/part-{self.number:05d}.parquet"

    @property
    def mark(self) -> str:
        """The path of its mark."""
        return f"{PARTS}/{self.table}-{self.number:05d}.json"


def staged(table: str) -> str:
    """The folder in which the files of parts wait."""
    return f"{PARTS}/{table}"


def groups(table: str, files: list[File]) -> list[Group]:
    """The files that a table will have; what is left at the end goes with the last of them."""
    made, waiting = list[list[File]](), list[File]()
    for file in files:
        if file[0].startswith(f"{staged(table)}/"):
            waiting.append(file)
            if sum(each[1] for each in waiting) >= LEAST:
                made.append(waiting)
                waiting = []
    if waiting and made:
        made[-1] += waiting
    elif waiting:
        made.append(waiting)
    return [Group(table, number, sources) for number, sources in enumerate(made)]


def joined(where: Places, root: str, files: list[File]) -> list[File]:
    """Makes the tables of a place, and returns all files of the data set there.

    `files` are what the marks of the parts name. Raises FleetError if a file has gone.
    """
    made = [file for file in files if not file[0].startswith(f"{PARTS}/")]
    for table in TABLES:
        for group in groups(table.name, files):
            made.append(_known(root, group) or _made(where, root, group))
            for name, _, _ in group.sources:
                places.remove(root, name)
    return made


def swept(root: str) -> None:
    """Removes what a slower worker has put into the folders of parts meanwhile."""
    for table in TABLES:
        places.remove_folder(root, staged(table.name))


def _known(root: str, group: Group) -> File | None:
    """A file that is whole, if it is."""
    content = places.read(root, group.mark)
    if content is None:
        return None
    file: File = places.understood(content, group.mark, root, _file)
    return file


def _file(told: Any) -> File:
    name, size, digest = told
    return str(name), int(size), str(digest)


def _made(where: Places, root: str, group: Group) -> File:
    """Gives a file of a table its place, and then its mark."""
    work = where.work / f"join-{group.number:05d}-{os.getpid()}-{uuid4().hex[:8]}"
    work.mkdir(parents=True)
    try:
        file = (_moved if len(group.sources) == 1 else _written)(root, group, work)
        places.settle(root, [file[0]])
        mark = work / "mark.json"
        mark.write_text(json.dumps(file), encoding="utf-8")
        places.put(root, group.mark, mark)
    except FileNotFoundError:
        # Another process may have joined them, and removed them, in this very moment.
        if known := _known(root, group):
            return known
        raise FleetError(f"a part of the table of {group.table} in {root} has gone.") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return file


def _moved(root: str, group: Group, work: Path) -> File:
    """A single file goes to its place as it is."""
    ((source, size, digest),) = group.sources
    if not places.moved(root, source, group.name):
        # There is no rename, or it was renamed before and has no mark yet.
        content = places.read(root, source) or places.read(root, group.name)
        if content is None or sha256(content).hexdigest() != digest:
            raise FileNotFoundError(source)
        path = work / "whole.parquet"
        path.write_bytes(content)
        places.put(root, group.name, path)
    return group.name, size, digest


def _written(root: str, group: Group, work: Path) -> File:
    """Several files become one, a group of rows at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from llmsim.fleet.parquet_files import TableFile

    path = work / "whole.parquet"
    file = TableFile(next(each for each in TABLES if each.name == group.table), str(path))
    for name, _, _ in group.sources:
        content = places.read(root, name)
        if content is None:
            raise FileNotFoundError(name)
        source = pq.ParquetFile(pa.BufferReader(content))
        for number in range(source.num_row_groups):
            file.take(source.read_row_group(number))
    file.close()
    made = path.read_bytes()
    places.put(root, group.name, path)
    return group.name, len(made), sha256(made).hexdigest()
