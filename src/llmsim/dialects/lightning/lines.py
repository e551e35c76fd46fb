"""PyTorch Lightning (2.6.6) with its tqdm bars: a table of the model, then one bar an epoch.

The bar counts micro-batches and ends with the logger's version and the last losses; its format
has rate_noinv_fmt: batches a second, even where a batch takes longer. A validation's bar is erased,
and so is the full bar of each epoch but the last (callbacks/progress/tqdm_progress.py). Only the
bar shows the losses, so a file has the bar at every logged step.
"""

from collections.abc import Iterator
from math import log10

from llmsim.dialects.lightning import recovery
from llmsim.dialects.line import Bar, Line, Render
from llmsim.dialects.parts import packages, shell
from llmsim.dialects.parts.interleaving import interleaved
from llmsim.dialects.parts.tqdm import bar
from llmsim.job.milestones import logged, steps_per_epoch
from llmsim.job.records import Job, gpus_per_node
from llmsim.model.architecture import Architecture, parameter_count, trained_parameter_count
from llmsim.physics.learning import loss
from llmsim.run import events
from llmsim.text.screen import Screen

Lines = Iterator[Line | Bar]

RULE = "-" * 100
TIP = (
    "💡 Tip: For seamless cloud logging and experiment tracking, try installing "
    "[litlogger](https://pypi.org/project/litlogger/) to enable LitLogger, which logs metrics and "
    "artifacts automatically to the Lightning Experiments platform."
)
FOUND = ("GPU available: True (cuda), used: True", "TPU available: False, using: 0 TPU cores")
_UNITS = (" ", "K", "M", "B", "T")
_DIGITS = 5  # that a number in the bar is padded to


# --- launch ------------------------------------------------------------------------------


def _launched(event: events.Launched, job: Job, screen: Screen) -> Lines:
    script = (
        f"train.py fit --model {job.model.name} --data {job.dataset.name} "
        f"--trainer.max_steps {job.schedule.steps} --trainer.num_sanity_val_steps 0"
    )
    yield from shell.typed(screen, shell.torchrun(job, script))


def _ranks_joined(event: events.RanksJoined, job: Job, screen: Screen) -> Lines:
    tip = TIP if screen.unicode else TIP.removeprefix("💡 ")
    precision = "Using bfloat16 Automatic Mixed Precision (AMP)"
    yield from started(job, (precision, *FOUND, tip, device(job)))


def device(job: Job) -> str:
    """The advice that a trainer without a float32 matmul precision gives."""
    return (
        f"You are using a CUDA device ({job.gpu.name!r}) that has Tensor Cores. To properly "
        "utilize them, you should set `torch.set_float32_matmul_precision('medium' | 'high')` "
        "which will trade-off precision for performance. For more details, read "
        "https://pytorch.org/docs/stable/generated/torch.set_float32_matmul_precision.html"
        "#torch.set_float32_matmul_precision"
    )


def started(job: Job, told: tuple[str, ...]) -> Iterator[Line]:
    """The lines of the first node's processes, which start at the same time; `told` by rank 0."""
    ranks = range(gpus_per_node(job))
    yield from map(Line, interleaved(job, "seeds", [_start(job, rank, told) for rank in ranks]))


def _start(job: Job, rank: int, told: tuple[str, ...]) -> list[str]:
    """A process's lines: of its seed, of rank 0's Trainer, and of its rank."""
    if job.layout.gpus == 1:
        return [f"Seed set to {job.seed}", *told]
    member = f"GLOBAL_RANK: {rank}, MEMBER: {rank + 1}/{job.layout.gpus}"
    seed, joined = f"[rank: {rank}] Seed set to {job.seed}", f"Initializing distributed: {member}"
    return [seed, *told, joined] if rank == 0 else [seed, joined]


def backend_ready(event: events.BackendReady, job: Job, screen: Screen) -> Lines:
    """The line when all processes have registered."""
    size = gpus_per_node(job)
    if job.layout.gpus > 1:
        yield from registered(job)
    devices = ",".join(map(str, range(size)))
    lines = [[f"LOCAL_RANK: {rank} - CUDA_VISIBLE_DEVICES: [{devices}]"] for rank in range(size)]
    yield from map(Line, interleaved(job, "devices", lines))


def _backend_ready(event: events.BackendReady, job: Job, screen: Screen) -> Lines:
    """The same of fit(ckpt_path=...), which opens the checkpoint before its strategy is set up."""
    lines = list(backend_ready(event, job, screen))
    devices = [line for line in lines if line.text.startswith("LOCAL_RANK: ")]
    yield from lines[: len(lines) - len(devices)]
    yield from recovery.restoring(job)
    yield from devices


def registered(job: Job) -> Iterator[Line]:
    """The box that says that all processes have met."""
    text = f"All distributed processes registered. Starting with {job.layout.gpus} processes"
    yield from map(Line, (RULE, "distributed_backend=nccl", text, RULE, ""))


def _trainer_ready(event: events.TrainerReady, job: Job, screen: Screen) -> Lines:
    """The summary of the model, which counts every weight with 32 bits, and says so first."""
    home = packages.placed(job.software, recovery.HOME)
    yield Line(
        f"{home}/utilities/model_summary/model_summary.py:242: Precision bf16-mixed is "
        "not supported by the model summary.  Estimated model size in MB will not be accurate. "
        "Using 32 bits instead."
    )
    yield from summary(job)
    yield from recovery.restored_all(job)


