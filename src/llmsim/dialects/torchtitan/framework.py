"""What torchtitan is for, and how it trains."""

from llmsim.job.framework import PRETRAINING, Framework
from llmsim.job.layout import Engine, Parallelism

FRAMEWORK = Framework(
    "torchtitan",
    "torchtitan, PyTorch's own trainer: lines in 24-bit colours",
    PRETRAINING,
    goes_on=True,
    may_skip_saves=True,
    speaker="last stage",
    saves_first=True,
    validates_first_step=True,
    may_skip_validation=True,
    last_save_bytes=4,
    gc_every=50,
    file_bar="never",
    parallelism=Parallelism(
        precisions=("bf16", "fp8", "mxfp8"),
        four_bit_base=False,
        switches=("compiled", "interleave"),
        engine=Engine(
            ring=True,
            compiles_loss=True,  # compile.components: model and loss
            interleaves=False,  # its schedule is 1F1B unless another is asked for
            kernels=0.86,
            attention=1.05,
            mixtures=0.87,
            again=0.8,
            overlap=0.54,
            step_seconds=0.08,
        ),
    ),
    collective_timeout=100.0,
    start_timeout=300.0,  # comm.init_timeout_seconds
    source="github.com/pytorch/torchtitan",
    release="v0.2.0",
    commit="29624e37fa6dd319fd671b009338651b5c665da2",
)
