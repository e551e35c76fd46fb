"""By executed step: throughput, step time, slowdowns, batch, communication."""
