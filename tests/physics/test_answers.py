"""The answers of GRPO's groups are as often right, and groups as often alike, as chance makes them.

The oracles draw or sum the law that physics/learning/reinforcement.py states.
"""

import math
import random
from statistics import fmean

import pytest

from llmsim.physics.learning import completions, reinforcement
from tests.physics.loss_jobs import make_job


@pytest.mark.parametrize("place", [-20, -3, 0, 7, 30])
@pytest.mark.parametrize("size", [2, 8, 16, 64])
def test_answers_of_a_group_follow_their_law(size: int, place: int) -> None:
    """Each of a group's answers is right with the problem's own probability; summed finely."""
    nodes = [number / 64.0 for number in range(-512, 513)]
    weights = [math.exp(-0.5 * z * z) for z in nodes]
    chances = [1.0 / (1.0 + math.exp(-place / 4.0 - 2.2 * z)) for z in nodes]
    right = [
        math.comb(size, k)
        * sum(w * p**k * (1.0 - p) ** (size - k) for w, p in zip(weights, chances, strict=True))
        / sum(weights)
        for k in range(size)
    ]
    law = reinforcement._at_most(size, place)
    for k, chance in enumerate(law):
        assert chance / 65_536 == pytest.approx(sum(right[: k + 1]), abs=2e-5), (size, place, k)


def test_groups_are_as_often_alike_as_chance_makes_them() -> None:
    """The means of rewards and of groups without spread, against draws answer by answer."""
    job = make_job(seed=3, recipe="grpo", steps=500, warmup=10)
    steps = range(1, 401)
    found = [reinforcement.answers(job, step) for step in steps]
    expected = [completions.expected_reward(job, step) for step in steps]
    assert fmean(each.mean for each in found) == pytest.approx(fmean(expected), abs=0.02)
    drawn = random.Random(1)
    size, alike, rewards = job.recipe.row_sequences, 0, 0
    spread = math.sqrt(1.0 + math.pi * (2.2**2 + 0.35**2) / 8.0)
    for mean in expected:
        for _ in range(16):
            odds = math.log(mean / (1.0 - mean)) * spread
            odds += 0.35 * drawn.gauss() + 2.2 * drawn.gauss()
            chance = 1.0 / (1.0 + math.exp(-odds))
            right = sum(drawn.random() < chance for _ in range(size))
            alike += right in (0, size)
            rewards += right
    count = 16 * len(steps)
    assert rewards / (count * size) == pytest.approx(fmean(expected), abs=0.02)
    assert fmean(each.same for each in found) == pytest.approx(alike / count, abs=0.03)
