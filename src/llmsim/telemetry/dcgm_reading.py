"""What dcgm-exporter reads of all GPUs at the samples of a file, with the page's own rules.

A sample of a file is a reading. So a GPU that is lost has no value at the next sample, and neither
has any GPU of a node whose DCGM calls the driver no more (see `gave_up`). An event tells the code
of an error, so a code that has come since the last sample is there once, even where the GPU has no
other value.
"""

from math import inf

from llmsim.job.records import Job, gpus_per_node, ranks_on
from llmsim.physics.hardware.gauges import Gauges
from llmsim.run.timeline import Run
from llmsim.telemetry import dcgm
from llmsim.telemetry.dcgm_own import gave_up, latest_errors
from llmsim.telemetry.samples import gauges_of, is_silent, tick_of
from llmsim.typed import NamedTuple


class Reading(NamedTuple):
    """What the exporter knows at a sample."""

    gauges: tuple[Gauges, ...]  # of the GPUs that have values
    missing: tuple[int, ...]  # the ranks of the others, in order
    errors: dict[int, int]  # the codes of their latest errors, by rank


def reading(run: Run, at: float, since: float, shown: range) -> Reading:
    """The reading of some GPUs at a sample; `since` is the moment of the sample before it."""
    seen, given_up = gauges_of(run, tick_of(run, at), shown), gave_up(run, at)
    if len(seen) == len(shown) and not given_up:
        return Reading(seen, (), {})
    size = gpus_per_node(run.job)
    seen = tuple([each for each in seen if each.gpu // size not in given_up])
    missing = tuple(sorted(frozenset(shown) - {each.gpu for each in seen}))
    errors = dict[int, int]()
    for node in sorted({gpu // size for gpu in missing}):
        if not is_silent(run, node, at):  # nobody answers for a node that is dead
            ranks = ranks_on(run.job, node)
            errors |= latest_errors(run, ranks, since, at, given_up.get(node, inf))
    return Reading(seen, missing, {gpu: errors[gpu] for gpu in missing if gpu in errors})


def numbers(job: Job, field: dcgm.Field, read: Reading) -> list[str]:
    """The values of a field on all GPUs, the first one's first, as the exporter prints them; empty:
    no sample.
    """
    made = dcgm.numbers(job, field, read.gauges)
    for gpu in read.missing:
        made.insert(gpu, str(read.errors.get(gpu, "")) if field.coded else "")
    return made
