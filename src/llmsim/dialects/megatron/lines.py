"""Megatron-LM (core 0.12 of 2025), NCCL_DEBUG=INFO: rank 0 prints set-up, the last rank the steps.

Megatron-LM@d98e8a6, megatron/training/training.py:3570-3653 and :5385-5400,
megatron/core/timers.py:341-355, megatron/training/utils/common_utils.py:313, with the time stamps
of 2024-03 to 2026-06 (no microseconds), and a complete public log of 2025-04-13.
"""

from llmsim.dialects.line import Render
from llmsim.dialects.megatron import launch, recovery, setup, training

LINES: dict[type, Render] = {**launch.LINES, **setup.LINES, **training.LINES, **recovery.LINES}
