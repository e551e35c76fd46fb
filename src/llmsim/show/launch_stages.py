"""The stages of a run's first launch, as its events end them."""

from llmsim.board.wall_content import Stage
from llmsim.catalog.gpus import device
from llmsim.job.records import Job
from llmsim.run.events import (
    BackendReady,
    DatasetReady,
    Event,
    MeshBuilt,
    ModelSharded,
    NodeDetected,
    NodesDetected,
    RanksJoined,
    Resumed,
    TokenizerLoaded,
    TrainerReady,
    WeightsLoaded,
    WorkersStarted,
)
from llmsim.run.moment import Moment
from llmsim.run.simulation import events_of
from llmsim.run.timeline import Run
from llmsim.text import units

# What has been done when an event comes, in every job.
_DONE: dict[type[Event], str] = {
    TokenizerLoaded: "tokenizer", DatasetReady: "data", ModelSharded: "model",
    WeightsLoaded: "weights", Resumed: "checkpoint", TrainerReady: "optimizer",
}  # fmt: skip


def _names(job: Job) -> dict[type[Event], str]:
    """The names of all stages; the nodes are there when the last of them is detected."""
    nodes, ranks = units.counted(job.layout.nodes, "node"), units.counted(job.layout.gpus, "rank")
    if job.layout.gpus == 1:  # it joins nobody
        return _DONE | {WorkersStarted: "process", MeshBuilt: device(job.gpu)}
    return _DONE | {
        WorkersStarted: "processes", NodeDetected: nodes, NodesDetected: nodes, RanksJoined: ranks,
        BackendReady: "communicators", MeshBuilt: "mesh",
    }  # fmt: skip


def stages(run: Run, moment: Moment) -> tuple[Stage, ...]:
    """The stages of the first launch, as far as they are at a moment; none in other phases."""
    segment = moment.segment
    if segment.kind != "launch" or moment.attempt > 1:
        return ()
    long, before, found = segment.ended or 1.0, 0.0, list[Stage]()
    for name, ended in _ends(run):
        now = min(moment.at, ended)
        took = max(now - before, 0.0)
        found.append(Stage(name, before / long, max(now, before) / long, took, ended <= moment.at))
        before = ended
    return tuple(found)


def _ends(run: Run) -> tuple[tuple[str, float], ...]:
    """The names of the stages, and their ends; the run remembers them."""
    known: tuple[tuple[str, float], ...] | None = run.memo.get("launch stages")
    if known is None:
        names, ends = _names(run.job), dict[str, float]()
        for event in events_of(run, 0):
            if type(event) in names and event.at not in ends.values():  # else it took no time
                ends[names[type(event)]] = event.at
        known = run.memo["launch stages"] = tuple(ends.items())
    return known
