"""Counters of a node's host that began within the run: with a boot, or on a spare machine."""

from operator import sub

from llmsim.physics.hardware.host import Host
from llmsim.physics.hardware.troubles import Trouble

PROCESSORS = ("cpu_user_seconds", "cpu_system_seconds", "cpu_iowait_seconds", "cpu_idle_seconds")
BYTES = (
    "disk_written_bytes", "disk_read_bytes", "network_sent_bytes", "network_received_bytes",
    "card_sent_bytes", "card_received_bytes", "card_sent_packets", "card_received_packets",
)  # fmt: skip


def less(now: Host, before: Host, names: tuple[str, ...] = BYTES) -> Host:
    """Counters that have begun at 0 at the moment of others: with the boot, or on a new machine."""
    return now._replace(**{name: getattr(now, name) - getattr(before, name) for name in names})


def less_downs(now: Host, before: Trouble) -> Host:
    """The failures of ports since a host's boot, of which it had some before."""
    if not now.card_downs:
        return now
    downs = before.downs or (0,) * len(now.card_downs)
    return now._replace(
        card_downs=tuple(map(sub, now.card_downs, downs)),
        card_recoveries=now.card_recoveries - before.recoveries,
    )
