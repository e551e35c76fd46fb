"""Learning by optimizer step: loss, gradient, learning rate, metrics, benchmarks."""
