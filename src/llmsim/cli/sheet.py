"""The plan of a run as text: one row for each subject, in the order of a log."""

from collections.abc import Iterator, Mapping, Sequence
from math import fsum, inf
from typing import Any

from llmsim.job.records import Job
from llmsim.physics.hardware import memory
from llmsim.planning.sensible import remark
from llmsim.run.cluster import hostname
from llmsim.text import units
from llmsim.text.fitting import Clause
from llmsim.text.screen import Screen
from llmsim.text.style import Span, length, paint
from llmsim.text.wording import wrapped

Facts = Mapping[str, Mapping[str, Any]]

LABELS = 14  # cells of the longest, and a gap
# Of a screen narrower than this, the labels take a row of their own.
NARROW = 48


def sheet(job: Job, subjects: Facts, screen: Screen) -> Iterator[str]:
    """The plan as aligned and painted lines; a clause without room goes to the next line."""
    narrow = screen.width < NARROW
    indent = 2 if narrow else LABELS
    for label, clauses in _rows(job, subjects):
        start: list[Span] = [("muted", label if narrow else f"{label:<{LABELS}}")]
        if narrow:
            yield paint(start, screen)
            start = [("", " " * indent)]
        for index, row in enumerate(_broken(clauses, screen.width - indent)):
            yield paint([*(start if index == 0 else [("", " " * indent)]), *row], screen)
    yield from _again(job, screen, indent)


def _again(job: Job, screen: Screen, indent: int) -> Iterator[str]:
    """The command that plays the run again, never cut, so that it can be copied."""
    program, *flags = job.command.split(" --")
    words = [program, *(f"--{flag}" for flag in flags)]
    if indent < LABELS:
        yield paint((("muted", "again"),), screen)
    for index, text in enumerate(wrapped(words, screen.width - indent, " \\")):
        labelled = index == 0 and indent == LABELS
        start = ("muted", f"{'again':<{LABELS}}") if labelled else ("", " " * indent)
        yield paint((start, ("title", text)), screen)


def _broken(clauses: Sequence[Clause], room: int) -> Iterator[list[Span]]:
    """The clauses in rows, with commas between them; a clause wider than a row is cut."""
    row: list[Span] = []
    for index, clause in enumerate(clauses):
        comma: list[Span] = [("", ",")] if index < len(clauses) - 1 else []
        piece = [*clause, *comma]
        if row and length(row) + 1 + length(piece) > room:
            yield row
            row = []
        row += [("", " "), *piece] if row else piece
    yield row


def _rows(job: Job, subjects: Facts) -> Iterator[tuple[str, list[Clause]]]:
    """Label and clauses of each subject, in the order of a log."""
    run, model, dataset = subjects["run"], subjects["model"], subjects["dataset"]
    yield "run", _said(("title", run["name"]), f"seed {run['seed']}", f"from {job.start}")
    yield "recipe", _said(("name", job.recipe.name), *job.recipe.meaning.split(", "))
    yield "dialect", _said(("name", run["dialect"]))
    yield "model", _model_clauses(job, model)
    yield "shape", _architecture_clauses(model)
    kind, epochs = dataset["kind"], units.counted(dataset["epochs"], "epoch")
    tokens = f"{units.short(dataset['tokens'])} tokens"
    yield "data", _said(("name", dataset["name"]), tokens, kind, epochs)
    yield "cluster", _cluster_clauses(job)
    yield "layout", _layout_clauses(subjects["layout"])
    batch, schedule = subjects["batch"], subjects["schedule"]
    yield "batch", _batch_clauses(job, batch)
    yield "schedule", _schedule_clauses(schedule)
    yield (
        "intervals",
        _said(
            f"log every {schedule['log_every_steps']:,} steps",
            _validations(schedule),
            _saves(schedule),
        ),
    )
    yield "memory", _memory_clauses(job)
    yield from _expected_rows(job, subjects["expected"], subjects["show"])
    if said := remark(job):
        yield "remark", _said(*said.split("; "))


def _said(*clauses: str | Span) -> list[Clause]:
    return [(("", clause),) if isinstance(clause, str) else (clause,) for clause in clauses]


def _model_clauses(job: Job, model: Mapping[str, Any]) -> list[Clause]:
    parts: list[str | Span] = [
        ("name", model["name"]),
        ("number", f"{model['parameters']:,} parameters"),
    ]
    if model["active_parameters"] < model["parameters"]:
        parts.append(f"{model['active_parameters']:,} active")
    parts.append(f"{model['embedding_parameters']:,} of them embeddings")
    if job.architecture.adapter_rank:
        parts.append(f"{model['trained_parameters']:,} trainable")
    return _said(*parts)


def _architecture_clauses(model: Mapping[str, Any]) -> list[Clause]:
    mixture = f"{model['experts']} experts ({model['active_experts']} active)"
    return _said(
        f"{model['layers']} layers",
        f"width {model['width']:,}",
        f"{model['heads']} heads ({model['kv_heads']} kv)",
        f"feed-forward {model['feed_forward_width']:,}",
        *([mixture] if model["experts"] > 1 else []),
        f"vocabulary {model['vocabulary_tokens']:,}",
        f"context {model['context_tokens']:,}",
    )


