"""The files that a visitor of the page takes home: the log of a run, and its exports, in memory.

They are of the whole run, and the same that `llmsim` writes in a terminal, but for the table of
gauges: a browser has no room for every sample of a large cluster.
"""

from collections.abc import Callable, Iterator
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.simulation import events, run_of
from llmsim.run.timeline import Run, run_ended
from llmsim.show.player import play
from llmsim.telemetry.kinds import begin_of, kind_named
from llmsim.telemetry.sinks import Exports, Sink
from llmsim.telemetry.writer import Pieces, Settings
from llmsim.text.screen import PIPE_WIDTH, Screen

LOG = "log"
# The kinds, and how the names of their files end.
ENDINGS = {
    LOG: "log",
    "cast": "cast",
    "jsonl": "jsonl",
    "csv": "zip",
    "labels": "labels.jsonl",
}
# Rows of GPUs in a table, about. A browser makes a thousand in a second.
MOST_ROWS = 10_000
PAPER = Screen(PIPE_WIDTH, 50, color=False, unicode=True, live=False)


class Kept(Sink):
    """An export whose files stay in memory."""

    def __init__(self, kind: str, run: Run, settings: Settings) -> None:
        """Has no destination: nothing can go wrong with it."""
        self.kind = kind_named(kind)
        self.failure = None
        self.settings = settings
        self.writer = begin_of(self.kind)(run, settings)
        self.files: dict[str, list[bytes]] = {}

    def take(self, make: Callable[[], Pieces]) -> None:
        """Keeps the pieces."""
        for content, file in make():
            data = content if isinstance(content, bytes) else content.encode()
            self.files.setdefault(file, []).append(data)

    def flush(self) -> None:
        """Nobody watches."""

    def close(self, at: float) -> None:
        """Completes the export."""
        if end := self.writer.end:
            self.take(lambda: end(at))


def made(options: Options, kind: str, screen: Screen) -> Iterator[tuple[str, bytes]]:
    """The name and the content of a file of this kind: the last that comes.

    Whatever comes before it is empty, and gives the caller time for something else.
    """
    run = run_of(plan(options))
    name = f"{run.job.run_name}.{ENDINGS[kind]}"
    if kind == LOG:
        texts = []
        for frame in play(run, options._replace(view="log"), lambda: PAPER, 0.0):
            texts.append(frame.text.encode())
            yield "", b""
        yield name, b"".join(texts)
        return
    kept = Kept(kind, run, Settings(_sample(run, options)))
    for _ in _exported(kept, run, options, screen):
        yield "", b""
    yield name, _packed(kept.files)


def _exported(kept: Kept, run: Run, options: Options, screen: Screen) -> Iterator[object]:
    """What happens in a run, of which the export gets all."""
    exports = Exports((), run, kept.settings)
    exports.sinks.append(kept)
    coming = exports.tee(events(run))
    if not exports.records_frames:
        yield from coming
    else:
        shown = 0.0
        for frame in play(run, options, lambda: screen, 0.0, lambda _: coming):
            shown += frame.delay
            exports.frame(shown, frame.text, screen)
            yield frame
    exports.close()


def _sample(run: Run, options: Options) -> float:
    """Simulated seconds between two samples of the GPUs, which are not to be too many."""
    return max(options.sample, run_ended(run) * run.job.layout.gpus / MOST_ROWS)


def _packed(files: dict[str, list[bytes]]) -> bytes:
    """The content of the only file, or a zip archive of several."""
    if list(files) == [""]:
        return b"".join(files[""])
    whole = BytesIO()
    with ZipFile(whole, "w", ZIP_DEFLATED) as archive:
        for name, parts in sorted(files.items()):
            archive.writestr(ZipInfo(name), b"".join(parts), ZIP_DEFLATED)
    return whole.getvalue()
