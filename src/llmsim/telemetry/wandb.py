"""The values that the run's framework logs to Weights & Biases, as JSON lines for a replay.

The first line has the run's name and configuration; then each call of run.log is a line with
_step, _runtime and _timestamp. docs/exports.md has the few lines that replay it.
"""

from llmsim.run import names
from llmsim.run.events import Event
from llmsim.run.timeline import Run
from llmsim.telemetry.clock import unix
from llmsim.telemetry.jsonl import line
from llmsim.telemetry.records import run_record
from llmsim.telemetry.tracked import points, speaking, table_of
from llmsim.telemetry.writer import Piece, Pieces, Settings, Writer


def begin(run: Run, settings: Settings) -> Writer:  # noqa: ARG001  # every kind begins alike
    """A writer of a line for the run, and one for each call of run.log."""
    job, who = run.job, speaking(run)
    table = table_of(job, "wandb", "wandb")
    config = {key: value for key, value in run_record(job).items() if key != "event"}
    opening = [line({"id": names.run_id(job), "name": job.run_name, "config": config})]

    def write(event: Event) -> Pieces:
        text = opening.pop() if opening else ""
        for at, step, values in points(table, event, who(event)):
            row: dict[str, object] = {"_step": step, "_runtime": at, "_timestamp": unix(job, at)}
            text += line(row | dict(values))
        if text:
            yield Piece(text)

    return Writer(event=write)
