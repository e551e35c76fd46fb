"""DeepSpeed 0.16.5 under its launcher: a script in the manner of DeepSpeed-Chat's first step.

deepspeed/utils/logging.py:62, utils/timer.py:265, runtime/engine.py, runtime/config.py:989-1003,
runtime/zero/stage3.py:165-530, runtime/pipe/engine.py:401-405, launcher/launch.py (@38327e0).
DeepSpeedExamples, DeepSpeed-Chat's step1_supervised_finetuning/main.py with --print_loss.
"""

from llmsim.dialects.deepspeed import engine, launch, recovery, training
from llmsim.dialects.line import Render

LINES: dict[type, Render] = {**launch.LINES, **engine.LINES, **training.LINES, **recovery.LINES}
