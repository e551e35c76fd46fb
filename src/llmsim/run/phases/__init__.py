"""The phases of a run: generators of events. Each takes the time it begins and returns its end."""
