"""The files and folders of exports, written while the run plays and renamed when complete.

An export is written to DEST.part, which can be watched, and becomes DEST when it is complete.
An error in one export is one sentence that names DEST; the other exports and the show go on.
While it is written, DEST.part is locked: another llmsim that would write it is refused at its
start. A DEST that is a pipe or a device is written to directly.
"""

import os
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from typing import IO

from llmsim.errors import ExportError
from llmsim.job.records import Job
from llmsim.run.events import Event
from llmsim.run.timeline import Run
from llmsim.telemetry.kinds import Export, Kind, begin_of, kind_named
from llmsim.telemetry.writer import Pieces, Settings, Ticks, Writer
from llmsim.text.screen import Screen

# A text is flushed after at most this many seconds, if more text follows.
FLUSH_EVERY = 0.1
# The end of an incomplete export's name.
UNFINISHED = ".part"
STANDARD_OUTPUT = "-"


class Sink:
    """One export on its way to its destination."""

    def __init__(self, export: Export, run: Run, settings: Settings) -> None:
        """Makes sure that the destination can be written. Raises ExportError when it cannot."""
        self.kind: Kind = kind_named(export.kind)
        self.destination = named_for(export.destination, run.job).rstrip("/") or "/"
        self.failure: str | None = None  # a sentence; "" when nobody reads standard output any more
        self._files: dict[str, IO[bytes]] = {}
        self._lock: int | None = None  # a descriptor
        self._direct = _is_stream(self.destination)
        self._path = self.destination if self._direct else self.destination + UNFINISHED
        self.writer: Writer = writer_of(self.kind, run, settings)
        try:
            self._prepare()
        except OSError as error:
            self._unlock()
            raise ExportError(self._sentence(error)) from None

    def take(self, make: Callable[[], Pieces]) -> None:
        """Writes the pieces; after a failure nothing is written any more."""
        if self.failure is not None:
            return
        try:
            for content, file in make():
                data = content if isinstance(content, bytes) else content.encode()
                (self._files.get(file) or self._opened(file)).write(data)
        except OSError as error:
            self._fail(error)

    def flush(self) -> None:
        """Flushes the buffers, for readers that watch the file."""
        try:
            for file in self._files.values():
                file.flush()
        except OSError as error:
            self._fail(error)

    def close(self, at: float) -> None:
        """Completes the export and gives it its final name."""
        if self.writer.end:
            end = self.writer.end
            self.take(lambda: end(at))
        if self.failure is not None:
            return
        try:
            self._complete()
        except OSError as error:
            self._fail(error)

    def drop(self) -> None:
        """Gives the export up and removes its files."""
        for file in self._files.values():
            _closed(file)
        self._files.clear()
        self._unlock()
        if self._direct:
            return
        for part in (self._path, *map(self._part, self.writer.parts)):
            if os.path.isdir(part) and not os.path.islink(part):
                shutil.rmtree(part, ignore_errors=True)
            elif os.path.lexists(part):
                os.unlink(part)

    # --- inside --------------------------------------------------------------------------------

    def _part(self, part: str) -> str:
        """Where a part of a single file is kept until all are put together."""
        parts = self.writer.parts
        return self._path if len(parts) == 1 else f"{self._path}.{parts.index(part)}"

    def _prepare(self) -> None:
        if self._direct:
            if self.kind.folder:
                raise OSError(0, "it is a folder of files: give a name")
            if len(self.writer.parts) > 1:
                raise OSError(0, "it is put together at the end, so it needs a file of its own")
            self._opened("")
            return
        if os.path.lexists(self.destination):
            raise FileExistsError(0, "it exists already: give another name, or remove it")
        if self.kind.folder:
            if os.path.isdir(self._path):  # of a run that was killed, or of one that plays
                self._lock = _locked(self._path, os.O_RDONLY)
                self._unlock()
                shutil.rmtree(self._path, ignore_errors=True)
            os.mkdir(self._path)
            self._lock = _locked(self._path, os.O_RDONLY)
        else:
            first = self._part(self.writer.parts[0])
            self._lock = _locked(first, os.O_WRONLY | os.O_CREAT)
            self._opened(self.writer.parts[0])

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _opened(self, file: str) -> IO[bytes]:
        """The open file of a piece."""
        if self.kind.folder:
            path = os.path.join(self._path, *file.split("/"))
            os.makedirs(os.path.dirname(path), exist_ok=True)
        else:
            path = self._part(file)
        self._files[file] = opened = _opened(path)
        return opened

    def _complete(self) -> None:
        if len(self.writer.parts) > 1:
            self._join()
        for file in self._files.values():
            file.close()
        if not self._direct:
            if os.path.lexists(self.destination):
                raise FileExistsError(0, "another program has made it meanwhile")
            os.rename(self._path, self.destination)
        self._unlock()

    def _join(self) -> None:
        """Puts the parts of a single file together, and takes them away."""
        join = self.writer.joined or (lambda _part, text: (text,))
        with _opened(self._path) as whole:
            for part in self.writer.parts:
                if part not in self._files:
                    continue
                self._files.pop(part).close()
                with open(self._part(part), encoding="utf-8") as source:
                    text = source.read()
                for piece in join(part, text):
                    whole.write(piece.encode())
                os.unlink(self._part(part))

    def _fail(self, error: OSError) -> None:
        gone = isinstance(error, BrokenPipeError) and self.destination == STANDARD_OUTPUT
        self.failure = "" if gone else self._sentence(error)
        try:
            self.drop()
        except OSError:
            pass  # the export's sentence already reports the failure

    def _sentence(self, error: OSError) -> str:
        reason = (error.strerror or "it cannot be written").rstrip(".")
        reason = reason[:1].lower() + reason[1:]
        folder = os.path.dirname(self.destination)
        if folder and not os.path.isdir(folder):
            reason = f"there is no folder {folder}"
        return f"cannot write the export {self.kind.name}={self.destination}: {reason}."


