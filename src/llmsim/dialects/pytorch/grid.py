"""The status grid: all GPUs at once, in the manner of nvidia-smi.

Cells stand side by side as the width allows. The grid takes the most detailed kind of cell with
which it has at most sixteen rows; the smallest kind may take twenty-four. If that is not enough,
two lines sum up all GPUs.
"""

from collections.abc import Callable, Iterator, Sequence

from llmsim.job.records import Job
from llmsim.physics.hardware.nodes import NodeReading
from llmsim.physics.hardware.telemetry import Reading, thermal_state
from llmsim.run import events
from llmsim.run.cluster import hostname
from llmsim.text.progress_bar import blocks
from llmsim.text.screen import Screen
from llmsim.text.style import Span, length
from llmsim.typed import Any

MOST_ROWS, TALLEST = 16, 24
MIB_PER_GIB = 1024

# The role of a temperature.
TEMPERATURES = {"cool": "loss", "warm": "warning", "hot": "alarm"}

Cell = list[Span]
Rows = Iterator[list[Span]]


def _busy(percent: float) -> str:
    return "good" if percent >= 90 else "warning" if percent >= 30 else "muted"


def _heat(celsius: int) -> str:
    return TEMPERATURES[thermal_state(celsius)]


def _gib(mebibytes: int) -> str:
    return f"{mebibytes / MIB_PER_GIB:.1f}"


def _memory(reading: Reading, job: Job) -> str:
    return f"{_gib(reading.memory_mib):>5}/{_gib(job.gpu.memory_mib)}GiB"


def _power(reading: Reading, job: Job) -> str:
    return f"{reading.power_watts:{len(str(job.gpu.tdp_watts))}d}"


def _wide(reading: Reading, job: Job, screen: Screen) -> Cell:
    """A cell with all values, and bars for utilisation and memory: 67 cells or a few more."""
    part = reading.memory_mib / job.gpu.memory_mib
    return [
        ("number", f" {reading.index:2d} "),
        (_busy(reading.utilization), f"{reading.utilization:3d}% "),
        (_busy(reading.utilization), blocks(reading.utilization / 100, 10, screen.unicode)),
        ("memory", f" {_memory(reading, job)} "),
        ("memory", blocks(part, 10, screen.unicode)),
        (_heat(reading.temperature_c), f" {reading.temperature_c:2d}C"),
        ("gradient", f" {_power(reading, job)}/{job.gpu.tdp_watts}W"),
        ("muted", f" {reading.sm_clock_mhz:4d}MHz "),
    ]


def _medium(reading: Reading, job: Job, screen: Screen) -> Cell:
    return [
        ("number", f" {reading.index:2d} "),
        (_busy(reading.utilization), f"{reading.utilization:3d}% "),
        (_busy(reading.utilization), blocks(reading.utilization / 100, 5, screen.unicode)),
        ("memory", f" {_memory(reading, job)}"),
        (_heat(reading.temperature_c), f" {reading.temperature_c:2d}C"),
        ("gradient", f" {_power(reading, job)}W "),
    ]


def _small(reading: Reading, job: Job, screen: Screen) -> Cell:
    return [
        ("number", f"{reading.index:2d} "),
        (_busy(reading.utilization), f"{reading.utilization:3d}%"),
        ("memory", f" {reading.memory_mib / MIB_PER_GIB:3.0f}G"),
        (_heat(reading.temperature_c), f" {reading.temperature_c:2d}C"),
        ("gradient", f" {_power(reading, job)}W"),
    ]


def _smallest(reading: Reading, job: Job, screen: Screen) -> Cell:
    return [span for span in _small(reading, job, screen) if span[0] != "memory"]


GPU_CELLS: Sequence[Callable[[Reading, Job, Screen], Cell]] = (_wide, _medium, _small, _smallest)


