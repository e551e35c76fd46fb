"""The ground truth of a run's incidents, one JSON object a line: what broke, where, and when;
and what a monitor should make of it: cause, action, and the rules of public tools that react.

The first line is the run's record; a run in which nothing breaks has no other line.
"""

from llmsim.run.events.incidents import Incident
from llmsim.run.timeline import Run
from llmsim.run.verdicts import verdict
from llmsim.telemetry.jsonl import line
from llmsim.telemetry.records import run_record, timed
from llmsim.telemetry.writer import Piece, Pieces, Settings, Writer
from llmsim.typed import Any


def begin(run: Run, settings: Settings) -> Writer:  # noqa: ARG001  # every kind begins alike
    """A writer of a line for the run, and one for each incident."""
    opening = [line(run_record(run.job))]

    def told(event: Any) -> Pieces:
        text = opening.pop() if opening else ""
        if isinstance(event, Incident):
            text += line(timed(event, run.job) | verdict(run.job, event.kind)._asdict())
        if text:
            yield Piece(text)

    return Writer(event=told)
