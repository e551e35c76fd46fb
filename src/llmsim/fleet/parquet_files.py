"""Writing a table of the data set as one Parquet file (the extra `fleet`).

Rows are gathered into row groups of whole runs, of 131,072 rows and more; they become columns a few
thousand at a time, since a column of a few rows takes far more memory than its values. Beside the
bytes, which belong to one version of the writer, a file has a checksum of its values, which any
writer keeps.
"""

from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from llmsim import __version__
from llmsim.fleet.columns import Column, Table
from llmsim.fleet.quick import Chunk
from llmsim.fleet.rows import Row
from llmsim.fleet.sample_columns import SampleColumns
from llmsim.physics.array_noise import Array
from llmsim.typed import Any

GROUP = 131_072  # rows after which a row group is written; it ends with a whole run
LARGEST_GROUP = 1_000_000
ROWS_OF_A_FILE = 50_000_000  # 150 MB of a cluster's gauges
BATCH = 4_096  # rows after which rows become columns
WRITER = f"pyarrow {pa.__version__}"

_NAMES = pa.dictionary(pa.int32(), pa.string())  # texts that come again and again
_TYPES = {
    "text": pa.string(),
    "name": _NAMES,
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "time": pa.timestamp("us", tz="UTC"),
    "local": pa.timestamp("us"),
}


def _field(column: Column) -> Any:
    about = {"meaning": column.meaning} | ({"unit": column.unit} if column.unit else {})
    return pa.field(column.name, _TYPES[column.type], nullable=column.null, metadata=about)


def schema_of(table: Table) -> Any:
    """The schema of a table, with meanings and units for readers that keep metadata."""
    about = {"simulated": "true", "llmsim": __version__, "table": table.name}
    return pa.schema([_field(column) for column in table.columns], metadata=about)


def _checksum() -> Any:
    return blake2b(digest_size=16)


class TableFile:
    """One Parquet file on its way."""

    def __init__(self, table: Table, path: str, content: Any = None) -> None:
        """Opens the file; it has no row yet. Files of one table may share their `content`."""
        self._taken = 0
        self._schema = schema_of(table)
        looked_for = [column.name for column in table.columns if column.bounds]
        self._writer = pq.ParquetWriter(
            path,
            self._schema,
            compression="zstd",
            compression_level=1,
            write_statistics=looked_for,
        )
        self._rows: list[Row] = []  # are not columns yet
        self._waiting: list[Any] = []
        self._content = content or _checksum()

    @property
    def rows(self) -> int:
        """The rows that the file has, or will have."""
        return self._taken + len(self._rows)

    def add(self, rows: Iterable[Row]) -> None:
        """Takes rows of one run."""
        made = [*rows]
        if not made:
            return
        self._content.update(repr(made).encode())
        self._rows += made
        if len(self._rows) >= BATCH:
            self._turn()

    def _turn(self) -> None:
        """Turns the rows into columns."""
        if not self._rows:
            return
        columns = [
            pa.array(values, type=field.type)
            for values, field in zip(zip(*self._rows, strict=True), self._schema, strict=True)
        ]
        self._rows = []
        self.take(pa.Table.from_arrays(columns, schema=self._schema))

    def take(self, table: Any) -> None:
        """Takes an Arrow table of whole runs; it does not count for the checksum of values."""
        self._taken += table.num_rows
        self._waiting.append(table)
        if sum(each.num_rows for each in self._waiting) >= GROUP:
            self._write()

    def add_samples(self, chunk: Chunk, columns: SampleColumns) -> None:
        """Takes a chunk of samples of one run."""
        for column in (chunk.at, *chunk[2:]):
            if column is not None:
                self._content.update(np.ascontiguousarray(column).data)
        self.take(pa.Table.from_arrays(columns.columns(chunk), schema=self._schema))

    def add_arrays(self, columns: list[Array], names: dict[int, list[str]]) -> None:
        """Takes numpy's arrays; the columns in `names` are places in a list of texts."""
        for column in columns:
            self._content.update(np.ascontiguousarray(column).data)
        made = []
        for place, (column, field) in enumerate(zip(columns, self._schema, strict=True)):
            if place in names:
                texts = pa.array(names[place])
                made.append(pa.DictionaryArray.from_arrays(pa.array(column), texts, safe=False))
            else:
                made.append(pa.array(column).view(field.type))
        self.take(pa.Table.from_arrays(made, schema=self._schema))

    def _write(self) -> None:
        if self._waiting:
            whole = pa.concat_tables(self._waiting)
            self._writer.write_table(whole, row_group_size=LARGEST_GROUP)
            self._waiting = []

    def close(self) -> str:
        """Completes the file, and returns the checksum of its values."""
        self._turn()
        self._write()
        self._writer.close()
        pa.default_memory_pool().release_unused()  # the next part begins with as little as this one
        digest: str = self._content.hexdigest()
        return digest


class TableFiles:
    """One table on its way into several files, so that none of them is too large for its readers.

    A table of a cluster may have thousands of millions of rows, and comes in one piece.
    """

    def __init__(self, table: Table, folder: Path, most: int = ROWS_OF_A_FILE) -> None:
        """Opens the first file of a folder; one that has `most` rows is followed by another."""
        self._table, self._folder, self._most = table, folder, most
        self._content = _checksum()
        self._closed, self._number = 0, 0
        self._file = self._next()

    def _next(self) -> TableFile:
        path = self._folder / f"part-{self._number:05d}.parquet"
        return TableFile(self._table, str(path), self._content)

    @property
    def rows(self) -> int:
        """The rows of all files."""
        return self._closed + self._file.rows

    def add(self, rows: Iterable[Row]) -> None:
        """Takes rows."""
        self._open().add(rows)

    def add_arrays(self, columns: list[Array], names: dict[int, list[str]]) -> None:
        """Takes numpy's arrays, as a file does."""
        self._open().add_arrays(columns, names)

    def _open(self) -> TableFile:
        """The file that takes the next rows."""
        if self._file.rows >= self._most:
            self._closed += self._file.rows
            self._file.close()
            self._number += 1
            self._file = self._next()
        return self._file

    def close(self) -> str:
        """Completes the last file, and returns the checksum of all values."""
        return self._file.close()
