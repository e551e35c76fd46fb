"""A run in the formats of other tools: records, gauges, and one module for each file format."""
