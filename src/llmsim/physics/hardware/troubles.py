"""What is wrong with a GPU or a node, which gauges and counters show."""

from llmsim.typed import NamedTuple


class Fault(NamedTuple):
    """What the driver and the counters say of a GPU that has or had something wrong."""

    xid: int = 0  # the last error code since the GPU's reset
    lost: bool = False  # whether it has fallen off the bus
    uncorrectable_errors: int = 0  # since the reset
    aggregate_errors: int = 0  # the same over the GPU's life
    correctable_errors: int = 0
    aggregate_correctable_errors: int = 0
    remapped_rows: int = 0
    remap_pending: int = 0  # until the GPU is reset
    crc_errors: int = 0  # of NVLink
    link_replays: int = 0
    link_recoveries: int = 0
    pcie_replays: int = 0


HEALTHY = Fault()


class Trouble(NamedTuple):
    """What is wrong with a node."""

    down: int = -1  # the card whose port is down
    downs: tuple[int, ...] = ()
    recoveries: int = 0
    stuck_tasks: int = 0
    memory_share: float = 0.0
    disk_share: float = 0.0
    silent: bool = False  # it is dead: nobody can read its counters


CALM = Trouble()
