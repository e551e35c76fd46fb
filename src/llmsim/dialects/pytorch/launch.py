"""The lines of the launch: the nodes, the ranks, the communicator."""

from collections.abc import Iterator

from llmsim.dialects.line import Line, Render
from llmsim.dialects.parts.torchrun import greeting
from llmsim.dialects.pytorch.log_lines import alone, say
from llmsim.job.layout import shards_weights
from llmsim.job.records import Job, gpus_per_node
from llmsim.run import events
from llmsim.text import units
from llmsim.text.screen import Screen
from llmsim.text.style import paint
from llmsim.text.wording import wrapped

Lines = Iterator[Line]

# Below this width torchrun's banner would fill the screen.
BANNER_WIDTH = 60


def _rendezvous(event: events.Rendezvous, job: Job, screen: Screen) -> Lines:
    if gpus_per_node(job) > 1 and screen.width >= BANNER_WIDTH:
        yield from _banner(event, job, screen)


def _workers_started(event: events.WorkersStarted, job: Job, screen: Screen) -> Lines:
    if not alone(job):
        yield say(
            event, job, screen,
            (("", "Rendezvous"),),
            (("", " at "), ("name", f"{event.master}:{event.port}")),
            (("", f", run {job.run_name}"),),
        )  # fmt: skip
    software = job.software
    yield say(
        event, job, screen,
        (("", f"PyTorch {software.torch}"),),
        (("", f", {software.platform} {software.platform_version}"),),
        (("", f", driver {software.driver}"),),
        (("", f", Python {software.python}"),),
        (("", f", transformers {software.transformers}"),),
    )  # fmt: skip


def _banner(event: events.Rendezvous, job: Job, screen: Screen) -> Lines:
    """torchrun's warning; a long line is wrapped, and the stars end at the screen's width."""
    for line in greeting(job, event.at):
        text = line.text
        long = len(text) > screen.width
        if long and text.endswith("*"):
            parts = [text[: screen.width]]
        else:
            parts = wrapped(text.split(), screen.width) if long else [text]
        for part in parts:
            yield line._replace(text=paint((("warning", part),), screen))


def _node_detected(event: events.NodeDetected, job: Job, screen: Screen) -> Lines:
    yield say(
        event, job, screen,
        (("name", event.hostname),),
        (("", f": {event.gpus} x {job.gpu.name}"),),
        (("", f", {job.gpu.memory_mib:,} MiB"),),
        (("", f", {job.gpu.tdp_watts} W"),),
        (("", f", {job.gpu.tflops:g} TFLOP/s dense bf16"),),
    )  # fmt: skip


def _nodes_detected(event: events.NodesDetected, job: Job, screen: Screen) -> Lines:
    yield say(
        event, job, screen,
        (("", f"... and {units.counted(event.summarized, 'more node')}"),),
        (("", ": "), ("number", f"{job.layout.gpus:,} GPUs")),
        (("", f" on {event.nodes:,} nodes"),),
    )  # fmt: skip


def _rank_joined(event: events.RankJoined, job: Job, screen: Screen) -> Lines:
    if alone(job):
        return
    yield say(
        event, job, screen,
        (("", f"rank {event.rank:2d} is up"),),
        (("", ": "), ("name", event.hostname)),
        (("", f", cuda:{event.local_rank}"),),
        (("muted", f", +{event.seconds:.3f} s"),),
        (("muted", f", bus {event.bus}"),),
        (("muted", f", pid {event.process}"),),
    )  # fmt: skip


def _ranks_joined(event: events.RanksJoined, job: Job, screen: Screen) -> Lines:
    if alone(job):
        return
    late = f", slowest rank {event.slowest:,}" if event.summarized else ""
    yield say(
        event, job, screen,
        (("good", f"All {event.ranks:,} ranks are up"),),
        (("", f" after {event.seconds:.2f} s"),),
        (("muted", late),),
    )  # fmt: skip


def _backend_ready(event: events.BackendReady, job: Job, screen: Screen) -> Lines:
    if alone(job):
        return
    software = job.software
    nodes = units.counted(job.layout.nodes, "node")
    yield say(
        event, job, screen,
        (("", f"{software.collectives} {software.collectives_version}"),),
        (("", f": communicator up in {event.seconds:.2f} s"),),
        (("", f", {event.channels} channels"),),
        (("", f", {job.layout.gpus:,} ranks on {nodes}"),),
    )  # fmt: skip


def _mesh_built(event: events.MeshBuilt, job: Job, screen: Screen) -> Lines:
    if alone(job):
        return
    names = ", ".join(f"'{name}'" for name, _ in event.dimensions)
    sizes = ", ".join(str(size) for _, size in event.dimensions)
    yield say(
        event, job, screen,
        (("", f"Device mesh: {len(event.dimensions)}-D"),),
        (("", f" [{names}], [{sizes}]"),),
    )  # fmt: skip


def _broadcast(event: events.Broadcast, job: Job, screen: Screen) -> Lines:
    if alone(job):
        return
    transfer = event.transfer
    what = "buffers" if shards_weights(job.layout) else "weights"
    yield say(
        event, job, screen,
        (("", f"Broadcast rank 0's {what}"),),
        (("", f": {units.gigabytes(transfer.size)} in "),
         ("throughput", units.microseconds(transfer.seconds))),
        (("", f", bus bandwidth {transfer.bus_gb_s:.0f} GB/s"),),
    )  # fmt: skip


LINES: dict[type, Render] = {
    events.Rendezvous: _rendezvous,
    events.WorkersStarted: _workers_started,
    events.NodeDetected: _node_detected,
    events.NodesDetected: _nodes_detected,
    events.RankJoined: _rank_joined,
    events.RanksJoined: _ranks_joined,
    events.BackendReady: _backend_ready,
    events.MeshBuilt: _mesh_built,
    events.Broadcast: _broadcast,
}
