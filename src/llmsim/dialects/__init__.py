"""Whose log a run speaks. A dialect is a folder here: see docs/dialects.md."""
