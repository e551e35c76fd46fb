"""node_exporter's page of one node: InfiniBand's counters, processors, memory, disks and uname.

Names, types and help texts are from prometheus/node_exporter, collector/infiniband_linux.go
and its neighbours; only the families that dashboards of GPU clusters join are there.
"""

from collections.abc import Collection
from functools import partial
from math import floor

from llmsim.job.records import Job
from llmsim.physics.hardware.host import CORES, Host
from llmsim.physics.hardware.troubles import CALM
from llmsim.run import cluster, hardware_ids
from llmsim.run.complaints import troubles
from llmsim.run.timeline import Run, owner
from llmsim.telemetry.clock import Clock, unix
from llmsim.telemetry.exposition import Family, text
from llmsim.telemetry.hosts import less, less_downs
from llmsim.telemetry.machines import begun
from llmsim.telemetry.samples import counted_at, host_of, tick_of

PORT = 9100
_GIB = 2**30
_KERNEL = "5.15.0-1078-nvidia"
_DISK = 14 * 2**40  # bytes of a node's own NVMe drives
_LINK_UP, _ACTIVE = 5, 4  # of a port: its physical state, its state
_CARD = (
    ("port_data_received_bytes_total", "Number of data octets received on all links"),
    ("port_data_transmitted_bytes_total", "Number of data octets transmitted on all links"),
    ("port_packets_received_total", ("Number of packets received on all VLs by this port "
     "(including errors)")),
    ("port_packets_transmitted_total", ("Number of packets transmitted on all VLs from this port "
     "(including errors)")),
)  # fmt: skip
_QUIET = (
    ("link_downed_total",
     "Number of times the link failed to recover from an error state and went down"),
    ("link_error_recovery_total",
     "Number of times the link successfully recovered from an error state"),
    ("port_errors_received_total",
     "Number of packets containing an error that were received on this port"),
    ("port_discards_received_total",
     "Number of inbound packets discarded by the port because the port is down or congested"),
    ("port_discards_transmitted_total",
     "Number of outbound packets discarded by the port because the port is down or congested"),
    ("port_transmit_wait_total",
     ("Number of ticks during which the port had data to transmit but no data was sent during the "
     "entire tick")),
)  # fmt: skip


def page(run: Run, node: int, at: float, clock: Clock | None = None) -> str:
    """The page of a node, counted from 0, at a simulated second; `clock` as in trainer_page."""
    return text(families(run, node, at, clock=clock))


def families(
    run: Run,
    node: int,
    at: float,
    only: Collection[str] | None = None,
    clock: Clock | None = None,
) -> list[Family]:
    """The families of a node at a moment, or the ones that are named; a dead node has none."""
    tick = tick_of(run, max(0.0, at))
    seen = host_of(run, tick, node)
    if seen is None:
        return []
    job = owner(run, at)
    shown = clock or partial(unix, job)
    joined, booted = begun(run, job, node)
    whole, since = seen, joined if booted is None else booted
    written = seen.disk_written_bytes
    if joined is not None:  # a spare's disk has what was written since
        written -= counted_at(run, joined, node).disk_written_bytes
    if since is not None:
        seen = less(seen, counted_at(run, since, node))
    if booted is not None:
        seen = less_downs(seen, troubles(run, booted).get(node, CALM))
    machine = _machine(job, node, seen, written)
    if only is None or "node_cpu_seconds_total" in only:
        machine.insert(1, _processors(run, job, whole, at, since, clock))
    found = [*machine, *_clocks(job, node, at, shown), *_cards(run.job, seen)]
    return [family for family in found if only is None or family.name in only]


def _clocks(job: Job, node: int, at: float, clock: Clock) -> list[Family]:
    """The time of the scrape, which NTP holds on all machines, and the time of the node's boot.

    Before the run's command a second is a real one, whatever the speed of the show.
    """
    booted = at - hardware_ids.uptime(job, node, at)
    return [
        Family("node_time_seconds", "gauge",
               "System time in seconds since epoch (1970).", (((), clock(at)),)),
        Family("node_boot_time_seconds", "gauge", "Node boot time, in unixtime.",
               (((), floor(clock(max(0.0, booted)) + min(0.0, booted))),)),
    ]  # fmt: skip


_MODES = ("idle", "iowait", "system", "user")


def _processors(
    run: Run, job: Job, whole: Host, at: float, since: float | None, clock: Clock | None
) -> Family:
    """The seconds of each processor since the node's boot, in the scraper's clock; before the run's
    command, and before it joined the run, it was idle.
    """
    node = whole.node
    now = counted_at(run, at, node, clock) if clock else whole
    seconds = [getattr(now, f"cpu_{mode}_seconds") for mode in _MODES]
    if since is not None:
        before = counted_at(run, since, node, clock)
        seconds = [
            here - getattr(before, f"cpu_{mode}_seconds")
            for mode, here in zip(_MODES, seconds, strict=True)
        ]
    if since is None or not any(each == node for each, _ in job.boots):
        joined = since or 0.0
        rested = clock(joined) - clock(0.0) if clock else joined
        seconds[0] += CORES * (hardware_ids.boot_seconds(job, node) + rested)
    shown = [(mode, round(each / CORES, 2)) for mode, each in zip(_MODES, seconds, strict=True)]
    return Family(
        "node_cpu_seconds_total",
        "counter",
        "Seconds the CPUs spent in each mode.",
        tuple(
            ((("cpu", str(core)), ("mode", mode)), each)
            for core in range(CORES)
            for mode, each in shown
        ),
    )


