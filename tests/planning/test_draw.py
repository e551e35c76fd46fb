"""A refusal reckons in front of the reader."""

import re

from hypothesis import given, settings

from llmsim.job.records import Job
from llmsim.physics.hardware import memory
from llmsim.planning.draw import explained
from tests.physics import jobs
from tests.physics.jobs import H100, layout


def test_a_refusal_shows_its_arithmetic() -> None:
    text = explained(jobs.LLAMA_70B, layout(), 8192, H100)
    assert text.startswith("weights 35.3 GB + gradients 35.3 GB + optimizer 70.6 GB + ")
    assert text.endswith(
        " GB per GPU, but NVIDIA H100 80GB HBM3 has 85.0 GB, of which 5 % stay free"
    )


@settings(max_examples=100, deadline=None)
@given(jobs.jobs())
def test_the_parts_of_an_explanation_add_up(job: Job) -> None:
    config, spread, sequence = job.architecture, job.layout, job.schedule.sequence
    text = explained(config, spread, sequence, job.gpu)
    numbers = [float(n.replace(",", "")) for n in re.findall(r"([\d,]+\.\d) GB", text)]
    *parts, total, capacity = numbers
    assert round(sum(parts), 1) == total
    limit = memory.USABLE * memory.capacity(job.gpu)
    too_large = memory.total(memory.estimate(config, spread, sequence)) > limit
    assert (" but " in text) == too_large
    if too_large:
        assert total > memory.USABLE * capacity - 0.1
