"""Parquet: the tables of the kind csv, in row groups, written by pyarrow (the extra `parquet`)."""

import pyarrow as pa
import pyarrow.parquet

from llmsim.run import events
from llmsim.run.events import Event
from llmsim.run.timeline import Run, owner
from llmsim.telemetry.records import run_record
from llmsim.telemetry.samples import sample
from llmsim.telemetry.tables import Row, gauge_row, host_row, step_row
from llmsim.telemetry.writer import Piece, Pieces, Settings, Writer
from llmsim.typed import Any

GROUP = 16_384  # rows of a row group


class _Pipe:
    """What pyarrow takes for a file: it keeps what is written until somebody takes it."""

    closed = False

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def write(self, data: Any) -> int:
        self._chunks.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is kept back."""

    def close(self) -> None:
        self.closed = True

    def taken(self) -> bytes:
        """What was written since the last time."""
        data = b"".join(self._chunks)
        self._chunks.clear()
        return data


class Table:
    """One table on its way into a file."""

    def __init__(self, name: str, metadata: dict[str, str]) -> None:
        """Has no row yet; the first row decides the columns."""
        self.file = f"{name}.parquet"
        self._metadata = metadata
        self._rows: list[Row] = []
        self._pipe = _Pipe()
        self._writer: Any = None

    def add(self, rows: list[Row]) -> Pieces:
        """Takes some rows, and gives the bytes of the row groups that are full."""
        self._rows += rows
        if len(self._rows) >= GROUP:
            self._write()
            yield Piece(self._pipe.taken(), self.file)

    def end(self) -> Pieces:
        """The rows that are left, and the end of the file."""
        if self._rows or self._writer:
            self._write()
            self._writer.close()
            yield Piece(self._pipe.taken(), self.file)

    def _write(self) -> None:
        if self._writer is None:
            group = pa.Table.from_pylist(self._rows)
            self._schema = group.schema.with_metadata(self._metadata)
            target = pa.PythonFile(self._pipe, mode="w")
            self._writer = pyarrow.parquet.ParquetWriter(target, self._schema, compression="zstd")
        if self._rows:
            group = pa.Table.from_pylist(self._rows, schema=self._schema)
            self._writer.write_table(group)
            self._rows = []


def begin(run: Run, settings: Settings) -> Writer:  # noqa: ARG001  # every kind begins alike
    """A writer of steps.parquet, gpus.parquet and nodes.parquet."""
    about = {key: str(value) for key, value in run_record(run.job).items() if key != "event"}
    steps, cards, nodes = (Table(name, about) for name in ("steps", "gpus", "nodes"))

    def told(event: Event) -> Pieces:
        if isinstance(event, events.Step):
            yield from steps.add([step_row(event, run.job)])

    def taken(at: float) -> Pieces:
        seen = sample(run, at)
        yield from cards.add([gauge_row(owner(run, at), at, each) for each in seen.gpus])
        yield from nodes.add([host_row(owner(run, at), at, each) for each in seen.nodes])

    def ended(_at: float) -> Pieces:
        for table in (steps, cards, nodes):
            yield from table.end()

    return Writer(event=told, sample=taken, end=ended)
