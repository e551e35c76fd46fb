"""What nvidia-smi writes for a node's GPUs: --query-gpu as CSV, and dmon.

A folder with a file of each for every node: query-gpu-NODE.csv and dmon-NODE.txt. Formats are
taken from driver 590's captures (utkuozdemir/nvidia_gpu_exporter, internal/captures).
"""

from llmsim.job.records import Job, gpus_per_node
from llmsim.physics.hardware.gauges import Gauges
from llmsim.run import cluster, hardware_ids
from llmsim.run.timeline import Run
from llmsim.telemetry.gpu_rows import expect_nvidia
from llmsim.telemetry.samples import MOST_GPUS, sample
from llmsim.telemetry.writer import Piece, Pieces, Settings, Writer
from llmsim.text.units import stamp

QUERY = (
    "timestamp, index, name, uuid, pci.bus_id, driver_version, pstate, temperature.gpu, "
    "temperature.memory, power.draw [W], power.limit [W], utilization.gpu [%], "
    "utilization.memory [%], memory.total [MiB], memory.reserved [MiB], memory.used [MiB], "
    "memory.free [MiB], clocks.current.sm [MHz], clocks.current.memory [MHz], "
    "clocks_event_reasons.active\n"
)
DMON = (
    "# gpu    pwr  gtemp  mtemp     sm    mem    enc    dec    jpg    ofa   mclk   pclk \n"
    "# Idx      W      C      C      %      %      %      %      %      %    MHz    MHz \n"
)
HEAD_EVERY = 20  # samples after which dmon says its columns again


def query_row(job: Job, at: float, gauges: Gauges) -> str:
    """A GPU as a row of the query."""
    time = f"{stamp(job.start, at):%Y/%m/%d %H:%M:%S.%f}"[:-3]
    local = gauges.gpu % gpus_per_node(job)
    memory = gauges.memory_temperature_c or "N/A"
    cells = (
        time, local, job.gpu.name, hardware_ids.gpu_uuid(job, gauges.gpu),
        cluster.bus_address(job, local), job.software.driver, f"P{gauges.performance_state}",
        gauges.temperature_c, memory, f"{gauges.power_watts:.2f} W",
        f"{job.gpu.tdp_watts:.2f} W", f"{gauges.utilization_percent} %",
        f"{gauges.memory_utilization_percent} %", f"{gauges.total_mib} MiB",
        f"{gauges.reserved_mib} MiB", f"{gauges.used_mib} MiB", f"{gauges.free_mib} MiB",
        f"{gauges.sm_clock_mhz} MHz", f"{gauges.memory_clock_mhz} MHz",
        f"0x{gauges.clock_event_reasons:016X}",
    )  # fmt: skip
    return ", ".join(map(str, cells)) + "\n"


def dmon_row(job: Job, gauges: Gauges) -> str:
    """A GPU as a row of dmon."""
    cells = (
        round(gauges.power_watts), gauges.temperature_c, gauges.memory_temperature_c or "-",
        gauges.utilization_percent, gauges.memory_utilization_percent, 0, 0, 0, 0,
        gauges.memory_clock_mhz, gauges.sm_clock_mhz,
    )  # fmt: skip
    return f"{gauges.gpu % gpus_per_node(job):5}" + "".join(f"{cell:>7}" for cell in cells) + " \n"


def begin(run: Run, settings: Settings) -> Writer:  # noqa: ARG001  # every kind begins alike
    """A writer of two files a node."""
    job = run.job
    expect_nvidia(job, "nvsmi")
    count = [0]

    def taken(at: float) -> Pieces:
        seen, size = sample(run, at).gpus, gpus_per_node(job)
        for node in range(-(-min(job.layout.gpus, MOST_GPUS) // size)):
            these = tuple(each for each in seen if each.gpu // size == node)
            host = cluster.hostname(job, node)
            head = QUERY if count[0] == 0 else ""
            rows = "".join(query_row(job, at, each) for each in these)
            yield Piece(head + rows, f"query-gpu-{host}.csv")
            head = DMON if count[0] % HEAD_EVERY == 0 else ""
            rows = "".join(dmon_row(job, each) for each in these)
            yield Piece(head + rows, f"dmon-{host}.txt")
        count[0] += 1

    return Writer(sample=taken)
