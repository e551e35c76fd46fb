"""The live region below the log: curves, GPU panel, heat map."""
