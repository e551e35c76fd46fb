"""How MaxText dies, which nobody launches but the cluster.

JAX's processes share their fate: each one ends when the coordination service misses the heartbeats
of another one (JAX's own page on fault tolerance shows the lines).
"""

from collections.abc import Callable, Iterator

from llmsim.dialects.line import Bar, Line, Render
from llmsim.dialects.parts.last_words import code_of, spoken
from llmsim.dialects.parts.packages import PACKAGES
from llmsim.dialects.parts.worker_errors import Place, traceback
from llmsim.job.records import Job, gpus_per_node
from llmsim.run import cluster, events
from llmsim.run.events import Symptom
from llmsim.text import units
from llmsim.text.screen import Screen

_TRAIN = "/deps/src/MaxText/train.py"
_CODE = code_of(
    "MaxText/train.py",
    (Place(_TRAIN, 512, "<module>", "app.run(main)"),
     Place(_TRAIN, 508, "main", "run(config, recorder, diagnostic_config)"),
     Place(_TRAIN, 503, "run", "train_loop(config, recorder)")),
    Place(_TRAIN, 403, "train_loop", "state, metrics = p_train_step(state, example_batch, ...)"),
    Place(_TRAIN, 403, "train_loop", "state, metrics = p_train_step(state, example_batch, ...)"),
    Place(_TRAIN, 398, "train_loop", "example_batch = data_loader.load_next_batch()"),
    Place(_TRAIN, 409, "train_loop", "checkpointing.maybe_save_checkpoint(...)"),
    Place(_TRAIN, 366, "train_loop", ") = train_utils.setup_train_loop(config, recorder)"),
    launcher="none",
    nan="Aborting training due to NaN loss.",
)  # fmt: skip

_SAY = spoken(_CODE)


def _symptom(event: Symptom, job: Job, screen: Screen) -> Iterator[Line | Bar]:
    """Of a broken connection JAX says the end alone, once for each of its processes. A process
    that the kernel has killed says nothing.
    """
    if event.stream == "log" and event.name in _OWN:
        yield from (Line(text, rank=event.rank) for text in _OWN[event.name](event, job))
    elif event.name not in ("network error", "loader killed"):
        yield from _SAY(event, job, screen)


def _no_space(event: Symptom, job: Job) -> Iterator[str]:
    """checkpointing.py turns each exception of a save into StopTraining, which train.py logs."""
    del event, job
    yield "Training stopped: Checkpointing failed. [Errno 28] No space left on device"


_INITIALIZE = (
    *_CODE.step[:1],
    Place(_TRAIN, 507, "main", "config, recorder, diagnostic_config = initialize(argv)"),
)


def _init_failed(event: Symptom, job: Job) -> Iterator[str]:
    """A host has not come to the launch in time; a single one does not reach its own service."""
    yield from traceback(job, (*_INITIALIZE, *_REGISTER), ())
    hosts, host = job.layout.nodes, event.rank // gpus_per_node(job)
    error, rpc = "jaxlib._jax.XlaRuntimeError: DEADLINE_EXCEEDED:", "tensorflow.CoordinationService"
    if hosts == 1:
        yield f"{error} Deadline Exceeded"
        yield (
            "Additional GRPC error information from remote target coordination_service while "
            f"calling /{rpc}/RegisterTask:"
        )
        yield ':UNKNOWN:Error received from peer  {grpc_message:"Deadline Exceeded", grpc_status:4}'
        return
    task = "/job:jax_worker/replica:0/task:"
    yield (
        f"{error} Barrier timed out. Id: [Init]Wait_for_all_tasks_to_register::0. This usually "
        "happens because a task triggered the barrier too early or too slowly. Please look at the "
        "task logs (both timed out and first task) to debug further."
    )
    yield f"# of tasks that reached the barrier: {hosts - 1}/{hosts}."
    yield f"The first task at the barrier: {task}{host}. Some timed out task names:"
    yield from (f"{task}{(host + 1) % hosts}", "", "")
    yield f"RPC: /{rpc}/RegisterTask [type.googleapis.com/{rpc}Error='']"


_HOME = "/deps/src/MaxText"
_REGISTER = (
    Place(_TRAIN, 474, "initialize", "config = pyconfig.initialize(argv)"),
    Place(f"{_HOME}/pyconfig.py", 1237, "initialize", "_config = _HyperParameters(argv, **kwargs)"),
    Place(f"{_HOME}/pyconfig.py", 559, "__init__",
          "max_utils.maybe_initialize_jax_distributed_system(raw_keys)"),
    Place(f"{_HOME}/max_utils.py", 216, "maybe_initialize_jax_distributed_system",
          "jax.distributed.initialize("),
    Place(f"{PACKAGES}/jax/_src/distributed.py", 285, "initialize",
          "global_state.initialize(coordinator_address, num_processes, process_id,"),
    Place(f"{PACKAGES}/jax/_src/distributed.py", 155, "initialize", "self.client.connect()"),
)  # fmt: skip


def _shared_fate(event: Symptom, job: Job) -> Iterator[str]:
    """`peer` is a rank of the process whose heartbeats are missed: a host has one process."""
    task = event.peer // gpus_per_node(job)
    process = cluster.worker(job, event.rank // gpus_per_node(job) * gpus_per_node(job))
    polled, ended = (
        f"{units.stamp(job.start, event.at + after):%m%d %H:%M:%S.%f} {process:>7}"
        for after in (0.0, cluster.gap(job, "fate", event.rank, 180e-6))
    )
    yield (
        f"E{polled} coordination_service_agent.cc:332] Polled an error from coordination service "
        "(this can be an error from this or another task)."
    )
    yield (
        f"F{ended} client.h:77] Terminating process because the JAX distributed service detected "
        "fatal errors. This most likely indicates that another task died; see the other task logs "
        "for more details. Disable Python buffering, i.e. `python -u`, to be sure to see all the "
        "previous output. absl::Status: UNAVAILABLE: The following tasks are unhealthy (stopped "
        "sending heartbeats):"
    )
    yield f"/job:jax_worker/replica:0/task:{task}"
    yield (
        "The tasks have crashed. Check the task logs for an earlier error, or scheduler events "
        "(e.g. preemption, eviction) to debug further."
    )
    yield ""
    yield (
        "RPC: /tensorflow.CoordinationService/PollForError "
        "[type.googleapis.com/tensorflow.CoordinationServiceError='']"
    )


_OWN: dict[str, Callable[[Symptom, Job], Iterator[str]]] = {
    "network abort": _shared_fate,
    "no space": _no_space,
    "init failed": _init_failed,
}
LINES: dict[type, Render] = {events.Symptom: _symptom}
