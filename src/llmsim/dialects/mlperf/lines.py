"""MLPerf's training log: the lines of mllog for an LLM benchmark, and nothing else.

Format: mlcommons/logging, mlperf_logging/mllog/mllog.py:40,77-104. Keys and their order: the
rules that its compliance checker holds a log against (version 6.1.0, training, open division).
Why it is an open submission: a closed one of an LLM's pretraining must declare a cosine over
1,200,000 steps, evaluations of 1,024 sequences and the benchmark's own model (closed_llama31_8b
and closed_gpt_oss_20b.yaml). A job has its own model, steps, decay (cosine, linear, or stable and
then down) and held-out data, and it declares its own values. The open division allows them; there
LLM pretraining is gpt_oss_20b's task, whose model may be another: sequences of 8,192 tokens, and
a log-perplexity of 3.34 or less, with which a run ends. (llama31_8b's open rules are a placeholder
that no text can reach.)
"""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

from llmsim.dialects.line import Line, Render
from llmsim.job.milestones import steps_per_epoch
from llmsim.job.records import Job, gpus_per_node
from llmsim.run import events
from llmsim.text import units
from llmsim.text.screen import Screen

Lines = Iterator[Line]

BENCHMARK = "gpt_oss_20b"

START, END, POINT = "INTERVAL_START", "INTERVAL_END", "POINT_IN_TIME"  # kinds of events
_EPOCH, _MILLISECOND = datetime(1970, 1, 1), timedelta(milliseconds=1)

_DECAYS = {
    "cosine": "cosine with linear warmup",
    "linear": "linear with linear warmup",
    "wsd": "warmup-stable-decay",
}

# Line numbers of the calls in a submission's script.
_SCRIPT, _CALLBACKS = "/workspace/llm/pretrain.py", "/workspace/llm/custom_callbacks.py"
_PLACES = {
    "cache_clear": (_SCRIPT, 31), "init_start": (_SCRIPT, 58), "init_stop": (_SCRIPT, 163),
    "run_start": (_SCRIPT, 164), "block_start": (_CALLBACKS, 97), "block_stop": (_CALLBACKS, 112),
    "eval_start": (_CALLBACKS, 117), "eval_accuracy": (_CALLBACKS, 203),
    "eval_stop": (_CALLBACKS, 209), "run_stop": (_CALLBACKS, 217),
    "tracked_stats": (_CALLBACKS, 284),
}  # fmt: skip
_SUBMISSION_AT, _SETTINGS_AT = 60, 71  # from these lines on, one a line


def milliseconds(job: Job, at: float) -> int:
    """Milliseconds since 1970; the job's local time is taken as UTC."""
    return (units.stamp(job.start, at) - _EPOCH) // _MILLISECOND


def mllog(
    job: Job, at: float, kind: str, key: str, value: object = None, **metadata: object
) -> Line:
    """One event, its keys in mllog's order."""
    file, number = _PLACES.get(key, (_SCRIPT, 0))
    record = {
        "namespace": "",
        "time_ms": milliseconds(job, at),
        "event_type": kind,
        "key": key,
        "value": value,
        "metadata": {"file": file, "lineno": number, **metadata},
    }
    return Line(f":::MLLOG {json.dumps(record)}")


def points(job: Job, at: float, values: dict[str, object], first: int) -> Lines:
    """Values by key, logged in consecutive lines of the script."""
    for number, (key, value) in enumerate(values.items(), first):
        yield mllog(job, at, POINT, key, value, lineno=number)


def samples(job: Job, step: int) -> int:
    """Sequences trained on after this step."""
    return step * job.schedule.global_batch


# --- launch ------------------------------------------------------------------------------


def _launched(event: events.Launched, job: Job, screen: Screen) -> Lines:
    yield mllog(job, event.at, POINT, "cache_clear", value=True)


def _rendezvous(event: events.Rendezvous, job: Job, screen: Screen) -> Lines:
    yield mllog(job, event.at, START, "init_start")


