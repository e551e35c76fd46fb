"""What NeMo 2 is for, and how it trains."""

from llmsim.job.framework import NEMO, PRETRAINING, Framework

FRAMEWORK = Framework(
    "nemo",
    "NeMo 2: keys and values of every iteration, with four digits",
    (*PRETRAINING, "sft", "lora"),
    source="github.com/NVIDIA-NeMo/NeMo",
    release="v2.4.0",
    commit="2381f42f6979449b5b99538f8f80135831009b51",
    device="NVIDIA GPU",
    families=("gpt2",),  # GPTConfig (collections/llm/gpt/model/base.py)
    has_biases=True,  # add_bias_linear
    logs_every_step=True,  # ProgressPrinter's interval is 1
    holds_lines=True,  # a save in the background is whole at a later batch
    validates_end=False,
    saves_first=True,  # at the end of the batch, before the validation
    shuffles=True,
    stops_at_nan=True,
    saves_at_sigterm=True,
    file_bar="never",
    first_step="loads",  # Transformer Engine's
    parallelism=NEMO,
    reads_metrics=False,
)
