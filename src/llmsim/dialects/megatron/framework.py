"""What Megatron-LM is for, and how it trains."""

from llmsim.job.framework import MEGATRON, PRETRAINING, Framework, LossScaler

FRAMEWORK = Framework(
    "megatron",
    "Megatron-LM: NCCL's INFO lines, all arguments, timers, losses like 9.1E+00",
    PRETRAINING,
    families=("gpt2",),
    has_biases=True,  # --disable-bias-linear
    goes_on=True,
    exits_loop=True,
    may_skip_saves=True,
    ramps_batch=True,
    saves_after_loop=True,
    validates_end=False,
    final_evaluations=("validation", "test"),
    decays=("cosine", "linear"),
    capture="all",
    speaker="last",
    shuffles=True,
    stops_at_nan=True,
    # arguments.py:2006, core/optimizer/grad_scaler.py
    loss_scaler=LossScaler(
        32, 1000, patience=2, ends=False, holds_rate=True, shares_experts=False
    ),
    file_bar="never",
    first_step="loads",  # Transformer Engine's
    parallelism=MEGATRON,
    source="github.com/NVIDIA/Megatron-LM",
    release="core_v0.12.0",
    commit="d580efc68a9f0dbf1945f834f6f6200cd01d3343",
    # The last release that saves by torch.save, a file for each slice, unless it is asked not to.
    older=(("core_v0.8.0", "baf94af3c667248865f23df73b9fb8e2395e6fd0"),),
    older_traits=(
        ("blocking_checkpoints", True),  # checkpointing.py:325: only distributed ones do not wait
        ("parallelism", MEGATRON._replace(
            whole_experts=False,
            latent_attention=False,
            uneven=False,  # arguments.py:264, core/transformer/transformer_block.py:50
            precisions=tuple(name for name in MEGATRON.precisions if name != "mxfp8"),
        )),
    ),
)  # fmt: skip
