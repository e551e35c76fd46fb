"""The facts of a job, as the opening shows them while there is nothing else to see."""

from llmsim.catalog.gpus import device
from llmsim.job.records import Job, batch_tokens
from llmsim.job.schedule import last_step, whole_run
from llmsim.physics.learning import objectives
from llmsim.text import units


def facts(job: Job) -> tuple[tuple[str, str], ...]:
    """Names and values, the most telling first."""
    shape, plan, spread = job.architecture, job.schedule, job.layout
    ranks = {"dp": spread.dp, "cp": spread.cp, "tp": spread.tp, "pp": spread.pp, "ep": spread.ep}
    split = "  ".join(f"{name} {count:,}" for name, count in ranks.items() if count > 1)
    first, last, whole = plan.first_step, last_step(plan), whole_run(plan)
    is_part, reached = last - first < whole - 1, last == plan.reached
    about, part = "about " * reached, "~" * reached  # the second where there is little room
    return (
        ("parameters", units.short(job.model.parameters)),
        (f"{device(job.gpu)}s", f"{spread.gpus:,} x {job.gpu.name}"),
        ("data", f"{job.dataset.name}, {job.dataset.kind}"),
        ("to read", f"{about}{units.short(objectives.tokens(job, first, last))} tokens"),
        ("steps", f"{first:,} to {part}{last:,} of {whole:,}" if is_part else f"{whole:,}"),
        ("a step", f"{units.short(batch_tokens(job))} tokens"),
        ("sequence", f"{plan.sequence:,} tokens"),
        ("layers", f"{shape.layers}"),
        ("width", f"{shape.hidden_size:,}"),
        ("heads", f"{shape.heads}"),
        ("vocabulary", f"{shape.vocabulary:,}"),
        ("learning rate", f"{plan.peak_lr:.1e}, {plan.decay}"),
        ("warm-up", units.counted(plan.warmup, "step")),
        ("saves", f"every {plan.save_every:,} steps" if plan.saves else "never"),
        ("validates", f"every {plan.validate_every:,} steps" if plan.validates else "never"),
        ("precision", spread.precision),
        ("spread", f"{spread.sharding}  {split}".strip() if spread.gpus > 1 else "none"),
        ("recipe", job.recipe.name),
        ("run", job.run_name),
    )
