"""What a node's kernel log says when something breaks: dmesg and syslog lines.

Formats: NVIDIA's open kernel modules (kernel_rc.c, kern_gpu_error_cont_ga100.c, gpu.c,
kernel_gsp.c), mlx5_core, the kernel's OOM killer, hung task detector and NFS client, as public
logs and the fixtures of gpud, NVSentinel and OCI's tools show them. Xid lines name the process
with at most 15 characters; a PCI address has no function digit.
"""

from collections.abc import Callable
from datetime import datetime

from llmsim.catalog import boards
from llmsim.dialects.parts import oom_killer
from llmsim.job.records import Job, gpus_per_node
from llmsim.run import cluster, hardware_ids
from llmsim.run.events.incidents import Symptom
from llmsim.text import units

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_COMM = "pt_main_thread"  # what torch calls its processes since 2.1


# --- prefixes ----------------------------------------------------------------------------


def dmesg(job: Job, at: float, node: int, text: str) -> str:
    """A line with the seconds since the node's boot: [155044.078590] text."""
    return f"[{hardware_ids.uptime(job, node, at):12.6f}] {text}"


def syslog(job: Job, at: float, node: int, text: str) -> str:
    """A line of Ubuntu's kern.log: Oct  1 14:00:43 node-17 kernel: [155044.078590] text."""
    date = _syslog_date(units.stamp(job.start, at))
    return f"{date} {cluster.hostname(job, node)} kernel: {dmesg(job, at, node, text)}"


def _syslog_date(now: datetime) -> str:
    return f"{_MONTHS[now.month - 1]} {now.day:2d} {now:%H:%M:%S}"


def lines(symptom: Symptom, job: Job) -> tuple[str, ...]:
    """What the kernel says of a symptom, without a prefix."""
    return MESSAGES[symptom.name](symptom, job)


def node_of(symptom: Symptom, job: Job) -> int:
    """On which node it says so."""
    return symptom.rank // gpus_per_node(job)


# --- NVIDIA's driver ---------------------------------------------------------------------


def _driver(job: Job) -> int:
    return int(job.software.driver.partition(".")[0])


def _xid(
    symptom: Symptom, job: Job, number: int, text: str, *, named: bool = False, asked: str = ""
) -> str:
    """A line of the driver, with the process where one is known: the rank's, or who `asked`.

    Drivers up to 565 print "unknown" for an unknown process; from 570 on they leave it out.
    """
    process = ""
    if named:
        process = f"pid={cluster.worker(job, symptom.rank)}, name={_COMM}, "
    elif asked:
        process = asked
    elif _driver(job) < 570:
        process = "pid='<unknown>', name=<unknown>, "
    return f"NVRM: Xid (PCI:{hardware_ids.pci(job, symptom.rank)}): {number}, {process}{text}"


def _word(job: Job, name: str, rank: int, digits: int = 8) -> str:
    return hardware_ids.register(job, name, rank, digits)


def _gpu_seen(symptom: Symptom, job: Job) -> tuple[str, ...]:
    """Printed once since the node's start, before a GPU's first Xid; the driver is silent about the
    serial number of a board without one (kernel_rc.c, osinit.c).
    """
    rank = symptom.rank
    where, uuid = hardware_ids.pci(job, rank), hardware_ids.gpu_uuid(job, rank)
    serial = hardware_ids.gpu_serial(job, rank)
    second = (f"NVRM: GPU Board Serial Number: {serial}",) if serial else ()
    return (f"NVRM: GPU at PCI:{where}: {uuid}", *second)


def _own(job: Job, name: str, symptom: Symptom) -> int:
    """A random number that an incident's lines share, and that its GPU's next incident has not."""
    place = symptom.rank + 8 * cluster.LARGEST_CLUSTER * (job.attempt - 1)
    return int(hardware_ids.register(job, f"{name} {symptom.executed}", place, 12), 16)


def _row(job: Job, symptom: Symptom) -> int:
    """The address of a bad row: anywhere in the GPU's memory, at a multiple of 128 bytes."""
    return _own(job, "row", symptom) % (job.gpu.memory_mib << 20) & ~0x7F


