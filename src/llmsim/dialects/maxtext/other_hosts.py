"""The lines of another host's process, made from the lines of the first one.

All print the same, with their own number, thread, clock, seconds and devices in it. Two statements
are guarded: the first host alone says where the metrics are (metric_logger.py:167), and that a
save is committed (async_checkpointer.py:420, on the primary host).
"""

import re
from collections.abc import Iterator
from functools import partial

from llmsim.dialects.line import Line
from llmsim.dialects.maxtext.launch import step_flops
from llmsim.dialects.maxtext.processes import placed
from llmsim.job.records import Job, batch_tokens, gpus_per_node
from llmsim.run import cluster

_FIRST_ALONE = ("To see full metrics ", "Finished async_save ")
_LOGGED = re.compile(r"I(\d{4} [\d:]+)\.(\d{6}) \d+ (.*)", re.DOTALL)
_THREAD = re.compile(r"\[thread=(\w+)\]")
_DEVICE = re.compile(r"(.* on [A-Z]+)_\d+\(process=0,.*\)")
_TIMED = re.compile(r"((?:Waited|Time taken:) )(\d+\.\d+)(.*)", re.DOTALL)
_STEP = re.compile(
    r"completed step: (\d+), seconds: \S+, TFLOP/s/device: \S+, Tokens/s/device: (\S+), (.*)"
)
_LATEST = 999_999  # microseconds
_UNEVEN = 0.05  # of a step: the most by which the clock of a host differs


def spoken(job: Job, host: int, lines: list[Line]) -> Iterator[Line]:
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
        elif match := _STEP.fullmatch(text):
            text = _timed(job, host, int(match[1]), float(match[2]), match[3])
        elif match := _DEVICE.fullmatch(text):
            text = f"{match[1]}_{placed(job, device)}"
            device += 1
        yield Line(text, rank=host * gpus_per_node(job))


def _timed(job: Job, host: int, step: int, rate: float, rest: str) -> str:
    """The line of a step, which a host times from when it handed out the one before."""
    seconds = batch_tokens(job) / job.layout.gpus / rate
    now, before = (
        cluster.barrier_skew(job, f"step of host {host}", index) for index in (step, step - 1)
    )
    seconds += min(max(now - before, -_UNEVEN * seconds), _UNEVEN * seconds)
    return (
        f"completed step: {step}, seconds: {seconds:.3f}, "
        f"TFLOP/s/device: {step_flops(job) / seconds / 1e12:.3f}, "
        f"Tokens/s/device: {batch_tokens(job) / job.layout.gpus / seconds:.3f}, {rest}"
    )


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
