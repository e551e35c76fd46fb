"""llm.c's train_gpt2.cu: a table of the configuration, then a line for every step.

Loss and gradient norm are followed by their z-score, (value - mean) / deviation over the last 128
steps, this one included; earlier steps have none (outlier_detector.h). The tokens per second are
an exponential mean with bias correction, without the first step.
"""

from collections.abc import Iterator

from llmsim.dialects.line import Line, Render
from llmsim.dialects.llmc import estimates, recovery
from llmsim.dialects.parts import shell
from llmsim.job.milestones import KEPT_SAVES, evicted_checkpoint, is_fresh
from llmsim.job.records import Job, batch_tokens
from llmsim.model import gpt2
from llmsim.model.architecture import padded_vocabulary, parameter_count
from llmsim.physics.hardware import memory
from llmsim.physics.learning import benchmarks, loss
from llmsim.physics.learning.objectives import Score
from llmsim.physics.speed import step_time
from llmsim.run import events
from llmsim.text.screen import Screen

Lines = Iterator[Line]

MIB = 1 << 20
EDGE = "+-----------------------+----------------------------------------------------+"


def folder(job: Job) -> str:
    """The folder of a run's files, from where the program has been started."""
    return f"checkpoints/{job.run_name}"


def _data(job: Job, part: str) -> str:
    return f"dev/data/{job.dataset.name}/{job.dataset.name}_{part}_*.bin"


def _zero_stage(job: Job) -> int:
    return 0 if job.layout.sharding == "ddp" else 1


def _recompute(job: Job) -> int:
    """llm.c's -r: 0 recomputes nothing, 1 the activation function, 2 also the norms."""
    return 0 if job.layout.recompute == "none" else 2


def _start(job: Job) -> str:
    """llm.c's -e: a depth for random weights of a GPT-2, or the file of other weights."""
    config = job.architecture
    if (config.layers, config.hidden_size) in gpt2.SIZES:
        return f"d{config.layers}"
    return f"{job.model.name}_bf16.bin"


def _batches(job: Job) -> int:
    """Micro-batches of a validation."""
    return job.schedule.validation_batches * job.layout.accumulation


# --- launch ------------------------------------------------------------------------------


def _launched(event: events.Launched, job: Job, screen: Screen) -> Lines:
    schedule, layout = job.schedule, job.layout
    program = (
        f'./train_gpt2cu -i "{_data(job, "train")}" -j "{_data(job, "val")}" -o {folder(job)} '
        f"-e {_start(job)} -b {layout.micro_batch} -t {schedule.sequence} "
        f"-d {batch_tokens(job)} -r {_recompute(job)} -z {_zero_stage(job)} -c 0.1 "
        f"-k {schedule.decay} -l {schedule.peak_lr:.2e} "
        f"-q {schedule.final_lr / schedule.peak_lr:g} "
        f"-u {schedule.warmup} -n {schedule.save_every} -nk {KEPT_SAVES} "
        f"-v {schedule.validate_every} -m {_batches(job)} -s 0 -h 1 -x {schedule.steps}"
        f"{'' if is_fresh(job) else ' -y 1'}"
    )
    yield from shell.looked(job, screen, event.at)
    yield from shell.typed(screen, f"mpirun -np {layout.gpus} {program}")


def _table(rows: dict[str, object]) -> Lines:
    for name, value in rows.items():
        yield Line(f"| {name:<21} | {value!s:<50} |")
    yield Line(EDGE)


