"""The exports of a host's runs: opened for each run, written as it plays, completed at its end."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from math import inf

from llmsim.options.table import Options
from llmsim.text.screen import Screen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmsim.run.events import Event
    from llmsim.run.timeline import Run
    from llmsim.show.opening import Frame
    from llmsim.telemetry.sinks import Exports


class Outlets:
    """The exports of one run, if any are asked for; a run without them imports nothing for them."""

    def __init__(self, exports: "Exports | None") -> None:
        """Nothing has been written yet."""
        self.exports = exports
        self.shown = 0.0  # show seconds of the frames that were handed on

    @property
    def films(self) -> bool:
        """Whether one of the exports records the frames of the show."""
        return self.exports is not None and self.exports.records_frames

    def tee(self, events: "Iterable[Event]") -> "Iterable[Event]":
        """The same events; the exports get each one first."""
        return self.exports.tee(events) if self.exports else events

    def taped(
        self, frames: "Iterable[Frame]", screen: Callable[[], Screen], limit: float = inf
    ) -> "Iterable[Frame]":
        """The same frames; the exports get each one first. After `limit` show seconds there are no
        more; `shown` is then higher.
        """
        return self._taped(frames, screen, limit) if self.exports else frames

    def _taped(
        self, frames: "Iterable[Frame]", screen: Callable[[], Screen], limit: float
    ) -> "Iterator[Frame]":
        for frame in frames:
            self.shown += frame.delay
            if self.shown > limit:
                return
            if self.exports:
                self.exports.frame(self.shown, frame.text, screen())
            yield frame


@contextmanager
def outlets(options: Options, run: "Run | None", failures: list[str]) -> Iterator[Outlets]:
    """The exports of a run; without a run, none. They are completed even if it is stopped; failures
    are listed.

    Raises ExportError when one of them cannot be begun.
    """
    if run is None or not options.export:
        yield Outlets(None)
        return
    from llmsim.telemetry.sinks import Exports  # a show without exports does not wait for it
    from llmsim.telemetry.writer import Settings

    exports = Exports(options.export, run, Settings(options.sample))
    try:
        yield Outlets(exports)
    finally:
        failures += exports.close()
