"""What the processes of all hosts print, for --capture all: JAX has one process on each host."""

from collections.abc import Iterator

from llmsim.dialects.line import Line, Render
from llmsim.dialects.parts.interleaving import interleaved
from llmsim.job.records import Job, gpus_per_node
from llmsim.text.screen import Screen
from llmsim.typed import Any

_TOGETHER = 8  # hosts whose lines interleave; the next eight follow


def on_each(render: Render) -> Render:
    """The lines of all hosts' processes, where the log has them; else the first one's."""

    def each(event: Any, job: Job, screen: Screen) -> Iterator[Line]:
        lines = [line for line in render(event, job, screen) if isinstance(line, Line)]
        hosts = job.layout.nodes if job.capture == "all" else 1
        if hosts == 1:
            yield from lines
            return
        from llmsim.dialects.maxtext.other_hosts import spoken

        begin = int(1000 * event.at)
        for first in range(0, hosts, _TOGETHER):
            some = range(first, min(first + _TOGETHER, hosts))
            streams = [[*spoken(job, host, lines)] for host in some]
            yield from interleaved(job, f"hosts {first}", streams, begin)

    return each


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
