"""One run of a fleet, played into the folder of its part: its exports, and its rows of tables."""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path

from llmsim.fleet import rows
from llmsim.fleet.mix import Member
from llmsim.fleet.spec import Spec
from llmsim.job.records import gpus_per_node
from llmsim.planning.plan import plan
from llmsim.run.events import Event, Incident, Step, Summary
from llmsim.run.events.incidents import Restarted
from llmsim.run.simulation import events, run_of
from llmsim.run.timeline import Run
from llmsim.telemetry.jsonl import line
from llmsim.telemetry.kinds import Export, kind_named
from llmsim.telemetry.records import event_name
from llmsim.telemetry.sinks import Exports
from llmsim.telemetry.writer import Settings
from llmsim.typed import Any

# The ending of the one file that a kind of export has; a folder has names of its own.
_ENDINGS = {"openmetrics": "om", "promtest": "yml"}
ANSWERS = ("labels",)  # kinds that go to the answers, where these are apart
# Kinds that have every event as it is, moves of bars too: three of four events. Others do without.
_RAW = ("jsonl",)
# TensorBoard's reader takes its files as they are.
_AS_THEY_ARE = "tfevents"
_LEVEL = 6  # of gzip


def play_member(spec: Spec, each: Member, work: Path, tables: Any = None) -> None:
    """Plays one run into the folder of its part; `tables` gets its rows.

    With the answers apart (tables or no tables), the folder `answers` gets what tells, and the
    evidence has no command that plays the run again.
    """
    job = plan(each.options)
    apart = (work / "answers").is_dir()
    run = run_of(job._replace(command="") if apart else job)
    facts = exported(spec, run, each, work, job.command)
    if tables:
        _tabled(spec, run, each, facts, tables, job.command)


def exported(spec: Spec, run: Run, each: Member, work: Path, command: str) -> list[Event]:
    """Writes a run's exports, each compressed, and returns its events."""
    apart = (work / "answers").is_dir()
    whole = run._replace(job=run.job._replace(command=command))
    kinds = [kind for kind in spec.kinds if kind != "parquet"]
    raw = [kind for kind in kinds if apart and kind in _RAW]
    told = [kind for kind in kinds if apart and kind in ANSWERS]
    data = _opened(spec, run, each, work / "data", [k for k in kinds if k not in (*raw, *told)])
    answers = _opened(spec, whole, each, work / "answers", told)
    every_move = any(kind in _RAW for kind in kinds)
    facts = [*data.tee(answers.tee(events(run, 0.0, lambda: every_move)))]
    _close(data, answers)
    if raw:
        evidence = _opened(spec, run, each, work / "data", raw)
        for _ in evidence.tee(_evidence(facts)):
            pass
        _close(evidence)
        for kind in raw:
            for path in _files_of(work / "data" / "files" / kind, each.run_id):
                _without_seed(path)
    for folder in ("data", "answers"):
        for kind in kinds:
            for path in _files_of(work / folder / "files" / kind, each.run_id):
                _compress(path, spec)
    return facts


def _evidence(facts: Iterable[Event]) -> Iterable[Event]:
    """The events that an operator could know, without what tells what broke."""
    return (event for event in facts if event_name(type(event)) not in rows.TELLING)


def _without_seed(path: Path) -> None:
    """Takes the seed out of the first record of a file: a log may say one, a label plays it."""
    first, _, rest = path.read_text(encoding="utf-8").partition("\n")
    record = json.loads(first) | {"seed": None, "command": None}
    path.write_text(f"{line(record)}{rest}", encoding="utf-8")


def _opened(spec: Spec, run: Run, each: Member, folder: Path, kinds: list[str]) -> Exports:
    exports = []
    for kind in kinds:
        parent = folder / "files" / kind
        parent.mkdir(parents=True, exist_ok=True)
        name = each.run_id
        if not kind_named(kind).folder:
            name += f".{_ENDINGS.get(kind, 'jsonl')}"
        exports.append(Export(kind, str(parent / name)))
    return Exports(exports, run, Settings(spec.sample))


def _close(*all_of_them: Exports) -> None:
    """Completes exports. Raises OSError if one of them could not be written."""
    for exports in all_of_them:
        if failures := exports.close():
            raise OSError(0, " ".join(failures))


def _files_of(folder: Path, run_id: str) -> list[Path]:
    """The files that a run has of a kind of export."""
    if (folder / run_id).is_dir():
        return sorted(path for path in (folder / run_id).rglob("*") if path.is_file())
    return sorted(folder.glob(f"{run_id}.*"))


def _stream(path: Path) -> str:
    """The stream that a file of a log folder belongs to."""
    if path.parent.name == "kernel":
        return "kernel"
    return "slurm" if path.name.startswith("slurm-") else "log"


def _compress(path: Path, spec: Spec) -> None:
    """Puts a gzip file in a text's place; takes away what is empty, or of an unwanted stream."""
    if "logs" in path.parts and _stream(path) not in spec.streams:
        path.unlink()
        return
    if _AS_THEY_ARE in path.name:
        return
    content = path.read_bytes()
    if content:
        packed = gzip.compress(content, _LEVEL, mtime=0)
        path.with_name(f"{path.name}.gz").write_bytes(packed)
    path.unlink()


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
