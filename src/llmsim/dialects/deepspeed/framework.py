"""What DeepSpeed is for, and how it trains."""

from llmsim.job.framework import PRETRAINING, Framework
from llmsim.job.layout import Parallelism

FRAMEWORK = Framework(
    "deepspeed",
    "DeepSpeed under its launcher: ZeRO's memory, unrounded samples/s",
    (*PRETRAINING, "sft"),
    blocking_checkpoints=True,
    parallelism=Parallelism(("zero1", "zero2", "zero3"), "zero1", False, False, ("none", "full")),
)
