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
from llmsim.physics.hardware.activities import STEP
from llmsim.physics.hardware.telemetry import Latents
from llmsim.physics.speed.collectives import flows, sent_per_byte
from llmsim.physics.speed.step_time import step_seconds

PCIE_IDLE = 3.0e6  # B/s
# B/s that a training process gets from its host, batches and kernels' arguments, and how far that
# wavers from one second to the next; and the same of what it sends.
PCIE_HOST, PCIE_HOST_WAVERS = 5.4e8, 0.8
PCIE_BACK, PCIE_BACK_WAVERS = 4.9e7, 0.6
PCIE_LOADING = 1.2e9  # B/s that a GPU gets while the model is loaded
# How far the links' traffic wavers from one look to the next: 12 to 25 GB/s in four looks at a
# training, while its GPUs differ by 1 % (KempnerInstitute/kempnerpulse, issues 10 and 11).
_NVLINK_WAVERS = 0.5

Rates = tuple[list[int], list[int]]  # bytes per second of each GPU, sent and received


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
def link(job: Job) -> tuple[float, bool]:
    """The most bytes per second over PCIe, and whether GPUs have a faster link beside it."""
    limit = (32 if gpus.generation(job.gpu) == "Ampere" else 64) * 1e9
    return limit, gpus.has_fast_link(job.gpu)


def pcie(job: Job, ranks: range, at: float, states: Latents, busy: float) -> Rates:
    """Bytes per second over the GPUs' PCIe links."""
    activity, (limit, fast) = states.activity, link(job)
    idle, back, host, cards = _wavering(job, "gauge pcie", ranks.start, len(ranks), at)
    sent = [PCIE_IDLE * (1.0 + 0.9 * (each * STEP - 1.0)) for each in idle]
    received = sent
    if busy:
        network = network_bytes_per_second(job) * busy
        beside = [0.0 if fast else each * 1e9 for each in states.link_gb_s]
        carried = [
            before + network * (1.0 + 0.3 * (each * STEP - 1.0)) + more
            for before, each, more in zip(sent, cards, beside, strict=True)
        ]
        sent = _with(carried, PCIE_BACK, PCIE_BACK_WAVERS, back)
        received = _with(carried, PCIE_HOST, PCIE_HOST_WAVERS, host)
    elif activity == "loading":
        received = _with(sent, PCIE_LOADING, 0.5, host)
    elif activity == "checkpoint":
        saved = saved_bytes_per_second(job)
        sent = [each + saved for each in sent]
    return [int(min(each, limit)) for each in sent], [int(min(each, limit)) for each in received]


def _with(rates: list[float], usual: float, wavers: float, drawn: list[int]) -> list[float]:
    """Rates, and for each GPU one more that wavers around a usual one."""
    return [
        rate + usual * (1.0 + wavers * (each * STEP - 1.0))
        for rate, each in zip(rates, drawn, strict=True)
    ]


@remembered()
def saved_bytes_per_second(job: Job) -> float:
    """What a GPU sends to its host while its part of a checkpoint is written, B/s."""
    seconds = storage.save_seconds(job, job.schedule.save_every)
    return storage.checkpoint_bytes(job) / job.layout.gpus / seconds


@remembered(2)
def rhythm(job: Job, second: int) -> float:
    """The factor of the links' traffic in a second: all ranks move together."""
    drawn = noise.bits(job.seed, "gauge nvlink rhythm", second * 1_000_003) & 0xFFFF
    return 1.0 + _NVLINK_WAVERS * (drawn * STEP - 1.0)


def nvlink(job: Job, ranks: range, at: float, states: Latents) -> Rates:
    """Bytes per second over the GPUs' NVLinks."""
    if not states.link_gb_s[0] or not link(job)[1]:
        return [0] * len(ranks), [0] * len(ranks)
    moved = rhythm(job, int(at))
    out, back, *_ = _wavering(job, "gauge nvlink", ranks.start, len(ranks), at)
    rates = [each * 1e9 * moved for each in states.link_gb_s]
    return _moved(rates, out), _moved(rates, back)


def _moved(rates: list[float], drawn: list[int]) -> list[int]:
    return [
        int(rate * (1.0 + 0.01 * (each * STEP - 1.0)))
        for rate, each in zip(rates, drawn, strict=True)
    ]
