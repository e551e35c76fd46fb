"""What breaks, what is said of it, and how the run goes on."""

from llmsim.typed import Literal, NamedTuple

Stream = Literal["log", "kernel", "slurm"]


class Incident(NamedTuple):
    """A label: what breaks, where, and when it is noticed. No log has a line for it.

    Its moments are simulated seconds of the run, as `at` is.
    """

    at: float  # the fault
    kind: str  # a name from --list incidents
    attempt: int
    step: int  # the last optimizer step that was whole
    rank: int
    hostname: str
    local_rank: int
    streams: tuple[str, ...]  # where it shows
    visible: float  # the first sign in a stream or a gauge; it may come before the fault
    detected: float  # the first line that a monitor should act on
    over: float  # the launch of the next attempt, or the end of what disturbed the training
    number: int = 0  # distinguishes two incidents of a run


class Symptom(NamedTuple):
    """A line of an incident in one stream; each dialect has the text for its name."""

    at: float
    stream: Stream
    name: str
    rank: int  # the process that speaks, or whose GPU is meant
    code: int = 0  # an exit status, a time in milliseconds, or a channel, as the name has it
    kind: str = ""  # the incident's
    executed: int = 0  # steps that this attempt's processes have run
    step: int = 0  # the last optimizer step that was whole
    peer: int = -1  # the rank that the process waits for, or that does not end; -1: none
    mixed: tuple[tuple[int, int], ...] = ()  # ranks and codes of who writes at the same time


class Failed(NamedTuple):
    """The attempt is over before its time: no process of it is left."""

    at: float
    attempt: int
    step: int  # the last whole optimizer step
    kind: str
    rank: int
    hostname: str
    wait: float  # until a person or a script launches the job again; 0 where nobody does
    kept: int = 0  # the last optimizer step in the checkpoint that is left; 0: there is none


class Restarted(NamedTuple):
    """Another attempt begins: the launch follows."""

    at: float
    attempt: int
    kind: str  # of the incident that ended the one before
    hostname: str  # of the node that is replaced or to blame
    rank: int
    cured: tuple[int, ...] = ()  # incidents of the numbers whose data this attempt leaves out
    step: int = 0  # the last optimizer step in the checkpoint that it goes on from
    spare: str = ""  # the name of the machine that takes the node's place; empty: none does
    spares: tuple[tuple[int, int], ...] = ()  # all nodes, and machines that stand in for them
    repeated: int = 0  # executed steps of earlier attempts whose results are lost


class Resumed(NamedTuple):
    """The attempt goes on from a checkpoint that is whole; step 0 means from the beginning."""

    at: float
    step: int
    path: str
    size: int
    seconds: float  # that the load took
    lost: int  # optimizer steps that are run again
