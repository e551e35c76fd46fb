"""nanotron: rank 0's set-up, and every iteration from the rank that computes the loss.

nanotron@2411b02, src/nanotron/logging/base.py:268-392, trainer.py:600-800, and public logs of 2024
and 2025. It validates nothing and says nothing when it ends.
"""

from collections.abc import Iterator
from datetime import timedelta

from llmsim import events, machine
from llmsim.dialects import Tell, units
from llmsim.dialects.line import Line
from llmsim.dialects.torchrun import greeting
from llmsim.job import Job, batch_tokens, gpus_per_node, hostname
from llmsim.physics import allocator, compute, memory, schedule
from llmsim.physics.stages import stage_parameters
from llmsim.terminal.screen import Screen
from llmsim.typed import NamedTuple

Lines = Iterator[Line]

MIB = 2**20
STAGE = "Stable Training Stage"
RULE = "=" * 50
MEMORY_STEPS = 5  # it tells its memory in the first iterations

_PREFIXES = {"INFO": "\x1b[2;3m", "WARNING": "\x1b[1;33m"}
_SUFFIX, _BOLD = "\x1b[0m", "\x1b[1m"


def human(number: float) -> str:
    """Three significant digits and K, M, B or T, without trailing zeros (base.py:268)."""
    if abs(number) < 1:
        return f"{number:.3g}"
    number, sizes = float(f"{number:.3g}"), iter(("K", "M", "B", "T", "P"))
    size = ""
    while abs(number) >= 1000:
        number, size = number / 1000, next(sizes)
    return f"{number:f}".rstrip("0").rstrip(".") + size


