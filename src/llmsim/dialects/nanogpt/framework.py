"""What nanoGPT is for, and how it trains."""

from llmsim.job.framework import Framework
from llmsim.job.layout import Engine, Parallelism

FRAMEWORK = Framework(
    "nanogpt",
    "nanoGPT's train.py: a loss, a time and a running MFU",
    ("pretrain",),
    source="github.com/karpathy/nanoGPT",
    release="master of 2025-11-12",
    goes_on=True,
    commit="3adf61e154c3fe3fca428ad6bc3818b27a3b8291",
    validates_end=False,
    blocking_checkpoints=True,
    saves_with_validation=True,
    dense_only=True,
    model_family="gpt2",
    max_parameters=1_000_000_000,
    file_bar="never",
    restarts_data=True,  # torch.manual_seed(1337 + seed_offset), then get_batch (train.py:106, 116)
    parallelism=Parallelism(
        ("ddp",),
        None,
        recomputes=("none",),
        fp32_logits=True,
        context=False,
        experts=False,
        replicas=False,
        precisions=("bf16", "fp16"),
        bf16_states=False,
        four_bit_base=False,
        engine=Engine(compiles_loss=True),  # torch.compile has the whole model, loss and all
        switches=("compiled",),
        latent_attention=False,
    ),
)
