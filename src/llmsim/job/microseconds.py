"""Moments and durations of a run are whole microseconds, in seconds."""


def to_the_microsecond(seconds: float) -> float:
    """Seconds, rounded to the microsecond.

    A line has some ten of these, and round(seconds, 6) takes twice as long, since it goes by way of
    a decimal text. Both are the double nearest to the same decimal number. Raises OverflowError
    for infinity, and ValueError for what is no number.
    """
    return round(seconds * 1e6) / 1e6
