"""One export of a run, gzipped while the run plays: no file is opened before it is whole.

The files of a log folder are many and most of them stay empty. Texts become bytes of gzip as they
come, so that an export of any length takes little memory.
"""

import zlib
from collections.abc import Callable
from pathlib import Path

from llmsim.run.events import Event
from llmsim.run.timeline import Run
from llmsim.telemetry.kinds import kind_named
from llmsim.telemetry.sinks import writer_of
from llmsim.telemetry.writer import Pieces, Settings, Ticks

LEVEL = 6  # of gzip
_GZIP = 16 + zlib.MAX_WBITS  # zlib writes the head of a gzip file: no name, no time
_KEPT = 65_536  # characters or bytes that are gathered before they are packed
# TensorBoard's reader takes its files as they are.
_AS_THEY_ARE = "tfevents"
# The ending of the one file that a kind of export has; a folder has names of its own.
_ENDINGS = {"openmetrics": "om", "promtest": "yml"}

Edit = Callable[[str], str]


class _Packed:
    """One file on its way into gzip."""

    def __init__(self, edit: Edit | None) -> None:
        """`edit` changes the first piece, which is a text."""
        self.empty = True
        self._edit = edit
        self._gathered: list[bytes] = []
        self._size = 0
        self._packer = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP)
        self._packed: list[bytes] = []

    def add(self, content: str | bytes) -> None:
        """Takes what comes next, which is not empty."""
        self.empty = False
        if isinstance(content, str):
            if self._edit:
                content, self._edit = self._edit(content), None
            content = content.encode()
        self._gathered.append(content)
        self._size += len(content)
        if self._size >= _KEPT:
            self._pack()

    def _pack(self) -> None:
        self._packed.append(self._packer.compress(b"".join(self._gathered)))
        self._gathered, self._size = [], 0

    def whole(self) -> bytes:
        """The gzip file."""
        self._pack()
        return b"".join((*self._packed, self._packer.flush()))


class Packing:
    """One export on its way to the folder of its part."""

    def __init__(
        self, kind: str, run: Run, place: Path, settings: Settings,
        wanted: Callable[[str], bool], edit: Edit | None = None,
    ) -> None:  # fmt: skip
        """Begins an export under the name `place`, which gets an ending if it is a single file.

        `wanted` tells whether a file of a folder is kept; `edit` changes the first piece of each
        file. Raises ExportError where a package is missing.
        """
        self._folder = kind_named(kind).folder
        ending = _ENDINGS.get(kind, "jsonl")
        self._place = place if self._folder else place.with_name(f"{place.name}.{ending}")
        self._wanted, self._edit = wanted, edit
        self._writer = writer_of(kind_named(kind), run, settings)
        self._files: dict[str, _Packed | None] = {}
        self._ticks = Ticks(settings.sample)

    def take(self, event: Event) -> None:
        """Writes an event, and the samples that are due before it."""
        if self._writer.sample:
            for moment in self._ticks.until(event.at):
                self._keep(self._writer.sample(moment))
        if self._writer.event:
            self._keep(self._writer.event(event))

    def _keep(self, pieces: Pieces) -> None:
        for content, file in pieces:
            if file not in self._files:
                self._files[file] = _Packed(self._edit) if self._wanted(file) else None
            packed = self._files[file]
            if packed and content:
                packed.add(content)

    def close(self, at: float) -> None:
        """Writes all files, which end at this simulated second. Raises OSError."""
        if self._writer.end:
            self._keep(self._writer.end(at))
        files = {name: packed for name, packed in self._files.items() if packed}
        if self._writer.parts != ("",):
            files = {"": self._joined(files)}
        for name, packed in files.items():
            if packed.empty:
                continue
            path, content = self._place / name if name else self._place, packed.whole()
            path.parent.mkdir(parents=True, exist_ok=True)
            if _AS_THEY_ARE in path.name:
                path.write_bytes(zlib.decompress(content, _GZIP))
            else:
                path.with_name(f"{path.name}.gz").write_bytes(content)

    def _joined(self, files: dict[str, _Packed]) -> _Packed:
        """The parts of a single file, put together."""
        made, join = _Packed(None), self._writer.joined or (lambda _part, text: (text,))
        for part in self._writer.parts:
            if part in files:
                text = zlib.decompress(files[part].whole(), _GZIP).decode()
                for piece in join(part, text):
                    made.add(piece)
        return made
