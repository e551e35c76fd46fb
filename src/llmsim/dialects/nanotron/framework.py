"""What nanotron is for, and how it trains."""

from llmsim.job.framework import MEGATRON, PRETRAINING, Framework

FRAMEWORK = Framework(
    "nanotron",
    "nanotron, three digits and a letter, every iteration",
    PRETRAINING,
    logs_every_step=True,
    blocking_checkpoints=True,
    validates=False,
    parallelism=MEGATRON._replace(whole=("zero1",), recomputes=("none", "full")),
)
