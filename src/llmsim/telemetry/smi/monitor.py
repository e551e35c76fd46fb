"""dmon and pmon: rows that scroll, one a GPU or a process at each look."""

from collections.abc import Callable, Sequence

from llmsim.errors import NvidiaSmiError
from llmsim.physics.hardware.gauges import Gauges
from llmsim.telemetry.smi import node as of
from llmsim.telemetry.smi.node import Node
from llmsim.typed import NamedTuple

HEAD_EVERY = 20  # looks after which dmon says its columns again
METRICS = "puc"  # what dmon shows unless -s asks for others
PMON_HEAD = (
    "# gpu         pid   type     sm    mem    enc    dec    jpg    ofa    command \n"
    "# Idx           #    C/G      %      %      %      %      %      %    name \n"
)


class Column(NamedTuple):
    """A column of dmon."""

    name: str
    unit: str
    value: Callable[[Gauges], object]


# By the letters of -s: power and temperature, utilization, clocks, violations, memory, errors and
# PCIe's throughput.
COLUMNS: dict[str, tuple[Column, ...]] = {
    "p": (
        Column("pwr", "W", lambda each: round(each.power_watts)),
        Column("gtemp", "C", lambda each: each.temperature_c),
        Column("mtemp", "C", lambda each: each.memory_temperature_c or "-"),
    ),
    "u": (
        Column("sm", "%", lambda each: each.utilization_percent),
        Column("mem", "%", lambda each: each.memory_utilization_percent),
        *(Column(name, "%", lambda _each: 0) for name in ("enc", "dec", "jpg", "ofa")),
    ),
    "c": (
        Column("mclk", "MHz", lambda each: each.memory_clock_mhz),
        Column("pclk", "MHz", lambda each: each.sm_clock_mhz),
    ),
    "v": (
        Column("pviol", "%", lambda each: 100 * bool(each.clock_event_reasons & 0x4)),
        Column("tviol", "bool", lambda each: int(bool(each.clock_event_reasons & 0x60))),
    ),
    "m": (
        Column("fb", "MB", lambda each: each.used_mib),
        Column("bar1", "MB", lambda each: each.used_mib + 1),
        Column("ccpm", "MB", lambda _each: 0),
    ),
    "e": (
        Column("sbecc", "errs", lambda each: each.correctable_errors),
        Column("dbecc", "errs", lambda each: each.uncorrectable_errors),
        Column("pci", "errs", lambda each: each.pcie_replays),
    ),
    "t": (
        Column("rxpci", "MB/s", lambda each: each.pcie_received_bytes_per_second // 1_000_000),
        Column("txpci", "MB/s", lambda each: each.pcie_sent_bytes_per_second // 1_000_000),
    ),
}


def columns(letters: str) -> tuple[Column, ...]:
    """dmon's columns for the letters of -s. Raises NvidiaSmiError for a letter that is none."""
    for letter in letters:
        if letter not in COLUMNS:
            raise NvidiaSmiError(
                f"dmon -s knows the letters {''.join(COLUMNS)}, and not {letter!r}."
            )
    return tuple(column for letter in letters for column in COLUMNS[letter])


def dmon_head(shown: Sequence[Column]) -> str:
    """The two lines above dmon's rows."""
    names = "".join(f"{column.name:>7}" for column in shown)
    units = "".join(f"{column.unit:>7}" for column in shown)
    return f"# gpu{names} \n# Idx{units} \n"


def dmon(node: Node, shown: Sequence[Column], chosen: Sequence[Gauges]) -> str:
    """The chosen GPUs of a node, a row each."""
    return "".join(
        f"{of.local(node, each):5}"
        + "".join(f"{column.value(each):>7}" for column in shown)
        + " \n"
        for each in chosen
    )


def pmon(node: Node, chosen: Sequence[Gauges]) -> str:
    """The processes on the chosen GPUs of a node, a row each; a GPU without one has a row of
    dashes.
    """
    running = {each.gpu: each for each in of.processes(node)}
    rows = []
    for gauges in chosen:
        number = of.local(node, gauges)
        process = running.get(number)
        cells = ("-",) * 6 + ("-",)
        if process:
            used = (str(gauges.utilization_percent), str(gauges.memory_utilization_percent))
            cells = (*used, "-", "-", "-", "-", process.name.rpartition("/")[2])
        pid, kind = (process.pid, "C") if process else ("-", "-")
        shown = "".join(f"{cell:>7}" for cell in cells[:6])
        rows.append(f"{number:5} {pid:>10} {kind:>5}{shown}    {cells[6]:<15}\n")
    return "".join(rows)


def stamped(head: str, rows: str, ticks: str, stamps: str) -> str:
    """The lines of dmon or pmon with -o: D puts a date before each row, T a time, and D is first.

    A public capture of driver 535 has `#Date       Time        gpu     fb`, below it
    `#YYYYMMDD   HH:MM:SS    Idx     MB`, and rows as ` 20240104   13:54:35      0    239`.
    """
    date, _, time = ticks.partition(" ")
    columns = {
        "D": (f"{'Date':<11}", f"{'YYYYMMDD':<11}", f"{date.replace('/', ''):<11}"),
        "T": (f"{'Time':<12}", f"{'HH:MM:SS':<12}", f"{time[:8]:<12}"),
    }
    shown = [cells for letter, cells in columns.items() if letter in stamps]
    name, unit, now = ("".join(each) for each in zip(*shown, strict=True))
    # Later looks have no head.
    heads = [
        f"#{mark}{line[2:]}\n" for mark, line in zip((name, unit), head.splitlines(), strict=False)
    ]
    return "".join((*heads, *(f" {now}{row[2:]}\n" for row in rows.splitlines())))
