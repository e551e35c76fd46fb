"""A failure says which run it is about."""

import pytest

from tests.conftest import named
from tests.runs import run_of


def fail_in_a_loop() -> None:
    """Fails for the seed 3 and the step 10, as a test may."""
    for seed in range(3, 5):
        run = run_of(seed, dialect="megatron")
        for step in (10, 20):
            assert run.job.seed + step != seed + 10


def test_a_failure_in_a_loop_names_seed_dialect_and_step() -> None:
    with pytest.raises(AssertionError) as caught:
        fail_in_a_loop()
    told = "\n".join(named(caught.tb))
    assert "seed: 3" in told
    assert "step: 10" in told
    assert (
        "run: seed 3, dialect megatron: llmsim --dialect megatron --incidents none --seed 3" in told
    )
