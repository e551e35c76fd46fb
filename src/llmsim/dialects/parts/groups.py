"""Which collective a rank waits in when another rank has stopped, and the number of that one.

    waits(job, symptom, named)  ->  Wait(group, rank, operation, numel_in, numel_out, number, ...)

A stopped rank holds up everybody, but not everybody in the same group. Its tensor ranks wait for it
in the middle of a layer, the other stages of its pipeline for what it should send, and all other
data ranks in the collective of weights or gradients that it, or one that waits for it, has not
entered. The numbers of a group are equal on all of its ranks, and count its collectives since the
processes began: steps times collectives a step, gradient accumulation included. Public logs show it
so: an FSDP run at SeqNum 7753 of _REDUCE_SCATTER_BASE with 544,997,376 elements in and an
eighth of it out (LlamaFactory #6269), last enqueued two further, last completed one before.

Ranks are numbered as frameworks number them: tensors innermost, then data, then stages.
"""

from llmsim.job.layout import Layout, state_ranks
from llmsim.job.records import Job
from llmsim.physics.speed import collectives
from llmsim.physics.speed.collectives import Flow
from llmsim.run import cluster
from llmsim.run.events.incidents import Symptom
from llmsim.typed import Literal, NamedTuple

Kind = Literal["data", "replicas", "stages", "tensors"]
# The order in which a process makes its groups, from which their numbers follow.
_MADE: tuple[Kind, ...] = ("data", "replicas", "stages", "tensors")
_BEFORE = 12  # collectives of a launch: barriers, the exchange of settings and of the first weights
_SCALARS = 2  # a step adds up the loss and the gradient's norm, one number each
_OPERATIONS = {
    "all-reduce": "ALLREDUCE", "all-gather": "_ALLGATHER_BASE", "broadcast": "BROADCAST",
    "reduce-scatter": "_REDUCE_SCATTER_BASE", "all-to-all": "ALLTOALL_BASE",
    "send/recv": "COALESCED",
}  # fmt: skip


class Names(NamedTuple):
    """What a framework calls its groups; an empty name is none, as torch prints it."""

    data: str = ""
    replicas: str = ""
    stages: str = ""
    tensors: str = ""
    default: bool = True  # data ranks take torch's own group where they are all ranks


class Wait(NamedTuple):
    """What a rank waits in."""

    group: str  # the watchdog's label: [PG ID 0 PG GUID 0(default_pg) Rank 3]
    rank: int  # inside the group
    operation: str  # as torch names it
    numel_in: int
    numel_out: int
    number: int  # the sequence number of the collective that does not end
    enqueued: int  # of the last one that the process has asked for: it runs ahead of its GPU


class _Place(NamedTuple):
    """A rank's coordinates."""

    stage: int
    data: int
    tensor: int


def _place(layout: Layout, rank: int) -> _Place:
    ranks = layout.dp * layout.cp
    rest, tensor = divmod(rank, layout.tp)
    stage, data = divmod(rest, ranks)
    return _Place(stage, data, tensor)


def _kind(layout: Layout, rank: int, stopped: int) -> Kind:
    """In which kind of group a rank waits for one that has stopped."""
    here, there = _place(layout, rank), _place(layout, stopped)
    if here.data == there.data and rank != stopped:
        return "tensors" if here.stage == there.stage else "stages"
    shards = state_ranks(layout)
    return "data" if here.data // shards == there.data // shards else "replicas"


def _ranks_of(layout: Layout, kind: Kind) -> int:
    """The ranks of a group of this kind."""
    sizes = {"data": state_ranks(layout), "replicas": layout.replicas, "stages": layout.pp,
             "tensors": layout.tp}  # fmt: skip
    return sizes[kind]


def _member(layout: Layout, kind: Kind, rank: int) -> tuple[int, int]:
    """Which of the groups of a kind a rank is in, and its number inside that one."""
    stage, data, tensor = _place(layout, rank)
    replica, shard = divmod(data, state_ranks(layout))
    if kind == "data":
        return (stage * layout.replicas + replica) * layout.tp + tensor, shard
    if kind == "replicas":
        return (stage * state_ranks(layout) + shard) * layout.tp + tensor, replica
    if kind == "stages":
        return data * layout.tp + tensor, stage
    return rank // layout.tp, tensor


def _label(layout: Layout, kind: Kind, rank: int, names: Names) -> str:
    """How torch names a group: its number in this process, the one in all, its name, the rank."""
    index, inside = _member(layout, kind, rank)
    if kind == "data" and names.default and _ranks_of(layout, kind) == layout.gpus:
        return f"[PG ID 0 PG GUID 0(default_pg) Rank {inside}]"
    local, made = 1, 1
    for each in _MADE[: _MADE.index(kind)]:
        if each == "data" or _ranks_of(layout, each) > 1:
            local += 1
            made += layout.gpus // _ranks_of(layout, each)
    name = getattr(names, kind)
    named = f"({name})" if name else ""
    return f"[PG ID {local} PG GUID {made + index}{named} Rank {inside}]"


