"""nvidia-smi's table of a node's GPUs, as its drivers of 2024 to 2026 print it.

Widths are taken from tables in public logs; 580 changed the rule below the header and widened
the processes' ids.
"""

from collections.abc import Iterator, Sequence

from llmsim.catalog import gpus
from llmsim.job.records import Job, gpus_per_node
from llmsim.physics.hardware import telemetry
from llmsim.run import cluster
from llmsim.text import units
from llmsim.typed import NamedTuple

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


class Card(NamedTuple):
    """What the table says of a GPU."""

    number: int
    celsius: int
    state: int  # its performance state: 0 is P0
    watts: int
    used_mib: int
    utilization: int  # per cent
    uncorrected: int = 0  # ECC errors since the last reset


# A process on a GPU: the GPU's number, the process id, its name and its memory in MiB.
Process = tuple[int, int, str, int]


def before(job: Job, at: float) -> list[str]:
    """The table on the first node before a launch; empty without NVIDIA's GPUs."""
    if not gpus.is_nvidia(job.gpu):
        return []
    state = int(gpus.idle_state(job.gpu)[1:])
    cards = []
    for rank in range(gpus_per_node(job)):
        read = telemetry.reading(job, rank, at, (telemetry.Load("idle", 0.0),))
        cards.append(Card(rank, read.temperature_c, state, read.power_watts, read.memory_mib,
                          read.utilization))  # fmt: skip
    now = units.stamp(job.start, at)
    return table(cards, (), job, f"{now:%a %b} {now.day:2d} {now:%H:%M:%S %Y}")


def table(cards: Sequence[Card], processes: Sequence[Process], job: Job, time: str) -> list[str]:
    """The table of GPUs and of the processes on them, with the time at which it was asked for."""
    rows = _processes(processes, job)
    return [f"{time:<31}", *_gpus(cards, job), " " * _INNER, *rows]


def _branch(job: Job) -> int:
    return int(job.software.driver.partition(".")[0])


def _gpus(cards: Sequence[Card], job: Job) -> Iterator[str]:
    driver, cuda = job.software.driver, cluster.driver_cuda(job.software.driver)
    yield _RULE
    yield f"| NVIDIA-SMI {driver:<23}Driver Version: {driver:<15}CUDA Version: {cuda:<9}|"
    yield f"+{_CELLS}+" if _branch(job) >= 580 else f"|{_CELLS}|"
    yield from _HEADER.splitlines()
    yield "|" + _CELLS.replace("-", "=") + "|"
    for card in cards:
        yield from _gpu(card, job)


def _gpu(card: Card, job: Job) -> Iterator[str]:
    gpu = job.gpu
    name = gpu.name if len(gpu.name) <= _NAME else gpu.name[: _NAME - 3] + "..."
    mig = "Disabled" if gpus.has_mig(gpu) else "N/A"
    bus = cluster.bus_address(job, card.number)
    ecc = str(card.uncorrected) if card.uncorrected else gpus.ecc(gpu)
    yield f"| {card.number:3d}  {name:<{_NAME}}    On  |   {bus} Off | {ecc:>20} |"
    turning = gpus.fan(gpu, card.celsius, card.state)
    fan = "N/A" if turning is None else f"{turning}%"
    yield (
        f"|{fan:>4}  {card.celsius:3d}C    P{card.state}{card.watts:15d}W /"
        f" {gpu.tdp_watts:4d}W | {card.used_mib:7d}MiB / {gpu.memory_mib:6d}MiB |"
        f" {card.utilization:6d}%      Default |"
    )
    yield f"|{'':41}|{'':24}| {mig:>20} |"
    yield f"+{_CELLS}+"


def _processes(running: Sequence[Process], job: Job) -> Iterator[str]:
    process, name = (16, 32) if _branch(job) >= 580 else (10, 38)
    title = f"{'Process name':<{name}}    GPU Memory"
    yield _RULE
    yield f"| {'Processes:':<{_INNER - 1}}|"
    yield f"|  GPU   GI   CI {'PID':>{process}}   Type   {title} |"
    yield f"|        ID   ID {'':{process}}          {'Usage':>{name + 9}}      |"
    yield "|" + "=" * _INNER + "|"
    if not running:
        yield f"|  {'No running processes found':<{_INNER - 2}}|"
    for number, pid, path, mib in running:
        # A path that is too long has dots in the place of its beginning.
        shown = path if len(path) <= name else "..." + path[3 - name :]
        yield (
            f"|  {number:3d}   N/A  N/A {pid:>{process - 1}d}      C   {shown:<{name}}"
            f"{mib:>11}MiB |"
        )
    yield _RULE
