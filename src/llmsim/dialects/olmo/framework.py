"""What OLMo is for, and how it trains."""

from llmsim.job.framework import PRETRAINING, Framework
from llmsim.job.layout import Parallelism

FRAMEWORK = Framework(
    "olmo",
    "OLMo, a block of name=value lines a step",
    PRETRAINING,
    shuffles=True,
    parallelism=Parallelism(split=None),
)