def _ranks_joined(event: events.RanksJoined, job: Job, screen: Screen) -> Lines:
    layout = job.layout
    submission: dict[str, object] = {
        "submission_benchmark": BENCHMARK,
        "submission_division": "open",
        "submission_org": job.cluster,
        "submission_platform": f"{layout.nodes}x{gpus_per_node(job)}x{job.gpu.name}",
        "submission_status": "research",
    }
    yield from points(job, event.at, submission, _SUBMISSION_AT)


# MLPerf's names of the formats of matrix products.
_LOWEST = {"fp8": "fp8", "mxfp8": "mxfp8"}


def settings(job: Job) -> dict[str, object]:
    """Every setting that the rules require, by key."""
    schedule, layout = job.schedule, job.layout
    precisions = ("linear", "attn", "comm")
    return {
        "global_batch_size": schedule.global_batch,
        "max_sequence_length": schedule.sequence,
        "opt_name": "adamw",
        "opt_base_learning_rate": schedule.peak_lr,
        "opt_end_learning_rate": schedule.final_lr,
        "opt_learning_rate_warmup_steps": schedule.warmup,
        "opt_learning_rate_decay_steps": schedule.steps - schedule.warmup,
        "opt_learning_rate_decay_schedule": _DECAYS[schedule.decay],
        "opt_adamw_beta_1": 0.9,
        "opt_adamw_beta_2": 0.95,
        "opt_adamw_epsilon": 1e-05,
        "opt_adamw_weight_decay": 0.1,
        "opt_gradient_clip_norm": 1.0,
        "gradient_accumulation_steps": layout.accumulation,
        "train_samples": steps_per_epoch(job) * schedule.global_batch,
        "eval_samples": schedule.validation_batches * schedule.global_batch,
        "seed": job.seed,
        "max_steps": schedule.steps,
        **{f"lowest_numerical_precision_in_{where}": "bfloat16" for where in precisions},
        "lowest_numerical_precision_in_linear": _LOWEST.get(layout.precision, "bfloat16"),
        "tensor_parallelism": layout.tp,
        "pipeline_parallelism": layout.pp,
        "context_parallelism": layout.cp,
        "expert_parallelism": layout.ep,
        "micro_batch_size": layout.micro_batch,
        "config_filename": f"config_{job.model.name}_{layout.nodes}x{layout.gpus}.sh",
    }


def _trainer_ready(event: events.TrainerReady, job: Job, screen: Screen) -> Lines:
    yield from points(job, event.at, settings(job), _SETTINGS_AT)
    yield mllog(job, event.at, END, "init_stop")
    yield mllog(job, event.at, START, "run_start")
    yield mllog(job, event.at, START, "block_start", samples_count=0)


# --- training ----------------------------------------------------------------------------


def _step(event: events.Step, job: Job, screen: Screen) -> Lines:
    count = samples(job, event.step)
    stats = {"train_loss": event.loss, "throughput": event.samples_per_second}
    for name, value in stats.items():
        yield mllog(job, event.at, POINT, "tracked_stats", {name: value}, step=count)
    if event.step % job.schedule.validate_every == 0 or event.step == job.schedule.steps:
        yield mllog(job, event.at, END, "block_stop", samples_count=count)
        yield mllog(job, event.at, START, "eval_start", samples_count=count)


def _validated(event: events.Validated, job: Job, screen: Screen) -> Lines:
    """The events of a validation; for a language model eval_accuracy is the loss."""
    count = samples(job, event.step)
    yield mllog(job, event.at, POINT, "eval_accuracy", event.loss, samples_count=count)
    yield mllog(job, event.at, END, "eval_stop", samples_count=count)
    if event.step < job.schedule.steps:
        yield mllog(job, event.at, START, "block_start", samples_count=count)
        return
    status = "success" if event.loss <= job.framework.target_loss else "aborted"
    yield mllog(job, event.at, END, "run_stop", samples_count=count, status=status)


LINES: dict[type, Render] = {
    events.Launched: _launched,
    events.Rendezvous: _rendezvous,
    events.RanksJoined: _ranks_joined,
    events.TrainerReady: _trainer_ready,
    events.Step: _step,
    events.Validated: _validated,
}
