"""nvidia-smi's table of a node's GPUs before the job, as its drivers of 2024 to 2026 print it.

Widths are those of tables in public logs; 580 changed the rule below the header and widened
the processes' ids.
"""

from collections.abc import Iterator, Sequence

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

# What can be cut into instances (MIG), and which cards' memory corrects errors.
_MIG = ("A100", "A800", "H100", "H200", "H800", "H20", "B200", "B300", "PRO 6000")
_ECC_OFF, _NO_ECC = ("4090", "A6000", "6000 Ada"), ("3090", "5090")
# Fans of their own: at idle those of a GeForce stand still, those of workstations do not.
_FANS = {"GeForce": "0%", "A6000": "30%", "6000 Ada": "30%"}
# Cards with GDDR go down to P8 when nothing runs; HBM does not.
_GDDR = ("GeForce", "A6000", "6000 Ada", "PRO 6000", "A10G", "A40", "L40")


def before(job: Job) -> list[str]:
    """What somebody sees on the first node at the job's start; empty without NVIDIA's GPUs."""
    if not job.gpu.name.startswith("NVIDIA"):
        return []
    ranks = range(gpus_per_node(job))
    return table([telemetry.reading(job, rank, 0.0, "idle", 0.0, "idle") for rank in ranks], job)


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
    fan = next((share for part, share in _FANS.items() if part in card.name), "N/A")
    state = "P8" if any(part in card.name for part in _GDDR) else "P0"
    mig = "Disabled" if any(part in card.name for part in _MIG) else "N/A"
    bus = cluster.bus_address(job, local)
    yield f"| {local:3d}  {name:<{_NAME}}    On  |   {bus} Off | {_errors(card.name):>20} |"
    yield (
        f"| {fan:>3}  {reading.temperature_c:3d}C    {state}{reading.power_watts:15d}W /"
        f" {card.tdp_watts:4d}W | {reading.memory_mib:7d}MiB / {card.memory_mib:6d}MiB |"
        f" {reading.utilization:6d}%      Default |"
    )
    yield f"|{'':41}|{'':24}| {mig:>20} |"
    yield f"+{_CELLS}+"


def _errors(name: str) -> str:
    """Uncorrected memory errors since the last reset: none, or nobody counts."""
    if any(part in name for part in _ECC_OFF):
        return "Off"
    return "N/A" if any(part in name for part in _NO_ECC) else "0"


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
