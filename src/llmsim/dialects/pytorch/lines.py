"""The default dialect: a good lab's own train.py under torchrun, which prints every event.

Rank-0 logger lines in the conventions of PyTorch and Hugging Face logs. Every line is made of
clauses; if they do not all fit the width, the least important are left out first.
"""

from llmsim.dialects.line import Render
from llmsim.dialects.pytorch import launch, model, recovery, saving, summary, training

LINES: dict[type, Render] = {
    **launch.LINES,
    **model.LINES,
    **training.LINES,
    **saving.LINES,
    **recovery.LINES,
    **summary.LINES,
}
