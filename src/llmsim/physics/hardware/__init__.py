"""Hardware by moment: temperature, power, memory, storage."""
