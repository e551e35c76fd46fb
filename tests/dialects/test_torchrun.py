"""torchrun's banner, against the format of real ones."""

import re
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsim import catalog
from llmsim.dialects.torchrun import banner

# Level, month and day, time, process, file, line (torch/_logging, TorchLogsFormatter).
PREFIX = re.compile(r"^([WEI])(\d{4}) (\d\d:\d\d:\d\d\.\d{6}) (\d+) ([\w/.]+):(\d+)\] ")
NOW = datetime(2026, 11, 22, 17, 30, 25, 729_999)

STARS = "*****************************************"

# As torch 2.10.0 printed it in a public log, but for the time and the process.
REAL = [
    "",
    STARS,
    (
        "Setting OMP_NUM_THREADS environment variable for each process to be 1 in default, to "
        "avoid your system being overloaded, please further tune the variable for optimal "
        "performance in your application as needed. "
    ),
    STARS,
]


def test_the_banner_is_that_of_a_real_log() -> None:
    prefix = "W1122 17:30:25.729000 1726 torch/distributed/run.py:852] "
    assert banner(NOW, 1726, "2.10.0+cu128") == [prefix + text for text in REAL]


@given(st.datetimes(), st.integers(1, 4_194_304))
def test_every_line_has_the_launchers_prefix(now: datetime, process: int) -> None:
    for line in banner(now, process, "2.9.1+cu128"):
        match = PREFIX.match(line)
        assert match
        level, day, time, identity, file, _ = match.groups()
        assert (level, day, identity) == ("W", f"{now:%m%d}", str(process))
        assert file == "torch/distributed/run.py"
        assert time.startswith(f"{now:%H:%M:%S}.")
        assert time.endswith("000")  # Python's loggers know milliseconds


@pytest.mark.parametrize(
    ("torch", "line"),
    [
        ("2.6.0+cu124", 792),
        ("2.7.1+cu126", 766),
        ("2.8.0+cu128", 774),
        ("2.9.1+cu128", 803),
        ("2.9.1+rocm6.4", 803),
        ("2.10.0+cu128", 852),
        ("2.13.0+cu130", 874),
        ("2.99.0+cu150", 874),  # not out yet: the newest known
    ],
)
def test_the_line_number_is_that_of_the_release(torch: str, line: int) -> None:
    assert all(f"run.py:{line}] " in text for text in banner(NOW, 1, torch))


def test_every_listed_release_is_known() -> None:
    listed = [each.version for each in catalog.frameworks() if each.name == "torch"]
    lines = {banner(NOW, 1, version)[0] for version in listed}
    assert len(lines) == len(listed)  # run.py changed in each
