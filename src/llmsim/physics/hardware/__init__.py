"""By moment: temperature, power, memory, storage."""
