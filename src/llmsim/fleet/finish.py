"""The end of a fleet: the table of columns, a sample, the card, checksums and the manifest."""

import json
from collections.abc import Iterator
from hashlib import blake2b, sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from llmsim import __version__
from llmsim.fleet import card, joining, places
from llmsim.fleet.columns import COLUMNS, Table, rows_of_columns
from llmsim.fleet.parts import Failure, Mark, mark_of, parts_of
from llmsim.fleet.places import Places
from llmsim.fleet.rows import json_text
from llmsim.fleet.spec import Spec
from llmsim.fleet.stores import FleetError
from llmsim.typed import Any, NamedTuple

SAMPLED_RUNS = 3
SAMPLED_ROWS = 200_000  # of a table: a few megabytes


class Totals(NamedTuple):
    """What all parts have together."""

    runs: int
    rows: dict[str, int]
    content: dict[str, str]  # a checksum of each table's values, in order
    files: list[tuple[str, int, str]]
    answers: list[tuple[str, int, str]]
    failed: list[Failure]


def marks(spec: Spec, where: Places, size: int) -> Iterator[Mark]:
    """The marks of all parts, in order. Raises FleetError if one is missing."""
    for number in range(parts_of(spec, size)):
        mark: Mark | None = where.mark(number, mark_of)
        if mark is None:
            raise FleetError(f"part {number} of {where.root} has gone.")
        yield mark


def totals(spec: Spec, where: Places, size: int) -> Totals:
    """The sum of all marks."""
    counts: dict[str, int] = {}
    hashes: dict[str, Any] = {}
    runs, files, answers, failed = 0, [], [], list[Failure]()
    for mark in marks(spec, where, size):
        runs += mark.runs
        files += mark.files
        answers += mark.answers
        failed += mark.failed
        for name, count in mark.rows.items():
            counts[name] = counts.get(name, 0) + count
            hashes.setdefault(name, blake2b(digest_size=16)).update(mark.content[name].encode())
    content = {name: made.hexdigest() for name, made in hashes.items()}
    return Totals(runs, counts, content, files, answers, failed)


def finish(spec: Spec, where: Places, size: int) -> list[Failure]:
    """Completes the data set; returns the runs that had to be left out."""
    total = totals(spec, where, size)
    files = joining.joined(where, where.root, total.files)
    answers = joining.joined(where, where.answers, total.answers) if where.apart else []
    made = dict(_extras(spec, where, size))
    made["README.md"] = card.readme(spec, total.runs, total.rows, where.apart).encode()
    made["croissant.json"] = card.croissant(spec, files, total.rows, where.apart).encode()
    for name, content in sorted(made.items()):
        places.put_text(where, where.root, name, content)
    listed = [(name, len(body), sha256(body).hexdigest()) for name, body in made.items()]
    places.put_text(where, where.root, "SHA256SUMS", _sums([*files, *listed]))
    if where.apart:
        places.put_text(where, where.answers, "SHA256SUMS", _sums(answers))
    manifest = {
        "llmsim": __version__,
        "digest": where.digest,
        "writer": _writer(spec),
        "parts": parts_of(spec, size),
        "runs_a_part": size,
        "runs": total.runs,
        "rows": total.rows,
        "bytes": sum(each[1] for each in (*files, *answers)),
        "content": total.content,
        "left_out": [each._asdict() for each in total.failed],
    }
    places.put_text(where, where.root, "manifest.json", json_text(manifest))
    for root in (where.root, where.answers) if where.apart else (where.root,):
        joining.swept(root)
    places.put_text(where, where.root, places.DONE, "")
    places.sweep(where)
    return total.failed


def _writer(spec: Spec) -> str:
    """The program that wrote the tables: under another one, bytes differ and values do not."""
    if "parquet" not in spec.kinds:
        return ""
    from llmsim.fleet.parquet_files import WRITER

    return WRITER


def _sums(files: list[tuple[str, int, str]]) -> str:
    """The text that `sha256sum -c` reads."""
    return "".join(f"{digest}  {name}\n" for name, _, digest in sorted(files))


def _extras(spec: Spec, where: Places, size: int) -> Iterator[tuple[str, bytes]]:
    """The small files: the table of columns and a sample, or a list of the runs."""
    if "parquet" not in spec.kinds:
        if not where.apart:
            yield "runs.jsonl", _list_of_runs(spec, where, size)
        else:
            places.put_text(where, where.answers, "runs.jsonl", _list_of_runs(spec, where, size))
        return
    with TemporaryDirectory() as folder:
        tables = card.tables_of(spec, where.apart)
        yield "columns/columns.parquet", _columns(Path(folder), tables)
        for table in tables[:-1]:
            yield f"sample/{table.name}.parquet", _sample(where, table, Path(folder))


def _list_of_runs(spec: Spec, where: Places, size: int) -> bytes:
    keys = ("run_id", "seed", "split", "start")
    lines = [
        json.dumps(dict(zip(keys, each, strict=True)))
        for mark in marks(spec, where, size)
        for each in mark.written
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def _columns(folder: Path, tables: tuple[Table, ...]) -> bytes:
    from llmsim.fleet.parquet_files import TableFile

    path = folder / "columns.parquet"
    file = TableFile(COLUMNS, str(path))
    file.add(rows_of_columns(tables))
    file.close()
    return path.read_bytes()


def _sample(where: Places, table: Table, folder: Path) -> bytes:
    """The first runs of a table, as a file that anyone can look at."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    content = places.read(where.root, f"{table.name}/part-00000.parquet") or b""
    source = pq.ParquetFile(pa.BufferReader(content))
    if not source.num_row_groups:
        return content
    path, some = folder / f"{table.name}.parquet", source.read_row_group(0)
    if "run_id" in some.schema.names:
        runs = some["run_id"].cast(pa.string())
        names = pc.unique(runs)[:SAMPLED_RUNS]
        some = some.filter(pc.is_in(runs, value_set=names))
    some = some[:SAMPLED_ROWS]
    pq.write_table(some, path, compression="zstd", compression_level=3)
    return path.read_bytes()