def _flows(job: Job, kind: Kind) -> tuple[Flow, ...]:
    """The traffic of a kind of group in a step; see collectives.py for its purposes."""
    purposes = {
        "data": ("weights", "weights, forward", "weights, backward", "gradients"),
        "replicas": ("gradients of replicas",),
        "stages": ("stage boundary",),
        "tensors": ("hidden states",),
    }[kind]
    found = collectives.flows(job.architecture, job.gpu, job.layout, job.schedule.sequence)
    return tuple(flow for flow in found if flow.purpose in purposes)


def _calls(job: Job, kind: Kind) -> int:
    """The collectives of a kind of group in an optimizer step.

    With sequence parallelism an all-reduce of hidden states is a gather and a scatter.
    """
    whole = sum(flow.calls for flow in _flows(job, kind))
    if kind == "tensors" and job.layout.sequence_parallel:
        return 2 * whole
    return whole + _SCALARS if kind == "data" else whole


def _held(job: Job, kind: Kind, executed: int) -> tuple[Flow | None, int]:
    """The traffic that is held up, and how many collectives of the step came before it, itself
    included; None is one of the step's two numbers.
    """
    flows, layout = _flows(job, kind), job.layout
    if not flows:
        return None, 1
    if kind == "replicas" or (kind == "data" and layout.tp * layout.pp > 1):
        # A rank that waits for a replica has done all that comes before its last gradients.
        last = flows[-1]
        again = layout.accumulation if layout.sharding in ("fsdp2", "zero3", "zero2") else 1
        own = last.calls // again if layout.pp == 1 and kind == "data" else last.calls
        return last, sum(flow.calls for flow in flows) - max(1, own) + 1
    position = 1 + cluster.pick_index(job, "hang position", _calls(job, kind), executed)
    share = position / _calls(job, kind)
    upto, whole = 0, sum(flow.calls for flow in flows)
    for flow in flows:
        upto += flow.calls
        if share * whole <= upto:
            return flow, position
    return None, position


def _elements(flow: Flow, layout: Layout) -> int:
    """Numbers that a collective moves, of which a rank of a gather or a scatter has its part."""
    wide = flow.purpose == "gradients of replicas" or (
        flow.purpose == "gradients" and layout.fp32_gradients
    )
    return max(1, flow.size // (4 if wide else 2))


def _moved(flow: Flow | None, layout: Layout) -> tuple[str, int, int]:
    """A collective's name, and the numbers that go in and come out of it."""
    if flow is None:
        return "ALLREDUCE", 1, 1
    whole, operation = _elements(flow, layout), str(flow.operation)
    if flow.purpose == "hidden states" and layout.sequence_parallel:
        operation = "all-gather"
    part = -(-whole // flow.ranks)
    if operation == "all-gather":
        return _OPERATIONS[operation], part, part * flow.ranks
    if operation == "reduce-scatter":
        return _OPERATIONS[operation], part * flow.ranks, part
    return _OPERATIONS[operation], whole, whole


def waits(job: Job, symptom: Symptom, names: Names) -> Wait:
    """What a rank waits in, by the rank that it waits for (`symptom.peer`)."""
    layout, rank = job.layout, symptom.rank
    stopped = symptom.peer if symptom.peer >= 0 else rank
    kind = _kind(layout, rank, stopped)
    flow, position = _held(job, kind, symptom.executed)
    operation, numel_in, numel_out = _moved(flow, layout)
    number = _BEFORE + symptom.executed * _calls(job, kind) + position
    ahead = 1 + cluster.pick_index(job, f"hang ahead of {kind}", 3, symptom.executed)
    if kind == "tensors":
        ahead *= 9  # a layer's kernels are all asked for before its first one has ended
    label = _label(layout, kind, rank, names)
    inside = _member(layout, kind, rank)[1]
    return Wait(label, inside, operation, numel_in, numel_out, number, number + ahead)


def own_group(job: Job, symptom: Symptom, names: Names) -> Wait:
    """torch's own group of all ranks, with the numbers that its monitoring thread says.

    A framework with groups of its own uses it for the barriers of a launch alone.
    """
    wait = waits(job, symptom, names)
    if "default_pg" in wait.group:
        return wait
    label = f"[PG ID 0 PG GUID 0(default_pg) Rank {symptom.rank}]"
    return Wait(label, symptom.rank, "ALLREDUCE", 1, 1, _BEFORE // 2 + 1, _BEFORE // 2)
