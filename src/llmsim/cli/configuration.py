"""--print-config: the plan of a run, before it is played.

Every number equals that of the run's log, since the same functions compute it.
"""

import json
from math import fsum, isfinite

from llmsim.cli.listing import gpu_record
from llmsim.cli.sheet import Facts, sheet
from llmsim.hosts.runs import runs_of, seeded
from llmsim.job.milestones import checkpoints, validations
from llmsim.job.records import Job, batch_tokens, gpus_per_node
from llmsim.job.schedule import last_step, whole_run
from llmsim.model.architecture import (
    active_parameter_count,
    embedding_parameters,
    parameter_count,
    trained_parameter_count,
)
from llmsim.options.table import Options
from llmsim.physics.hardware import memory, storage
from llmsim.physics.learning import objectives
from llmsim.physics.speed import collectives, step_time, throughput
from llmsim.planning.plan import plan
from llmsim.run.cluster import hostname
from llmsim.run.events import Summary
from llmsim.run.simulation import events, run_of
from llmsim.text.screen import Screen


def configuration(options: Options, screen: Screen) -> str:
    """The plan of the options' first run: for a person, or with `json` for a program, or
    with `toml` as a job file.

    Raises PlanError or CatalogError when no job can be made of the options.
    """
    run = next(runs_of(seeded(options)._replace(runs=1)))
    job = plan(run)
    if options.toml:
        from llmsim.cli.job_toml import text_of
        from llmsim.planning.written import tables_of

        return text_of(tables_of(job))
    subjects = facts(job, run)
    if options.json:
        return json.dumps(subjects, indent=2, ensure_ascii=False) + "\n"
    return "".join(f"{line}\n" for line in sheet(job, subjects, screen))


def facts(job: Job, options: Options) -> Facts:
    """The plan by subject, with units in the names; GB are 1e9 bytes, MFU is 0 .. 1."""
    return {
        "run": {
            "name": job.run_name,
            "dialect": job.framework.name,
            "recipe": job.recipe.name,
            "seed": job.seed,
            "start": job.start.isoformat(),
            "command": job.command,
        },
        "model": _model(job),
        "dataset": {
            "name": job.dataset.name,
            "kind": job.dataset.kind,
            "tokens": job.dataset.tokens,
            "epochs": job.schedule.epochs,
        },
        "cluster": {
            "gpus": job.layout.gpus,
            "nodes": job.layout.nodes,
            "gpus_per_node": gpus_per_node(job),
            "first_node": hostname(job, 0),
            "storage_gb_per_s": job.storage_gb_s,
            "gpu": gpu_record(job.gpu),
        },
        "layout": _layout(job),
        "batch": {
            "sequences": job.schedule.global_batch,
            "sequence_tokens": job.schedule.sequence,
            "tokens": batch_tokens(job),
            "ramp": [
                {"first_step": stage.first, "sequences": stage.batch} for stage in job.schedule.ramp
            ],
        },
        "schedule": _schedule(job),
        "memory_per_gpu": _memory(job),
        "communication": _communication(job),
        "expected": _expected(job),
        "software": job.software._asdict(),
        "show": _show(options),
    }


def _model(job: Job) -> dict[str, object]:
    config = job.architecture
    return {
        "name": job.model.name,
        "parameters": parameter_count(config),
        "active_parameters": active_parameter_count(config),
        "embedding_parameters": embedding_parameters(config),
        "trained_parameters": trained_parameter_count(config),
        "layers": config.layers,
        "width": config.hidden_size,
        "heads": config.heads,
        "kv_heads": config.kv_heads,
        "head_dim": config.head_dim,
        "feed_forward_width": config.feed_forward,
        "vocabulary_tokens": config.vocabulary,
        "context_tokens": config.context,
        "experts": config.experts,
        "active_experts": config.active_experts,
        "tied_embeddings": config.tied,
        "adapter_rank": config.adapter_rank,
    }


