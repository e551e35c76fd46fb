"""What Megatron-LM is for, and how it trains."""

from llmsim.job.framework import MEGATRON, PRETRAINING, Framework

FRAMEWORK = Framework(
    "megatron",
    "Megatron-LM: NCCL's INFO lines, all arguments, timers, E+00 losses",
    PRETRAINING,
    ramps_batch=True,
    shuffles=True,
    parallelism=MEGATRON,
)
