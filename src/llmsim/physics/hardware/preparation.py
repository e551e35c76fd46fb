"""The time that a trainer needs before its first step: passes over the rows, optimizer states.

    seconds = rows / rate

One process of `datasets` runs some ten thousand rows a second through a few lines of Python;
filters and packing are Arrow's and faster. A chat template and a fast tokenizer take 1 to 2
million tokens a second, which is 2 to 10 thousand rows of conversations. Copies of weights and
states come to be in small parts, with garbage collected between: about 15 GB a second on a GPU.
"""

from llmsim.job.records import Job
from llmsim.physics import noise
from llmsim.physics.hardware import memory

# Rows per second, lowest and highest.
PASSES = {
    "convert": (9e3, 2.2e4),
    "extract": (8e3, 2.5e4),
    "map": (1.2e4, 3e4),
    "label": (1.5e4, 4e4),
    "pack": (6e4, 2.5e5),
    "drop": (3e4, 8e4),
}
TOKENIZED = (1.0e6, 2.0e6)  # tokens per second
STATES = 15e9  # bytes per second


def passes(job: Job) -> tuple[float, ...]:
    """Seconds of each pass over the rows of a fine-tuning, in their order."""
    return tuple(job.dataset.rows / _rate(job, name) for name in job.recipe.preparation)


def _rate(job: Job, name: str) -> float:
    """Rows per second."""
    rates = TOKENIZED if name == "tokenize" else PASSES[name]
    drawn = noise.between(job.seed, f"preparation/{name}", *rates)
    if name != "tokenize":
        return drawn
    from llmsim.physics.learning import metrics

    return drawn / metrics.row_tokens(job)


def optimizer_seconds(job: Job) -> float:
    """Seconds in which the optimizer of the first pipeline stage allocates its states."""
    held = memory.stage(job.architecture, job.layout, job.schedule.sequence, 0)
    return 0.4 + held.optimizer / STATES
