"""The events of a run: small immutable records, each with `at` in simulated seconds.

`at` counts from the job's start and never goes back. It is the moment when the fact is known:
an operation that took 3 s and ended at 10 s has an event at 10. Durations are simulated seconds
and sizes are bytes unless the name says otherwise. A new kind of event needs a record in a
module here, a generator in phases/ that yields it, and a function in each dialect that prints it.
"""

from llmsim.run.events.incidents import Failed, Incident, Restarted, Resumed, Symptom
from llmsim.run.events.launch import (
    BackendReady,
    Broadcast,
    DatasetReady,
    Launched,
    MemoryPlanned,
    MeshBuilt,
    ModelBuilt,
    ModelSharded,
    NodeDetected,
    NodesDetected,
    RankJoined,
    RanksJoined,
    Rendezvous,
    TokenizerLoaded,
    TrainerReady,
    WeightsLoaded,
    WorkersStarted,
)
from llmsim.run.events.progress import PhaseCut, PhaseEnded, PhaseName, PhaseStarted, Progress, Task
from llmsim.run.events.saving import (
    CheckpointDeleted,
    CheckpointSaved,
    CheckpointStaged,
    CheckpointStarted,
    Consolidated,
    Evaluated,
    Exported,
    ExportStarted,
    ShardWritten,
    Summary,
    Validated,
)
from llmsim.run.events.training import (
    BatchGrew,
    Collectives,
    EpochEnded,
    EpochStarted,
    Recovered,
    Slowed,
    Status,
    Step,
    StepSkipped,
)

__all__ = [
    "BackendReady",
    "BatchGrew",
    "Broadcast",
    "CheckpointDeleted",
    "CheckpointSaved",
    "CheckpointStaged",
    "CheckpointStarted",
    "Collectives",
    "Consolidated",
    "DatasetReady",
    "EpochEnded",
    "EpochStarted",
    "Evaluated",
    "Event",
    "ExportStarted",
    "Exported",
    "Failed",
    "Incident",
    "Launched",
    "MemoryPlanned",
    "MeshBuilt",
    "ModelBuilt",
    "ModelSharded",
    "NodeDetected",
    "NodesDetected",
    "PhaseCut",
    "PhaseEnded",
    "PhaseName",
    "PhaseStarted",
    "Progress",
    "RankJoined",
    "RanksJoined",
    "Recovered",
    "Rendezvous",
    "Restarted",
    "Resumed",
    "ShardWritten",
    "Slowed",
    "Status",
    "Step",
    "StepSkipped",
    "Summary",
    "Symptom",
    "Task",
    "TokenizerLoaded",
    "TrainerReady",
    "Validated",
    "WeightsLoaded",
    "WorkersStarted",
]

Event = (
    PhaseStarted
    | PhaseCut
    | PhaseEnded
    | Progress
    | Launched
    | Rendezvous
    | WorkersStarted
    | NodeDetected
    | NodesDetected
    | RankJoined
    | RanksJoined
    | BackendReady
    | MeshBuilt
    | TokenizerLoaded
    | DatasetReady
    | ModelBuilt
    | WeightsLoaded
    | ModelSharded
    | Broadcast
    | MemoryPlanned
    | TrainerReady
    | EpochStarted
    | Step
    | StepSkipped
    | Collectives
    | Slowed
    | Recovered
    | Status
    | BatchGrew
    | EpochEnded
    | Validated
    | CheckpointStarted
    | CheckpointStaged
    | CheckpointSaved
    | CheckpointDeleted
    | ExportStarted
    | Consolidated
    | ShardWritten
    | Exported
    | Evaluated
    | Summary
    | Incident
    | Symptom
    | Failed
    | Restarted
    | Resumed
)
