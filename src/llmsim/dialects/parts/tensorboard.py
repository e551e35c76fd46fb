"""The line of a trainer that writes for TensorBoard."""

from datetime import datetime


def enabled(folder: str, now: datetime) -> str:
    """The line with the folder of the event files (torchtitan, components/metrics.py)."""
    return f"TensorBoard logging enabled. Logs will be saved at {folder}/{now:%Y%m%d-%H%M}"
