"""torchrun's banner, as torch/distributed/run.py prints it on every node."""

from datetime import datetime

# Where the warning stands in run.py; newest release last. Public logs of each release.
_LINES = {
    "2.6": 792, "2.7": 766, "2.8": 774, "2.9": 803, "2.10": 852, "2.11": 851, "2.13": 874,
}  # fmt: skip
_NEWEST = 874

STARS = "*" * 41
ADVICE = (
    "Setting OMP_NUM_THREADS environment variable for each process to be 1 in default, to avoid "
    "your system being overloaded, please further tune the variable for optimal performance in "
    "your application as needed. "
)


def banner(now: datetime, process: int, torch: str) -> list[str]:
    """The four lines that a launcher of several processes warns with; `process` is its id.

    The prefix is glog's: level, month and day, time, process, file and line; Python's loggers
    know milliseconds, so the last three digits are always zeros. The message begins with a
    line end, hence the first line without text.
    """
    stamp = f"W{now:%m%d %H:%M:%S}.{now.microsecond // 1000:03d}000"
    line = _LINES.get(".".join(torch.split(".")[:2]), _NEWEST)
    prefix = f"{stamp} {process} torch/distributed/run.py:{line}]"
    return [f"{prefix} {text}" for text in ("", STARS, ADVICE, STARS)]
