"""Numbers as logs write them."""

from datetime import datetime
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsim.text import units

FACTORS = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12, "k": 1e3, "G": 1e9, "P": 1e15}


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (999, "999"), (1_570_000, "1.57M"), (8_030_261_248, "8.03B"), (9_730_785_280, "9.73B"),
        (99_960_000_000, "100B"), (627e9, "627B"), (999_600_000_000, "1.00T"), (15e12, "15.0T"),
    ],
)  # fmt: skip
def test_counts_have_three_digits(count: float, text: str) -> None:
    assert units.short(count) == text


@given(st.floats(1000, 9e14))
def test_a_short_count_is_off_by_half_a_digit_at_most(count: float) -> None:
    text = units.short(count)
    value = float(text[:-1]) * FACTORS[text[-1]]
    assert value == pytest.approx(count, rel=0.0051)
    assert len(text.replace(".", "")) == 4


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (512, "512 B"), (8_390_000, "8.39 MB"), (16_060_522_496, "16.1 GB"),
     (4.87e12, "4.87 TB"), (847e9, "847 GB")],
)  # fmt: skip
def test_sizes_on_disk_are_decimal(size: float, text: str) -> None:
    assert units.gigabytes(size) == text


def test_memory_is_binary_as_in_torch() -> None:
    assert units.gib(79.55 * 2**30) == "79.55GiB"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.005, "0.01 s"), (9.994, "9.99 s"), (9.996, "10.0 s"), (41.2, "41.2 s"), (99.94, "99.9 s"),
     (99.96, "1 min 40 s"), (432, "7 min 12 s"), (3600, "1 h 00 min"), (9000, "2 h 30 min")],
)  # fmt: skip
def test_short_times(value: float, text: str) -> None:
    assert units.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0:00:00"), (59.6, "0:01:00"), (9072, "2:31:12"), (359_999, "99:59:59"),
     (360_000, "4d 04h"), (1_753_200, "20d 07h")],
)  # fmt: skip
def test_long_times(value: float, text: str) -> None:
    assert units.hours(value) == text


@given(st.floats(0, 8e7))
def test_long_times_take_at_most_eight_characters(value: float) -> None:
    assert len(units.hours(value)) <= 8


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.4123, "0.412"), (9.9994, "9.999"), (9.9996, "10.00"), (18.914, "18.91"), (99.996, "100.0"),
     (190.1, "190.1"), (999.96, " 1000"), (2417.3, " 2417"), (12_345, "12345")],
)  # fmt: skip
def test_a_column_of_five(value: float, text: str) -> None:
    assert units.at_most_five(value) == text


@given(st.floats(0, 99_999))
def test_a_column_of_five_stands_still(value: float) -> None:
    assert len(units.at_most_five(value)) == 5
    assert float(units.at_most_five(value)) == pytest.approx(value, rel=6e-4, abs=6e-4)


@pytest.mark.parametrize(
    ("value", "text"),
    [(8.2e-6, "8.20 us"), (461e-6, "461 us"), (999.6e-6, "1.00 ms"), (0.0167, "16.7 ms"),
     (0.028, "28.0 ms"), (0.1734, "173 ms"), (0.9996, "1.00 s"), (1.284, "1.28 s"),
     (40.4, "40.4 s")],
)  # fmt: skip
def test_collectives_have_three_digits(value: float, text: str) -> None:
    assert units.microseconds(value) == text


@pytest.mark.parametrize(
    ("loss", "text"),
    [(12.45, "255,250"), (6.9077, "999.9"), (6.90775, "1,000"), (4.60517, "100.0"),
     (2.6604, "14.30")],
)  # fmt: skip
def test_perplexity_has_fewer_decimals_the_larger_it_is(loss: float, text: str) -> None:
    assert units.perplexity(loss) == text


@given(st.floats(0, 13))
def test_perplexity_is_that_of_the_loss(loss: float) -> None:
    text = units.perplexity(loss)
    assert float(text.replace(",", "")) == pytest.approx(exp(loss), rel=5e-4, abs=0.0051)
    assert len(text) <= 7


def test_nouns_follow_their_number() -> None:
    assert units.counted(1, "node") == "1 node"
    assert units.counted(16_384, "more node") == "16,384 more nodes"
    assert units.counted(0, "shard") == "0 shards"


def test_stamps_count_from_the_start() -> None:
    assert units.stamp(datetime(2026, 1, 30, 23, 59, 59), 1.5) == datetime(
        2026, 1, 31, 0, 0, 0, 500_000
    )
