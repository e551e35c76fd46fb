"""plan(options): from options to a job that fits its GPUs."""
