"""What PyTorch Lightning is for, and how it trains."""

from llmsim.job.framework import DATA_PARALLEL, PRETRAINING, Framework
from llmsim.job.layout import Engine

# Fitted to MosaicML's Composer, which wraps a plain model in FSDP as Lightning does.
ENGINE = Engine(
    compiled=False, kernels=1.05, attention=0.70, again=0.93, overlap=0.6, step_seconds=0.024
)

FRAMEWORK = Framework(
    "lightning",
    "PyTorch Lightning: a table of the model, then a tqdm bar for each epoch",
    (*PRETRAINING, "sft"),
    source="pypi.org/project/lightning",
    release="2.6.6",
    goes_on=True,
    commit="2bcbd6ee840071cd076c7dc9953d7ac1040df92f1c5fa76583aae644f037ab85",
    validates_end=False,
    blocking_checkpoints=True,
    shuffles=True,
    file_bar="logged",
    parallelism=DATA_PARALLEL._replace(
        engine=ENGINE,
        context=False,
        precisions=("bf16", "fp16", "fp8"),  # fp8 by its TransformerEnginePrecision
        switches=("compiled", "attention"),
        latent_attention=False,
    ),
    reads_metrics=False,
)