def _machine(job: Job, node: int, seen: Host, on_disk: int) -> list[Family]:
    total = cluster.host_memory(job) * _GIB
    used = cluster.host_memory_used(job, 0) * _GIB
    used += seen.memory_leak_share * (total - used)
    uname = (
        ("domainname", "(none)"), ("machine", "x86_64"),
        ("nodename", cluster.hostname(job, node)), ("release", _KERNEL), ("sysname", "Linux"),
        ("version", "#79-Ubuntu SMP"),
    )  # fmt: skip
    disk = (("device", "/dev/nvme0n1p1"), ("fstype", "ext4"), ("mountpoint", "/"))
    written, read = seen.disk_written_bytes, seen.disk_read_bytes
    device, net = (("device", "nvme0n1"),), (("device", cluster.interface(job)),)
    return [
        Family("node_uname_info", "gauge",
               "Labeled system information as provided by the uname system call.",
               ((uname, 1),)),
        Family("node_load1", "gauge", "1m load average.", (((), seen.load1),)),
        Family("node_load5", "gauge", "5m load average.", (((), seen.load1),)),
        Family("node_load15", "gauge", "15m load average.", (((), seen.load1),)),
        Family("node_memory_MemTotal_bytes", "gauge", "Memory information field MemTotal_bytes.",
               (((), total),)),
        Family("node_memory_MemAvailable_bytes", "gauge",
               "Memory information field MemAvailable_bytes.", (((), round(total - used)),)),
        Family("node_memory_MemFree_bytes", "gauge", "Memory information field MemFree_bytes.",
               (((), round(0.6 * (total - used))),)),
        Family("node_memory_Buffers_bytes", "gauge", "Memory information field Buffers_bytes.",
               (((), round(0.02 * (total - used))),)),
        Family("node_memory_Cached_bytes", "gauge", "Memory information field Cached_bytes.",
               (((), round(0.38 * (total - used))),)),
        Family("node_filesystem_size_bytes", "gauge", "Filesystem size in bytes.",
               ((disk, _DISK),)),
        Family("node_filesystem_avail_bytes", "gauge",
               "Filesystem space available to non-root users in bytes.",
               ((disk, round(max(0, _DISK - 2**40 - on_disk // 4)
                             * (1.0 - seen.disk_full_share))),)),
        Family("node_procs_blocked", "gauge",
               "Number of processes blocked waiting for I/O to complete.",
               (((), seen.stuck_tasks),)),
        Family("node_disk_read_bytes_total", "counter",
               "The total number of bytes read successfully.", ((device, read),)),
        Family("node_disk_written_bytes_total", "counter",
               "The total number of bytes written successfully.", ((device, written),)),
        Family("node_network_receive_bytes_total", "counter",
               "Network device statistic receive_bytes.",
               ((net, seen.network_received_bytes),)),
        Family("node_network_transmit_bytes_total", "counter",
               "Network device statistic transmit_bytes.", ((net, seen.network_sent_bytes),)),
    ]  # fmt: skip


def _cards(job: Job, seen: Host) -> list[Family]:
    """InfiniBand's families; none on a network without RDMA."""
    if not cluster.has_rdma(job):
        return []
    places = [(("device", card), ("port", "1")) for card in cluster.cards(job)]
    values = (seen.card_received_bytes, seen.card_sent_bytes, seen.card_received_packets,
              seen.card_sent_packets)  # fmt: skip
    found = [
        Family(f"node_infiniband_{name}", "counter", text, tuple((at, value) for at in places))
        for (name, text), value in zip(_CARD, values, strict=True)
    ]
    downs = seen.card_downs or (0,) * len(places)
    counted = {"link_downed_total": downs}
    counted["link_error_recovery_total"] = tuple(min(seen.card_recoveries, n) for n in downs)
    found += [
        Family(
            f"node_infiniband_{name}",
            "counter",
            text,
            tuple(zip(places, counted.get(name, (0,) * len(places)), strict=True)),
        )
        for name, text in _QUIET
    ]
    up = [number != seen.card_down for number in range(len(places))]
    states = (
        ("state_id", ("State of the InfiniBand port (0: no change, 1: down, 2: init, 3: armed, "
         "4: active, 5: act defer)"), [_ACTIVE if each else 1 for each in up]),
        ("physical_state_id", ("Physical state of the InfiniBand port (0: no change, 1: sleep, "
         "2: polling, 3: disable, 4: shift, 5: link up, 6: link error recover, 7: phytest)"),
         [_LINK_UP if each else 3 for each in up]),
        ("rate_bytes_per_second", "Maximum signal transfer rate",
         [job.gpu.nic_gb_s * 1e9] * len(places)),
    )  # fmt: skip
    found += [
        Family(f"node_infiniband_{name}", "gauge", text, tuple(zip(places, values, strict=True)))
        for name, text, values in states
    ]
    return found