class Exports:
    """All exports of one run, fed as it plays."""

    def __init__(self, exports: Iterable[Export], run: Run, settings: Settings) -> None:
        """Opens all exports. If one cannot be opened, removes the others and raises ExportError."""
        self.sinks: list[Sink] = []
        self._at = 0.0
        self._ticks = Ticks(settings.sample)
        self._flushed = time.monotonic()
        for export in exports:
            try:
                self.sinks.append(Sink(export, run, settings))
            except ExportError:
                for sink in self.sinks:
                    sink.drop()
                raise

    def tee(self, events: Iterable[Event]) -> Iterator[Event]:
        """The same events, each written before it is handed on."""
        if not self.sinks:
            yield from events
            return
        makers = [(sink, sink.writer.event) for sink in self.sinks if sink.writer.event]
        sampled = any(sink.writer.sample for sink in self.sinks)
        for event in events:
            if sampled:
                self._sample(event.at)
            self._at = event.at
            for sink, make in makers:
                sink.take(lambda make=make, event=event: make(event))  # type: ignore[misc]  # bound at once
            self._hand_on()
            yield event

    def frame(self, shown: float, text: str, screen: Screen) -> None:
        """A text of the show, at this show second."""
        for sink in self.sinks:
            if draw := sink.writer.frame:
                sink.take(lambda draw=draw: draw(shown, text, screen))  # type: ignore[misc]  # as above

    def close(self) -> list[str]:
        """Completes every export; returns a sentence for each that has failed."""
        for sink in self.sinks:
            sink.close(self._at)
        return [sink.failure for sink in self.sinks if sink.failure is not None]

    @property
    def records_frames(self) -> bool:
        """Whether one of the exports records the frames of the show."""
        return any(sink.writer.frame for sink in self.sinks)

    @property
    def failed(self) -> bool:
        """Whether all exports have failed."""
        return bool(self.sinks) and all(sink.failure is not None for sink in self.sinks)

    def _sample(self, at: float) -> None:
        """Takes the samples that are due before an event."""
        for moment in self._ticks.until(at):
            for sink in self.sinks:
                if take := sink.writer.sample:
                    sink.take(lambda take=take, moment=moment: take(moment))  # type: ignore[misc]  # as above

    def _hand_on(self) -> None:
        now = time.monotonic()
        if now - self._flushed >= FLUSH_EVERY:
            self._flushed = now
            for sink in self.sinks:
                sink.flush()


def _opened(path: str) -> IO[bytes]:
    if path == STANDARD_OUTPUT:
        return open(1, "wb", closefd=False)
    return open(path, "wb")


def _locked(path: str, flags: int) -> int | None:
    """A descriptor that locks a file or a folder; None on a system that has no lock of this kind.

    Raises FileExistsError if another process has it. The lock ends with the process.
    """
    try:
        import fcntl  # Windows and the browser do not have it
    except ImportError:
        return None
    descriptor = os.open(path, flags, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise FileExistsError(0, "another run is writing it: give another name") from None
    except OSError:  # a file system without locks
        os.close(descriptor)
        return None
    return descriptor


def named_for(destination: str, job: Job) -> str:
    """The destination of this run: {seed} and {run} stand for the run's seed and name."""
    return destination.replace("{seed}", str(job.seed)).replace("{run}", job.run_name)


def writer_of(kind: Kind, run: Run, settings: Settings) -> Writer:
    """The writer of a kind for a run. Raises ExportError where a package is missing."""
    try:
        return begin_of(kind)(run, settings)
    except ImportError as error:
        if not kind.extra:
            raise
        missing = error.name or "a package"
        raise ExportError(
            f"--export {kind.name} needs {missing}: pip install 'llmsim[{kind.extra}]'."
        ) from None


def _is_stream(path: str) -> bool:
    """Whether the destination is a pipe, a socket or a device, which is written to directly."""
    if path == STANDARD_OUTPUT:
        return True
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _closed(file: IO[bytes]) -> None:
    try:
        file.close()
    except OSError:
        pass  # on a full disk the last flush fails too