def _say(
    job: Job, at: float, screen: Screen, text: str, level: str = "INFO", stage: int = 0
) -> Line:
    """A line of rank 0, or of a pipeline stage's first; of the ranks, those that could differ."""
    layout = job.layout
    ranks = {"DP": (layout.data, 0), "PP": (layout.pipeline, stage), "TP": (layout.tensor, 0)}
    shown = "".join(f"|{name}={rank}" for name, (size, rank) in ranks.items() if size > 1)
    node = stage * (layout.gpus // layout.pipeline) // gpus_per_node(job)
    start = f"{units.stamp(job.start, at):%m/%d %H:%M:%S} [{level}{shown}|{hostname(job, node)}]"
    if screen.color:
        start = f"{_PREFIXES[level]}{start}{_SUFFIX}"
    return Line(f"{start}: {text}")


# --- launch ------------------------------------------------------------------------------


def _rendezvous(event: events.Rendezvous, job: Job, screen: Screen) -> Lines:
    yield from greeting(job, event.at)


def _backend_ready(event: events.BackendReady, job: Job, screen: Screen) -> Lines:
    software = job.software
    title = "Libraries versions:"
    for text in (RULE, title, RULE):
        bold = f"{_BOLD}{text}{_SUFFIX}" if screen.color else text
        yield _say(job, event.at, screen, bold)
    for text in (
        "nanotron version: 0.5.0",
        f"torch version: {software.torch}",
        f"transformers version: {software.transformers}",
        "Config:",
        *pretty(_config(job)),
        "Model Config:",
        *pretty(_model_config(job)),
        "Building model..",
        "Setting PP block ranks...",
    ):
        yield _say(job, event.at, screen, text)


class Record(NamedTuple):
    """A dataclass: its name and fields, some of which are records themselves."""

    name: str
    fields: dict[str, object]


def pretty(record: Record) -> list[str]:
    """A record's lines as pprint shows a dataclass: one field a line, below the first."""
    lines: list[str] = []
    for name, value in record.fields.items():
        first, *more = pretty(value) if isinstance(value, Record) else [str(value)]
        lines += [f"{name}={first}", *(" " * (len(name) + 1) + line for line in more)]
        lines[-1] += ","
    lines[-1] = lines[-1][:-1] + (")]" if record.name.startswith("[") else ")")
    indent = " " * (len(record.name) + 1)
    return [f"{record.name}({lines[0]}", *(indent + line for line in lines[1:])]


def _config(job: Job) -> Record:
    """Config (src/nanotron/config/config.py), of which a person writes the most as YAML."""
    layout, plan = job.layout, job.schedule
    engine = "nanotron.parallel.pipeline_parallel.engine.OneForwardOneBackwardPipelineEngine"
    parts: dict[str, object] = {
        "general": Record("GeneralArgs", {
            "project": "'llmsim'", "run": f"'{job.run_name}'", "seed": job.seed, "step": None,
            "consumed_train_samples": None, "benchmark_csv_path": None,
            "ignore_sanity_checks": True,
        }),
        "parallelism": Record("ParallelismArgs", {
            "dp": layout.data, "pp": layout.pipeline, "tp": layout.tensor,
            "pp_engine": f"<{engine} object at {machine.pointer(job, 'engine')}>",
            "tp_mode": "<TensorParallelLinearMode.REDUCE_SCATTER: 2>",
            "tp_linear_async_communication": layout.tensor > 1,
            "recompute_layer": layout.recompute == "full", "tp_recompute_allgather": True,
            "context_parallel_size": 1, "expert_parallel_size": 1,
        }),
        "model": Record("ModelArgs", {
            "model_config": _model_config(job), "init_method": "RandomInit(std=0.02)",
            "dtype": "torch.bfloat16", "make_vocab_size_divisible_by": 1, "ddp_bucket_cap_mb": 25,
        }),
        "tokenizer": Record("TokenizerArgs", {
            "tokenizer_name_or_path": f"'models/{job.model.name}'", "tokenizer_revision": None,
            "tokenizer_max_length": None,
        }),
        "checkpoints": Record("CheckpointsArgs", {
            "checkpoints_path": "PosixPath('checkpoints')",
            "checkpoint_interval": plan.save_every, "save_initial_state": False,
            "save_final_state": True, "resume_checkpoint_path": None,
            "checkpoints_path_is_shared_file_system": True,
        }),
        "logging": Record("LoggingArgs", {
            "log_level": "'info'", "log_level_replica": "'info'",
            "iteration_step_info_interval": plan.log_every,
        }),
        "tokens": Record("TokensArgs", {
            "sequence_length": plan.sequence, "train_steps": plan.steps,
            "micro_batch_size": layout.micro_batch,
            "batch_accumulation_per_replica": layout.accumulation, "val_check_interval": -1,
            "limit_val_batches": 0, "limit_test_batches": 0,
        }),
        "optimizer": _optimizer(job),
        "data_stages": Record("[DatasetStageArgs", {
            "name": f"'{STAGE}'", "start_training_step": 1,
            "data": f"DataArgs(dataset='{job.dataset.name}', seed={job.seed})",
        }),
        "profiler": None,
        "lighteval": None,
    }  # fmt: skip
    return Record("Config", parts)


def _optimizer(job: Job) -> Record:
    plan = job.schedule
    stable = schedule.STABLE if plan.decay == "wsd" else 0.0  # of what follows the warmup
    begins = plan.warmup + round(stable * (plan.steps - plan.warmup))
    adam = Record("AdamWOptimizerArgs", {
        "adam_eps": 1e-08, "adam_beta1": 0.9, "adam_beta2": 0.95, "torch_adam_is_fused": True,
        "name": "'adamW'",
    })  # fmt: skip
    rates = Record("LRSchedulerArgs", {
        "learning_rate": plan.peak_lr, "lr_warmup_steps": plan.warmup,
        "lr_warmup_style": "'linear'", "lr_decay_style": f"'{_DECAYS[plan.decay]}'",
        "lr_decay_steps": plan.steps - begins,
        "lr_decay_starting_step": begins if stable else None,
        "min_decay_lr": plan.final_lr,
    })  # fmt: skip
    return Record("OptimizerArgs", {
        "optimizer_factory": adam, "zero_stage": int(job.layout.sharding != "ddp"),
        "weight_decay": 0.1, "clip_grad": 1.0, "accumulate_grad_in_fp32": True,
        "learning_rate_scheduler": rates,
    })  # fmt: skip


_DECAYS = {"cosine": "cosine", "linear": "linear", "wsd": "1-sqrt"}


def _model_config(job: Job) -> Record:
    shape = job.architecture
    experts: dict[str, object] = (
        {"moe_num_experts": shape.experts, "num_experts_per_tok": shape.active_experts}
        if shape.experts > 1
        else {}
    )
    return Record("LlamaConfig", {
        "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "'silu'", "hidden_size": shape.width,
        "initializer_range": 0.02, "intermediate_size": shape.feed_forward,
        "is_llama_config": True, "max_position_embeddings": job.schedule.sequence, **experts,
        "num_attention_heads": shape.heads, "num_hidden_layers": shape.layers,
        "num_key_value_heads": shape.kv_heads, "pad_token_id": None, "pretraining_tp": 1,
        "rms_norm_eps": 1e-05, "rope_scaling": None, "rope_theta": 10000.0,
        "tie_word_embeddings": shape.tied, "use_cache": True, "vocab_size": shape.vocabulary,
    })  # fmt: skip


def _model_sharded(event: events.ModelSharded, job: Job, screen: Screen) -> Lines:
    shape, layout = job.architecture, job.layout
    stages = [stage_parameters(shape, layout, stage) for stage in range(layout.pipeline)]
    local, total = stages[0], layout.tensor * sum(stages)
    used, held = _built(job)
    told = (
        f"Memory usage: {used:.2f}MiB. Peak allocated: {used:.2f}MiB Peak reserved: {held:.2f}MiB"
    )
    texts = [
        f"Total number of parameters: {human(total)} ({2 * total / MIB:.2f}MiB)",
        f"Local number of parameters: {human(local)} ({2 * local / MIB:.2f}MiB)",
        f"[After model building] {told}",
    ]
    if job.recipe == "pretrain":
        texts.append("No checkpoint path provided.")
        texts.append("Parametrizing model parameters using StandardParametrizator")
    for text in texts:
        yield _say(job, event.at, screen, text)


def _built(job: Job) -> tuple[float, float]:
    """MiB that rank 0 holds in tensors once the model is built, and in all."""
    weights = memory.stage(job.architecture, job.layout, job.schedule.sequence, 0).weights
    return weights / MIB, allocator.reserved(job, 0, 0) / MIB


def _weights_loaded(event: events.WeightsLoaded, job: Job, screen: Screen) -> Lines:
    text = f"Loading checkpoint from {event.path}"
    yield _say(job, event.at - event.seconds, screen, text)


def _trainer_ready(event: events.TrainerReady, job: Job, screen: Screen) -> Lines:
    plan, layout = job.schedule, job.layout
    used, held = _built(job)
    now = units.stamp(job.start, event.at)
    left = f"{plan.steps} remaining training steps and has consumed 0 samples"
    texts = [
        "[Optimizer Building] Using LearningRateForSP as learning rate",
        f"[Training Plan] Stage {STAGE} has {left}",
        "[Training Plan] There are 1 training stages",
        f"[Stage {STAGE}] start from step 1",
        "",
    ]
    texts.append(
        f"[Start training] datetime: {now:%Y-%m-%d %H:%M:%S.%f} | mbs: {layout.micro_batch} | "
        f"grad_accum: {layout.accumulation} | global_batch_size: {plan.global_batch} | "
        f"sequence_length: {plan.sequence} | train_steps: {plan.steps} | "
        "start_iteration_step: 0 | consumed_train_samples: 0"
    )
    texts.append(
        f"Resuming training from stage {STAGE}, it has trained for 0 samples and has "
        f"{plan.steps} remaining train steps"
    )
    for text in (*texts, _memory(used, used, held)):
        yield _say(job, event.at, screen, text)


def _memory(used: float, most: float, held: float) -> str:
    return (
        f" Memory usage: {used:.2f}MiB. Peak allocated {most:.2f}MiB. Peak reserved: {held:.2f}MiB"
    )


# --- training ----------------------------------------------------------------------------


def _held(event: events.Step, job: Job) -> tuple[float, float, float]:
    """MiB of rank 0: in tensors after the step, at most in it, and in all."""
    plan = memory.stage(job.architecture, job.layout, job.schedule.sequence, 0)
    states = plan.weights + plan.gradients + plan.optimizer * (event.step > 1)
    held = allocator.reserved(job, event.step, 0)
    most = int(held * (event.allocated / event.reserved)) // 512 * 512
    return min(most, states) / MIB, most / MIB, held / MIB


def _step(event: events.Step, job: Job, screen: Screen) -> Lines:
    if event.step <= MEMORY_STEPS:
        for text in ("After train_batch_iter", _memory(*_held(event, job))):
            yield _say(job, event.at, screen, text)
    rate, gpus = event.tokens_per_second, job.layout.gpus
    left = timedelta(seconds=int((job.schedule.steps - event.step) * event.step_seconds))
    teraflops = rate * compute.job_flops_per_token(job) / gpus / 1e12
    text = (
        f"iteration: {event.step} / {job.schedule.steps} | "
        f"consumed_tokens: {human(event.tokens)} | "
        f"time_per_iteration_ms: {human(1000 * event.step_seconds)} | "
        f"tokens_per_sec: {human(rate)} | tokens_per_sec_per_gpu: {human(rate / gpus)} | "
        f"global_batch_size: {human(batch_tokens(job))} | "
        f"grad_norm: {human(event.gradient_norm)} | lm_loss: {human(event.loss)} | "
        f"lr: {human(event.learning_rate)} | model_tflops_per_gpu: {human(teraflops)} | "
        f"eta: {left}"
    )
    yield _say(job, event.at, screen, text, stage=job.layout.pipeline - 1)


def _checkpoint_started(event: events.CheckpointStarted, job: Job, screen: Screen) -> Lines:
    text = f"Saving checkpoint at checkpoints/{event.step}"
    yield _say(job, event.at, screen, text, "WARNING")


LINES: dict[type, Tell] = {
    events.Rendezvous: _rendezvous,
    events.BackendReady: _backend_ready,
    events.ModelSharded: _model_sharded,
    events.WeightsLoaded: _weights_loaded,
    events.TrainerReady: _trainer_ready,
    events.Step: _step,
    events.CheckpointStarted: _checkpoint_started,
}
