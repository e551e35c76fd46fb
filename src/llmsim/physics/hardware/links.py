"""What GPUs send and receive over PCIe and NVLink at a moment.

PCIe carries what the network cards and the host take and bring, and saves; NVLink what the layout's
collectives send inside the node. gauges.py has the anchors.
"""

from math import fsum

from llmsim.catalog import gpus
from llmsim.job.memo import remembered
from llmsim.job.records import Job, gpus_per_node
from llmsim.physics import noise
from llmsim.physics.hardware import storage
from llmsim.physics.hardware.telemetry import Latent
from llmsim.physics.speed.collectives import flows, sent_per_byte
from llmsim.physics.speed.step_time import step_seconds

_STEP = 2.0 / 0xFFFF
_PCIE_IDLE = 3.0e6  # B/s
# B/s that a training process gets from its host, batches and kernels' arguments, and how far that
# wavers from one second to the next; and the same of what it sends.
_PCIE_HOST, _PCIE_HOST_WAVERS = 5.4e8, 0.8
_PCIE_BACK, _PCIE_BACK_WAVERS = 4.9e7, 0.6
# How far the links' traffic wavers from one look to the next: 12 to 25 GB/s in four looks at a
# training, while its GPUs differ by 1 % (KempnerInstitute/kempnerpulse, issues 10 and 11).
_NVLINK_WAVERS = 0.5

Rates = list[tuple[int, int]]  # bytes per second of each GPU, sent and received


@remembered()
def network_bytes_per_second(job: Job) -> float:
    """What one GPU's network card sends while training, B/s; rings carry it, a part each."""
    per_node = gpus_per_node(job) * gpus.linked_nodes(job.gpu)
    sent = fsum(
        flow.calls * flow.size * sent_per_byte(flow.operation, flow.ranks) / flow.ranks_per_node
        for flow in flows(job.architecture, job.gpu, job.layout, job.schedule.sequence)
        if flow.ranks > min(per_node, flow.ranks_per_node)
    )
    return min(job.gpu.nic_gb_s * 1e9, sent / step_seconds(job))


def _wavering(job: Job, stream: str, first: int, count: int, at: float) -> tuple[list[int], ...]:
    """Four numbers from 0 to 0xFFFF of each GPU that are others in each second, as four lists:
    rates between two looks waver.
    """
    return noise.quarters(job.seed, stream, int(at) * 1_000_003 + first, count)


@remembered()
def _link(job: Job) -> tuple[float, bool]:
    """The most bytes per second over PCIe, and whether GPUs have a faster link beside it."""
    limit = (32 if gpus.generation(job.gpu) == "Ampere" else 64) * 1e9
    return limit, gpus.has_fast_link(job.gpu)


def pcie(job: Job, ranks: range, at: float, states: list[Latent], busy: float) -> Rates:
    """Bytes per second over the GPUs' PCIe links."""
    made, activity, (limit, fast) = Rates(), states[0].activity, _link(job)
    beside, saved = 0.0, 0.0
    network = network_bytes_per_second(job) * busy
    if activity == "checkpoint":
        seconds = storage.save_seconds(job, job.schedule.save_every)
        saved = storage.checkpoint_bytes(job) / job.layout.gpus / seconds
    drawn = _wavering(job, "gauge pcie", ranks.start, len(ranks), at)
    for idle, back, host, cards, state in zip(*drawn, states, strict=True):
        sent = received = _PCIE_IDLE * (1.0 + 0.9 * (idle * _STEP - 1.0))
        if busy:
            if not fast:
                beside = state.link_gb_s * 1e9
            carried = network * (1.0 + 0.3 * (cards * _STEP - 1.0))
            sent += carried + _PCIE_BACK * (1.0 + _PCIE_BACK_WAVERS * (back * _STEP - 1.0)) + beside
            received += (
                carried + _PCIE_HOST * (1.0 + _PCIE_HOST_WAVERS * (host * _STEP - 1.0)) + beside
            )
        elif activity == "loading":
            received += 1.2e9 * (1.0 + 0.5 * (host * _STEP - 1.0))
        made.append((int(min(sent + saved, limit)), int(min(received, limit))))
    return made


@remembered(2)
def _rhythm(job: Job, second: int) -> float:
    """The factor of the links' traffic in a second: all ranks move together."""
    drawn = noise.bits(job.seed, "gauge nvlink rhythm", second * 1_000_003) & 0xFFFF
    return 1.0 + _NVLINK_WAVERS * (drawn * _STEP - 1.0)


def nvlink(job: Job, ranks: range, at: float, states: list[Latent]) -> Rates:
    """Bytes per second over the GPUs' NVLinks."""
    if not states[0].link_gb_s or not _link(job)[1]:
        return [(0, 0)] * len(ranks)
    moved, made = _rhythm(job, int(at)), []
    sent, received, *_ = _wavering(job, "gauge nvlink", ranks.start, len(ranks), at)
    for out, back, state in zip(sent, received, states, strict=True):
        rate = state.link_gb_s * 1e9 * moved
        made.append((
            int(rate * (1.0 + 0.01 * (out * _STEP - 1.0))),
            int(rate * (1.0 + 0.01 * (back * _STEP - 1.0))),
        ))  # fmt: skip
    return made