def summary(job: Job) -> Iterator[Line]:
    """The table of the whole model."""
    config = job.architecture
    kind = "MixtralForCausalLM" if config.experts > 1 else "LlamaForCausalLM"
    weights, trained = parameter_count(config), trained_parameter_count(config)
    yield from table("model", kind, weights, trained, modules(config))


def table(name: str, kind: str, weights: int, trained: int, modules: int) -> Iterator[Line]:
    """A module's table below an empty line, plain (utilities/model_summary/model_summary.py)."""
    row = ("0", name, kind, count(weights), "train", count(0))
    head = (" ", "Name", "Type", "Params", "Mode", "FLOPs")
    widths = [max(len(name), len(value)) for name, value in zip(head, row, strict=True)]
    rule = "-" * (sum(widths) + 3 * (1 + len(widths)))
    yield Line("")
    yield Line(" | ".join(f"{name:<{size}}" for name, size in zip(head, widths, strict=True)))
    yield Line(rule)
    yield Line(" | ".join(f"{value:<{size}}" for value, size in zip(row, widths, strict=True)))
    yield Line(rule)
    for value, name in (
        (count(trained), "Trainable params"),
        (count(weights - trained), "Non-trainable params"),
        (count(weights), "Total params"),
        (f"{weights * 4e-6:,.3f}", "Total estimated model params size (MB)"),
        (modules, "Modules in train mode"),
        (0, "Modules in eval mode"),
        (count(0), "Total Flops"),
    ):
        yield Line(f"{value:<10}{name}")


def count(number: int) -> str:
    """A number of weights: 445 K, 1.4 B (get_human_readable_count)."""
    digits = int(log10(number)) + 1 if number else 1
    group = min(-(-digits // 3), len(_UNITS)) - 1
    scaled = number * 10.0 ** (-3 * group)
    form = f"{int(scaled):,d}" if group < 1 or scaled >= 100 else f"{scaled:,.1f}"
    return f"{form} {_UNITS[group]}"


def modules(config: Architecture) -> int:
    """Modules of a transformers model: 13 a layer (12 of a mixture), and 7 around them."""
    return (12 if config.experts > 1 else 13) * config.layers + 7


# --- training ----------------------------------------------------------------------------


def padded(value: float) -> str:
    """A number in the bar: three digits, padded so that the bar does not flicker."""
    text = f"{value:.3g}"
    if "e" in text:
        return text.replace("e-0", "e-")
    if "." not in text and len(text) < _DIGITS:
        text += "."
    return text + "0" * (_DIGITS - len(text))


def _note(job: Job, step: int, validated: int) -> str:
    """The version of the logger's folder and the losses: of this step, and of the last validation
    if there was one.
    """
    note = f"v_num=0, train_loss={padded(loss.training(job, step))}"
    if validated:
        note += f", val_loss={padded(loss.validation(job, validated))}"
    return note


def _progress(event: events.Progress, job: Job, screen: Screen) -> Lines:
    batches = job.layout.accumulation
    if event.task == "validation":
        yield bar(
            screen, "Validation DataLoader 0", event.done * batches, event.total * batches,
            event.elapsed, leave=False, inverts=False,
        )  # fmt: skip
    elif event.task == "epoch":
        epoch = event.epoch - 1
        step, every = epoch * steps_per_epoch(job) + event.done, job.schedule.validate_every
        if not screen.live and not logged(job, step):
            return
        drawn = bar(
            screen, f"Epoch {epoch}", event.done * batches, event.total * batches, event.elapsed,
            note=lambda: _note(job, step, (step - 1) // every * every), leave=False, inverts=False,
        )  # fmt: skip
        yield drawn if screen.live else Line(drawn.text)


def _epoch_ended(event: events.EpochEnded, job: Job, screen: Screen) -> Lines:
    """The bar of the last epoch, which stays, with the loss of its validation."""
    schedule = job.schedule
    if event.epoch == schedule.epochs:
        batches = steps_per_epoch(job) * job.layout.accumulation
        yield bar(
            screen, f"Epoch {event.epoch - 1}", batches, batches, event.seconds,
            note=lambda: _note(job, schedule.steps, _last_validated(job)), inverts=False,
        )  # fmt: skip


def _last_validated(job: Job) -> int:
    """The last step that val_check_interval divides; 0 if there is none."""
    every = job.schedule.validate_every
    return job.schedule.steps // every * every


def _phase_ended(event: events.PhaseEnded, job: Job, screen: Screen) -> Lines:
    if event.phase == "training":
        yield stopped(job)


def stopped(job: Job) -> Line:
    """The line that says why the Trainer ends."""
    return Line(f"`Trainer.fit` stopped: `max_steps={job.schedule.steps}` reached.")


LINES: dict[type, Render] = {
    **recovery.LINES,
    events.Launched: _launched,
    events.Rendezvous: shell.rendezvous,
    events.RanksJoined: _ranks_joined,
    events.BackendReady: _backend_ready,
    events.TrainerReady: _trainer_ready,
    events.Progress: _progress,
    events.EpochEnded: _epoch_ended,
    events.PhaseEnded: _phase_ended,
}
