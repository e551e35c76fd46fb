"""What llm.c is for, and how it trains."""

from llmsim.job.framework import Framework
from llmsim.job.layout import Engine, Parallelism

# TFLOP/s in bf16 of the GPUs that llmc/mfu.h knows, from their cores and clocks; -1 of others.
PEAKS = {
    "NVIDIA A100-PCIE-40GB": 312.0,
    "NVIDIA A100-SXM4-40GB": 312.0,
    "NVIDIA A100-SXM4-80GB": 312.0,
    "NVIDIA RTX A6000": 80 * 336 / 336 * 1800 / 1860,
    "NVIDIA GeForce RTX 3090": 80 * 328 / 336 * 1695 / 1860,
    "NVIDIA GeForce RTX 4090": 165.2,
    "NVIDIA H100 PCIe": 756.0,
    "NVIDIA H100 80GB HBM3": 756 * 528 / 456 * 1830 / 1620,
}

FRAMEWORK = Framework(
    "llmc",
    "llm.c: a table of the configuration, then z-scores at every step",
    ("pretrain",),
    source="github.com/karpathy/llm.c",
    release="master of 2025-05-10",
    commit="f1e2ace651495b74ae22d45d1723443fd00ecd3a",
    logs_every_step=True,
    blocking_checkpoints=True,
    dense_only=True,
    model_family="gpt2",
    has_biases=True,
    max_parameters=1_000_000_000,
    known_gpus=tuple(PEAKS),
    file_bar="never",
    first_step="ready",
    has_watchdog=False,
    start_timeout=0.0,  # mpirun starts its processes together
    parallelism=Parallelism(
        ("ddp", "zero1"),
        None,
        recomputes=("none", "selective"),
        context=False,
        experts=False,
        replicas=False,
        precisions=("bf16",),
        bf16_states=False,
        four_bit_base=False,
        switches=(),
        latent_attention=False,
        # Its kernels fuse residuals, norms and GELUs by hand (fitted to the times of its
        # discussions: 10B tokens of 124M in 90 minutes on 8 A100, 33.6B of 1558M in 24 hours on 8
        # H100).
        engine=Engine(elements=0.5),
    ),
)
