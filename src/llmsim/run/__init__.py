"""The events of a run, and when they happen."""
