"""MaxText on TPUs, v0.1.0 of September 2025, when a step's line ended with its loss.

src/MaxText/{train,pyconfig,train_utils,checkpointing,metric_logger,max_utils}.py, and the log of a
v5p-8 that its guide "Understand logs and metrics" explains. MaxText prints without time stamps;
its checkpoint library, Orbax, logs with absl's prefix.
"""

from llmsim.dialects.line import Render
from llmsim.dialects.maxtext import launch, recovery, training
from llmsim.dialects.maxtext.processes import on_each
from llmsim.run.events import Launched

LINES: dict[type, Render] = {
    **{kind: on_each(render) for kind, render in {**launch.LINES, **training.LINES}.items()},
    Launched: launch.LINES[Launched],  # the command is typed once
    **recovery.LINES,
}
