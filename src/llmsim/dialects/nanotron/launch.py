"""From torchrun to the first iteration: the model comes first, the configuration last."""

from collections.abc import Iterator

from llmsim.dialects.line import Line, Render
from llmsim.dialects.nanotron.config import (
    STAGE,
    config,
    data_folder,
    is_qwen,
    model_config,
    pretty,
)  # fmt: skip
from llmsim.dialects.nanotron.environment import environment
from llmsim.dialects.nanotron.log_lines import human, say, title
from llmsim.dialects.parts import process_group
from llmsim.dialects.parts.torchrun import greeting
from llmsim.job.milestones import is_fresh
from llmsim.job.records import Job, batch_tokens
from llmsim.physics.hardware import allocator, memory
from llmsim.physics.hardware.stages import stage_layers, stage_parameters
from llmsim.run import cluster, events
from llmsim.text.screen import Screen

Lines = Iterator[Line]

MIB = 2**20
_HELPERS = "/workspace/nanotron/src/nanotron/data/nemo_dataset"


def _rendezvous(event: events.Rendezvous, job: Job, screen: Screen) -> Lines:
    yield from greeting(job, event.at)


def _backend_ready(event: events.BackendReady, job: Job, screen: Screen) -> Lines:
    """The barrier of ParallelContext makes the communicator; then the model is built."""
    at, layout = event.at, job.layout
    yield from process_group.barrier(job, at - event.seconds)
    vocabulary = job.architecture.vocabulary
    if dummies := -vocabulary % layout.tp:
        new = f"{dummies} dummy tokens (new size: {vocabulary + dummies})"
        text = f"[Vocab Size Padding] Padded vocab (size: {vocabulary}) with {new}"
        yield say(job, at, screen, text, "WARNING")
    yield from title(job, at, screen, "Building model")
    if not is_qwen(job):
        theta = model_config(job).fields["rope_theta"]
        yield say(job, at, screen, f"Initialize RoPE Theta = {theta}")
    yield say(job, at, screen, "Setting PP block ranks...")


def _blocks(job: Job) -> Iterator[str]:
    """The stage of each block (models/base.py, log_modules)."""
    pp, layer = job.layout.pp, 0
    yield f"module_name: model.token_position_embeddings | PP: 0/{pp}"
    for stage in range(pp):
        for _ in range(stage_layers(job.architecture, job.layout, stage)):
            yield f"module_name: model.decoder.{layer} | PP: {stage}/{pp}"
            layer += 1
    for name in ("model.final_layer_norm", "model.lm_head", "model.cast_to_fp32", "loss"):
        yield f"module_name: {name} | PP: {pp - 1}/{pp}"


def _model_sharded(event: events.ModelSharded, job: Job, screen: Screen) -> Lines:
    model, layout, at = job.architecture, job.layout, event.at
    if layout.pp > 1:
        yield from (say(job, at, screen, text) for text in _blocks(job))
    stages = [stage_parameters(model, layout, stage) for stage in range(layout.pp)]
    total = layout.tp * sum(stages)
    text = f"Total number of parameters: {human(total)} ({2 * total / MIB:.2f}MiB)"
    yield say(job, at, screen, text)
    for stage, count in enumerate(stages):
        for slice_ in range(layout.tp):
            for text in _built(job, stage, count):
                yield say(job, at, screen, text, stage=stage, slice_=slice_)
    if is_fresh(job):
        yield from _unloaded(job, at, screen)


def _unloaded(job: Job, at: float, screen: Screen) -> Lines:
    """No checkpoint of this program: released weights come in without a line."""
    yield say(job, at, screen, "No checkpoint path provided.")
    if not job.recipe.released:
        text = "Parametrizing model parameters using StandardParametrizator"
        yield say(job, at, screen, text)


def _built(job: Job, stage: int, count: int) -> Iterator[str]:
    """What the first data rank of each slice of a stage prints of its model."""
    used, held = built(job, stage)
    yield f"Local number of parameters: {human(count)} ({2 * count / MIB:.2f}MiB)"
    yield (
        f"[After model building] Memory usage: {used:.2f}MiB. Peak allocated: {used:.2f}MiB "
        f"Peak reserved: {held:.2f}MiB"
    )


def built(job: Job, stage: int) -> tuple[float, float]:
    """MiB of a stage's rank after the model is built: in tensors, and reserved."""
    weights = memory.stage(job.architecture, job.layout, job.schedule.sequence, stage).weights
    return weights / MIB, allocator.reserved(job, 0, stage) / MIB


def _resumed(event: events.Resumed, job: Job, screen: Screen) -> Lines:
    if not event.step:
        yield from _unloaded(job, event.at - event.seconds, screen)
        return
    for what in ("checkpoint", "weights"):
        text = f"Loading {what} from checkpoints/{event.step}"
        yield say(job, event.at - event.seconds, screen, text)


def _metadata(job: Job, step: int) -> str:
    """CheckpointMetadata of a checkpoint (serialize/metadata.py)."""
    samples, tokens = step * job.schedule.global_batch, step * batch_tokens(job)
    consumed = f"{{'{data_folder(job)}': {tokens}}}"
    return (
        f"CheckpointMetadata(version=<Version('1.5')>, tp={job.layout.tp}, dp={job.layout.dp}, "
        f"metas=TrainingMetadata(consumed_train_samples={samples}, last_train_step={step}, "
        f"consumed_tokens_total={tokens}, last_stage_idx=0, data_stages=[DataStageMetadata("
        f"name='{STAGE}', start_training_step=1, consumed_train_samples={samples}, "
        f"sequence_length={job.schedule.sequence}, consumed_tokens_per_dataset_folder={consumed})"
        "]), cp=1, custom_metas=None)"
    )


