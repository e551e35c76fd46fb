"""What an MLPerf benchmark is for, and how it trains."""

from llmsim.job.framework import NEMO, Framework
from llmsim.job.layout import Parallelism

FRAMEWORK = Framework(
    "mlperf",
    "MLPerf: the :::MLLOG lines that the compliance checker of MLPerf reads",
    ("pretrain",),
    shuffles=True,
    stops_at_nan=True,
    file_bar="never",
    capture="all",
    marks="task",
    sequence=8192,
    target_loss=3.34,
    source="github.com/mlcommons/logging",
    release="6.1.0 of the rules (main of 2026)",
    commit="7bbf792686936919201796120b970dd820331099",
    parallelism=Parallelism(
        engine=NEMO.engine,
        replicas=False,
        bf16_states=False,
        four_bit_base=False,
        switches=NEMO.switches,
    ),
)
