"""By optimizer step: loss, gradient, learning rate, metrics, benchmarks."""