def _backend_ready(event: events.BackendReady, job: Job, screen: Screen) -> Lines:
    schedule, layout = job.schedule, job.layout
    yield Line(EDGE)
    yield from _table({"Parameter": "Value"})
    yield from _table({
        "train data pattern": _data(job, "train"),
        "val data pattern": _data(job, "val"),
        "output log dir": folder(job),
        "checkpoint_every": schedule.save_every,
        "resume": 0 if is_fresh(job) else 1,
        "micro batch size B": layout.micro_batch,
        "sequence length T": schedule.sequence,
        "total batch size": batch_tokens(job),
        "LR scheduler": schedule.decay,
        "learning rate (LR)": f"{schedule.peak_lr:e}",
        "warmup iterations": schedule.warmup,
        "final LR fraction": f"{schedule.final_lr / schedule.peak_lr:e}",
        "weight decay": f"{0.1:e}",
        "skip update lossz": f"{0.0:f}",
        "skip update gradz": f"{0.0:f}",
        "max_steps": schedule.steps,
        "val_loss_every": schedule.validate_every,
        "val_max_steps": _batches(job),
        "sample_every": 0,
        "genT": 64,
        "overfit_single_batch": 0,
        "use_master_weights": "enabled",
        "gelu_fusion": 0,
        "recompute": _recompute(job),
    })  # fmt: skip
    yield from _table({
        "device": job.gpu.name,
        "peak TFlops": f"{estimates.peak(job):.1f}",
        "precision": "BF16",
    })  # fmt: skip


def _model_built(event: events.ModelBuilt, job: Job, screen: Screen) -> Lines:
    schedule, layout, config = job.schedule, job.layout, job.architecture
    yield from _table({
        "weight init method": _start(job) if is_fresh(job) else "intermediate checkpoint",
        "max_sequence_length T": config.context,
        "vocab_size V": config.vocabulary,
        "padded_vocab_size Vp": padded_vocabulary(config),
        "num_layers L": config.layers,
        "num_heads NH": config.heads,
        "channels C": config.hidden_size,
        "num_parameters": event.parameters,
    })  # fmt: skip
    yield from _table({"train_num_batches": schedule.steps, "val_num_batches": _batches(job)})
    yield from _table({"run hellaswag": "yes"})
    if not _zero_stage(job):
        yield Line(f"| {'Zero Optimization is disabled':<74} |")
    yield from _table({"num_processes": layout.dp, "zero_stage": _zero_stage(job)})
    size = 2 * event.parameters
    yield Line(f"num_parameters: {event.parameters} => bytes: {size}")
    yield Line(f"allocated {size // MIB} MiB for model parameters")
    yield Line(
        f"batch_size B={layout.micro_batch} * seq_len T={schedule.sequence} * "
        f"num_processes={layout.dp} and total_batch_size={batch_tokens(job)}"
    )
    yield Line(f"=> setting grad_accum_steps={layout.accumulation}")
    if is_fresh(job):
        yield Line(f"created directory: {folder(job)}")


