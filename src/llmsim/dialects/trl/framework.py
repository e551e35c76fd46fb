"""What TRL is for, and how it trains."""

from llmsim.job.framework import DATA_PARALLEL, Framework

FRAMEWORK = Framework(
    "trl",
    "TRL's trainers (1.16): rewards, entropies and tokens in dicts",
    ("sft", "lora", "dpo", "grpo"),
    lr_lag_steps=1,
    single_process_map=True,
    max_shard_gb=50,
    blocking_checkpoints=True,
    shuffles=True,
    file_bar="never",
    parallelism=DATA_PARALLEL,
    collective_timeout=1800.0,
)
