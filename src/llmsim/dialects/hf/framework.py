"""What Hugging Face's Trainer is for, and how it trains."""

from llmsim.job.framework import DATA_PARALLEL, PRETRAINING, Framework

# The wheel of transformers 4.57.1.
TRANSFORMERS_4 = "b10d05da8fa67dc41644dbbf9bc45a44cb86ae33da6f9295f5fbf5b7890bd267"
# modeling_utils.py, max_shard_size; trainer_callback.py, DefaultFlowCallback.on_step_end: another
# evaluation at the end is version 5's.
OLDER_TRAITS = (("max_shard_gb", 5), ("validates_end", False))

FRAMEWORK = Framework(
    "hf",
    "Hugging Face's Trainer (of transformers 5 or 4): dicts above a progress bar",
    (*PRETRAINING, "sft", "lora"),
    source="pypi.org/project/transformers",
    release="5.23.0",
    goes_on=True,
    may_skip_saves=True,
    commit="018e82fd07490ad5bb58414f65e31576033dc7f36bed10c574843f69b90991bf",
    older=(("4.57.1", TRANSFORMERS_4),),
    older_traits=OLDER_TRAITS,
    lr_lag_steps=1,
    model_first=True,
    max_shard_gb=50,  # transformers 5, modeling_utils.py: max_shard_size
    blocking_checkpoints=True,
    shuffles=True,
    takes_rest=True,
    file_bar="never",
    parallelism=DATA_PARALLEL,
    collective_timeout=1800.0,
    start_timeout=1800.0,  # ddp_timeout is both
    reads_metrics=False,
)
