"""What DeepSpeed is for, and how it trains."""

from llmsim.job.framework import PRETRAINING, Framework, LossScaler
from llmsim.job.layout import Engine, Parallelism

# As Megatron-DeepSpeed runs: plain 1F1B, eager, reductions after the last micro-batch.
ENGINE = Engine(
    compiled=False,
    fused_loss=False,
    gathers_logits=True,
    interleaves=False,
    kernels=0.9,
    attention=1.07,
    again=1.6,
    overlap=0.45,
    tensor_overlap=0.05,
    wire=0.25,
    step_seconds=0.03,
)

FRAMEWORK = Framework(
    "deepspeed",
    "DeepSpeed under its launcher: ZeRO's memory, unrounded samples/s",
    (*PRETRAINING, "sft"),
    families=("gpt2",),  # Megatron-DeepSpeed's examples
    has_biases=True,  # without --disable-bias-linear
    blocking_checkpoints=True,
    shuffles=True,
    file_bar="never",
    capture="all",
    marks="none",  # pdsh's are its own lines'
    streams_nodes=8,
    loss_scaler=LossScaler(16, 1000, patience=2, holds_rate=True),  # runtime/fp16/loss_scaler.py
    parallelism=Parallelism(
        ("zero1", "zero2", "zero3"),
        "zero1",
        tensors_alone=False,
        mixtures=False,
        recomputes=("none", "full"),
        engine=ENGINE,
        context=False,
        experts=False,
        replicas=False,
        precisions=("bf16", "fp16"),
        bf16_states=False,
        four_bit_base=False,
        switches=(),
        latent_attention=False,
    ),
    source="github.com/deepspeedai/DeepSpeed",
    release="v0.16.5",
    goes_on=True,
    commit="20f988eade5217ab0045ba1681030f3d255d67e3",
    reads_metrics=False,
)
