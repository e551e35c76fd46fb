"""Draws among names, against the two promises of rendezvous hashing: shares, and no upset."""

import re
from collections import Counter
from math import sqrt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsim.physics import balanced, noise

SEEDS = st.integers(min_value=0, max_value=2**64 - 1)
WEIGHTED = st.dictionaries(
    st.text(min_size=1, max_size=12), st.floats(0.1, 20.0), min_size=1, max_size=12
)
STREAM = "plan/model"


def chosen(seed: int, weights: dict[str, float], index: int = 0) -> str:
    return noise.choose(seed, STREAM, weights, [*weights.values()], index)


@given(SEEDS, WEIGHTED, st.text(min_size=1, max_size=12), st.floats(0.1, 20.0))
@pytest.mark.long
def test_a_new_name_changes_only_the_draws_that_it_wins(
    seed: int, weights: dict[str, float], name: str, weight: float
) -> None:
    before = {other: each for other, each in weights.items() if other != name}
    if before:
        assert chosen(seed, {**before, name: weight}) in (chosen(seed, before), name)


@given(SEEDS, WEIGHTED)
def test_a_removed_name_changes_only_the_draws_that_it_had_won(
    seed: int, weights: dict[str, float]
) -> None:
    winner = chosen(seed, weights)
    for loser in weights.keys() - {winner}:
        rest = {name: weight for name, weight in weights.items() if name != loser}
        assert chosen(seed, rest) == winner, loser


@given(SEEDS, WEIGHTED, st.integers(0, 60), st.randoms(use_true_random=False))
@pytest.mark.long
def test_the_order_of_the_names_has_no_meaning(
    seed: int, weights: dict[str, float], index: int, shuffler: object
) -> None:
    rows = [*weights.items()]
    shuffler.shuffle(rows)  # type: ignore[attr-defined]  # hypothesis' random.Random
    assert chosen(seed, dict(rows), index) == chosen(seed, weights, index)


@given(SEEDS, WEIGHTED)
def test_equal_weights_choose_as_none(seed: int, weights: dict[str, float]) -> None:
    alike = dict.fromkeys(weights, 3.0)
    assert chosen(seed, alike) == noise.choose(seed, STREAM, weights)


@pytest.mark.parametrize("by", ["seed", "index"])
@pytest.mark.parametrize(
    "weights",
    [
        {"pretrain": 7.0, "continue": 1.0, "sft": 1.0, "lora": 1.0},
        {"pytorch": 14.0, **dict.fromkeys(("hf", "trl", "olmo", "nemo", "mlperf"), 1.0)},
        dict.fromkeys((f"Model-{size}B" for size in range(1, 31)), 1.0),
    ],
    ids=["recipes", "dialects", "models"],
)
@pytest.mark.long
def test_shares_follow_the_weights(weights: dict[str, float], by: str) -> None:
    """Each count lies within 4.5 standard deviations of a binomial distribution's mean."""
    draws = 12_000
    pairs = ((n, 0) if by == "seed" else (7, n) for n in range(draws))
    counts = Counter(chosen(seed, weights, index) for seed, index in pairs)
    for name, weight in weights.items():
        share = weight / sum(map(int, weights.values()))
        spread = sqrt(draws * share * (1.0 - share))
        assert abs(counts[name] - draws * share) < 4.5 * spread, name


def test_streams_choose_apart_from_each_other() -> None:
    names = [f"Model-{size}B" for size in range(20)]
    same = sum(
        noise.choose(seed, "plan/model", names) == noise.choose(seed, "plan/dataset", names)
        for seed in range(2000)
    )
    assert abs(same - 100) < 4.5 * sqrt(2000 * 0.05 * 0.95)


def test_nothing_to_choose_from_is_an_error() -> None:
    with pytest.raises(IndexError, match="nothing to choose from in stream 'plan/model'"):
        noise.choose(1, STREAM, [])


@given(SEEDS, st.lists(st.tuples(st.text(max_size=8), st.integers(0, 10**9)), min_size=1,
                       max_size=40), st.integers(0, 2**40))  # fmt: skip
@pytest.mark.long
def test_draws_made_together_are_those_made_one_by_one(
    seed: int, places: list[tuple[str, int]], ahead: int
) -> None:
    alone = [noise.uniform(seed, stream, index + ahead) for stream, index in places]
    assert noise.together(seed, tuple(places), ahead) == alone


@given(SEEDS, st.integers(0, 10**9), st.integers(0, 10**6), st.integers(1, 12))
def test_numbers_drawn_at_once_are_those_drawn_one_by_one(
    seed: int, index: int, first: int, count: int
) -> None:
    series = range(first, first + count)
    one_by_one = [balanced.level(seed, STREAM, index, each) for each in series]
    assert balanced.levels(seed, STREAM, index, series) == pytest.approx(one_by_one, abs=1e-9)
    before = [balanced.total(seed, STREAM, index + 0.3, each) for each in series]
    assert balanced.totals(seed, STREAM, index + 0.3, series) == pytest.approx(before, abs=1e-9)
    at = range(index, index + count)
    drawn = noise.uniforms(seed, STREAM, index, count)
    assert drawn == [noise.uniform(seed, STREAM, each) for each in at]
    drawn = noise.normals(seed, STREAM, index, count)
    assert drawn == [noise.normal(seed, STREAM, each) for each in at]


def test_what_is_let_go_is_drawn_again_and_is_the_same() -> None:
    drawn: list[int] = []

    @noise.kept(4)
    def of_a_seed(seed: int) -> float:
        drawn.append(seed)
        return noise.uniform(seed, STREAM)

    first = of_a_seed(7)
    assert of_a_seed(7) == first
    assert drawn == [7]
    noise.let_go()
    assert of_a_seed(7) == first
    assert drawn == [7, 7]


def test_every_cache_of_a_seeds_values_can_be_let_go() -> None:
    """Another cache of them would grow from run to run of a fleet."""
    physics, kept = Path(noise.__file__).parent, 0
    for path in sorted(physics.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        left = re.findall(r"@lru_cache[^\n]*\ndef (\w+)\(\s*seed\b", text)
        assert not left, f"{path.name}: {', '.join(left)}"
        kept += len(re.findall(r"@(?:noise\.)?kept\(\d+\)\ndef \w+\(\s*seed\b", text))
    assert kept > 5
