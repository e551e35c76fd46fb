"""The model of a run: pure functions of (job, step) or (job, time), without state or I/O."""
