"""Bars are tqdm's, byte for byte: tqdm itself is the oracle."""

from hypothesis import example, given
from hypothesis import strategies as st
from tqdm.std import tqdm

from llmsim.text.progress_bar import blocks, interval, meter
from llmsim.text.units import scaled

TOTALS = st.integers(1, 10**15)
WIDTHS = st.none() | st.integers(1, 400)
WORDS = st.text("abcXYZ 0189.,:=/%|-", max_size=30)


@given(
    total=TOTALS,
    part=st.floats(0, 1),
    elapsed=st.just(0.0) | st.floats(0, 1e7) | st.floats(0, 1),
    width=WIDTHS,
    label=WORDS.filter(lambda word: not word.endswith(": ")),
    unit=st.sampled_from(["it", "B", "tok", "shard", ""]),
    scale=st.booleans(),
    note=WORDS,
    unicode=st.booleans(),
)
@example(1, 0.0, 0.0, 80, "", "it", False, "", True)
@example(1000, 0.0, 12.5, 80, "Epoch 1/2", "it", False, "loss=2.31", True)
@example(1000, 1.0, 100.0, None, "Saving", "B", True, "", False)
@example(9995, 1.0, 1e-300, 20, "", "it", True, "", True)
def test_a_meter_is_tqdms(
    total: int,
    part: float,
    elapsed: float,
    width: int | None,
    label: str,
    unit: str,
    scale: bool,
    note: str,
    unicode: bool,
) -> None:
    done = min(total, int(total * part))
    if done and elapsed < done * 1e-300:  # tqdm's own rate would be infinite
        elapsed = 0.0
    expected = tqdm.format_meter(
        done, total, elapsed, ncols=width, prefix=label, ascii=not unicode, unit=unit,
        unit_scale=scale, postfix=note,
    )  # fmt: skip
    assert meter(done, total, elapsed, width, label, unit, scale, note, unicode) == expected


@given(st.floats(0, 1e9))
def test_intervals_are_tqdms(seconds: float) -> None:
    assert interval(seconds) == tqdm.format_interval(seconds)


@given(st.floats(0, 1e30) | st.integers(0, 10**30))
@example(9.995)
@example(99.95)
@example(999.5)
@example(999_499)
def test_scaled_numbers_are_tqdms(number: float) -> None:
    assert scaled(number) == tqdm.format_sizeof(number)


@given(st.floats(0, 1), st.integers(1, 100), st.booleans())
def test_blocks_fill_their_width(fraction: float, width: int, unicode: bool) -> None:
    assert len(blocks(fraction, width, unicode)) == width


def test_blocks_grow_by_eighths_or_by_tenths_of_a_cell() -> None:
    assert blocks(0, 2) == "  "
    assert blocks(0.3125, 2) == "▋ "
    assert blocks(1, 2) == "██"
    assert blocks(0.3, 2, unicode=False) == "6 "
    assert blocks(1, 2, unicode=False) == "##"
