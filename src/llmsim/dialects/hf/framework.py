"""What Hugging Face's Trainer is for, and how it trains."""

from llmsim.job.framework import DATA_PARALLEL, PRETRAINING, Framework

FRAMEWORK = Framework(
    "hf",
    "Hugging Face's Trainer (transformers 5): dicts above one bar",
    (*PRETRAINING, "sft", "lora"),
    source="pypi.org/project/transformers",
    release="5.23.0",
    commit="018e82fd07490ad5bb58414f65e31576033dc7f36bed10c574843f69b90991bf",
    lr_lag_steps=1,
    model_first=True,
    max_shard_gb=50,  # transformers 5, modeling_utils.py: max_shard_size
    blocking_checkpoints=True,
    shuffles=True,
    takes_rest=True,
    file_bar="never",
    parallelism=DATA_PARALLEL,
    collective_timeout=1800.0,
)
