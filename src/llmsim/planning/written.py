"""A job as a job file says it: every key, so that the file plays the same run."""

from llmsim.catalog.records import KINDS, gpu_named
from llmsim.dialects.parts.slurm import hours
from llmsim.job.layout import Layout
from llmsim.job.recipes import RECIPES
from llmsim.job.records import Job, gpus_per_node

Value = object


def tables_of(job: Job) -> dict[str, dict[str, Value]]:
    """The sections of the job's file, by key."""
    return {
        "model": _model(job),
        "data": _data(job),
        "cluster": {
            "gpu": job.gpu.name,
            "gpus": job.layout.gpus,
            "gpus_per_node": gpus_per_node(job),
            **_changed(job),
            "storage_gb_per_s": job.storage_gb_s,
            "hosts": job.cluster,
        },
        "parallel": {
            "dp": job.layout.dp,
            "tp": job.layout.tp,
            "pp": job.layout.pp,
            "cp": job.layout.cp,
            "ep": job.layout.ep,
            **_sharding(job.layout),
            "recompute": job.layout.recompute,
            "sequence_parallel": job.layout.sequence_parallel,
            "interleave": job.layout.interleave,
        },
        "batch": _batch(job),
        "precision": _precision(job),
        "schedule": _schedule(job),
        "framework": _framework(job),
        "recipe": _recipe(job),
        "run": {
            "seed": job.seed,
            "start": job.start,
            "evaluate": job.evaluates,
            "tidy": job.tidy,
            **({} if job.jokes else {"jokes": False}),
            "incidents": job.incidents,
            "incident": [each.text for each in job.asked],
            "name": job.run_name,
            "command": job.command,
        },
    }


def _changed(job: Job) -> dict[str, Value]:
    """The power limit and the network cards of a cluster that has others than its GPU usually."""
    usual = gpu_named(job.gpu.name)
    told: dict[str, Value] = {}
    if job.gpu.tdp_watts != usual.tdp_watts:
        told["power_limit_watts"] = job.gpu.tdp_watts
    if job.gpu.nic_gb_s != usual.nic_gb_s:
        told["network_gb_per_s"] = job.gpu.nic_gb_s
    return told


def _framework(job: Job) -> dict[str, Value]:
    told: dict[str, Value] = {"dialect": job.framework.name, "capture": job.capture}
    return (
        told
        | {"versions": job.software._asdict()}
        | ({"release": job.release} if job.release else {})
    )


def _sharding(layout: Layout) -> dict[str, Value]:
    """What data ranks share, and in HSDP on how many replicas."""
    if layout.replicas == 1:
        return {"sharding": layout.sharding}
    return {"sharding": "hsdp", "replicas": layout.replicas}


def _precision(job: Job) -> dict[str, Value]:
    layout, engine = job.layout, job.layout.engine
    told: dict[str, Value] = {
        "compute": layout.precision,
        "states": "bf16" if layout.bf16_states else "fp32",
        "compiled": engine.compiled,
        "fused_loss": engine.fused_loss,
        "attention": "flash" if engine.flash else "eager",
    }
    if job.architecture.adapter_rank:
        told["base"] = "nf4" if layout.four_bit_base else "bf16"
    return told


def _model(job: Job) -> dict[str, Value]:
    config = job.architecture
    told: dict[str, Value] = {
        "name": job.model.name,
        "layers": config.layers,
        "hidden_size": config.hidden_size,
        "heads": config.heads,
        "kv_heads": config.kv_heads,
        "head_dim": config.head_dim,
        "ffn": config.feed_forward,
        "vocabulary": config.vocabulary,
        "context": config.context,
        "tied": config.tied,
        "family": config.family,
    }
    if config.experts > 1:
        told |= {"experts": config.experts, "active_experts": config.active_experts}
    special = {
        "shared_experts": config.shared_experts,
        "dense_layers": config.dense_layers,
        "kv_latent": config.latent_width,
        "query_latent": config.query_latent_width,
        "rope_dim": config.rope_width,
    }
    told |= {key: value for key, value in special.items() if value}
    return told | ({"biases": True} if config.biases else {})


def _data(job: Job) -> dict[str, Value]:
    dataset = job.dataset
    told: dict[str, Value] = {"name": dataset.name, "tokens": dataset.tokens}
    if dataset.kind in KINDS:
        told["kind"] = dataset.kind
    told |= {"loader": job.loader} if job.loader else {}
    return told | ({"rows": dataset.rows} if dataset.rows else {})


def _batch(job: Job) -> dict[str, Value]:
    schedule = job.schedule
    told: dict[str, Value] = {
        "micro": job.layout.micro_batch,
        "global": schedule.global_batch,
        "sequence": schedule.sequence,
    }
    ramp = [[stage.first, stage.batch] for stage in schedule.ramp]
    return told | ({"ramp": ramp} if ramp else {})


def _schedule(job: Job) -> dict[str, Value]:
    schedule = job.schedule
    return {
        "steps": schedule.steps,
        "epochs": schedule.epochs,
        "warmup": schedule.warmup,
        "peak_lr": schedule.peak_lr,
        "final_lr": schedule.final_lr,
        "decay": schedule.decay,
        "log_every": schedule.log_every,
        **({} if schedule.validates else {"validates": False}),
        "validate_every": schedule.validate_every,
        "validation_batches": schedule.validation_batches,
        **({} if schedule.saves else {"saves": False}),
        "save_every": schedule.save_every,
        **({"first_step": schedule.first_step} if schedule.first_step > 1 else {}),
        **({"horizon": schedule.horizon} if schedule.horizon else {}),
        **({"time_limit": hours(schedule.time_limit)} if schedule.time_limit else {}),
        **({"exit_after": hours(schedule.exit_after)} if schedule.exit_after else {}),
        "background_saves": job.background_saves,
    }


def _recipe(job: Job) -> dict[str, Value]:
    recipe, rank = job.recipe, job.architecture.adapter_rank
    told: dict[str, Value] = {"name": recipe.name} | ({"rank": rank} if rank else {})
    told |= {"beta": recipe.beta} if recipe.beta else {}
    usual = RECIPES[recipe.name].row_sequences
    return told | ({"group": recipe.row_sequences} if recipe.row_sequences != usual else {})
