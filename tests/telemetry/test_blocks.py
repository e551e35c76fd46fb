"""Gauges by numpy: those of the plain functions, to the last bit, whatever the GPUs do."""

from collections import Counter
from datetime import datetime

import pytest

from llmsim.options.table import Options
from llmsim.physics import noise
from llmsim.planning.plan import plan
from llmsim.run.simulation import run_of
from llmsim.run.timeline import Run, run_ended
from llmsim.telemetry.samples import gauges_of, tick_of

START = datetime(2026, 1, 30, 12)
GPUS = ("H100-80GB-HBM3", "A100-SXM4-80GB", "NVIDIA B200", "H200", "MI300X", "L40S", "RTX 4090")
RECIPES = ("pretrain", "lora", "sft", "pretrain", "continue")


def a_run(seed: int, *, plain: bool) -> Run:
    """A run on 25 nodes that breaks often; without numpy if it is plain."""
    run = run_of(plan(Options(
        seed=seed, start=START, gpu=GPUS[seed % len(GPUS)], gpus=200, incidents="chaos",
        recipe=RECIPES[seed % len(RECIPES)], steps=300,
    )))  # fmt: skip
    if plain:
        run.memo["arrays"] = None
    return run


def compared(seed: int, looks: int) -> Counter[str]:
    """How many GPUs were compared, by what they did, of which numpy has computed some.

    Later and earlier moments follow one another, as they do when somebody looks back.
    """
    quick, plain = a_run(seed, plain=False), a_run(seed, plain=True)
    found, ended = Counter[str](), run_ended(quick)
    every = range(quick.job.layout.gpus)
    for look in range(looks):
        at = 1.02 * ended * noise.uniform(seed, "a test's moments", look) if look else 0.0
        ours, theirs = (gauges_of(run, tick_of(run, at), every) for run in (quick, plain))
        assert len(ours) == len(theirs), f"seed {seed}, {at} s"
        for here, there in zip(ours, theirs, strict=True):
            assert repr(here) == repr(there), f"seed {seed}, {at} s"
        assert all(block is None for block in tick_of(plain, at).blocks.values())
        if any(block is not None for block in tick_of(quick, at).blocks.values()):
            found[tick_of(quick, at).done[0].activity] += len(ours)
    return found


@pytest.mark.extras
@pytest.mark.parametrize("seed", [0, 1, 6])
def test_a_few_gauges_are_those_of_the_plain_functions(seed: int) -> None:
    assert compared(seed, 5).total() > 500


@pytest.mark.fleets
def test_a_hundred_thousand_gauges_are_those_of_the_plain_functions() -> None:
    found, seed = Counter[str](), 0
    while found.total() < 100_000:
        found += compared(seed, 25)
        seed += 1
    assert {"training", "validation", "checkpoint", "loading", "hang", "stalled"} <= found.keys()


@pytest.mark.extras
def test_the_order_of_questions_changes_no_gauge() -> None:
    """One node asked alone, then all of them; and the other way round."""
    asked = range(8, 16)
    one, other = a_run(0, plain=False), a_run(0, plain=False)
    at = 0.5 * run_ended(one)
    alone = gauges_of(one, tick_of(one, at), asked)
    with_others = gauges_of(other, tick_of(other, at), range(200))
    assert repr(alone) == repr(with_others[8:16])
