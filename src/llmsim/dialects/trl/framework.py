"""What TRL is for, and how it trains."""

from llmsim.dialects.hf.framework import OLDER_TRAITS, TRANSFORMERS_4
from llmsim.job.framework import DATA_PARALLEL, Framework

FRAMEWORK = Framework(
    "trl",
    "TRL's trainers (release 1.16): rewards, entropies and tokens in dicts",
    ("sft", "lora", "dpo", "grpo"),
    source="pypi.org/project/trl",
    release="1.16.0",
    commit="c4726e139dd40e1a41661511c639c8a68416782b2e3e8c0befebd77bb7ba0396",
    older=(("1.16.0+transformers-4.57.1", TRANSFORMERS_4),),
    older_traits=OLDER_TRAITS,
    lr_lag_steps=1,
    model_first=True,
    single_process_map=True,
    max_shard_gb=50,
    blocking_checkpoints=True,
    shuffles=True,
    takes_rest=True,
    file_bar="never",
    parallelism=DATA_PARALLEL,
    collective_timeout=1800.0,
    start_timeout=1800.0,  # ddp_timeout is both
    reads_metrics=False,
)