def _trainer_ready(event: events.TrainerReady, job: Job, screen: Screen) -> Lines:
    layout, parameters = job.layout, parameter_count(job.architecture)
    planned = memory.estimate(job.architecture, layout, job.schedule.sequence)
    activations = planned.activations + planned.logits
    shards = layout.dp if _zero_stage(job) else 1
    state = 4 * parameters // shards
    yield Line(f"allocating {2 * parameters // MIB} MiB for parameter gradients")
    yield Line(f"allocating {activations // MIB} MiB for activations")
    yield Line(f"allocating {state // MIB} MiB for AdamW optimizer state m")
    yield Line(f"allocating {state // MIB} MiB for AdamW optimizer state v")
    yield Line(f"allocating {state // MIB} MiB for master copy of params")
    used = 4 * parameters + activations + 3 * state + planned.context
    total, sequence = memory.capacity(job.gpu), max(1, activations // layout.micro_batch)
    most = layout.micro_batch + (total - used) // sequence
    yield Line(f"device memory usage: {used // MIB} MiB / {total // MIB} MiB")
    yield Line(f"memory per sequence: {sequence // MIB} MiB")
    yield Line(f" -> estimated maximum batch size: {most}")
    if job.schedule.sequence < job.architecture.context:
        yield from _shorter(job)
    done = event.first_step - 1
    if done % job.schedule.validate_every == 0:
        yield from _evaluated(job, done, loss.validation(job, done))


def _shorter(job: Job) -> Lines:
    """The warning of sequences that are shorter than the model's positions."""
    yield from map(Line, (
        "!!!!!!!!",
        "WARNING:",
        f"- The training sequence length is: T={job.schedule.sequence} (set with -t)",
        f"- The model's max sequence length is: max_seq_len={job.architecture.context}",
        "You are attempting to train with a sequence length shorter than the model's max.",
        "This will lead to unused parameters in the wpe position embedding weights.",
        "If you know what you're doing you can ignore this warning.",
        "If you're like ???, you are most likely misconfiguring your training run.",
        "---> HINT: If you're training GPT-2 use -t 1024. If GPT-3, use -t 2048.",
        "!!!!!!!!",
    ))  # fmt: skip


# --- training ----------------------------------------------------------------------------


def _step(event: events.Step, job: Job, screen: Screen) -> Lines:
    derived = estimates.detected(job, event.step)
    mfu = estimates.mfu(job, event.step_seconds)
    yield Line(
        f"step {event.step:4d}/{job.schedule.steps} | loss {event.loss:7.6f} "
        f"({derived.loss_z:+.2f}z)| norm {event.gradient_norm:6.4f} ({derived.norm_z:+.2f}z)| "
        f"lr {event.learning_rate:.2e} | {event.step_seconds * 1000:.2f} ms | "
        f"{mfu * 100:.1f}% bf16 MFU | {derived.tokens_per_second:.0f} tok/s"
    )


def _validated(event: events.Validated, job: Job, screen: Screen) -> Lines:
    yield from _evaluated(job, event.step, event.loss)


def _evaluated(job: Job, step: int, value: float) -> Lines:
    """The loss before a step's successor is run, and HellaSwag but at step 0."""
    yield Line(f"val loss {value:f}")
    for score in hellaswag(job, step):
        yield Line(f"HellaSwag: {right_answers(score)}/{score.questions} = {score.value:f}")


def hellaswag(job: Job, step: int) -> Iterator[Score]:
    """The score of HellaSwag after a step: none at step 0, or where the run has no benchmarks."""
    scores = benchmarks.scores(job, step) if step else ()
    return (score for score in scores if score.name == "hellaswag")


def right_answers(score: Score) -> int:
    """How many of a benchmark's questions were answered right."""
    return round(score.value * score.questions)


def _checkpoint_started(event: events.CheckpointStarted, job: Job, screen: Screen) -> Lines:
    """One model file for all; each process writes its own state, and mpirun shows all output."""
    yield Line(f"Writing checkpoint at step {event.step}")
    yield Line(f"Writing model to {folder(job)}/model_{event.step:08d}.bin")
    for rank in range(job.layout.gpus):
        yield Line(f"Writing state to {folder(job)}/state_{event.step:08d}_{rank:05d}.bin")


def _checkpoint_deleted(event: events.CheckpointDeleted, job: Job, screen: Screen) -> Lines:
    """The number is two intervals back, even after the last step, where no save has been."""
    step = event.step
    if step == evicted_checkpoint(job, job.schedule.steps):
        step = job.schedule.steps - KEPT_SAVES * job.schedule.save_every
    yield Line(f"Deleting checkpoint at step {step}")


def _phase_ended(event: events.PhaseEnded, job: Job, screen: Screen) -> Lines:
    if event.phase == "training":
        steps = job.schedule.steps
        # Of a resumed run it adds up its own steps, and divides by the number of all.
        first = job.schedule.first_step
        own = (
            step_time.seconds_until(job, steps)
            if first > 1
            else step_time.interval_seconds(job, 2, steps)
        )
        seconds = own / (steps - 1)
        yield Line(f"total average iteration time: {seconds * 1000:f} ms")


LINES: dict[type, Render] = {
    **recovery.LINES,
    events.Launched: _launched,
    events.BackendReady: _backend_ready,
    events.ModelBuilt: _model_built,
    events.TrainerReady: _trainer_ready,
    events.Step: _step,
    events.Validated: _validated,
    events.CheckpointStarted: _checkpoint_started,
    events.CheckpointDeleted: _checkpoint_deleted,
    events.PhaseEnded: _phase_ended,
}