def _channel(job: Job, symptom: Symptom) -> str:
    return f"{8 + _own(job, 'channel', symptom) % 24:08x}"


def _xid_31(symptom: Symptom, job: Job) -> tuple[str, ...]:
    where, unit = _own(job, "fault", symptom), _own(job, "client", symptom) % 18
    fault = ("PDE", "PTE")[_own(job, "table", symptom) % 2]
    access = ("READ", "READ", "WRITE")[_own(job, "access", symptom) % 3]
    address = f"0x7{where >> 36:03x}_{where & 0xFFFFF000:08x}"
    return (
        _xid(
            symptom, job, 31,
            f"Ch {_channel(job, symptom)}, intr 00000000. MMU Fault: ENGINE GRAPHICS "
            f"GPCCLIENT_T1_{unit} faulted @ {address}. Fault is of type FAULT_{fault} "
            f"ACCESS_TYPE_VIRT_{access}",
            named=True,
        ),
    )  # fmt: skip


def _xid_43(symptom: Symptom, job: Job) -> tuple[str, ...]:
    return (_xid(symptom, job, 43, f"Ch {_channel(job, symptom)}", named=True),)


def _xid_45(symptom: Symptom, job: Job) -> tuple[str, ...]:
    """Tear-down of one channel; `code` is 1,000 times the cause and the channel's number."""
    cause, channel = divmod(symptom.code, 1000)
    because = f" caused by previous Xid {cause}" if _driver(job) >= 570 else ""
    return (_xid(symptom, job, 45, f"Ch {channel + 8:08x}{because}", named=True),)


def _xid_48(symptom: Symptom, job: Job) -> tuple[str, ...]:
    where, part = _row(job, symptom), _own(job, "partition", symptom)
    return (
        _xid(
            symptom, job, 48,
            "An uncorrectable double bit error (DBE) has been detected on GPU in the framebuffer "
            f"at physAddr {where:#x} partition {part % 20}, subpartition {part // 20 % 4}.",
        ),
    )  # fmt: skip


def _xid_63(symptom: Symptom, job: Job) -> tuple[str, ...]:
    where = _row(job, symptom)
    text = f"Row Remapper: New row (0x{where:016x}) marked for remapping, reset gpu to activate."
    return (_xid(symptom, job, 63, text),)


def _xid_94(symptom: Symptom, job: Job) -> tuple[str, ...]:
    text = "Contained: SM (0x1). RST: No, D-RST: No"
    return (_xid(symptom, job, 94, text, named=True),)


def _xid_74(symptom: Symptom, job: Job) -> tuple[str, ...]:
    link = _own(job, "link", symptom) % 18
    text = f"NVLink: fatal error detected on link {link}(0x0, 0x0, 0x10000, 0x0, 0x0, 0x0, 0x0)"
    return (_xid(symptom, job, 74, text),)


# Two units of Blackwell's links, and words of their registers in public logs: the end of a link
# that is down (gpud's and NVSentinel's tests), and a peer that misses it (open-gpu #1150).
_LINK_DOWN = ("0x021425c6", "0x025525c6")


def _xid_149(symptom: Symptom, job: Job) -> tuple[str, ...]:
    first = _LINK_DOWN[_own(job, "word", symptom) % len(_LINK_DOWN)]
    return (_unit(symptom, job, 149, "NETIR_LINK_EVT  Fatal   XC0", first, "0x00000000"),)


def _xid_145(symptom: Symptom, job: Job) -> tuple[str, ...]:
    return (_unit(symptom, job, 145, "RLW_SRC_TRACK Nonfatal XC1", "0x040988e2", "0x00000008"),)


def _unit(symptom: Symptom, job: Job, number: int, text: str, *words: str) -> str:
    link = _own(job, "link", symptom) % 18
    registers = " ".join((*words, *("0x00000000",) * 4))
    return _xid(symptom, job, number, f"{text} i0 Link {link:02d} ({registers})")


def _sxid(symptom: Symptom, job: Job) -> tuple[str, ...]:
    """The switch's own line; on a DGX H100 the four are on buses 05 to 08, where no GPU is."""
    port, switch = _own(job, "port", symptom) % 64, _own(job, "switch", symptom) % 4
    return (
        (
            f"nvidia-nvswitch{switch}: SXid (PCI:0000:{5 + switch:02x}:00.0): 20034, Fatal, "
            f"Link {port:02d} LTSSM Fault Up"
        ),
    )


