"""What NeMo prints until its first iteration: devices, folders, groups, and the model with its
gradient buffers and optimizer.
"""

from collections.abc import Iterator

from llmsim.dialects.lightning import lines as lightning
from llmsim.dialects.line import Line, Render
from llmsim.dialects.nemo.log_lines import said, warned
from llmsim.dialects.parts import shell
from llmsim.dialects.parts.interleaving import interleaved
from llmsim.job.milestones import is_fresh
from llmsim.job.records import Job, gpus_per_node
from llmsim.run import cluster, events
from llmsim.text.screen import Screen

Lines = Iterator[Line]

# A larger cluster's lists of groups, tens of thousands of numbers in a line, are left out.
MOST_RANKS = 1024


def folder(job: Job) -> str:
    """The run's folder of checkpoints and logs."""
    return f"/workspace/checkpoints/{job.run_name}"


def _launched(event: events.Launched, job: Job, screen: Screen) -> Lines:
    script = f"pretrain.py --model {job.model.name} --data {job.dataset.name}"
    yield from shell.typed(screen, shell.torchrun(job, script))


def _workers_started(event: events.WorkersStarted, job: Job, screen: Screen) -> Lines:
    """The trainer's devices, then NeMoLogger.setup and AutoResume.setup."""
    at = event.at
    yield from map(Line, lightning.FOUND)
    yield warned(
        job, at, "No version folders would be created under the log folder as 'resume_if_exists' "
        "is enabled.",
    )  # fmt: skip
    yield said(job, at, f"Experiments will be logged at {folder(job)}")
    yield warned(
        job, at, '"update_logger_directory" is True. Overwriting tensorboard logger "save_dir" to '
        f"{folder(job)}/tb_logs",
    )  # fmt: skip
    yield warned(
        job, at, "The Trainer already contains a ModelCheckpoint callback. This will be "
        "overwritten.",
    )  # fmt: skip
    yield warned(
        job, at, "The checkpoint callback was told to monitor a validation value and trainer's "
        f"max_steps was set to {job.schedule.steps}. Please ensure that max_steps will run for at "
        "least 1 epochs to ensure that checkpointing will not error out.",
    )  # fmt: skip
    if is_fresh(job):
        yield warned(
            job, at, "There were no checkpoints found in checkpoint_dir or no checkpoint folder at "
            f"checkpoint_dir :{folder(job)}/checkpoints. Training from scratch.",
        )  # fmt: skip


# --- groups ------------------------------------------------------------------------------


def _ranks_joined(event: events.RanksJoined, job: Job, screen: Screen) -> Lines:
    """The advice about tf32, and rank 0's groups in the order tp-cp-ep-dp-pp (megatron_init.py)."""
    yield Line(lightning.device(job))
    yield from (said(job, event.at, text) for text in groups(job))


def groups(job: Job) -> Iterator[str]:
    """What rank 0 says of its groups and of all; of a large cluster only its ranks in them.

    Megatron counts tensor ranks first, then context, data and pipeline ranks.
    """
    layout = job.layout
    tensor, data, pipeline = layout.tp, layout.dp * layout.cp, layout.pp
    stage, world = tensor * data, tensor * data * pipeline
    whole = world <= MOST_RANKS
    datas = [
        [*range(first + at * stage, (at + 1) * stage, tensor)]
        for at in range(pipeline)
        for first in range(tensor)
    ]
    models = [
        [first + at * stage + rank for at in range(pipeline) for rank in range(tensor)]
        for first in range(0, stage, tensor)
    ]
    tensors = [[*range(first, first + tensor)] for first in range(0, world, tensor)]
    stages = [[*range(first, world, stage)] for first in range(stage)]
    inner = tensor * layout.cp  # ranks that share one sequence
    alone = datas[0][:: layout.cp]
    contexts = [
        [*range(first + slice_, first + inner, tensor)]
        for first in range(0, world, inner)
        for slice_ in range(tensor)
    ]
    ends = sorted({stages[0][0], stages[0][-1]})
    told = (
        (f"Rank 0 has data parallel group : {alone}", True),
        (f"Rank 0 has combined group of data parallel and context parallel : {datas[0]}", True),
        (f"All data parallel group ranks with context parallel combined: {datas}", True),
        ("Ranks 0 has data parallel rank: 0", False),
        (f"Rank 0 has context parallel group: {contexts[0]}", False),
        (f"All context parallel group ranks: {contexts}", True),
        ("Ranks 0 has context parallel rank: 0", False),
        (f"Rank 0 has model parallel group: {models[0]}", True),
        (f"All model parallel group ranks: {models}", True),
        (f"Rank 0 has tensor model parallel group: {tensors[0]}", False),
        (f"All tensor model parallel group ranks: {tensors}", True),
        ("Rank 0 has tensor model parallel rank: 0", False),
        (f"Rank 0 has pipeline model parallel group: {stages[0]}", False),
        (f"Rank 0 has embedding group: {ends}", False),
        (f"All pipeline model parallel group ranks: {stages}", True),
        ("Rank 0 has pipeline model parallel rank 0", False),
        (f"All embedding group ranks: {stages}", True),  # the source names the wrong list
        ("Rank 0 has embedding rank: 0", False),
    )
    return (text for text, is_long in told if whole or not is_long)


def _backend_ready(event: events.BackendReady, job: Job, screen: Screen) -> Lines:
    """The strategy prints the box of a single process, too."""
    size = gpus_per_node(job)
    yield from lightning.registered(job)
    if job.architecture.adapter_rank:
        function = (
            f"<function _call_counter.<locals>.wrapper at {cluster.pointer(job, 'transform')}>"
        )
        for text in (
            "Setting up ModelTransform for stage: TrainerFn.FITTING",
            "Found model_transform attribute on pl_module",
            f"Set model_transform to: {function}",
        ):
            yield said(job, event.at, text)
    devices = ",".join(map(str, range(size)))
    lines = [[f"LOCAL_RANK: {rank} - CUDA_VISIBLE_DEVICES: [{devices}]"] for rank in range(size)]
    yield from map(Line, interleaved(job, "devices", lines))
    text = f"Copying Trainer's 'max_steps' ({job.schedule.steps}) to LR scheduler's 'max_steps'."
    yield said(job, event.at, text)


LINES: dict[type, Render] = {
    events.Launched: _launched,
    events.Rendezvous: shell.rendezvous,
    events.WorkersStarted: _workers_started,
    events.RanksJoined: _ranks_joined,
    events.BackendReady: _backend_ready,
}
