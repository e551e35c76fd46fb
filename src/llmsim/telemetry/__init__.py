"""A run as other people's tools read it: records, gauges, and one module for each file format."""
