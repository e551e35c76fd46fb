"""A temperature that is read alone is the one that all gauges of the GPU show."""

import pytest

from llmsim.run.moment import celsius, meter, readings
from llmsim.run.simulation import run_of
from llmsim.run.timeline import run_ended
from tests.runs import job_of


@pytest.mark.parametrize(("gpus", "gpu"), [(8, None), (64, None), (8, "RTX A6000")])
def test_temperatures_read_alone_are_those_of_the_gauges(gpus: int, gpu: str | None) -> None:
    card = {"gpu": gpu} if gpu else {}
    run = run_of(
        job_of(5, gpus=gpus, recipe="pretrain", dialect="pytorch", incidents="chaos", **card)
    )
    for part in (0.0, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0):
        at = part * run_ended(run)
        alone, gauges = celsius(run, at, tuple(range(gpus))), meter(run, at)
        for reading in readings(run, at):
            assert alone[reading.index] == reading.temperature_c, (at, reading.index)
            assert gauges(reading.index) == reading, (at, reading.index)
