"""From the `deepspeed` command to the model: runner, launcher, ranks, extensions."""

from binascii import b2a_base64
from collections.abc import Iterator

from llmsim.dialects.capture import ranks_kept
from llmsim.dialects.deepspeed import extension, pipeline
from llmsim.dialects.deepspeed.engine import WORLD, world
from llmsim.dialects.deepspeed.log_lines import (
    dated,
    each,
    has_launcher,
    info,
    plain,
    zero_stage,
)
from llmsim.dialects.line import Line, Render
from llmsim.dialects.parts import process_group, shell
from llmsim.job.records import Job, gpus_per_node
from llmsim.model.architecture import parameter_count
from llmsim.run import cluster, events
from llmsim.run.cluster import hostname
from llmsim.run.phases.launch import LISTED_RANKS
from llmsim.text.screen import Screen

Lines = Iterator[Line]

PYTHON = "/usr/bin/python"
_LAUNCHER = f"{PYTHON} -u -m deepspeed.launcher.launch"
_ACCELERATOR = "real_accelerator.py:239:get_accelerator"
_AUTODETECTED = "Setting ds_accelerator to cuda (auto detect)"


def arguments(job: Job) -> list[str]:
    """The script and its arguments."""
    return [
        "train.py", "--model_name_or_path", f"models/{job.model.name}",
        "--data_path", job.dataset.name, "--output_dir", f"checkpoints/{job.run_name}",
        "--deepspeed", "--deepspeed_config", "ds_config.json",
    ]  # fmt: skip


def _hosts(job: Job) -> dict[str, list[int]]:
    """The nodes with their GPUs, as the launcher knows them."""
    gpus = list(range(gpus_per_node(job)))
    if job.layout.nodes == 1:
        return {"localhost": gpus}
    return {hostname(job, node): gpus for node in range(job.layout.nodes)}


def _url_safe(text: str) -> str:
    """The text in URL-safe Base64. The base64 module is not used, since it is slow to import."""
    return b2a_base64(text.encode(), newline=False).decode().translate({43: "-", 47: "_"})


def _command(job: Job) -> str:
    """The command with which the runner starts the processes: local, over pdsh, or under Slurm."""
    script = " ".join(arguments(job))
    if not has_launcher(job):
        return f"srun -n {job.layout.gpus} {PYTHON} -u {script}"
    world = str(_hosts(job)).replace("'", '"')  # as JSON writes it
    info_ = f"--world_info={_url_safe(world)}"
    port = f"--master_port={cluster.PORT}"
    if job.layout.nodes == 1:
        master = f"--master_addr=127.0.0.1 {port} --enable_each_rank_log=None"
        return f"{_LAUNCHER} {info_} {master} {script}"
    there = "export PYTHONPATH=/workspace;  cd /workspace;"
    master = f"--node_rank=%n --master_addr={cluster.address(job, 0)} {port}"
    return (
        f"pdsh -S -f 1024 -w {','.join(_hosts(job))} {there} {_LAUNCHER} {info_} {master} {script}"
    )


def _launched(event: events.Launched, job: Job, screen: Screen) -> Lines:
    hosts = "" if job.layout.nodes == 1 else " --hostfile=hostfile"
    if not has_launcher(job):
        hosts += " --launcher slurm"
    yield from shell.typed(screen, f"deepspeed{hosts} {' '.join(arguments(job))}")


def _rendezvous(event: events.Rendezvous, job: Job, screen: Screen) -> Lines:
    """The runner's own lines, which have no node before them."""
    for place, text in (
        (_ACCELERATOR, _AUTODETECTED),
        ("runner.py:605:main", f"cmd = {_command(job)}"),
    ):
        yield Line(dated(job, event.at, place, text), launcher=True)


def _node_detected(event: events.NodeDetected, job: Job, screen: Screen) -> Lines:
    """A node's launcher starts its processes."""
    if not has_launcher(job):
        return
    hosts, first = _hosts(job), event.node * event.gpus
    ranks = {
        name: [node * event.gpus + local for local in gpus]
        for node, (name, gpus) in enumerate(hosts.items())
    }
    texts = {
        146: f"WORLD INFO DICT: {hosts}",
        152: f"nnodes={job.layout.nodes}, num_local_procs={event.gpus}, node_rank={event.node}",
        163: f"global_rank_mapping=defaultdict(<class 'list'>, {ranks})",
        164: f"dist_world_size={job.layout.gpus}",
        168: f"Setting CUDA_VISIBLE_DEVICES={','.join(map(str, range(event.gpus)))}",
    }
    yield _by_launcher(info(job, event.at, _ACCELERATOR, _AUTODETECTED, event.node))
    for number, text in texts.items():
        yield _by_launcher(info(job, event.at, f"launch.py:{number}:main", text, event.node))
    script, *others = arguments(job)
    for local in range(event.gpus):
        command = [PYTHON, "-u", script, f"--local_rank={local}", *others]
        text = f"process {cluster.worker(job, first + local)} spawned with command: {command}"
        yield _by_launcher(info(job, event.at, "launch.py:256:main", text, event.node))


