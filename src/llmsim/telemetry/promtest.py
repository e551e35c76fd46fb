"""Input series for `promtool test rules`: dcgm-exporter's fields over the whole run.

A file of YAML with one test: add rule_files and the alerts that should fire. A value that stays
the same is written once, VxN, which is V and N more of it; N scrapes without a sample are _xN.
"""

from collections.abc import Iterator
from itertools import groupby

from llmsim.job.records import Job
from llmsim.run import cluster
from llmsim.run.timeline import Run, owner
from llmsim.telemetry import dcgm
from llmsim.telemetry.gpu_rows import expect_nvidia
from llmsim.telemetry.samples import MOST_GPUS, sample
from llmsim.telemetry.writer import Piece, Pieces, Settings, Writer


def interval(seconds: float) -> str:
    """A time as Prometheus writes it."""
    return f"{seconds:g}s" if seconds == int(seconds) else f"{round(seconds * 1000)}ms"


def encoded(values: list[str]) -> str:
    """The values of a series, runs of the same shortened.

    In promtool's notation 7x3 is four sevens, and _x3 is three scrapes without a sample
    (prometheus.io/docs, unit testing for rules).
    """
    runs = ((value, len([*same])) for value, same in groupby(values))
    return " ".join(
        value if count == 1 else f"{value}x{count - (value != '_')}" for value, count in runs
    )


def ended_at_once(values: list[str]) -> list[str]:
    """The values of a series in which the first scrape without a sample is marked as stale.

    So does a scrape: a series that is gone has no value from then on, not after five minutes.
    """
    return [
        "stale" if value == "_" and before != "_" else value
        for value, before in zip(values, ["_", *values], strict=False)
    ]


def begin(run: Run, settings: Settings) -> Writer:
    """A writer that keeps the values until the end, a text for each series."""
    job = run.job
    expect_nvidia(job, "promtest")
    shown = range(min(job.layout.gpus, MOST_GPUS))
    series: list[list[list[str]]] = [[[] for _ in shown] for _ in dcgm.FIELDS]

    owners: list[Job] = []  # the job at each sample, with the machines that it has then

    def taken(at: float) -> Pieces:
        owners.append(owner(run, at))
        seen = {each.gpu: each for each in sample(run, at).gpus}
        for field, known in zip(dcgm.FIELDS, series, strict=True):
            for gpu, values in enumerate(known):
                each = seen.get(gpu)
                values.append(dcgm.number(field.value(job, each)) if each else "_")
        return ()

    def ended(_at: float) -> Pieces:
        step = interval(settings.sample)
        yield Piece(
            f"# Simulated by llmsim: {job.command}\nrule_files: []\n"
            f"evaluation_interval: {step}\ntests:\n- interval: {step}\n  input_series:\n"
        )
        for field, known in zip(dcgm.FIELDS, series, strict=True):
            for gpu, values in enumerate(known):
                for own, now in _cards(gpu, values, owners):
                    yield from _series(field, now, gpu, own)

    return Writer(sample=taken, end=ended)


def _cards(gpu: int, values: list[str], owners: list[Job]) -> Iterator[tuple[list[str], Job]]:
    """The values of each card that was a GPU in turn, and a job that has it."""
    cards = [cluster.card(each, gpu) for each in owners]
    for card in dict.fromkeys(cards):
        pairs = zip(values, cards, strict=True)
        yield [value if own == card else "_" for value, own in pairs], owners[cards.index(card)]


def _series(field: dcgm.Field, job: Job, gpu: int, values: list[str]) -> Pieces:
    codes = dict.fromkeys(value for value in values if value != "_")
    for code in codes if field.coded else ("",):
        extra = dcgm.error(code) if code else ""
        labels = f"{dcgm.labels(job, gpu, extra)},{dcgm.target(job, gpu)}"
        name = f"{dcgm.metric(field)}{{{labels}}}"
        mine = [value if code in ("", value) else "_" for value in values]
        yield Piece(f"  - series: '{name}'\n    values: '{encoded(ended_at_once(mine))}'\n")
