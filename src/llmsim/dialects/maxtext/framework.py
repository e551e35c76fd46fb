"""What MaxText is for, and how it trains."""

from llmsim.job.framework import Framework
from llmsim.job.layout import Engine, Parallelism

FRAMEWORK = Framework(
    "maxtext",
    "MaxText on TPUs: seconds, TFLOP/s and loss of each step in a line",
    ("pretrain",),
    device="TPU",
    families=("gpt2",),  # decoder_block: gpt3
    has_biases=True,  # models/gpt3.py
    pads_gpts=False,
    logs_every_step=True,
    dispatches_ahead=True,
    lr_lag_steps=1,
    saves_first_step=True,
    holds_lines=True,
    saves_first=True,
    saves_after_loop=True,
    validates_end=False,
    decays=("cosine",),
    shuffles=True,
    stops_at_nan=True,
    prints_nan_step=True,
    file_bar="never",
    has_watchdog=False,
    start_timeout=300.0,  # jax.distributed.initialize, initialization_timeout
    parallelism=Parallelism(
        precisions=("bf16", "fp8"),
        four_bit_base=False,
        switches=("attention", "interleave"),
        offloads=True,
        engine=Engine(
            device_context=False,  # JAX on TPUs
            attention=0.97,
            mixtures=0.6,
            again=0.8,
            overlap=0.4,
            wire=0.62,
            step_seconds=0.044,
        ),
    ),
    source="github.com/AI-Hypercomputer/maxtext",
    release="v0.1.0",
    commit="04329ee325a15919426bdfd375d32481dd9b6009",
)
