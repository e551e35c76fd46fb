"""What breaks, what is said of it, and how the run goes on."""

from llmsim.typed import Literal, NamedTuple

Stream = Literal["log", "kernel", "slurm"]


class Incident(NamedTuple):
    """A label: what breaks, where, and when it is noticed. No log prints this label.

    The moments are simulated seconds since the first launch.
    """

    at: float  # moment of the fault
    kind: str  # a name from --list incidents
    attempt: int
    step: int  # the last optimizer step that was complete
    rank: int
    hostname: str
    local_rank: int
    streams: tuple[str, ...]  # the streams that show the incident
    visible: float  # moment of the first line about it, or of the fault; gauges may be earlier
    detected: float  # moment of the first line on which a monitor should act
    over: float  # moment of the next launch, or of the end of the disturbance
    number: int = 0  # a number that tells two incidents of a run apart


class Symptom(NamedTuple):
    """A line that an incident causes in one stream. `name` says which line it is; each
    dialect has its own text for this line."""

    at: float
    stream: Stream
    name: str
    rank: int  # rank of the process that prints the line, or whose GPU the line names
    code: int = 0  # exit status, milliseconds or a channel, depending on `name`
    kind: str = ""  # kind of the incident
    executed: int = 0  # steps since this attempt began
    step: int = 0  # the last optimizer step that was complete
    peer: int = -1  # rank for which the process waits, or whose process does not end; -1: none
    mixed: tuple[tuple[int, int], ...] = ()  # other processes that print into this line: rank, code


class Failed(NamedTuple):
    """The attempt has failed, and all its processes have ended."""

    at: float
    attempt: int
    step: int  # the last optimizer step that was complete
    kind: str
    rank: int
    hostname: str
    wait: float  # seconds until the next launch; 0: no next launch
    kept: int = 0  # last step of the newest whole checkpoint; 0: no checkpoint


class Restarted(NamedTuple):
    """Another attempt begins, and its launch follows."""

    at: float
    attempt: int
    kind: str  # kind of the incident that ended the attempt before
    hostname: str  # name of the node that is replaced, or that caused the incident
    rank: int
    cured: tuple[int, ...] = ()  # numbers of the incidents that do not come again
    step: int = 0  # last step of the checkpoint from which the attempt goes on
    spare: str = ""  # name of the machine that takes the node's place, or empty
    spares: tuple[tuple[int, int], ...] = ()  # each replaced node, and its new machine's number
    repeated: int = 0  # executed steps of earlier attempts whose results are lost
    boots: tuple[tuple[int, float], ...] = ()  # a node that booted, and the moment of its boot


class Resumed(NamedTuple):
    """The attempt goes on from a checkpoint, or from the beginning if there is none."""

    at: float
    step: int  # last step of the checkpoint; 0: no checkpoint
    path: str
    size: int
    seconds: float  # how long the load took, simulated seconds
    lost: int  # how many optimizer steps are run again
