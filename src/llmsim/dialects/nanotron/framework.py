"""What nanotron is for, and how it trains."""

from llmsim.job.framework import MEGATRON, PRETRAINING, Framework
from llmsim.job.layout import Engine

# Plain 1F1B, eager, logits in fp32.
ENGINE = Engine(
    compiled=False,
    fused_loss=False,
    interleaves=False,
    kernels=1.02,
    attention=1.29,
    overlap=0.81,
    step_seconds=0.07,
)

FRAMEWORK = Framework(
    "nanotron",
    "nanotron: every iteration, with numbers such as 1.23K",
    PRETRAINING,
    logs_every_step=True,
    blocking_checkpoints=True,
    validates=False,
    shuffles=True,
    capture="all",
    marks="none",  # a script for Slurm: srun torchrun
    speaker="last stage",
    file_bar="never",
    source="github.com/huggingface/nanotron",
    release="0.4 (main of 2026-04-07)",
    commit="2411b022a75fb7f7561a1bb4166706da5e1b76de",
    parallelism=MEGATRON._replace(
        whole=("zero1",),
        recomputes=("none", "full"),
        engine=ENGINE,
        precisions=("bf16",),
        switches=("sequence_parallel",),  # its tp_mode: all-reduce or reduce-scatter
        latent_attention=False,
        context=False,  # its first weights cannot be made with context parallelism
        experts=False,
    ),
)