def _trainer_ready(event: events.TrainerReady, job: Job, screen: Screen) -> Lines:
    """The optimizer, then versions and configuration, then the data and the plan."""
    at, done = event.at, event.first_step - 1
    yield from _optimizer(job, at, screen)
    if done:
        yield say(job, at, screen, _metadata(job, done))
    yield from _settings(job, at, screen)
    yield from _data(job, at, screen, done)
    schedule, layout = job.schedule, job.layout
    yield from title(job, at, screen, "Start training")
    yield say(
        job, at, screen,
        f"mbs: {layout.micro_batch} | grad_accum: {layout.accumulation} | cp: 1 | "
        f"sequence_length: {schedule.sequence} | global_batch_size: {schedule.global_batch} | "
        f"train_steps: {schedule.steps} | start_iteration_step: {done} | "
        f"consumed_tokens_total: {done * batch_tokens(job)}",
    )  # fmt: skip
    yield say(
        job, at, screen,
        f"Resuming training from stage {STAGE}, it has trained for "
        f"{done * schedule.global_batch} samples and has {_left(job, done)} remaining train steps\n"
        f"Consumed tokens per dataset folder: {_consumed(job, done)}",
    )  # fmt: skip


def _left(job: Job, done: int) -> int:
    """Steps that are left as helpers.py:797 counts them: none after a start from a checkpoint."""
    return 0 if done > 1 else job.schedule.steps


def _consumed(job: Job, done: int) -> str:
    return f"{{'{data_folder(job)}': {done * batch_tokens(job)}}}" if done else "{}"


def _optimizer(job: Job, at: float, screen: Screen) -> Lines:
    text = "Building Optimizer and Gradient Accumulator and Learning Rate Scheduler"
    yield from title(job, at, screen, text)
    text = "[Optimizer Building] Using LearningRateForSP as learning rate"
    yield say(job, at, screen, text)
    text = "[Optimizer Building] 0 params excluded from weight decay"
    yield say(job, at, screen, text, "WARNING")
    if job.layout.sharding == "ddp":
        return
    yield say(job, at, screen, "[ZeRO sharding] Size of optimizer params per rank:")
    count, ranks = stage_parameters(job.architecture, job.layout, 0), job.layout.dp
    part = f"{human(count / ranks)} out of {human(count)} ({100 / ranks:.2f}%)"
    for rank in range(ranks):
        text = f"[ZeRO sharding] DP Rank {rank} has {part} params' optimizer states"
        yield say(job, at, screen, text)


def _settings(job: Job, at: float, screen: Screen) -> Lines:
    software = job.software
    yield from title(job, at, screen, "Libraries versions:")
    for text in (
        "nanotron version: 0.4", f"torch version: {software.torch}",
        f"transformers version: {software.transformers}", "datasets version: 3.6.0",
        "flash-attn version: 2.8.3", "numpy version: 1.26.4",
    ):  # fmt: skip
        yield say(job, at, screen, text)
    yield from map(Line, environment(job))
    yield say(job, at, screen, "\ntorch.utils.collect_env: None")
    yield from title(job, at, screen, "Config:")
    text = f"Parsing config: /workspace/nanotron/configs/{job.run_name}.yaml"
    yield say(job, at, screen, text)
    yield say(job, at, screen, pretty(config(job)))
    yield from title(job, at, screen, "Model Config:")
    yield say(job, at, screen, pretty(model_config(job)))


def _data(job: Job, at: float, screen: Screen, done: int) -> Lines:
    """run_train.py: the plan, and the one stage's tokens."""
    samples, consumed = (steps * job.schedule.global_batch for steps in (job.schedule.steps, done))
    yield from title(job, at, screen, "Training plan")
    plan = f"There are 1 training stages \n[Stage {STAGE}] start from step 1 \n"
    yield say(job, at, screen, plan)
    if not done:
        yield say(job, at, screen, f"Starting new stage {STAGE}")
    for text in (
        (
            f"Current stage: {STAGE} has {_left(job, done)} remaining training steps and has "
            f"consumed {consumed} samplesConsumed tokens per dataset folder: {_consumed(job, done)}"
        ),
        "Using TokenizedBytes Dataloader",
        (
            f"[TokenizedBytes] Creating TokenizedBytes with 1 dataset folders and {samples} train "
            "samples"
        ),
        "Building Streamable datasets.",
        "Using DatatroveFolderDataset",
    ):
        yield say(job, at, screen, text)
    yield Line(f"make: Entering directory '{_HELPERS}'")
    yield Line("make: Nothing to be done for 'default'.")
    yield Line(f"make: Leaving directory '{_HELPERS}'")
    seconds = cluster.setup_seconds(job, "index builder") + samples * 4e-9
    text = f"> elapsed time for building blendable dataset indices: {seconds:.2f} (sec)"
    yield say(job, at, screen, text)
    if done:
        setting = f"dataset 0 ({data_folder(job)}) to {done * batch_tokens(job)}"
        text = f"[BlendableDataset] Setting consumed_tokens for {setting}"
        yield say(job, at, screen, text)
    for text in (
        "Streamable datasets ready.",
        f"Building dataloader with consumed samples for current datastage: {consumed}",
        (
            f"Instantiating MegatronPretrainingSampler with total_samples: {samples} and "
            f"consumed_samples: {consumed}"
        ),
        f"[TokenizedBytes] Time taken to create TokenizedBytes: 00:{int(seconds + 1):02d} (MM:SS)",
    ):
        yield say(job, at, screen, text)


LINES: dict[type, Render] = {
    events.Rendezvous: _rendezvous,
    events.BackendReady: _backend_ready,
    events.ModelSharded: _model_sharded,
    events.Resumed: _resumed,
    events.TrainerReady: _trainer_ready,
}
