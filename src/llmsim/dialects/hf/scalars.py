"""What the Trainer logs in run_clm.py: nothing beside its own."""

from llmsim.dialects.hf.lines import scores
from llmsim.dialects.parts.transformers import scalars

HISTORY = scalars.history(scalars.no_more, scalars.no_more, scores)
TENSORBOARD = scalars.rewritten(HISTORY)
WANDB = scalars.rewritten(HISTORY, client=True)
folder = scalars.folder
