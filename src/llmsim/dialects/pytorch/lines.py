"""The default dialect: a good lab's own train.py under torchrun, which prints every event.

Rank-0 logger lines in the conventions of PyTorch and Hugging Face logs. Every line is made of
clauses; if they do not all fit the width, the least important are left out first.
"""

from collections.abc import Iterator

from llmsim.dialects.line import Line, Render, later
from llmsim.dialects.pytorch.command import typed
from llmsim.job.records import Job
from llmsim.run import events
from llmsim.text.screen import Screen


def _launched(event: events.Launched, job: Job, screen: Screen) -> Iterator[Line]:
    del event  # it says no more than that the command was typed
    return typed(job, screen)


# A run begins with its command; the other modules come with the first event that they print.
LINES: dict[type, Render] = {
    events.Launched: _launched,
    **later(
        "pytorch.launch",
        events.Rendezvous,
        events.WorkersStarted,
        events.NodeDetected,
        events.NodesDetected,
        events.RankJoined,
        events.RanksJoined,
        events.BackendReady,
        events.MeshBuilt,
        events.Broadcast,
    ),
    **later(
        "pytorch.model",
        events.TokenizerLoaded,
        events.DatasetReady,
        events.ModelBuilt,
        events.WeightsLoaded,
        events.ModelSharded,
        events.MemoryPlanned,
        events.TrainerReady,
    ),
    **later(
        "pytorch.training",
        events.EpochStarted,
        events.Progress,
        events.Step,
        events.StepSkipped,
        events.Collectives,
        events.Slowed,
        events.Recovered,
        events.BatchGrew,
        events.Status,
        events.Validated,
        events.EpochEnded,
    ),
    **later(
        "pytorch.saving",
        events.CheckpointStarted,
        events.CheckpointStaged,
        events.CheckpointSaved,
        events.CheckpointDeleted,
        events.ExportStarted,
        events.Consolidated,
        events.ShardWritten,
        events.Evaluated,
    ),
    **later(
        "pytorch.recovery",
        events.Symptom,
        events.Failed,
        events.Restarted,
        events.Resumed,
    ),
    **later(
        "pytorch.summary",
        events.Summary,
    ),
}