def _cluster_clauses(job: Job) -> list[Clause]:
    gpu, layout = job.gpu, job.layout
    return _said(
        ("name", f"{layout.gpus:,} x {gpu.name}"),
        f"{units.counted(layout.nodes, 'node')} from {hostname(job, 0)} on",
        f"{gpu.memory_mib:,} MiB",
        f"{gpu.tdp_watts} W",
        f"{gpu.tflops:g} TFLOP/s dense bf16",
        f"storage {job.storage_gb_s:g} GB/s",
    )


def _layout_clauses(layout: Mapping[str, Any]) -> list[Clause]:
    return _said(
        f"data {layout['data_parallel']:,}",
        f"tensor {layout['tensor_parallel']}",
        f"pipeline {layout['pipeline_parallel']}",
        *([f"context {layout['context_parallel']}"] if layout["context_parallel"] > 1 else []),
        *([f"experts {layout['expert_parallel']}"] if layout["expert_parallel"] > 1 else []),
        f"{layout['sharding']}" + _replicas(layout["replicas"]),
        *([layout["precision"]] if layout["precision"] != "bf16" else []),
        *(["states in bf16"] if layout["optimizer_states"] == "bf16" else []),
        *(["base in nf4"] if layout["frozen_base"] else []),
        f"recompute {layout['recompute']}",
        f"micro-batch {layout['micro_batch_sequences']}",
        f"{layout['accumulated_micro_batches']} accumulated",
        *(["a reference model beside it"] if layout["reference_model"] else []),
    )


def _replicas(count: int) -> str:
    """How many replicas have the sharded weights, where there are several."""
    return f" on each of {count:,} replicas" if count > 1 else ""


def _batch_clauses(job: Job, batch: Mapping[str, Any]) -> list[Clause]:
    product = f" = {batch['sequences']:,} x {batch['sequence_tokens']:,}"
    growing = [
        f"{'ramp: ' * (index == 0)}{stage['sequences']:,} from step {stage['first_step']:,}"
        for index, stage in enumerate(batch["ramp"])
    ]
    size = f"{_at_most(job)}{batch['tokens']:,} tokens"
    return [(("number", size), ("", product)), *_said(*growing)]


def _at_most(job: Job) -> str:
    """The words "at most" in reinforcement learning, whose answers do not fill a batch."""
    return "up to " if job.recipe.generates else ""


def _steps(schedule: Mapping[str, Any]) -> str:
    """The steps of the run, and which part of a longer run they are, if they are one."""
    first, whole, reached = (
        schedule[name] for name in ("first_step", "whole_run_steps", "last_step_within_limit")
    )
    last, about = reached or schedule["steps"], "about " if reached else ""
    part = f" of {whole:,}" if whole > last else ""
    steps = f"steps {first:,} to {about}{last:,}" if first > 1 else f"{about}{last:,} steps"
    return steps + part


def _validations(schedule: Mapping[str, Any]) -> str:
    every = schedule["validate_every_steps"]
    return "no validations" if every is None else f"validate every {every:,}"


def _saves(schedule: Mapping[str, Any]) -> str:
    every = schedule["save_every_steps"]
    behind = " in the background" if schedule["background_saves"] else ""
    return "no saves" if every is None else f"save every {every:,}{behind}"


def _schedule_clauses(schedule: Mapping[str, Any]) -> list[Clause]:
    steps, sequences = schedule["warmup_steps"], schedule["warmup_sequences"]
    warmup = f"{sequences:,} sequences" if steps is None else f"{steps:,}"
    peak, final = schedule["peak_learning_rate"], schedule["final_learning_rate"]
    return _said(
        ("number", _steps(schedule)),
        f"{warmup} of warmup",
        ("rate", f"{schedule['decay']} {peak:.2e} -> {final:.2e}"),
        f"{units.short(schedule['tokens'])} tokens",
    )


def _memory_clauses(job: Job) -> list[Clause]:
    estimate = memory.estimate(job.architecture, job.layout, job.schedule.sequence)
    parts = memory.parts_gib(estimate)
    shown = " + ".join(f"{name} {size:.2f}" for name, size in parts.items())
    capacity = units.gib(memory.capacity(job.gpu))
    return [
        (("memory", f"{fsum(parts.values()):.2f}GiB"), ("", f" of {capacity} expected per GPU")),
        (("muted", shown),),
    ]


def _end(job: Job) -> str:
    """With what the run ends."""
    schedule = job.schedule
    if not schedule.reached:
        return "export"
    own = 0 < schedule.exit_after < (schedule.time_limit or inf)
    return "its own exit" if own else "Slurm's time limit"


def _expected_rows(
    job: Job, expected: Mapping[str, Any], show: Mapping[str, Any]
) -> Iterator[tuple[str, list[Clause]]]:
    yield (
        "speed",
        _said(
            f"{_at_most(job)}{units.seconds(expected['step_seconds'])} a step",
            ("throughput", f"{expected['tokens_per_second']:,.0f} tokens/s"),
            f"{expected['tokens_per_second_per_gpu']:,.0f} per GPU",
            ("mfu", f"MFU {expected['mfu']:.2%}"),
        ),
    )
    watched, factor = show["duration_seconds"], show["speed_factor"]
    length = "as long" if watched == "real" else units.seconds(watched)
    pace = "at once" if factor == "max" else length + f" at {factor:g}x" * (factor != 1)
    end = _end(job)
    yield (
        "takes",
        _said(
            ("number", f"{units.hours(expected['total_seconds'])} from launch to {end}"),
            f"{units.hours(expected['training_seconds'])} of it training",
            f"{expected['gpu_hours']:,.1f} GPU-hours",
            f"to watch: {pace}",
        ),
    )
