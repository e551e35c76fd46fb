"""What torchtitan is for, and how it trains."""

from llmsim.job.framework import PRETRAINING, Framework

FRAMEWORK = Framework(
    "torchtitan",
    "torchtitan v0.2, PyTorch's own trainer, in its 24-bit colours",
    PRETRAINING,
    validates_first_step=True,
    gc_every=50,
)
