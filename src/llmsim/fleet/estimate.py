"""--print-plan: what a fleet will have, and what it will take, from a few of its runs played."""

import tempfile
from time import process_time

from llmsim.fleet.cluster.pool import Pool
from llmsim.fleet.parts import parts_of, rows_of, size_of_part, write_part
from llmsim.fleet.places import Places
from llmsim.fleet.spec import Spec
from llmsim.telemetry.samples import MOST_GPUS
from llmsim.typed import NamedTuple

PLAYED = 8  # runs that an estimate plays
_SAMPLES = 2_000  # samples of GPUs that it makes of a run by plain Python: half a second
_ROWS = 200_000  # the same where numpy makes them, or nobody asks for any
_SLOW = {"csv", "nvsmi", "openmetrics", "otlp", "promtest"}  # kinds sampled in plain Python
_WARM = 864_000.0  # seconds between the samples of a run that is played for nothing
_ROOM = 1.2  # a fleet needs its estimate and a fifth more, since runs differ


class Plan(NamedTuple):
    """What a fleet will have; rows, bytes and seconds are estimates from runs played."""

    runs: int
    parts: int
    runs_a_part: int
    played: int
    rows: dict[str, int]
    bytes: int
    seconds: float  # of one core


def plan_of(spec: Spec, played: int = PLAYED) -> Plan:
    """Plays some runs of a fleet in a folder that goes away, and reckons from them."""
    size = size_of_part(spec)
    numbers = sorted({index * spec.runs // played for index in range(played)}) if spec.runs else []
    counts: dict[str, float] = {}
    written = seconds = 0.0
    if numbers:  # what a process imports once is no cost of a run
        _played(spec._replace(sample=_WARM), numbers[0])
    for number in numbers:
        for sample, weight in _looks(spec, number):
            rows, size_of_files, taken = _played(spec._replace(sample=sample), number)
            written += weight * size_of_files
            seconds += weight * taken
            for name, count in rows.items():
                counts[name] = counts.get(name, 0.0) + weight * count
    share = spec.runs / max(1, len(numbers))
    plan = Plan(
        runs=spec.runs,
        parts=parts_of(spec, size),
        runs_a_part=size,
        played=len(numbers),
        rows={name: round(count * share) for name, count in counts.items()},
        bytes=round(max(0.0, written) * share),
        seconds=max(0.0, seconds) * share,
    )
    return _with_cluster(plan, spec.cluster, "parquet" in spec.kinds) if spec.cluster else plan


def _looks(spec: Spec, number: int) -> list[tuple[float, float]]:
    """The sampling periods at which a run is played, and what each counts.

    Rows, bytes and seconds grow with the number of samples along a line. So a run of many samples
    is played with few and with half as many, and the line is followed to all of them.
    """
    slow = _SLOW.intersection(spec.kinds)
    most = _SAMPLES // len(slow) if slow else _ROWS
    times = rows_of(spec, number)[0] / most
    if times <= 2.0:  # two plays would take as long
        return [(spec.sample, 1.0)]
    ahead = 2.0 * (times - 1.0)
    return [(spec.sample * times, 1.0 + ahead), (spec.sample * times * 2.0, -ahead)]


def _played(spec: Spec, number: int) -> tuple[dict[str, int], int, float]:
    """The rows, the bytes and the seconds of a core of a run that is played in a folder."""
    begun = process_time()
    with tempfile.TemporaryDirectory() as folder:
        alone = spec._replace(cluster=None)
        mark = write_part(alone, Places(folder, "", ""), 1, number, {}, lambda _: None)
    return mark.rows, sum(each[1] for each in mark.files), process_time() - begun


# What a cluster takes, measured: seconds and bytes of a job's records, and of a GPU's sample.
_JOB_SECONDS, _JOB_BYTES = 120e-6, 130.0
_GAUGE_SECONDS, _GAUGE_BYTES = 0.35e-6, 3.0


def _with_cluster(plan: Plan, pool: Pool, parquet: bool) -> Plan:
    """The plan with a cluster's days in it."""
    jobs = pool.jobs_a_gpu_day * pool.gpus * pool.days
    gauges = pool.gpus * pool.days * 86_400 / pool.sample if parquet and pool.sample else 0.0
    rows = {"jobs": round(jobs), "gauges": round(gauges)} if parquet else {}
    return plan._replace(
        rows=plan.rows | rows,
        bytes=plan.bytes + round(jobs * _JOB_BYTES + gauges * _GAUGE_BYTES),
        seconds=plan.seconds + jobs * _JOB_SECONDS + gauges * _GAUGE_SECONDS,
    )


def room_for(plan: Plan) -> int:
    """The bytes that a fleet needs on its disk."""
    return round(plan.bytes * _ROOM)


def text_of(plan: Plan, spec: Spec, workers: int) -> str:
    """The plan for a person to read."""
    lines = [
        f"runs       {plan.runs:,}, seed {spec.seed}",
        *_cluster_lines(spec),
        f"parts      {plan.parts:,} of up to {plan.runs_a_part:,} runs",
        f"span       {spec.span / 86_400:g} days from {spec.start.isoformat()} {spec.zone}",
        f"kinds      {', '.join(spec.kinds)}",
        f"sampling   every {spec.sample:g} s, at most {MOST_GPUS} GPUs of a run",
        *(f"{'rows' if not i else '':<10} {name} about {count:,}"
          for i, (name, count) in enumerate(plan.rows.items())),
        f"bytes      about {bytes_text(plan.bytes)}",
        f"time       about {time_text(plan.seconds / workers)} with {workers} at work",
    ]  # fmt: skip
    head = f"Reckoned from {plan.played} runs that were played.\n"
    return head + "".join(f"{line}\n" for line in lines)


def _cluster_lines(spec: Spec) -> list[str]:
    if (pool := spec.cluster) is None:
        return []
    every = f"all GPUs every {pool.sample:g} s" if pool.sample else "no samples"
    return [f"cluster    {pool.nodes:,} nodes, {pool.gpus:,} GPUs, {pool.days:g} days, {every}"]


def bytes_text(size: float) -> str:
    """A number of bytes in a unit that fits."""
    for factor, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size:.0f} B"


def time_text(seconds: float) -> str:
    """A time in hours, minutes and seconds."""
    whole = max(1, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {left} s" if minutes else f"{left} s"
