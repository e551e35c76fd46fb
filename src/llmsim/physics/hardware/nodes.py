"""The gauges of one node's GPUs together: what a table of a large cluster has room for."""

from collections.abc import Sequence
from math import fsum

from llmsim.physics.hardware.telemetry import Reading
from llmsim.typed import NamedTuple


class NodeReading(NamedTuple):
    """The gauges of one node: its GPUs together."""

    node: int
    gpus: int
    utilization: int  # mean utilization, per cent
    utilization_min: int
    memory_mib: int  # memory in use on the fullest GPU, MiB
    temperature_c: int  # mean temperature, degrees Celsius
    temperature_min: int
    temperature_max: int
    power_watts: int  # power of all GPUs together, watts
    sm_clock_mhz: int  # mean clock of the SMs, MHz
    link_gb_s: float  # mean of what a GPU sends, GB/s


def node_summary(node: int, readings: Sequence[Reading]) -> NodeReading:
    """The gauges of a node, counted from 0, made of the gauges of its GPUs."""
    count = len(readings)
    utilizations = [each.utilization for each in readings]
    temperatures = [each.temperature_c for each in readings]
    return NodeReading(
        node=node,
        gpus=count,
        utilization=round(sum(utilizations) / count),
        utilization_min=min(utilizations),
        memory_mib=max(each.memory_mib for each in readings),
        temperature_c=round(sum(temperatures) / count),
        temperature_min=min(temperatures),
        temperature_max=max(temperatures),
        power_watts=sum(each.power_watts for each in readings),
        sm_clock_mhz=round(sum(each.sm_clock_mhz for each in readings) / count),
        link_gb_s=round(fsum(each.link_gb_s for each in readings) / count, 1),
    )