def _layout(job: Job) -> dict[str, object]:
    layout = job.layout
    return {
        "data_parallel": layout.dp,
        "tensor_parallel": layout.tp,
        "pipeline_parallel": layout.pp,
        "context_parallel": layout.cp,
        "expert_parallel": layout.ep,
        "sharding": layout.sharding,
        "replicas": layout.replicas,
        "recompute": layout.recompute,
        "sequence_parallel": layout.sequence_parallel,
        "interleaved_pieces": layout.interleave,
        "micro_batch_sequences": layout.micro_batch,
        "accumulated_micro_batches": layout.accumulation,
        "reference_model": layout.reference,
        "precision": layout.precision,
        "optimizer_states": "bf16" if layout.bf16_states else "fp32",
        "frozen_base": "nf4" if layout.four_bit_base else None,
        "compiled": layout.engine.compiled,
        "fused_loss": layout.engine.fused_loss,
        "flash_attention": layout.engine.flash,
    }


def _schedule(job: Job) -> dict[str, object]:
    schedule = job.schedule
    return {
        "steps": schedule.steps,
        "first_step": schedule.first_step,
        "whole_run_steps": whole_run(schedule),
        "time_limit_seconds": schedule.time_limit or None,
        "exit_after_seconds": schedule.exit_after or None,
        "last_step_within_limit": schedule.reached or None,
        "tokens": objectives.tokens(job, schedule.first_step, last_step(schedule)),
        # With a growing batch, the warmup is counted in sequences.
        "warmup_steps": None if schedule.ramp else schedule.warmup,
        "warmup_sequences": schedule.warmup * schedule.global_batch,
        "decay": schedule.decay,
        "peak_learning_rate": schedule.peak_lr,
        "final_learning_rate": schedule.final_lr,
        "log_every_steps": schedule.log_every,
        "validate_every_steps": schedule.validate_every,
        "validations": validations(job),
        "save_every_steps": schedule.save_every if schedule.saves else None,
        "checkpoints": checkpoints(job),
        "background_saves": job.background_saves,
    }


def _memory(job: Job) -> dict[str, object]:
    estimate = memory.estimate(job.architecture, job.layout, job.schedule.sequence)
    parts = {f"{name}_bytes": size for name, size in estimate._asdict().items()}
    total, capacity = memory.total(estimate), memory.capacity(job.gpu)
    return {
        **parts,
        "expected_bytes": total,
        "capacity_bytes": capacity,
        "peak_memory_gib": round(total / memory.GIB, 3),
        "fits": total <= memory.USABLE * capacity,
    }


def _communication(job: Job) -> dict[str, dict[str, object]]:
    """What one GPU exchanges in one optimizer step, by collective, on an idle network."""
    flows = collectives.flows(job.architecture, job.gpu, job.layout, job.schedule.sequence)
    return {
        operation: {
            "purposes": [flow.purpose for flow in flows if flow.operation == operation],
            "bytes_per_step": sum(f.size * f.calls for f in flows if f.operation == operation),
            "calls_per_step": sum(f.calls for f in flows if f.operation == operation),
            "seconds_per_step": fsum(f.seconds for f in flows if f.operation == operation),
        }
        for operation in dict.fromkeys(flow.operation for flow in flows)
    }


def _expected(job: Job) -> dict[str, object]:
    """The expected rates of a steady step (in GRPO of a full batch) and times of the run."""
    seconds = step_time.step_seconds(job)
    rate = batch_tokens(job) / seconds
    run = run_of(job)
    ending = events(run, run.timeline.last().began)  # a long run has too many steps to play
    (summary,) = [event for event in ending if isinstance(event, Summary)]
    return {
        "step_seconds": seconds,
        "tokens_per_second": rate,
        "tokens_per_second_per_gpu": rate / job.layout.gpus,
        "flops_per_token": throughput.job_flops_per_token(job),
        "mfu": throughput.mfu(job, rate),
        "tflops_per_gpu": throughput.mfu(job, rate) * job.gpu.tflops,
        "training_seconds": summary.training_seconds,
        "total_seconds": summary.seconds,
        "hours": summary.seconds / 3600.0,
        "gpu_hours": summary.gpu_hours,
        "checkpoint_bytes": storage.checkpoint_bytes(job),
        "export_bytes": summary.exported,
    }


def _show(options: Options) -> dict[str, object]:
    return {
        "duration_seconds": options.duration if isfinite(options.duration) else "real",
        "speed_factor": options.speed_factor if isfinite(options.speed_factor) else "max",
        "runs": options.runs,
    }
