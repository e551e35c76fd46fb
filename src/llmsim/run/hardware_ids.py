"""What identifies a card, and the odd words of hardware registers that error lines are full of.

Each is a pure function of the job and a node or rank, drawn from a stream of its own. All nodes
of a cluster share their eight PCI addresses; UUIDs and serial numbers differ from card to card.
"""

from llmsim.catalog import gpus
from llmsim.job.records import Job, gpus_per_node
from llmsim.physics import noise
from llmsim.run import cluster


def gpu_uuid(job: Job, rank: int) -> str:
    """The UUID of a rank's card as nvidia-smi -L prints it: GPU-5f0c2a7e-....

    It is the same in each attempt, unless a spare machine has taken the node's place.
    """
    card = cluster.card(job, rank)
    digits = f"{noise.bits(job.seed, 'gpu uuid', 2 * card):016x}"
    digits += f"{noise.bits(job.seed, 'gpu uuid', 2 * card + 1):016x}"
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return "GPU-" + "-".join(parts)


def gpu_serial(job: Job, rank: int) -> str:
    """A board's serial number: 13 digits that begin with year and week of its make; empty where the
    board has none.
    """
    if not gpus.has_serial(job.gpu):
        return ""
    card = cluster.card(job, rank)
    made = noise.integer(job.seed, "gpu serial made", 23, 25, card)
    week = noise.integer(job.seed, "gpu serial week", 1, 52, card)
    return f"1{made:02d}{week:02d}{noise.integer(job.seed, 'gpu serial', 0, 99_999_999, card):08d}"


def pci(job: Job, rank: int) -> str:
    """Where a rank's GPU is, as the driver's error lines write it: 0000:8d:00, no function."""
    domain, bus, slot = cluster.bus_address(job, rank % gpus_per_node(job)).lower().split(":")
    return f"{domain[-4:]}:{bus}:{slot.partition('.')[0]}"


def register(job: Job, name: str, index: int = 0, digits: int = 8) -> str:
    """A word of a register or an address, as hexadecimal digits without 0x."""
    return f"{noise.bits(job.seed, f'register/{name}', index):016x}"[:digits]


def boot_seconds(job: Job, node: int) -> float:
    """How long a node had been up when the run began: hours to weeks."""
    place = cluster.machine(job, node)
    return noise.between(job.seed, "node boot", 9_000.0, 1_900_000.0, place)


def uptime(job: Job, node: int, at: float) -> float:
    """Seconds since the boot of a node's machine, at a simulated second of the run."""
    for booted, when in job.boots:
        if booted == node:
            return at - when
    return boot_seconds(job, node) + at


def slurm_job(job: Job) -> int:
    """The number of the job in Slurm's queue, the same after each requeue."""
    return noise.integer(job.seed, "slurm job", 4_200, 1_900_000)
