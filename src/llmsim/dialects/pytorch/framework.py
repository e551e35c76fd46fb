"""The traits of the default trainer, a good lab's own train.py."""

from llmsim.job.framework import Framework, LossScaler
from llmsim.job.recipes import RECIPES

FRAMEWORK = Framework(
    "pytorch",
    "a good lab's own train.py under torchrun: lines fit any width",
    tuple(RECIPES),
    ramps_batch=True,
    evaluates=True,
    stops_early=True,
    saves_at_sigterm=True,
    loss_scaler=LossScaler(),
    gc_every=50,
    capture="all",
    marks="none",
    weight=14,
    file_bar="quarters",
    reads_metrics=False,
)
