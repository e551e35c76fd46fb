"""nvidia-smi's table of a node's GPUs before the job, as its drivers of 2024 to 2026 print it.

Widths are taken from tables in public logs; 580 changed the rule below the header and widened
the processes' ids.
"""

from collections.abc import Iterator, Sequence

from llmsim.catalog import gpus
from llmsim.job.records import Job, gpus_per_node
from llmsim.physics.hardware import telemetry
from llmsim.physics.hardware.telemetry import Reading
from llmsim.run import cluster
from llmsim.text import units

WIDTH = 91
_INNER = WIDTH - 2
_COLUMNS = (41, 24, 22)
_RULE = "+" + "-" * _INNER + "+"
_CELLS = "+".join("-" * width for width in _COLUMNS)
_HEADER = """\
| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |
| Fan  Temp   Perf          Pwr:Usage/Cap |           Memory-Usage | GPU-Util  Compute M. |
|                                         |                        |               MIG M. |"""
_NAME = 27  # characters of a GPU's name; a longer one ends in dots


def before(job: Job) -> list[str]:
    """The table on the first node at the job's start; empty without NVIDIA's GPUs."""
    if not gpus.is_nvidia(job.gpu):
        return []
    ranks = range(gpus_per_node(job))
    return table([telemetry.reading(job, rank, 0.0, (("idle", 0.0),)) for rank in ranks], job)


def table(readings: Sequence[Reading], job: Job) -> list[str]:
    """The table of GPUs that no process uses, with the time of the job's start."""
    now = units.stamp(job.start, 0.0)
    return [f"{now:%a %b} {now.day:2d} {now:%H:%M:%S %Y}       ", *_gpus(readings, job),
            " " * _INNER, *_processes(job)]  # fmt: skip


def _branch(job: Job) -> int:
    return int(job.software.driver.partition(".")[0])


def _gpus(readings: Sequence[Reading], job: Job) -> Iterator[str]:
    driver, cuda = job.software.driver, cluster.driver_cuda(job.software.driver)
    yield _RULE
    yield f"| NVIDIA-SMI {driver:<23}Driver Version: {driver:<15}CUDA Version: {cuda:<9}|"
    yield f"+{_CELLS}+" if _branch(job) >= 580 else f"|{_CELLS}|"
    yield from _HEADER.splitlines()
    yield "|" + _CELLS.replace("-", "=") + "|"
    for local, reading in enumerate(readings):
        yield from _gpu(local, reading, job)


def _gpu(local: int, reading: Reading, job: Job) -> Iterator[str]:
    card = job.gpu
    name = card.name if len(card.name) <= _NAME else card.name[: _NAME - 3] + "..."
    fan, state = gpus.fan(card), gpus.idle_state(card)
    mig = "Disabled" if gpus.has_mig(card) else "N/A"
    bus = cluster.bus_address(job, local)
    yield f"| {local:3d}  {name:<{_NAME}}    On  |   {bus} Off | {gpus.ecc(card):>20} |"
    yield (
        f"| {fan:>3}  {reading.temperature_c:3d}C    {state}{reading.power_watts:15d}W /"
        f" {card.tdp_watts:4d}W | {reading.memory_mib:7d}MiB / {card.memory_mib:6d}MiB |"
        f" {reading.utilization:6d}%      Default |"
    )
    yield f"|{'':41}|{'':24}| {mig:>20} |"
    yield f"+{_CELLS}+"


def _processes(job: Job) -> Iterator[str]:
    process, name = (16, 32) if _branch(job) >= 580 else (10, 38)
    title = f"{'Process name':<{name}}    GPU Memory"
    yield _RULE
    yield f"| {'Processes:':<{_INNER - 1}}|"
    yield f"|  GPU   GI   CI {'PID':>{process}}   Type   {title} |"
    yield f"|        ID   ID {'':{process}}          {'Usage':>{name + 9}}      |"
    yield "|" + "=" * _INNER + "|"
    yield f"|  {'No running processes found':<{_INNER - 2}}|"
    yield _RULE
