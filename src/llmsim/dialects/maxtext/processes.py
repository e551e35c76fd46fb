"""What the processes of all hosts print, for --capture all.

JAX has one process on each host, and all of them print what the first one does: its line, with
their own number, thread, clock and devices in it. Two statements are guarded: the first host
alone says where the metrics are (metric_logger.py:167), and that a save is committed
(async_checkpointer.py:420, on the primary host).
"""

import re
from collections.abc import Iterator
from functools import partial

from llmsim.dialects.line import Line, Render
from llmsim.dialects.parts.interleaving import interleaved
from llmsim.job.records import Job, gpus_per_node
from llmsim.run import cluster
from llmsim.text.screen import Screen
from llmsim.typed import Any

_TOGETHER = 8  # hosts whose lines interleave; the next eight follow
_FIRST_ALONE = ("To see full metrics ", "Finished async_save ")
_LOGGED = re.compile(r"I(\d{4} [\d:]+)\.(\d{6}) \d+ (.*)", re.DOTALL)
_THREAD = re.compile(r"\[thread=(\w+)\]")
_DEVICE = re.compile(r"(.* on TPU)_\d+\(process=0,.*\)")
_TIMED = re.compile(r"((?:Waited|Time taken:) )(\d+\.\d+)(.*)", re.DOTALL)
_LATEST = 999_999  # microseconds


def on_each(render: Render) -> Render:
    """The lines of all hosts' processes, where the log has them; else the first one's."""

    def each(event: Any, job: Job, screen: Screen) -> Iterator[Line]:
        lines = [line for line in render(event, job, screen) if isinstance(line, Line)]
        hosts = job.layout.nodes if job.capture == "all" else 1
        begin = int(1000 * event.at)
        for first in range(0, hosts, _TOGETHER):
            some = range(first, min(first + _TOGETHER, hosts))
            streams = [[*_spoken(job, host, lines)] for host in some]
            yield from interleaved(job, f"hosts {first}", streams, begin)

    return each


def _spoken(job: Job, host: int, lines: list[Line]) -> Iterator[Line]:
    """The first process's lines as another host's process prints them."""
    if host == 0:
        yield from lines
        return
    device = host * gpus_per_node(job)
    for line in lines:
        if any(words in line.text for words in _FIRST_ALONE):
            continue
        text = _TIMED.sub(partial(_later, job, host), line.text, count=1)
        if match := _LOGGED.fullmatch(text):
            text = _logged(job, host, *match.groups())
        elif match := _DEVICE.fullmatch(text):
            text = f"{match[1]}_{placed(job, device)}"
            device += 1
        yield Line(text, rank=host * gpus_per_node(job))


def _later(job: Job, host: int, match: re.Match[str]) -> str:
    """A time of its own, with as many digits."""
    seconds = float(match[2]) + cluster.barrier_skew(job, "waiting", host)
    shown = f"{seconds:f}" if match[1].startswith("Time") else f"{seconds}"
    return f"{match[1]}{shown}{match[3]}"


def _logged(job: Job, host: int, second: str, micro: str, rest: str) -> str:
    """A line of absl's logger: a little later, from the same thread of another process."""
    thread = match[1] if (match := _THREAD.search(rest)) else "MainThread"
    number = int(cluster.pointer(job, f"thread {thread}", host), 16)
    later = int(1e6 * cluster.barrier_skew(job, "logger", host))
    shown = min(_LATEST, int(micro) + later)
    return f"I{second}.{shown:06d} {number} {rest.replace('[process=0]', f'[process={host}]', 1)}"


def placed(job: Job, device: int) -> str:
    """A device as JAX prints it: number, process, and the chip's place in the torus with its core.

    A host has 2 x 2 chips. Google's slices grow by doubling their shortest side, the last
    one first: 2x2x1, 2x2x2, 2x2x4, 2x4x4, 4x4x4 (Cloud TPU, v4's topologies).
    """
    host, local = divmod(device, gpus_per_node(job))
    chip, core = divmod(local, job.gpu.per_node // 4)
    sides = _sides(job.layout.nodes)
    x, rest = host % sides[0], host // sides[0]
    y, z = rest % sides[1], rest // sides[1]
    return f"{device}(process={host},({2 * x + chip % 2},{2 * y + chip // 2},{z},{core}))"


def _sides(hosts: int) -> tuple[int, int]:
    """How many hosts a slice has along its first two sides; the rest of them is the third."""
    chips = [2, 2, 1]
    while chips[0] * chips[1] * chips[2] < 4 * hosts:
        shortest = min((2, 1, 0), key=chips.__getitem__)
        chips[shortest] *= 2
    if chips[0] * chips[1] * chips[2] > 4 * hosts:  # no power of two: a line of hosts
        return 1, 1
    return chips[0] // 2, chips[1] // 2
