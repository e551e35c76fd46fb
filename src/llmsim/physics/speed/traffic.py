"""The collectives that one run issues, with their times.

The layout determines what a step moves (collectives.flows); size, ranks and links determine the
time of one call (collectives.collective: latency + bytes / bandwidth, fitted to nccl-tests).
Communication that compute does not hide is exposed, and is a part of step_time.step_seconds. Sizes
in bytes, bandwidth in GB/s (1e9), times in seconds. Source: docs/physics.md section 10.
"""

from math import exp, fsum

from llmsim.job.layout import shards_weights
from llmsim.job.microseconds import to_the_microsecond
from llmsim.job.records import Job
from llmsim.model.architecture import parameter_count
from llmsim.physics import noise
from llmsim.physics.speed import batch_ramp
from llmsim.physics.speed.collectives import (
    Operation,
    Transfer,
    collective,
    exposed_seconds,
    flows,
    sent_per_byte,
)
from llmsim.physics.speed.step_time import step_seconds
from llmsim.physics.speed.throughput import compute_seconds
from llmsim.typed import NamedTuple

__all__ = ["StepTransfer", "Transfer", "collective", "startup_broadcast", "step_transfers"]

_MOST_EXPOSED = 0.93  # of a step
_WAIT_SPREAD = 0.2  # standard deviation of log(visible share)


class StepTransfer(NamedTuple):
    """One kind of collective in one optimizer step, as one GPU sees it."""

    purpose: str  # what is sent: "weights, forward", "gradients" ...
    operation: Operation
    size: int  # bytes of each call
    calls: int
    ranks: int
    seconds: float  # seconds of all calls together
    exposed: float  # the part of `seconds` in which the GPU waited
    bus_gb_s: float  # bus bandwidth, as nccl-tests defines it


def step_transfers(job: Job, step: int) -> tuple[StepTransfer, ...]:
    """The collectives of one optimizer step; empty on a single GPU.

    Times are some per cent longer than on an idle network (nccl-tests), never shorter; what is
    visible of them varies by a fifth from flow to flow and step to step.
    """

    def luck(stream: str) -> float:
        return max(-3.0, min(3.0, noise.normal(job.seed, f"network {stream}", step)))

    compute = compute_seconds(job, step)
    layout = batch_ramp.layout_at(job, step)
    found = flows(job.architecture, job.gpu, layout, job.schedule.sequence)
    busy = 1.0 + 0.02 * abs(luck("step"))
    slower = [busy * (1.0 + 0.015 * abs(luck(f"flow {index}"))) for index in range(len(found))]
    waits = [
        exposed_seconds(flow, compute, exp(_WAIT_SPREAD * luck(f"wait {index}"))) * slower[index]
        for index, flow in enumerate(found)
    ]
    # All exposed times together are a part of the step.
    part = min(1.0, _MOST_EXPOSED * step_seconds(job, step) / max(1e-9, fsum(waits)))
    transfers = []
    for flow, slow, wait in zip(found, slower, waits, strict=True):
        seconds = flow.seconds * slow
        bus = flow.calls * flow.size * sent_per_byte(flow.operation, flow.ranks) / seconds / 1e9
        transfers.append(
            StepTransfer(
                flow.purpose, flow.operation, flow.size, flow.calls, flow.ranks,
                to_the_microsecond(seconds), to_the_microsecond(wait * part), round(bus, 2),
            )
        )  # fmt: skip
    return tuple(transfers)


def startup_broadcast(job: Job) -> Transfer:
    """The broadcast of rank 0 to all ranks before the first step.

    The bf16 weights where each rank has a copy (DDP, ZeRO-1, ZeRO-2); otherwise the buffers
    that are not sharded: cosine and sine tables of the rotary embedding, fp32.
    """
    config, layout = job.architecture, job.layout
    if not shards_weights(layout):
        size = 2 * parameter_count(config) // (layout.tp * layout.pp)
    else:
        size = 2 * 4 * job.schedule.sequence * config.head_dim
    return collective(job.gpu, "broadcast", size, layout.gpus, layout.gpus // layout.nodes)
