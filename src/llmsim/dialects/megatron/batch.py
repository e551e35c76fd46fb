"""What the #SBATCH lines of a script ask of Slurm: nodes, GPUs and time (man sbatch)."""

import re
from collections.abc import Mapping

from llmsim.typed import Any

_ASKED = re.compile(r"(?m)^#SBATCH[ \t]+(--?[\w-]+)(?:=|[ \t]+)?([^\s#]*)")
_SHORT = {"-t": "--time", "-N": "--nodes"}
_TIME = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")


def asked_of_slurm(text: str) -> dict[str, str]:
    """The options of a script's #SBATCH lines; the last of a name counts, as sbatch has it."""
    return {_SHORT.get(name, name): value for name, value in _ASKED.findall(text)}


def time_of(asked: Mapping[str, str]) -> str | None:
    """The time of --time as hours, minutes and seconds; None where it has no limit.

    Slurm takes minutes, minutes:seconds, hours:minutes:seconds, days-hours, days-hours:minutes and
    days-hours:minutes:seconds, and 0 for no limit.
    """
    found = _TIME.fullmatch(asked.get("--time", ""))
    if found is None:
        return None
    days, *clock = [int(each) if each else 0 for each in found.groups()]
    if found[1] or found[4]:
        hours, minutes, seconds = clock
    else:
        hours, (minutes, seconds) = 0, clock[:2]
    whole = 3600 * (24 * days + hours) + 60 * minutes + seconds
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}" if whole else None


def cluster_of(asked: Mapping[str, str]) -> dict[str, Any]:
    """The GPUs of a node, and of all nodes where their number is one."""
    each = asked.get("--gpus-per-node") or asked.get("--gres", "")
    found = re.fullmatch(r"(?:\w+:)*(\d+)", each)
    if found is None:
        return {}
    told = {"gpus_per_node": int(found[1])}
    nodes = asked.get("--nodes", "1")
    return told | ({"gpus": int(nodes) * int(found[1])} if nodes.isdecimal() else {})
