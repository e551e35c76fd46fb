"""nvidia-smi's table of the GPUs of one node, as its drivers of 2024 to 2026 print it.

Widths are those of tables in public logs; 580 changed the rule below the header and widened
the processes' ids.
"""

from collections.abc import Iterator, Sequence

from llmsim import events, machine
from llmsim.dialects import units
from llmsim.job import Job, gpus_per_node
from llmsim.physics.gpu import Reading

_INNER = 89
_COLUMNS = (41, 24, 22)
_RULE = "+" + "-" * _INNER + "+"
_CELLS = "+".join("-" * width for width in _COLUMNS)
_HEADER = """\
| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |
| Fan  Temp   Perf          Pwr:Usage/Cap |           Memory-Usage | GPU-Util  Compute M. |
|                                         |                        |               MIG M. |"""
_NAME = 27  # characters of a GPU's name; a longer one ends in dots
_PROCESS = "/opt/venv/bin/python3"
_HELD = 9  # MiB that a GPU holds beside what its processes do
_IDLE = 16  # MiB up to which it has no process

# What can be cut into instances (MIG), and which cards' memory corrects errors.
_MIG = ("A100", "A800", "H100", "H200", "H800", "H20", "B200", "B300", "PRO 6000")
_ECC_OFF, _NO_ECC = ("4090", "A6000", "6000 Ada"), ("3090", "5090")


def table(event: events.Status, job: Job) -> list[str]:
    """The table of the first node's GPUs; empty where only nodes were read, and for AMD."""
    readings = event.gpus[: gpus_per_node(job)]
    if not readings or job.gpu.name.startswith("AMD"):
        return []
    now = units.stamp(job.start, event.at)
    return [f"{now:%a %b} {now.day:2d} {now:%H:%M:%S %Y}       ", *_gpus(readings, job),
            " " * _INNER, *_processes(readings, job)]  # fmt: skip


def _branch(job: Job) -> int:
    return int(job.software.driver.partition(".")[0])


def _gpus(readings: Sequence[Reading], job: Job) -> Iterator[str]:
    driver, cuda = job.software.driver, machine.driver_cuda(job.software.driver)
    yield _RULE
    yield f"| NVIDIA-SMI {driver:<23}Driver Version: {driver:<15}CUDA Version: {cuda:<9}|"
    yield f"+{_CELLS}+" if _branch(job) >= 580 else f"|{_CELLS}|"
    yield from _HEADER.splitlines()
    yield "|" + _CELLS.replace("-", "=") + "|"
    for local, reading in enumerate(readings):
        yield from _gpu(local, reading, job)


def _gpu(local: int, reading: Reading, job: Job) -> Iterator[str]:
    gpu = job.gpu
    name = gpu.name if len(gpu.name) <= _NAME else gpu.name[: _NAME - 3] + "..."
    state = "P2" if "GeForce" in gpu.name else "P0"
    mig = "Disabled" if any(part in gpu.name for part in _MIG) else "N/A"
    bus = machine.bus_address(job, local)
    yield f"| {local:3d}  {name:<{_NAME}}    On  |   {bus} Off | {_errors(gpu.name):>20} |"
    yield (
        f"| N/A  {reading.temperature_c:3d}C    {state}{reading.power_watts:15d}W /"
        f" {gpu.tdp_watts:4d}W | {reading.memory_mib:7d}MiB / {gpu.memory_mib:6d}MiB |"
        f" {reading.utilization:6d}%      Default |"
    )
    yield f"|{'':41}|{'':24}| {mig:>20} |"
    yield f"+{_CELLS}+"


def _errors(name: str) -> str:
    """Uncorrected memory errors since the last reset: none, or nobody counts."""
    if any(part in name for part in _ECC_OFF):
        return "Off"
    return "N/A" if any(part in name for part in _NO_ECC) else "0"


def _processes(readings: Sequence[Reading], job: Job) -> Iterator[str]:
    wide = _branch(job) >= 580
    process, name = (16, 32) if wide else (10, 38)
    title = f"{'Process name':<{name}}    GPU Memory"
    yield _RULE
    yield f"| {'Processes:':<{_INNER - 1}}|"
    yield f"|  GPU   GI   CI {'PID':>{process}}   Type   {title} |"
    yield f"|        ID   ID {'':{process}}          {'Usage':>{name + 9}}      |"
    yield "|" + "=" * _INNER + "|"
    busy = [(local, each) for local, each in enumerate(readings) if each.memory_mib > _IDLE]
    for local, each in busy:
        identity, used = machine.worker(job, local), f"{each.memory_mib - _HELD}MiB"
        yield (
            f"|  {local:3d}   N/A  N/A{identity:{process}d}      C   {_PROCESS:<{name}}{used:>14} |"
        )
    if not busy:
        yield f"|  {'No running processes found':<{_INNER - 2}}|"
    yield _RULE