def _by_launcher(line: Line) -> Line:
    return line._replace(launcher=True)


def _rank_joined(event: events.RankJoined, job: Job, screen: Screen) -> Lines:
    yield from _joined(job, event.at, event.rank)


def _joined(job: Job, at: float, rank: int) -> Lines:
    yield info(job, at, _ACCELERATOR, _AUTODETECTED, rank=rank)
    yield info(job, at, "comm.py:658:init_distributed", "cdb=None", rank=rank)


def _ranks_joined(event: events.RanksJoined, job: Job, screen: Screen) -> Lines:
    """The processes without an event of their own join; then rank 0 goes on."""
    for rank in ranks_kept(job):
        if rank >= LISTED_RANKS:
            yield from _joined(job, event.at, rank)
    text = "Initializing TorchBackend in DeepSpeed with backend nccl"
    yield info(job, event.at, "comm.py:689:init_distributed", text)


def _model_built(event: events.ModelBuilt, job: Job, screen: Screen) -> Lines:
    for line in process_group.barrier(job, event.at - event.seconds):
        yield plain(job, line.text, rank=line.rank)
    if zero_stage(job) == 3:  # zero.Init reads the configuration, too
        yield from each(job, event.at - event.seconds, WORLD, world(job))
    if job.layout.pp > 1:
        yield plain(job, f"SEED_LAYERS=False BASE_SEED={job.seed} SEED_FN=None")
        text = "Partitioning pipeline stages with method type:transformer"
        yield info(job, event.at, "module.py:398:_partition_layers", text)
        yield from (plain(job, text) for text in _pipeline(job))


def _pipeline(job: Job) -> Iterator[str]:
    """How the layers are spread over the stages (runtime/pipe/module.py)."""
    for stage in range(job.layout.pp):
        begin, names = pipeline.modules(job, stage)
        yield f"stage={stage} layers={len(names)}"
        for place, name in enumerate(names, begin):
            yield f"    {place:2d}: {name}"
    yield "  loss: CrossEntropy"


def _model_sharded(event: events.ModelSharded, job: Job, screen: Screen) -> Lines:
    """With ZeRO-3 each weight is sharded when it is made. Then the optimizer's extension is
    loaded.
    """
    if zero_stage(job) == 3:
        size = parameter_count(job.architecture) / 1e9
        text = f"finished initializing model - num_params = {tensors(job)}, num_elems = {size:.2f}B"
        yield info(job, event.at, "partition_parameters.py:348:__exit__", text)
    yield from (plain(job, text, rank=rank) for text, rank in extension.found(job, event.at))


def tensors(job: Job) -> int:
    """Weight tensors of the model: seven projections and two norms a block, or with experts.

    A block of Megatron-DeepSpeed's GPT has four matrices and two norms, all of them with biases or
    the norms alone; positions are learned (megatron/model/transformer.py).
    """
    config = job.architecture
    if config.family == "gpt2":
        return config.layers * (12 if config.biases else 8) + 4 + (not config.tied)
    inner = 3 if config.experts == 1 else 1 + 3 * config.experts
    return config.layers * (4 + 2 + inner) + 2 + (not config.tied)


def _summary(event: events.Summary, job: Job, screen: Screen) -> Lines:
    """The processes end, and the launchers report that they have."""
    if event.ended_by:
        return  # the process is killed before it comes so far
    for line in process_group.leaked(job, event.at):
        yield plain(job, line.text, rank=line.rank)
    if has_launcher(job):
        for rank in range(job.layout.gpus):
            text = f"Process {cluster.worker(job, rank)} exits successfully."
            node = rank // gpus_per_node(job)
            yield _by_launcher(info(job, event.at, "launch.py:351:main", text, node))


LINES: dict[type, Render] = {
    events.Launched: _launched,
    events.Rendezvous: _rendezvous,
    events.NodeDetected: _node_detected,
    events.RankJoined: _rank_joined,
    events.RanksJoined: _ranks_joined,
    events.ModelBuilt: _model_built,
    events.ModelSharded: _model_sharded,
    events.Summary: _summary,
}
