"""From a model's size to exact counts of its weights."""
