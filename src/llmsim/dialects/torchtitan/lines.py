"""torchtitan v0.2 under its run_train.sh: the log of the rank that knows the loss.

torchtitan@v0.2.0, torchtitan/{train,components/metrics,components/checkpoint}.py, and a complete
public log of 2025-11-25. It streams its data, exports nothing and tells of no benchmarks.
"""

from llmsim.dialects.line import Render
from llmsim.dialects.torchtitan import launch, recovery, training

LINES: dict[type, Render] = {**launch.LINES, **training.LINES, **recovery.LINES}
