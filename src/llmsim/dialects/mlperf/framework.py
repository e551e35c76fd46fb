"""What an MLPerf benchmark is for, and how it trains."""

from llmsim.job.framework import Framework

FRAMEWORK = Framework(
    "mlperf", "MLPerf's :::MLLOG lines, which its compliance checker reads", ("pretrain",)
)
