"""plan(options): from what was asked for to a job that fits."""
