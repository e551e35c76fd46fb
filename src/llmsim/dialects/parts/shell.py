"""The lines before a framework's own: nvidia-smi's table, the command, torchrun's banner."""

from collections.abc import Iterator

from llmsim.dialects.line import Line
from llmsim.dialects.parts import nvidia_smi
from llmsim.dialects.parts.torchrun import greeting
from llmsim.job.records import Job, gpus_per_node
from llmsim.run import cluster, events
from llmsim.run.cluster import hostname
from llmsim.text.screen import Screen


def typed(screen: Screen, command: str) -> Iterator[Line]:
    """The command line, which a terminal shows and a log does not."""
    if screen.live:
        yield Line(f"$ {command}")


def looked(job: Job, screen: Screen, at: float) -> Iterator[Line]:
    """nvidia-smi's table before a launch, and its command, if the table fits the width."""
    rows = nvidia_smi.before(job, at) if screen.width >= nvidia_smi.WIDTH else []
    if rows:
        yield from typed(screen, "nvidia-smi")
        yield from map(Line, rows)


def torchrun(job: Job, script: str) -> str:
    """The command that starts the script on every GPU of every node."""
    if job.layout.gpus == 1:
        return f"python {script}"
    processes = f"--nproc_per_node={gpus_per_node(job)}"
    if job.layout.nodes == 1:
        return f"torchrun --standalone {processes} {script}"
    endpoint = f"--rdzv_backend=c10d --rdzv_endpoint={hostname(job, 0)}:{cluster.PORT}"
    return f"torchrun --nnodes={job.layout.nodes} {processes} {endpoint} {script}"


def rendezvous(event: events.Rendezvous, job: Job, screen: Screen) -> Iterator[Line]:
    """torchrun's warning, where it starts several processes on a node."""
    yield from greeting(job, event.at)