def _node(reading: NodeReading, job: Job, screen: Screen) -> Cell:
    coolest, hottest = reading.temperature_min, reading.temperature_max
    return [
        ("name", f" {hostname(job, reading.node)} "),
        (_busy(reading.utilization_min), f"{reading.utilization:3d}%"),
        ("memory", f" {_gib(reading.memory_mib):>5}GiB"),
        (_heat(hottest), f" {coolest:2d}-{hottest:2d}C"),
        ("gradient", f" {reading.power_watts / 1000:5.2f}kW "),
    ]


def _small_node(reading: NodeReading, job: Job, screen: Screen) -> Cell:
    return [span for span in _node(reading, job, screen) if span[0] in ("name", "loss", "gradient")]


NODE_CELLS: Sequence[Callable[[NodeReading, Job, Screen], Cell]] = (_node, _small_node)


def grid(event: events.Status, job: Job, screen: Screen) -> Rows:
    """The rows of the grid, as spans: every GPU of a small cluster, nodes of a large one."""
    title = f"{job.layout.gpus:,} x {job.gpu.name}"
    readings: Sequence[Any] = event.gpus or event.nodes
    kinds: Sequence[Callable[[Any, Job, Screen], Cell]] = GPU_CELLS if event.gpus else NODE_CELLS
    for make in kinds:
        rows = TALLEST if make is kinds[-1] else MOST_ROWS
        # All cells are as wide as the widest one: where the first is too wide, so are all.
        if _columns(length(make(readings[0], job, screen)), screen) * rows < len(readings):
            continue
        cells = [make(reading, job, screen) for reading in readings]
        size = max(map(length, cells))
        most = min(_columns(size, screen), len(cells))
        if most * rows < len(cells):
            continue
        columns = _evenly(len(cells), most)
        inner = columns * (size + 1) - 1
        yield _edge(inner, [title, f", {event.reason}"])
        yield from _laid_out(cells, columns, size)
        yield _edge(inner, _totals(event, job))
        return
    yield [("title", title)]
    if totals := _joined(_totals(event, job), screen.width - 1):
        yield [("number", f" {totals}")]


def _columns(size: int, screen: Screen) -> int:
    """How many cells of a size stand side by side, with bars between them."""
    return (screen.width - 1) // (size + 1)


def _evenly(cells: int, most: int) -> int:
    """A number of columns that fills all rows, if there is one: 4 columns for 8 GPUs, not 5."""
    tidy = max(count for count in range(1, most + 1) if cells % count == 0)
    return tidy if tidy * 2 > most else most


def _laid_out(cells: Sequence[Cell], columns: int, size: int) -> Rows:
    """Rows of `columns` cells, padded to `size` and divided by bars."""
    for first in range(0, len(cells), columns):
        row: list[Span] = []
        shown = cells[first : first + columns]
        for cell in shown:
            row += [("muted", "|"), *cell, ("", " " * (size - length(cell)))]
        row += [("muted", "|"), ("", " " * size)] * (columns - len(shown))
        yield [*row, ("muted", "|")]


def _totals(event: events.Status, job: Job) -> list[str]:
    """The totals and means of all GPUs, the most important first."""
    readings: Sequence[Reading | NodeReading] = event.gpus or event.nodes
    busy = sum(reading.utilization for reading in readings) / len(readings)
    power = sum(reading.power_watts for reading in readings) / 1000
    memory = max(reading.memory_mib for reading in readings)
    part = f"{len(event.nodes)} of {job.layout.nodes:,} nodes: " if event.more_nodes else ""
    return [
        f"{part}util {busy:.0f}%",
        f", {power:.2f} kW",
        f", {_gib(memory)}/{_gib(job.gpu.memory_mib)}GiB",
    ]


def _joined(parts: Sequence[str], room: int) -> str:
    text = ""
    for part in parts:
        if len(text + part) > room:
            break
        text += part
    return text


def _edge(inner: int, parts: Sequence[str]) -> list[Span]:
    """A horizontal line with as many of the parts on it as fit."""
    text = _joined(parts, inner - 4)
    text = f" {text} " if text else ""
    return [("muted", "+-"), ("title", text), ("muted", "-" * (inner - 1 - len(text)) + "+")]
