"""What NeMo 2 is for, and how it trains."""

from llmsim.job.framework import NEMO, PRETRAINING, Framework

FRAMEWORK = Framework(
    "nemo",
    "NeMo 2: keys and values of every iteration, four digits each",
    (*PRETRAINING, "sft"),
    device="NVIDIA GPU",
    shuffles=True,
    stops_at_nan=True,
    parallelism=NEMO,
)
