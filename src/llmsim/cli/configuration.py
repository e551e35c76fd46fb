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
from llmsim.run.cluster import hostname
from llmsim.run.events import Summary
from llmsim.run.simulation import events, run_of
from llmsim.text.screen import Screen


def configuration(options: Options, screen: Screen) -> str:
    """The plan of the options' first run: for a person, or with `json` for a program, or
    with `toml` as a job file.

    Raises PlanError or CatalogError when no job can be made of the options.
    """
    first = next(runs_of(seeded(options)))
    job = first.job
    if options.toml:
        from llmsim.cli.job_toml import text_of
        from llmsim.planning.written import tables_of

        return text_of(tables_of(job))
    subjects = facts(job, first.options)
    if options.json:
        return json.dumps(subjects, indent=2, ensure_ascii=False) + "\n"
    return "".join(f"{line}\n" for line in sheet(job, subjects, screen))


def facts(job: Job, options: Options) -> Facts:
    """The plan by subject, with units in the names; GB are 1e9 bytes, MFU is 0 .. 1."""
    return {
        "run": {
            "name": job.run_name,  # name of the run
            "dialect": job.framework.name,  # framework whose log is printed
            "recipe": job.recipe.name,  # what it trains for: a name from --list recipes
            "seed": job.seed,  # decides the run, together with `start`
            "start": job.start.isoformat(),  # ISO date and time of the first line
            "command": job.command,  # command line that plays the run again
        },
        "model": _model(job),
        "dataset": {
            "name": job.dataset.name,  # name from --list datasets, or from the job file
            "kind": job.dataset.kind,  # what it has: web, code, chat ...
            "tokens": job.dataset.tokens,  # tokens of the whole data set
            "epochs": job.schedule.epochs,  # passes over the data
        },
        "cluster": {
            "gpus": job.layout.gpus,  # how many GPUs
            "nodes": job.layout.nodes,  # how many nodes
            "gpus_per_node": gpus_per_node(job),  # GPUs of a node
            "first_node": hostname(job, 0),  # host name of node 0
            # what all nodes together write to the file system
            "storage_gb_per_s": job.storage_gb_s,
            "gpu": gpu_record(job.gpu),
        },
        "layout": _layout(job),
        "batch": {
            # sequences of an optimizer step; with a ramp, of the full batch
            "sequences": job.schedule.global_batch,
            "sequence_tokens": job.schedule.sequence,  # length of a sequence
            "tokens": batch_tokens(job),  # tokens of an optimizer step
            # stages of a batch that grows: `sequences` from `first_step` on; empty: no ramp
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
        "name": job.model.name,  # name of the model
        "parameters": parameter_count(config),  # all weights
        "active_parameters": active_parameter_count(config),  # weights that a token passes through
        "embedding_parameters": embedding_parameters(config),  # weights of the embeddings
        # weights that the optimizer changes; with LoRA the adapters'
        "trained_parameters": trained_parameter_count(config),
        "layers": config.layers,  # how many layers
        "width": config.hidden_size,  # hidden size
        "heads": config.heads,  # attention heads of a layer
        "kv_heads": config.kv_heads,  # heads of keys and values
        "head_dim": config.head_dim,  # width of a head
        # inner width of the feed-forward block; of a mixture, of one expert
        "feed_forward_width": config.feed_forward,
        "vocabulary_tokens": config.vocabulary,  # size of the vocabulary
        "context_tokens": config.context,  # longest sequence of the model
        "experts": config.experts,  # experts of a layer; 1: a dense model
        "active_experts": config.active_experts,  # experts that a token passes through
        "tied_embeddings": config.tied,  # whether input and output embeddings are the same weights
        "adapter_rank": config.adapter_rank,  # rank of LoRA; 0: no adapters
    }


def _layout(job: Job) -> dict[str, object]:
    layout = job.layout
    return {
        "data_parallel": layout.dp,  # ranks that train on different sequences
        "tensor_parallel": layout.tp,  # ranks that divide each matrix
        "pipeline_parallel": layout.pp,  # stages of the pipeline
        "context_parallel": layout.cp,  # ranks that divide each sequence
        "expert_parallel": layout.ep,  # ranks that divide the experts of a layer
        # how data ranks divide weights, gradients and moments: by ddp, zero1 to 3, fsdp2 or hsdp
        "sharding": layout.sharding,
        "replicas": layout.replicas,  # groups of HSDP that each hold all weights; 1: no HSDP
        # activations that are computed again: none, selective or full
        "recompute": layout.recompute,
        # whether tensor ranks also divide activations along the sequence
        "sequence_parallel": layout.sequence_parallel,
        # pieces of the model on a pipeline stage; 1: plain 1F1B
        "interleaved_pieces": layout.interleave,
        "micro_batch_sequences": layout.micro_batch,  # sequences that a rank takes at once
        # micro-batches of an optimizer step, for each data rank
        "accumulated_micro_batches": layout.accumulation,
        # whether a frozen copy is in the memory too, as in DPO
        "reference_model": layout.reference,
        "precision": layout.precision,  # number format of matrix products
        # number format of the master weights and the moments
        "optimizer_states": "bf16" if layout.bf16_states else "fp32",
        # nf4 if the frozen weights under an adapter have this number format (QLoRA), else null
        "frozen_base": "nf4" if layout.four_bit_base else None,
        "compiled": layout.engine.compiled,  # whether torch.compile or XLA compiles the model
        # true: the loss makes no fp32 copy of the logits
        "fused_loss": layout.engine.fused_loss,
        "flash_attention": layout.engine.flash,  # whether attention keeps no matrix of scores
    }


def _schedule(job: Job) -> dict[str, object]:
    schedule = job.schedule
    return {
        # last optimizer step, if no time limit ends the run earlier
        "steps": schedule.steps,
        # first optimizer step; above 1 the run goes on from a checkpoint
        "first_step": schedule.first_step,
        # steps of the learning rate's whole schedule, also if this run is only a part of it
        "whole_run_steps": whole_run(schedule),
        # Slurm's time limit of each attempt; null: none
        "time_limit_seconds": schedule.time_limit or None,
        # time after a launch at which Megatron-LM ends the run; null: none
        "exit_after_seconds": schedule.exit_after or None,
        # estimate of the last step before the time limit; null: no limit
        "last_step_within_limit": schedule.reached or None,
        # tokens that the run trains on
        "tokens": objectives.tokens(job, schedule.first_step, last_step(schedule)),
        # With a growing batch, the warmup is counted in sequences.
        # steps in which the learning rate grows; null if the batch grows: see warmup_sequences
        "warmup_steps": None if schedule.ramp else schedule.warmup,
        # sequences in which the learning rate grows
        "warmup_sequences": schedule.warmup * schedule.global_batch,
        "decay": schedule.decay,  # how the learning rate falls
        "peak_learning_rate": schedule.peak_lr,  # highest learning rate
        # learning rate at the end of the whole schedule (whole_run_steps)
        "final_learning_rate": schedule.final_lr,
        "log_every_steps": schedule.log_every,  # steps from one logged step to the next
        # steps from one validation to the next; null: no validations
        "validate_every_steps": schedule.validate_every if schedule.validates else None,
        "validations": validations(job),  # how many validations
        # steps from one checkpoint to the next; null: no checkpoints
        "save_every_steps": schedule.save_every if schedule.saves else None,
        "checkpoints": checkpoints(job),  # how many checkpoints
        # whether the training goes on while a checkpoint is written
        "background_saves": job.background_saves,
    }


def _memory(job: Job) -> dict[str, object]:
    estimate = memory.estimate(job.architecture, job.layout, job.schedule.sequence)
    parts = {f"{name}_bytes": size for name, size in estimate._asdict().items()}
    total, capacity = memory.total(estimate), memory.capacity(job.gpu)
    return {
        **parts,
        "expected_bytes": total,  # highest memory use that is expected: the sum of the rows above
        "capacity_bytes": capacity,  # memory of a GPU
        "peak_memory_gib": round(total / memory.GIB, 3),  # `expected_bytes` in GiB
        # whether `expected_bytes` leave 5 % of the memory free
        "fits": total <= memory.USABLE * capacity,
    }


def _communication(job: Job) -> dict[str, dict[str, object]]:
    """What one GPU exchanges in one optimizer step, by collective, on an idle network."""
    flows = collectives.flows(job.architecture, job.gpu, job.layout, job.schedule.sequence)
    return {
        operation: {
            # what the calls are for
            "purposes": [flow.purpose for flow in flows if flow.operation == operation],
            # size of all calls, as nccl-tests counts it (of an all-gather: the whole result)
            "bytes_per_step": sum(f.size * f.calls for f in flows if f.operation == operation),
            # how many calls
            "calls_per_step": sum(f.calls for f in flows if f.operation == operation),
            # time of the calls on an idle network; the GPU computes during some of this time
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
        "step_seconds": seconds,  # time of a steady optimizer step
        "tokens_per_second": rate,  # tokens of a step / time of a step, of the whole cluster
        "tokens_per_second_per_gpu": rate / job.layout.gpus,  # tokens/s of one GPU
        # FLOPs that the training needs for one token, without recompute
        "flops_per_token": throughput.job_flops_per_token(job),
        "mfu": throughput.mfu(job, rate),  # model FLOPs utilization
        # model FLOPs that a GPU computes in a second, / 1e12
        "tflops_per_gpu": throughput.mfu(job, rate) * job.gpu.tflops,
        # time from the first step to the last, with validations and saves
        "training_seconds": summary.training_seconds,
        "total_seconds": summary.seconds,  # time from the launch to the end of the run
        "hours": summary.seconds / 3600.0,  # `total_seconds` in hours
        "gpu_hours": summary.gpu_hours,  # GPUs x hours
        "checkpoint_bytes": storage.checkpoint_bytes(job),  # size of a checkpoint
        "export_bytes": summary.exported,  # size of the exported model
    }


def _show(options: Options) -> dict[str, object]:
    return {
        # length of the show at speed 1, or "real"
        "duration_seconds": options.duration if isfinite(options.duration) else "real",
        # how fast the show is played, or "max"
        "speed_factor": options.speed_factor if isfinite(options.speed_factor) else "max",
        "runs": options.runs,  # runs that are played; 0: without end
    }
