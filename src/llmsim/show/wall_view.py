"""What the wall shows of a moment beside what the board shows: numbers and odometers."""

from collections.abc import Callable, Iterator
from math import fsum

from llmsim.board.wall_content import Figure, Wall
from llmsim.catalog.gpus import device, dollars_per_hour
from llmsim.job.milestones import steps_before
from llmsim.job.records import Job
from llmsim.physics.hardware.telemetry import Activity
from llmsim.physics.learning import objectives
from llmsim.run.events import Step
from llmsim.run.moment import Moment, energy
from llmsim.run.timeline import Run
from llmsim.show.gauge_readings import sampled
from llmsim.show.launch_stages import stages
from llmsim.show.trouble import BEFORE, became
from llmsim.text import units

# A kettle: a litre of water from 20 to 100 C takes 4.186 x 80 = 335 kJ, 0.093 kWh, and a kettle
# loses a tenth.
KETTLE_KWH = 0.103
# Tokens of a novel of 100,000 words.
NOVEL = 133_000

SINCE = "since step 1"  # what a part of a longer run has read of the whole; see `closing`

# What all GPUs begin together.
TOGETHER: tuple[Activity, ...] = ("training", "validation", "checkpoint")
# For each activity the role of its colour, and the word for what the GPUs do.
DOING: dict[Activity, tuple[str, str]] = {
    "idle": ("idle", "idle"),
    "starting": ("launch", "starting"),
    "loading": ("launch", "loading"),
    "training": ("busy", "computing"),
    "validation": ("validation", "validating"),
    "checkpoint": ("checkpoint", "saving"),
    "export": ("export", "exporting"),
    "hang": ("waiting", "waiting"),
    "stalled": ("waiting", "waiting for data"),
}


def content(
    run: Run,
    moment: Moment,
    logged: Step | None,
    culprit: int,
    faulty: int,
    norm: Callable[[int, int], float],
    marks: tuple[tuple[str, int], ...],
    idle: bool,
) -> Wall:
    """What the wall shows at a moment. `culprit` is the rank at fault in a failure, or -1, and
    `faulty` the number of GPUs that are gone with it.

    `norm` is the gradient norm of some steps, `marks` are kinds and steps to mark on the curve,
    `idle` says whether no step is made.
    """
    job = run.job
    return Wall(
        numbers=_numbers(job, moment, logged, idle),
        usual=tuple(each.number for each in _numbers(job, moment, logged, idle=False)),
        doing=_doing(run, moment, culprit, faulty),
        gradient=norm,
        gradient_number=units.at_most_five(logged.gradient_norm).strip() if logged else "-",
        marks=marks,
        launch=stages(run, moment),
        odometers=tuple(_odometers(run, moment)),
    )


def _numbers(job: Job, moment: Moment, logged: Step | None, idle: bool) -> tuple[Figure, ...]:
    """The big numbers; what is not of this moment, since no step is made, is grey."""
    if not logged:
        return ()
    speed, mfu = (0.0, 0.0) if idle else (logged.tokens_per_second, logged.mfu)
    tokens = objectives.tokens(job, 1, moment.step) if moment.step else 0
    before = BEFORE.get(moment.segment.kind, "")
    roles = ("label", "label") if idle or before else ("throughput", "mfu")
    of = f"{job.gpu.tflops:,.0f} TFLOP/s"
    return (
        Figure("curve", "training loss", f"{logged.loss:.4f}"),
        Figure(roles[0], "tokens per second", f"{speed:,.0f}", also=before),
        Figure(roles[1], "MFU", f"{100 * mfu:.1f}", "%", of),
        Figure("number", "tokens read", units.short(tokens), also=SINCE * (steps_before(job) > 0)),
    )


def _doing(run: Run, moment: Moment, culprit: int, faulty: int) -> tuple[tuple[str, str], ...]:
    # A gauge shows what has been; what begins at this very moment is in the heading already.
    begun = [each for each in TOGETHER if (each, moment.at) == moment.segment[:2]]
    role, word = DOING[begun[0] if begun else moment.activity]
    faulty = max(faulty, int(culprit >= 0))
    count = run.job.layout.gpus - faulty
    texts = [(role, f"{count:,} {word}")] if count else []
    if culprit >= 0:
        of = "," if faulty == 1 else " with"  # a node takes its GPUs along
        texts.append(("hot", f"{faulty:,} {became(run, moment)}{of} rank {culprit:,}"))
    elif faulty:  # they cannot be read, and nobody knows why
        texts.append(("hot", f"{faulty:,} lost"))
    return tuple(texts)


# --- odometers -----------------------------------------------------------------------------------


def _in_few_digits(count: float) -> str:
    """A count with decimals as long as it is small: one GPU's odometers move, too."""
    return f"{count:,.2f}" if count < 9.995 else f"{count:,.{int(count < 999.95)}f}"


def _odometers(run: Run, moment: Moment) -> Iterator[tuple[str, str]]:
    job, chosen = run.job, sampled(run)
    joules = fsum(energy(run, moment.at, gpu) for gpu in chosen) / len(chosen) * job.layout.gpus
    kwh, hours = joules / 3.6e6, moment.at / 3600 * job.layout.gpus
    yield _in_few_digits(kwh), "kWh"
    dollars = hours * dollars_per_hour(job.gpu)
    yield f"${dollars:,.2f}" if dollars < 99.995 else f"${dollars:,.0f}", "at list price"
    yield _in_few_digits(hours), f"{device(job.gpu)}-hours"
    if job.jokes:
        kettles = kwh / KETTLE_KWH
        yield f"{kettles:,.1f}" if kettles < 9.95 else f"{kettles:,.0f}", "kettles boiled"
    before = steps_before(job)
    if moment.step > before:
        # What an attempt repeats is read once more. What earlier jobs read is not of this one.
        again = (moment.executed - before) / (moment.step - before)
        tokens = objectives.tokens(job, before + 1, moment.step) * again
        novels = f"{tokens / NOVEL:,.0f}", "novels read"
        yield novels if job.jokes else (units.short(tokens), "tokens processed")
    if moment.attempt > 1:
        yield f"{moment.attempt}", "attempts"
