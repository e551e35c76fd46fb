"""JSON lines: the run's record, then every event, one object a line (docs/events.md)."""

import json
from collections.abc import Callable
from math import isfinite

from llmsim.run.events import Event
from llmsim.run.timeline import Run
from llmsim.telemetry.records import event_name, fields, moment, run_record, timed
from llmsim.telemetry.writer import Piece, Pieces, Settings, Writer

_encode: Callable[[object], str] = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False
).encode


def line(record: dict[str, object]) -> str:
    """The record as one line of JSON. JSON has no NaN and no infinity: they become null."""
    try:
        return _encode(record) + "\n"
    except ValueError:
        return _encode(_finite(record)) + "\n"


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def begin(run: Run, settings: Settings) -> Writer:  # noqa: ARG001  # every kind begins alike
    """A writer of one line an event, each complete."""
    heading = [line(run_record(run.job))]

    starts: dict[type, str] = {}  # of the lines of each kind, up to the time

    def write(event: Event) -> Pieces:
        kind = type(event)
        start = starts.get(kind)
        if start is None:
            start = starts[kind] = f'{{"event":"{event_name(kind)}","simulated":true,"time":"'
        try:
            body = _encode(fields(event))
            text = f'{start}{moment(event.at, run.job)}",{body[1:]}\n'
        except ValueError:  # a number that is not finite
            text = line(timed(event, run.job))
        if heading:
            text = heading.pop() + text
        return (Piece(text),)

    return Writer(event=write)
