"""What a trainer that writes for TensorBoard says."""

from datetime import datetime


def enabled(folder: str, now: datetime) -> str:
    """Where the event files of this minute go (torchtitan, components/metrics.py)."""
    return f"TensorBoard logging enabled. Logs will be saved at {folder}/{now:%Y%m%d-%H%M}"
