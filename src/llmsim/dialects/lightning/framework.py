"""What PyTorch Lightning is for, and how it trains."""

from llmsim.job.framework import DATA_PARALLEL, PRETRAINING, Framework

FRAMEWORK = Framework(
    "lightning",
    "PyTorch Lightning: a table of the model, then one tqdm bar an epoch",
    (*PRETRAINING, "sft"),
    blocking_checkpoints=True,
    parallelism=DATA_PARALLEL,
)
