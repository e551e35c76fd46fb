"""Counters of a node's GPUs that began within the run: with a boot, or on a spare machine.

NVML counts energy, throttling and PCIe replays since the driver was loaded (nvml.h), and a boot
loads it anew. The GPUs of a spare machine were idle until it joined the run.
"""

from operator import sub

from llmsim.job.records import gpus_per_node
from llmsim.physics.hardware.gauges import Columns
from llmsim.physics.hardware.sites import replays_of
from llmsim.physics.hardware.telemetry import doing
from llmsim.run import cluster
from llmsim.run.timeline import Run, owner
from llmsim.telemetry.machines import begun
from llmsim.typed import Any

COUNTERS = (
    "energy_joules", "power_capped_seconds", "thermal_slowdown_seconds",
    "hardware_thermal_slowdown_seconds", "power_brake_slowdown_seconds", "pcie_replays",
)  # fmt: skip


def less(now: Columns, surplus: Columns, size: int) -> Columns:
    """The gauges of a node of this many GPUs, without what they count too much; GPUs that are lost
    are in `surplus` alone.
    """
    made: dict[str, list[Any]] = {**now}
    for name in COUNTERS:
        extra = surplus[name]
        if len(now["gpu"]) < size:
            extra = [extra[gpu % size] for gpu in now["gpu"]]
        made[name] = [*map(sub, now[name], extra)]
    return made


def surplus(run: Run, at: float, node: int, before: Columns) -> Columns:
    """What the GPUs of a node count too much at a moment, if they count from the run's command on
    and on the first machine. `before` is what they had counted when they began anew.
    """
    made, job = {name: before[name] for name in COUNTERS}, owner(run, at)
    joined, booted = begun(run, job, node)
    if joined is None or booted is not None:
        return made
    cards = cluster.machine(job, node) * gpus_per_node(job)
    replays = replays_of(job.seed, range(cards, cards + gpus_per_node(job)))
    made["pcie_replays"] = [*map(sub, made["pcie_replays"], replays)]
    if any(before["energy_joules"]):  # they are all 0 where nobody asks for them
        rested = [
            joined * doing(run.job, gpu, "idle").share * job.gpu.tdp_watts for gpu in before["gpu"]
        ]
        made["energy_joules"] = [*map(sub, made["energy_joules"], rested)]
    return made