def _xid_79(symptom: Symptom, job: Job) -> tuple[str, ...]:
    return (_xid(symptom, job, 79, "GPU has fallen off the bus."),)


def _off_the_bus(symptom: Symptom, job: Job) -> tuple[str, ...]:
    where, serial = hardware_ids.pci(job, symptom.rank), hardware_ids.gpu_serial(job, symptom.rank)
    second = (f"NVRM: GPU {where}.0: GPU serial number is {serial}.",) if serial else ()
    return (f"NVRM: GPU {where}.0: GPU has fallen off the bus.", *second)


def _crash_dump(symptom: Symptom, job: Job) -> tuple[str, ...]:
    del symptom, job
    return (
        "NVRM: A GPU crash dump has been created. If possible, please run",
        "NVRM: nvidia-bug-report.sh as root to collect this data before",
        "NVRM: the NVIDIA kernel module is unloaded.",
    )


def _gsp(symptom: Symptom, job: Job) -> str:
    return f"GPU{symptom.rank % gpus_per_node(job)} GSP"


# Who watches GPUs, and by which calls, with the bytes of their parameters: seen in public logs.
_MONITORS = ("dcgm-exporter", "nv-hostengine", "nvidia-smi")
_REQUESTS = (
    "0x2080a068 0x4", "0x20802a02 0x8", "0x90cc0301 0xc", "0x20803032 0x58c", "0x2080014b 0x5",
    "0x20801348 0x410",
)  # fmt: skip


