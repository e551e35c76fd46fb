"""What nvidia-smi says to a user who is not root and asks it to change a GPU.

Nothing changes, as on a real cluster. The sentences about persistence, the power limit, clocks and
a reset are from public captures. No capture has the sentences about the compute mode and MIG: their
form is that of nvidia-smi's other sentences.
"""

from collections.abc import Sequence

from llmsim.errors import NvidiaSmiError
from llmsim.physics.hardware.gauges import Gauges
from llmsim.telemetry.smi import node as of
from llmsim.telemetry.smi.node import Node
from llmsim.telemetry.smi.properties import property_named
from llmsim.typed import NamedTuple

VALUES = {
    "-pm": "--persistence-mode", "-pl": "--power-limit", "-c": "--compute-mode",
    "-ac": "--applications-clocks", "-lgc": "--lock-gpu-clocks", "-lmc": "--lock-memory-clocks",
    "-mig": "--multi-instance-gpu",
}  # fmt: skip
SWITCHES = {
    "-r": "--gpu-reset", "-rac": "--reset-applications-clocks", "-rgc": "--reset-gpu-clocks",
    "-rmc": "--reset-memory-clocks",
}  # fmt: skip
FLAGS = frozenset((*VALUES.values(), *SWITCHES.values()))

_PERMISSION = 4  # the exit status when a user may not do this
_TERMINATING = "\nTerminating early due to previous errors."
# What the GPUs of a cluster have already: the value, and what nvidia-smi says to it.
_ALREADY = {
    "--persistence-mode": (("1", "ENABLED"), "Persistence mode is already Enabled"),
    "--compute-mode": (("0", "DEFAULT"), "Compute mode is already set to DEFAULT"),
}
_REFUSALS = {
    "--persistence-mode": "Unable to set persistence mode for GPU {bus}: Insufficient Permissions",
    "--compute-mode": "Unable to set compute mode for GPU {bus}: Insufficient Permissions",
    "--power-limit": (
        "Failed to set power management limit for GPU {bus}: Insufficient Permissions"
    ),
    "--multi-instance-gpu": "Unable to set MIG Mode for GPU {bus}: Insufficient Permissions",
}
_CLOCKS = "The current user does not have permission to change clocks for GPU {bus}."


class Change(NamedTuple):
    """A change of GPUs: nvidia-smi's long flag, and its value."""

    flag: str = ""
    value: str = ""


def told(node: Node, change: Change, chosen: Sequence[Gauges]) -> str:
    """What nvidia-smi prints if the GPUs have this value already.

    Raises NvidiaSmiError in nvidia-smi's own words: a user who is not root changes nothing. It
    ends at the first GPU that refuses.
    """
    values, sentence = _ALREADY.get(change.flag, ((), ""))
    if change.value.upper() in values:
        rows = (f"{sentence} for GPU {of.bus_id(node, each)}.\n" for each in chosen)
        return "".join(rows) + "All done.\n"
    for each in chosen:
        if change.flag == "--power-limit":
            _check_limit(node, change.value, each)
        bus = of.bus_id(node, each)
        if change.flag == "--gpu-reset":
            raise NvidiaSmiError(
                f"Unable to reset GPU {bus}: Insufficient Permissions", _PERMISSION
            )
        refusal = _REFUSALS.get(change.flag, _CLOCKS).format(bus=bus)
        raise NvidiaSmiError(refusal + _TERMINATING, _PERMISSION)
    return ""


def _check_limit(node: Node, text: str, gauges: Gauges) -> None:
    """Refuses a power limit, in W, that is beyond the limits of this GPU."""
    least, most = (float(str(property_named(name).value(node, gauges)))
                   for name in ("power.min_limit", "power.max_limit"))  # fmt: skip
    try:
        asked = float(text)
    except ValueError:
        asked = 0.0
    if not least <= asked <= most:
        raise NvidiaSmiError(
            f"Provided power limit {asked:.2f} W is not a valid power limit which should be "
            f"between {least:.2f} W and {most:.2f} W for GPU {of.bus_id(node, gauges)}"
            + _TERMINATING
        )
