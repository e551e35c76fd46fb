"""What node_exporter counts on one node: cores, memory, disks, and the InfiniBand cards.

Counters are rates times the seconds that the node has spent in each activity, so that they never
go back; a node counts from its boot, as real ones do.
"""

from math import fsum

from llmsim.job.records import Job, gpus_per_node
from llmsim.physics import noise
from llmsim.physics.hardware import storage
from llmsim.physics.hardware.gauges import Seconds
from llmsim.physics.hardware.links import network_bytes_per_second
from llmsim.physics.hardware.telemetry import Activity
from llmsim.physics.hardware.troubles import CALM, Trouble
from llmsim.typed import NamedTuple

CORES = 192  # two sockets of 96
# Cores that a rank keeps busy, by activity: its own thread and its data loader's.
_CORES_BUSY: dict[Activity, float] = {
    "idle": 0.0, "starting": 1.0, "loading": 6.0, "training": 1.6, "validation": 1.6,
    "checkpoint": 1.2, "export": 1.0, "hang": 1.6, "stalled": 0.3,
}  # fmt: skip
_WAITING = 0.004  # share of the cores that waits for the disk, in saves
_PACKET = 4096 + 66  # bytes of an InfiniBand packet with its heads


class Host(NamedTuple):
    """What node_exporter shows of a node. Counters are since the run's command, or a later boot."""

    node: int
    cpu_user_seconds: float  # of all cores together
    cpu_system_seconds: float
    cpu_iowait_seconds: float
    cpu_idle_seconds: float
    load1: float
    disk_written_bytes: int
    disk_read_bytes: int
    network_sent_bytes: int  # over Ethernet
    network_received_bytes: int
    card_sent_bytes: int  # of each InfiniBand card
    card_received_bytes: int
    card_sent_packets: int
    card_received_packets: int
    card_link_up: bool
    card_down: int  # the number of the card whose port is down; -1: none is
    card_downs: tuple[int, ...]  # how often each card's port has been down; () is never
    card_recoveries: int  # of all ports
    stuck_tasks: int  # in state D
    memory_leak_share: float  # of the free memory, taken up by a process that leaks
    disk_full_share: float  # of the free space, taken up by checkpoints


def _rate(activity: Activity, training: float) -> float:
    """Bytes per second of a card: `training` while training, nine tenths in a validation."""
    return training * {"training": 1.0, "validation": 0.9}.get(activity, 0.0)


def host(
    job: Job,
    node: int,
    activity: Activity,
    spent: tuple[Seconds, ...],
    trouble: Trouble = CALM,
) -> Host:
    """One node whose GPUs are in an activity and have spent these seconds in all of them."""
    ranks, uptime = gpus_per_node(job), fsum([each.seconds for each in spent])
    own = 0.97 + 0.06 * noise.uniform(job.seed, "host", node)
    busy = own * fsum([each.seconds * _CORES_BUSY[each.activity] for each in spent]) * ranks
    saving = fsum([each.seconds for each in spent if each.activity == "checkpoint"])
    waiting = saving * CORES * _WAITING
    network = network_bytes_per_second(job)
    sent = own * fsum([each.worked * _rate(each.activity, network) for each in spent])
    written = storage.checkpoint_bytes(job) / job.layout.nodes
    written *= saving / storage.save_seconds(job, job.schedule.save_every)
    user, system = 0.86 * busy, 0.14 * busy + 0.3 * uptime
    return Host(
        node=node,
        cpu_user_seconds=user,
        cpu_system_seconds=system,
        cpu_iowait_seconds=waiting,
        cpu_idle_seconds=CORES * uptime - user - system - waiting,
        load1=round(0.4 + own * ranks * _CORES_BUSY[activity], 2),
        disk_written_bytes=int(written + 2.0e5 * uptime),
        disk_read_bytes=int(3.0e6 * busy),
        network_sent_bytes=int(4.0e4 * uptime + written),
        network_received_bytes=int(6.0e4 * uptime + 3.0e6 * busy),
        card_sent_bytes=int(sent),
        card_received_bytes=int(sent * 1.001),
        card_sent_packets=int(sent / _PACKET),
        card_received_packets=int(sent * 1.001 / _PACKET),
        card_link_up=trouble.down < 0,
        card_down=trouble.down,
        card_downs=trouble.downs,
        card_recoveries=trouble.recoveries,
        stuck_tasks=trouble.stuck_tasks,
        memory_leak_share=round(trouble.memory_share, 6),
        disk_full_share=round(trouble.disk_share, 6),
    )
