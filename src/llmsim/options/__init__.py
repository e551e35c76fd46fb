"""The one table of options, and how their values are read."""
