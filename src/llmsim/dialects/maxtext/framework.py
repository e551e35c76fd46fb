"""What MaxText is for, and how it trains."""

from llmsim.job.framework import Framework

FRAMEWORK = Framework(
    "maxtext",
    "MaxText on TPUs: a line of seconds, TFLOP/s and loss each step",
    ("pretrain",),
    device="TPU",
    logs_every_step=True,
    dispatches_ahead=True,
    saves_first_step=True,
)