def _monitor(job: Job, rank: int) -> str:
    """The process that asks a node's GPUs for their state: the same for days."""
    node = cluster.machine(job, rank // gpus_per_node(job))
    number = int(_word(job, "monitor", node, 6), 16)
    watcher = _MONITORS[int(_word(job, "monitors", 0, 4), 16) % len(_MONITORS)]
    return f"pid={1_400 + number % 7_000}, name={watcher}, "


def _xid_119(symptom: Symptom, job: Job) -> tuple[str, ...]:
    request = _REQUESTS[_own(job, f"rpc {symptom.code}", symptom) % len(_REQUESTS)]
    asked = 20_000 + _own(job, "sequence", symptom) % 4_000_000
    sequence = f"sequence {asked} " if _driver(job) >= 595 else ""
    text = (
        f"Timeout after 6s of waiting for RPC response from {_gsp(symptom, job)}! "
        f"Expected function 76 (GSP_RM_CONTROL) {sequence}({request})."
    )
    return (_xid(symptom, job, 119, text, asked=_monitor(job, symptom.rank)),)


def _rpc_buffer(symptom: Symptom, job: Job) -> tuple[str, ...]:
    first, second = (_word(job, name, symptom.rank, 16) for name in ("rpc data", "rpc more"))
    return (
        (
            f"NVRM: {_gsp(symptom, job)} RPC buffer contains function 103 (GSP_RM_ALLOC) and data "
            f"0x{first} 0x{second}."
        ),
    )


def _rate_limit(symptom: Symptom, job: Job) -> tuple[str, ...]:
    return (
        (
            "NVRM: Rate limiting GSP RPC error prints for GPU at "
            f"PCI:{hardware_ids.pci(job, symptom.rank)} (printing 1 of every 30).  The GPU likely "
            "needs to be reset."
        ),
    )


def _recovery(action: str) -> Callable[[Symptom, Job], tuple[str, ...]]:
    """Xid 154, which drivers before 570 do not have."""

    def render(symptom: Symptom, job: Job) -> tuple[str, ...]:
        text = f"GPU recovery action changed from 0x0 (None) to {action}"
        return (_xid(symptom, job, 154, text),) if _driver(job) >= 570 else ()

    return render


# --- buses, networks, memory, file systems -----------------------------------------------


def _aer(symptom: Symptom, job: Job) -> tuple[str, ...]:
    where = hardware_ids.pci(job, symptom.rank)
    # The port above a GPU: on Grace each GPU has a PCI domain whose root is that port.
    bus = int(where[5:7], 16)
    bridge = f"{where[:5]}{bus - 4:02x}:01.0" if bus >= 4 else f"{where[:5]}00:00.0"
    device = boards.board(job.gpu).device.lower()
    return (
        f"pcieport {bridge}: AER: Corrected error received: {where}.0",
        (
            f"nvidia {where}.0: PCIe Bus Error: severity=Corrected, type=Data Link Layer, "
            "(Transmitter ID)"
        ),
        f"nvidia {where}.0:   device [10de:{device}] error status/mask=00001000/0000e000",
        f"nvidia {where}.0:    [12] Timeout               ",
    )


def _card(symptom: Symptom, job: Job) -> tuple[str, str, str]:
    """Address, network interface and RDMA name of the network card beside a rank's GPU."""
    local = symptom.rank % gpus_per_node(job)
    bus = int(hardware_ids.pci(job, symptom.rank)[5:7], 16) + 2
    # Predictable names: an InfiniBand port's begins with ib, an Ethernet port's with en.
    interface = f"ibp{bus}s0" if cluster.has_rdma(job) else f"enp{bus}s0f0np0"
    return f"0000:{bus:02x}:00.0", interface, cluster.cards(job)[local]


def _link(word: str) -> Callable[[Symptom, Job], tuple[str, ...]]:
    def render(symptom: Symptom, job: Job) -> tuple[str, ...]:
        address, interface, _ = _card(symptom, job)
        return (f"mlx5_core {address} {interface}: Link {word}",)

    return render


def _port(word: str) -> Callable[[Symptom, Job], tuple[str, ...]]:
    def render(symptom: Symptom, job: Job) -> tuple[str, ...]:
        address, _, card = _card(symptom, job)
        return (f"mlx5_core {address} {card}: Port: 1 Link {word}",)

    return render


def _nfs(word: str) -> Callable[[Symptom, Job], tuple[str, ...]]:
    return lambda _symptom, job: (f"nfs: server {cluster.storage_address(job)} {word}",)


def _hung_task(symptom: Symptom, job: Job) -> tuple[str, ...]:
    """It is the process that saves which waits for the disk."""
    process = cluster.worker(job, symptom.rank)
    return (f"INFO: task {_COMM}:{process} blocked for more than 120 seconds.",)


def _segfault(symptom: Symptom, job: Job) -> tuple[str, ...]:
    process = cluster.worker(job, symptom.rank)
    base, stack = _word(job, "library", symptom.rank, 6), _word(job, "stack", symptom.rank, 7)
    return (
        (
            f"{_COMM}[{process}]: segfault at 18 ip 00007f{base}5a1e sp 00007ffd{stack}0 "
            f"error 4 in libnccl.so.2[7f{base}0000+f5c0000]"
        ),
    )


MESSAGES: dict[str, Callable[[Symptom, Job], tuple[str, ...]]] = {
    "gpu seen": _gpu_seen,
    "xid 31": _xid_31,
    "xid 43": _xid_43,
    "xid 45": _xid_45,
    "xid 48": _xid_48,
    "xid 63": _xid_63,
    "xid 74": _xid_74,
    "xid 145": _xid_145,
    "xid 149": _xid_149,
    "xid 79": _xid_79,
    "xid 94": _xid_94,
    "xid 119": _xid_119,
    "xid 154 reset": _recovery("0x1 (GPU Reset Required)"),
    "xid 154 drain": _recovery("0x4 (Drain and Reset)"),
    "xid 154 reboot": _recovery("0x2 (Node Reboot Required)"),
    "sxid": _sxid,
    "off the bus": _off_the_bus,
    "crash dump": _crash_dump,
    "rpc buffer": _rpc_buffer,
    "rate limit": _rate_limit,
    "aer": _aer,
    "link down": _link("down"),
    "link up": _link("up"),
    "port down": _port("DOWN"),
    "port up": _port("ACTIVE"),
    **oom_killer.MESSAGES,
    "nfs silent": _nfs("not responding, still trying"),
    "nfs back": _nfs("OK"),
    "hung task": _hung_task,
    "segfault": _segfault,
}
