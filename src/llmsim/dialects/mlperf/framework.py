"""What an MLPerf benchmark is for, and how it trains."""

from llmsim.job.framework import NEMO, Framework
from llmsim.job.layout import Parallelism

FRAMEWORK = Framework(
    "mlperf",
    "MLPerf's :::MLLOG lines, which its compliance checker reads",
    ("pretrain",),
    shuffles=True,
    parallelism=Parallelism(engine=NEMO.engine),
)
