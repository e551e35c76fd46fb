"""Input series for `promtool test rules`: dcgm-exporter's fields over the whole run.

A file of YAML with one test: fill in rule_files, and add the alerts that should fire. A value that
stays the same is written once, VxN, which is V and N more of it; N scrapes without a sample are
_xN.
"""

from collections.abc import Sequence
from itertools import groupby

from llmsim.job.records import Job
from llmsim.run import cluster
from llmsim.run.timeline import Run, owner
from llmsim.telemetry import dcgm
from llmsim.telemetry.dcgm_reading import numbers, reading
from llmsim.telemetry.gpu_rows import expect_nvidia
from llmsim.telemetry.samples import MOST_GPUS, Span, spans_of
from llmsim.telemetry.writer import Piece, Pieces, Settings, Writer


def interval(seconds: float) -> str:
    """A time as Prometheus writes it."""
    return f"{seconds:g}s" if seconds == int(seconds) else f"{round(seconds * 1000)}ms"


def encoded(values: Sequence[str]) -> str:
    """The values of a series, runs of the same shortened.

    In promtool's notation 7x3 is four sevens, and _x3 is three scrapes without a sample
    (prometheus.io/docs, unit testing for rules).
    """
    runs = ((value, len([*same])) for value, same in groupby(values))
    return " ".join([
        value if count == 1 else f"{value}x{count - (value != '_')}" for value, count in runs
    ])  # fmt: skip


def ended_at_once(values: Sequence[str]) -> Sequence[str]:
    """The values of a series in which the first scrape without a sample is marked as stale.

    So does a scrape: a series that is gone has no value from then on, not after five minutes.
    """
    if "_" not in values:
        return values
    return [
        "stale" if value == "_" and before != "_" else value
        for value, before in zip(values, ["_", *values], strict=False)
    ]


def begin(run: Run, settings: Settings) -> Writer:
    """A writer that keeps the values until the end, a text for each sample of a field and GPU."""
    job = run.job
    expect_nvidia(job, "promtest")
    shown = range(min(job.layout.gpus, MOST_GPUS))
    fields = dcgm.fields_of(job.gpu)
    rows: list[list[list[str]]] = [[] for _ in fields]  # of each sample, in order of GPUs
    owners: list[Job] = []  # the job at each sample, with the machines that it has then

    def taken(at: float) -> Pieces:
        now = owner(run, at)
        owners.append(now)
        read = reading(run, at, at - settings.sample, shown)
        for field, known in zip(fields, rows, strict=True):
            row = numbers(now, field, read)
            known.append([each or "_" for each in row] if read.missing else row)
        return ()

    def ended(_at: float) -> Pieces:
        step = interval(settings.sample)
        yield Piece(
            f"# Simulated by llmsim: {job.command}\nrule_files: []\n"
            f"evaluation_interval: {step}\ntests:\n- interval: {step}\n  input_series:\n"
        )
        cards = [_cards(gpu, owners) for gpu in shown]
        for field, known in zip(fields, rows, strict=True):
            for gpu, values in enumerate(zip(*known, strict=True)):
                for own in cards[gpu]:
                    yield from _series(field, own[0][2], gpu, _within(values, own))

    return Writer(sample=taken, end=ended)


def _cards(gpu: int, owners: list[Job]) -> list[list[Span]]:
    """When a GPU was which card: a list of each card that it was in turn."""
    found: dict[int, list[Span]] = {}
    for span in spans_of(gpu, owners):
        found.setdefault(cluster.card(span[2], gpu), []).append(span)
    return [*found.values()]


def _within(values: tuple[str, ...], spans: list[Span]) -> Sequence[str]:
    """The values of one card: at all other samples it has none."""
    if [span[:2] for span in spans] == [(0, len(values))]:
        return values
    own = ["_"] * len(values)
    for first, last, _ in spans:
        own[first:last] = values[first:last]
    return own


def _series(field: dcgm.Field, job: Job, gpu: int, values: Sequence[str]) -> Pieces:
    codes = dict.fromkeys(value for value in values if value != "_") if field.coded else ("",)
    for code in codes:
        extra = dcgm.error(code) if code else ""
        labels = f"{dcgm.labels(job, gpu, extra)},{dcgm.target(job, gpu)}"
        name = f"{dcgm.metric(field)}{{{labels}}}"
        mine = [value if value == code else "_" for value in values] if code else values
        yield Piece(f"  - series: '{name}'\n    values: '{encoded(ended_at_once(mine))}'\n")
