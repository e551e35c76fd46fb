"""What OLMo is for, and how it trains."""

from llmsim.job.framework import PRETRAINING, Framework
from llmsim.job.layout import Parallelism

FRAMEWORK = Framework(
    "olmo",
    "OLMo, a block of name=value lines a step",
    PRETRAINING,
    shuffles=True,
    stops_at_nan=True,
    file_bar="never",
    parallelism=Parallelism(split=None),
    source="github.com/allenai/OLMo",
    release="v0.6.0",
    commit="6c3373fa182af2d57fe3c390ffc8420d5c5b325a",
)
