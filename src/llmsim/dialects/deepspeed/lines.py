"""DeepSpeed 0.16.5 under its launcher: a script in the manner of DeepSpeed-Chat's first step.

Its statements stand in statements.py, each with its place in the source. The script is
DeepSpeedExamples' step1_supervised_finetuning/main.py with --print_loss.
"""

from llmsim.dialects.deepspeed import engine, launch, recovery, training
from llmsim.dialects.line import Render

LINES: dict[type, Render] = {**launch.LINES, **engine.LINES, **training.LINES, **recovery.LINES}
