"""One run of a fleet, played into the folder of its part: its exports, and its rows of tables."""

import json
from collections.abc import Iterable
from pathlib import Path

from llmsim.fleet import rows
from llmsim.fleet.mix import Member
from llmsim.fleet.packing import Edit, Packing
from llmsim.fleet.spec import Spec
from llmsim.job.records import gpus_per_node
from llmsim.planning.plan import plan
from llmsim.run.events import Event, Incident, Step, Summary
from llmsim.run.events.incidents import Restarted
from llmsim.run.simulation import events, run_of
from llmsim.run.timeline import Run
from llmsim.telemetry.jsonl import line
from llmsim.telemetry.records import event_name
from llmsim.telemetry.writer import Settings
from llmsim.typed import Any

ANSWERS = ("labels",)  # kinds that go to the answers, where these are apart
# Kinds that have every event as it is, moves of bars too: three of four events. Others do without.
_RAW = ("jsonl",)


def play_member(spec: Spec, each: Member, work: Path, tables: Any = None) -> None:
    """Plays one run into the folder of its part; `tables` gets its rows.

    With the answers apart (tables or no tables), the folder `answers` gets what tells, and the
    evidence has no command that plays the run again.
    """
    job = plan(each.options)
    apart = (work / "answers").is_dir()
    run = run_of(job._replace(command="") if apart else job)
    facts = exported(spec, run, each, work, job.command, tables is not None)
    if tables:
        _tabled(spec, run, each, facts, tables, job.command)


def exported(
    spec: Spec, run: Run, each: Member, work: Path, command: str, kept: bool
) -> list[Event]:
    """Writes a run's exports, each compressed, and returns its events if they shall be kept."""
    apart = (work / "answers").is_dir()
    whole = run._replace(job=run.job._replace(command=command))
    kinds = [kind for kind in spec.kinds if kind != "parquet"]
    told = [kind for kind in kinds if apart and kind in ANSWERS]
    raw = [kind for kind in kinds if apart and kind in _RAW]
    every = [kind for kind in kinds if kind not in (*told, *raw)]
    all_events = [_packing(spec, run, each, work / "data", kind) for kind in every]
    all_events += [_packing(spec, whole, each, work / "answers", kind) for kind in told]
    evidence = [_packing(spec, run, each, work / "data", kind, _without_seed) for kind in raw]
    every_move = any(kind in _RAW for kind in kinds)
    facts, at = list[Event](), 0.0
    for event in events(run, 0.0, lambda: every_move):
        at = event.at
        if kept:
            facts.append(event)
        for export in all_events:
            export.take(event)
        if evidence and event_name(type(event)) not in rows.TELLING:
            for export in evidence:
                export.take(event)
    for export in (*all_events, *evidence):
        export.close(at)
    return facts


def _without_seed(text: str) -> str:
    """Takes the seed out of the first record of a file: a log may say one, a label plays it."""
    first, _, rest = text.partition("\n")
    record = json.loads(first) | {"seed": None, "command": None}
    return f"{line(record)}{rest}"


def _packing(
    spec: Spec, run: Run, each: Member, folder: Path, kind: str, edit: Edit | None = None
) -> Packing:
    """An export of a run; of a log folder, the streams that are asked for."""
    place = folder / "files" / kind / each.run_id

    def wanted(file: str) -> bool:
        return kind != "logs" or _stream(file) in spec.streams

    return Packing(kind, run, place, Settings(spec.sample), wanted, edit)


def _stream(file: str) -> str:
    """The stream that a file of a log folder belongs to."""
    if file.startswith("kernel/"):
        return "kernel"
    return "slurm" if file.startswith("slurm") else "log"


def _tabled(
    spec: Spec, run: Run, each: Member, facts: list[Event], tables: Any, command: str
) -> None:
    """Gives a run's rows to its part's tables."""
    clock = rows.clock_of(each.start, spec.zone)
    found = [event for event in facts if isinstance(event, Incident)]
    summary = next((event for event in facts if isinstance(event, Summary)), None)
    made = [*rows.event_rows(each.run_id, facts, clock)]
    seen = made
    if tables.apart:
        seen = [row for row in made if row[rows.EVENT] not in rows.TELLING]
        tables["answers/events"].add(made)
    tables["events"].add(seen)
    tables["labels"].add(rows.label_rows(each.run_id, run, clock, found))
    tables["steps"].add(_step_rows(each.run_id, facts, clock))
    _sampled(spec, run, each, clock, tables["samples"])
    # The run's row comes last: all that it counts is known by then.
    whole = rows.run_row(each, run, clock, spec.zone, len(found), summary, command)
    if tables.apart:
        tables["answers/runs"].add([whole])
        whole = rows.run_row(each, run, clock, spec.zone, len(found), summary, None)
    tables["runs"].add([whole])


def _step_rows(run_id: str, facts: list[Event], clock: rows.Clock) -> Iterable[rows.Row]:
    attempt = 1
    for event in facts:
        if isinstance(event, Restarted):
            attempt = event.attempt
        elif isinstance(event, Step):
            yield rows.step_row(run_id, event, clock, attempt)


def _sampled(spec: Spec, run: Run, each: Member, clock: rows.Clock, table: Any) -> None:
    """Gives a run's samples to their table."""
    from llmsim.fleet.quick import chunks
    from llmsim.fleet.sample_columns import SampleColumns

    hosts = rows.hostnames(run.job)
    columns = SampleColumns(each.run_id, clock, hosts, gpus_per_node(run.job))
    for chunk in chunks(run, spec.sample):
        table.add_samples(chunk, columns)
