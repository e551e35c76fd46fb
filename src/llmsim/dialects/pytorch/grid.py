"""The status grid: what somebody sees who looks at all GPUs at once, in nvidia-smi's manner.

Cells stand side by side as the width allows. Of the four kinds of cell the most detailed is
taken that keeps the grid at sixteen rows; if none does, the smallest.
"""

from collections.abc import Callable, Iterator, Sequence
from statistics import fmean

from llmsim import events
from llmsim.job import Job, hostname
from llmsim.physics.gpu import NodeReading, Reading
from llmsim.terminal.bar import blocks
from llmsim.terminal.ink import Span, length
from llmsim.terminal.screen import Screen

MOST_ROWS = 16
MIB_PER_GIB = 1024

HOT, WARM = 84, 72  # degrees C: throttling begins, and what is above the good range

Cell = list[Span]


def _busy(percent: float) -> str:
    return "good" if percent >= 90 else "warm" if percent >= 30 else "muted"


def _heat(celsius: int) -> str:
    return "hot" if celsius >= HOT else "warm" if celsius >= WARM else "loss"


def _memory(reading: Reading, job: Job) -> str:
    return f"{reading.memory_mib / MIB_PER_GIB:5.1f}/{job.gpu.memory_mib / MIB_PER_GIB:.1f}GiB"


def _widest(reading: Reading, job: Job, screen: Screen) -> Cell:
    """Everything, with a bar for utilisation and one for memory: 67 cells or a few more."""
    part = reading.memory_mib / job.gpu.memory_mib
    return [
        ("number", f"{reading.index:3d} "),
        (_busy(reading.utilization), f"{reading.utilization:3d}% "),
        (_busy(reading.utilization), blocks(reading.utilization / 100, 10, screen.unicode)),
        ("memory", f" {_memory(reading, job)} "),
        ("memory", blocks(part, 10, screen.unicode)),
        (_heat(reading.temperature_c), f" {reading.temperature_c:2d}C"),
        ("gradient", f" {reading.power_watts:4d}/{job.gpu.tdp_watts}W"),
        ("muted", f" {reading.sm_clock_mhz:4d}MHz"),
    ]


def _wide(reading: Reading, job: Job, screen: Screen) -> Cell:
    return [
        ("number", f"{reading.index:3d} "),
        (_busy(reading.utilization), f"{reading.utilization:3d}% "),
        (_busy(reading.utilization), blocks(reading.utilization / 100, 5, screen.unicode)),
        ("memory", f" {_memory(reading, job)}"),
        (_heat(reading.temperature_c), f" {reading.temperature_c:2d}C"),
        ("gradient", f" {reading.power_watts:4d}W"),
    ]


def _narrow(reading: Reading, job: Job, screen: Screen) -> Cell:
    return [
        ("number", f"{reading.index:3d} "),
        (_busy(reading.utilization), f"{reading.utilization:3d}%"),
        ("memory", f" {reading.memory_mib / MIB_PER_GIB:3.0f}G"),
        (_heat(reading.temperature_c), f" {reading.temperature_c:2d}C"),
        ("gradient", f" {reading.power_watts:4d}W"),
    ]


def _narrowest(reading: Reading, job: Job, screen: Screen) -> Cell:
    return [
        ("number", f"{reading.index:3d} "),
        (_busy(reading.utilization), f"{reading.utilization:3d}%"),
        (_heat(reading.temperature_c), f" {reading.temperature_c:2d}C"),
        ("gradient", f" {reading.power_watts:4d}W"),
    ]


CELLS: tuple[Callable[[Reading, Job, Screen], Cell], ...] = (_widest, _wide, _narrow, _narrowest)


def _node_cell(reading: NodeReading, job: Job) -> Cell:
    return [
        ("name", f" {hostname(job, reading.node)} "),
        (_busy(reading.utilization_min), f"{reading.utilization:3d}%"),
        ("memory", f" {reading.memory_mib / MIB_PER_GIB:5.1f}GiB"),
        (_heat(reading.temperature_max), f" {reading.temperature_min:2d}-{reading.temperature_max:2d}C"),
        ("gradient", f" {reading.power_watts / 1000:5.2f}kW"),
    ]


def _laid_out(cells: Sequence[Cell], columns: int, size: int) -> Iterator[list[Span]]:
    """Rows of `columns` cells, padded to `size` and divided by bars."""
    for first in range(0, len(cells), columns):
        row: list[Span] = []
        for cell in cells[first : first + columns]:
            row += [("muted", "|"), *cell, ("", " " * (size - length(cell)))]
        missing = columns - len(cells[first : first + columns])
        row += [("muted", "|"), ("", " " * size)] * missing
        yield [*row, ("muted", "|")]


def _cells(event: events.Status, job: Job, screen: Screen) -> tuple[list[Cell], int, int]:
    """The cells, how many stand in a row, and how wide each is."""
    for make in CELLS:
        cells = [make(reading, job, screen) for reading in event.gpus]
        size = max(length(cell) for cell in cells) + 1
        columns = max(1, (screen.width - 1) // (size + 1))
        columns = min(columns, len(cells))
        if -(-len(cells) // columns) <= MOST_ROWS and columns * (size + 1) < screen.width:
            return _evenly(cells, columns, size)
    return _evenly(cells, columns, size)


def _evenly(cells: list[Cell], columns: int, size: int) -> tuple[list[Cell], int, int]:
    """Full rows where a power of two allows it: 8 GPUs in 4 columns rather than 5."""
    tidy = max(count for count in range(1, columns + 1) if len(cells) % count == 0)
    return cells, tidy if tidy * 2 > columns else columns, size


def grid(event: events.Status, job: Job, screen: Screen) -> Iterator[list[Span]]:
    """The rows of the grid, as spans: every GPU of a small cluster, nodes of a large one."""
    if event.gpus:
        cells, columns, size = _cells(event, job, screen)
        power = sum(reading.power_watts for reading in event.gpus)
        busy = fmean(reading.utilization for reading in event.gpus)
    else:
        cells = [_node_cell(reading, job) for reading in event.nodes]
        size = max(length(cell) for cell in cells) + 1
        columns = max(1, min((screen.width - 1) // (size + 1), len(cells)))
        power = sum(reading.power_watts for reading in event.nodes)
        busy = fmean(reading.utilization for reading in event.nodes)
    inner = columns * (size + 1) - 1
    title = f" {job.layout.gpus:,} x {job.gpu.name}, {event.reason} "
    yield _edge(inner, title)
    yield from _laid_out(cells, columns, size)
    more = f" and {event.more_nodes:,} nodes more," if event.more_nodes else ""
    yield _edge(inner, f"{more} mean util {busy:.0f}%, {power / 1000:.2f} kW ")


def _edge(inner: int, text: str) -> list[Span]:
    text = text if len(text) <= inner - 2 else ""
    return [("muted", "+-"), ("title", text), ("muted", "-" * (inner - 1 - len(text)) + "+")]
