"""CSV: steps.csv with the logged steps, gpus.csv and nodes.csv with every gauge of each sample."""

from llmsim.run import events
from llmsim.run.events import Event
from llmsim.run.timeline import Run, owner
from llmsim.telemetry.samples import sample
from llmsim.telemetry.tables import gauge_row, host_row, row, step_row
from llmsim.telemetry.writer import Piece, Pieces, Settings, Writer
from llmsim.typed import Any

STEPS, GPUS, NODES = "steps.csv", "gpus.csv", "nodes.csv"


def begin(run: Run, settings: Settings) -> Writer:  # noqa: ARG001  # every kind begins alike
    """A writer of three tables, each with a head."""
    begun: set[str] = set()

    def table(name: str, rows: list[dict[str, Any]]) -> Piece:
        lines = [row(list(each.values())) for each in rows]
        if name not in begun:
            begun.add(name)
            lines.insert(0, row(list(rows[0])))
        return Piece("".join(lines), name)

    def told(event: Event) -> Pieces:
        if isinstance(event, events.Step):
            yield table(STEPS, [step_row(event, run.job)])

    def taken(at: float) -> Pieces:
        seen = sample(run, at)
        yield table(GPUS, [gauge_row(owner(run, at), at, each) for each in seen.gpus])
        yield table(NODES, [host_row(owner(run, at), at, each) for each in seen.nodes])

    return Writer(event=told, sample=taken)
