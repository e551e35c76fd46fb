"""A run as rows of the data set's tables, in the order of their columns."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from llmsim.fleet.mix import Member
from llmsim.job.records import Job, batch_tokens, gpus_per_node
from llmsim.model.architecture import parameter_count
from llmsim.run import cluster, events
from llmsim.run.events import Incident
from llmsim.run.goodput import goodput
from llmsim.run.incident_kinds import kind_named
from llmsim.run.timeline import Run, run_ended
from llmsim.telemetry.clock import EPOCH
from llmsim.telemetry.jsonl import line
from llmsim.telemetry.records import event_name, fields
from llmsim.telemetry.samples import MOST_GPUS, sample
from llmsim.typed import Any, NamedTuple

Row = tuple[Any, ...]

# What tells where and when something broke: with --answers it is no evidence.
TELLING = ("incident", "symptom", "failed", "restarted", "slowed", "recovered")
# Steps have a table of their own; a bar's progress is a matter of the screen.
_NOT_EVENTS = (events.Step, events.Progress)


class Clock(NamedTuple):
    """A run's time zero in microseconds since 1970, as its logs stamp it and in UTC."""

    local: int
    utc: int

    def row(self, at: float) -> tuple[int, int, float]:
        """A simulated second in UTC, in local time, and as it is."""
        passed = round(at * 1e6)
        return self.utc + passed, self.local + passed, at


def clock_of(start: datetime, zone: str) -> Clock:
    """The clock of a run. A log does not jump when summer time begins or ends in the run."""
    offset = start.replace(tzinfo=ZoneInfo(zone)).utcoffset() or timedelta()
    local = (start - EPOCH) // timedelta(microseconds=1)
    return Clock(local, local - offset // timedelta(microseconds=1))


def run_row(
    member: Member, run: Run, clock: Clock, zone: str, labels: int, summary: Any,
    command: str | None,
) -> Row:  # fmt: skip
    """The row of a run; without `command` it has no seed either, and does not count its labels."""
    job, account, hidden = run.job, goodput(run), command is None
    return (
        member.run_id,
        member.split,
        None if hidden else member.seed,
        member.share,
        job.run_name,
        job.cluster,
        job.framework.name,
        job.recipe.name,
        job.model.name,
        parameter_count(job.architecture),
        job.dataset.name,
        job.gpu.name,
        job.layout.gpus,
        min(job.layout.gpus, MOST_GPUS),
        job.layout.nodes,
        gpus_per_node(job),
        job.layout.tp,
        job.layout.pp,
        job.layout.dp,
        job.schedule.steps,
        batch_tokens(job),
        clock.utc,
        clock.local,
        zone,
        (clock.local - clock.utc) // 1_000_000,
        run_ended(run),
        account.attempts,
        account.lost,
        account.waiting,
        summary.final_loss if summary else None,
        summary.mfu if summary else None,
        summary.tokens if summary else None,
        None if hidden else labels,
        command,
    )


def step_row(run_id: str, event: events.Step, clock: Clock, attempt: int) -> Row:
    """The row of a logged step."""
    return (
        run_id,
        *clock.row(event.at),
        event.step,
        attempt,
        event.epoch,
        event.loss,
        event.gradient_norm,
        event.learning_rate,
        event.step_seconds,
        event.tokens,
        event.tokens_per_second,
        event.samples_per_second,
        event.mfu,
        event.allocated,
        event.reserved,
        line(dict(event.metrics)).rstrip() if event.metrics else None,
    )


EVENT = 4  # the place of an event's name in its row


def event_rows(run_id: str, facts: list[Any], clock: Clock) -> Iterator[Row]:
    """The rows of the table of events."""
    for event in facts:
        if not isinstance(event, _NOT_EVENTS):
            yield _event_row(run_id, event, clock)


def _event_row(run_id: str, event: Any, clock: Clock) -> Row:
    made: dict[str, Any] = fields(event)
    del made["at_seconds"]
    return (
        run_id,
        *clock.row(event.at),
        event_name(type(event)),
        made.get("step"),
        made.get("rank"),
        made.get("hostname"),
        made.get("seconds"),
        line(made).rstrip(),
    )


def label_rows(run_id: str, run: Run, clock: Clock, found: list[Incident]) -> Iterator[Row]:
    """The labels of a run: its incidents, and the stretches without one between them."""
    number, clean, end = 0, 0.0, run_ended(run)
    for incident in [*sorted(found), None]:
        until = incident.at if incident else end
        if until > clean:
            number += 1
            yield _clean_row(run_id, number, clean, until, clock)
        if incident:
            number += 1
            yield _incident_row(run_id, number, incident, min(incident.over, end), clock)
            clean = max(clean, min(incident.over, end))


def _clean_row(run_id: str, number: int, began: float, ended: float, clock: Clock) -> Row:
    moments = clock.row(began)[0], clock.row(ended)[0], began
    return (run_id, "clean", number, *[None] * 7, *moments, None, None, ended, *[None] * 5)


def _incident_row(run_id: str, number: int, incident: Incident, over: float, clock: Clock) -> Row:
    kind = kind_named(incident.kind)
    return (
        run_id,
        "incident",
        number,
        kind.name,
        kind.layer,
        kind.consequence,
        kind.meaning,
        kind.log or None,
        kind.telemetry or None,
        " ".join(incident.streams),
        clock.row(incident.at)[0],
        clock.row(over)[0],
        incident.at,
        incident.visible,
        incident.detected,
        over,
        incident.attempt,
        incident.step,
        incident.rank,
        incident.hostname,
        incident.local_rank,
    )


def sample_rows(run_id: str, run: Run, clock: Clock, every: float) -> Iterator[Row]:
    """The samples of a run by the plain functions, at equal intervals of simulated time."""
    number, end, hosts = 0, run_ended(run), hostnames(run.job)
    per_node = gpus_per_node(run.job)
    while number * every <= end:
        at = number * every
        moment = clock.row(at)
        for gauges in sample(run, at).gpus:
            yield (
                run_id,
                *moment,
                gauges.gpu,
                hosts[gauges.gpu // per_node],
                (round(gauges.power_watts * 1e3) + 50) // 100 / 10,
                gauges.temperature_c,
                gauges.sm_clock_mhz,
                gauges.utilization_percent,
                gauges.used_mib,
                (round(gauges.tensor_active * 1e6) + 50) // 100 / 1e4,
                gauges.xid,
            )
        number += 1


def hostnames(job: Job) -> list[str]:
    """The nodes of the sampled GPUs."""
    nodes = -(-min(job.layout.gpus, MOST_GPUS) // gpus_per_node(job))
    return [cluster.hostname(job, node) for node in range(nodes)]


def json_text(value: object) -> str:
    """A value as JSON for a file of the data set, which a person may read."""
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"
