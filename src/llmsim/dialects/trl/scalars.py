"""What TRL's trainers log: the Trainer's keys and what their objective is watched by."""

from llmsim.dialects.parts.transformers import scalars
from llmsim.dialects.trl.lines import logged_metrics
from llmsim.physics.learning import metrics

HISTORY = scalars.history(logged_metrics, metrics.held_out)
TENSORBOARD = scalars.rewritten(HISTORY)
WANDB = scalars.rewritten(HISTORY, client=True)
folder = scalars.folder
