"""What OLMo is for, and how it trains."""

from llmsim.job.framework import PRETRAINING, Framework
from llmsim.job.layout import Parallelism

FRAMEWORK = Framework(
    "olmo",
    "OLMo: a block of name=value lines for each logged step",
    PRETRAINING,
    shuffles=True,
    stops_at_nan=True,
    blocking_checkpoints=True,
    saves_before=True,
    saves_first=True,
    saves_after_loop=True,
    stops_early=True,  # stop_at
    decays=("cosine", "linear"),
    dense_only=True,
    file_bar="never",
    start_timeout=1800.0,  # in its call of init_process_group
    source="github.com/allenai/OLMo",
    release="v0.6.0",
    commit="6c3373fa182af2d57fe3c390ffc8420d5c5b325a",
    parallelism=Parallelism(
        split=None,
        context=False,
        experts=False,
        precisions=("bf16", "fp16"),
        bf16_states=False,
        four_bit_base=False,
        switches=("compiled", "fused_loss", "attention"),
        latent_attention=False,
    ),
)
