"""By executed step: throughput, step time, slowdowns, communication."""
