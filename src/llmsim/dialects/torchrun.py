"""torchrun's banner, as torch 2.13 prints it (torch/distributed/run.py:874)."""

from datetime import datetime

STARS = "*" * 37
ADVICE = (
    "Setting OMP_NUM_THREADS environment variable for each process to be 1 in default, to avoid "
    "your system being overloaded, please further tune the variable for optimal performance in "
    "your application as needed. "
)


def banner(now: datetime, process: int) -> list[str]:
    """The four lines that a launcher of several processes warns with; `process` is its id.

    The prefix is glog's: level, month and day, time, process, file and line; Python's loggers
    know milliseconds, so the last three digits are always zeros.
    """
    stamp = f"W{now:%m%d %H:%M:%S}.{now.microsecond // 1000:03d}000"
    prefix = f"{stamp} {process} torch/distributed/run.py:874]"
    return [f"{prefix} ", prefix + STARS, f"{prefix} {ADVICE}", prefix + STARS]
