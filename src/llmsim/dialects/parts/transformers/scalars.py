"""What the Trainer logs: its log_history, and the same for TensorBoard and Weights & Biases.

Keys of log() become train/loss, eval/loss and so on (integrations/integration_utils.py,
rewrite_logs); the client has train/global_step besides.
"""

from collections.abc import Callable, Iterator

from llmsim.dialects.parts.transformers.values import (
    Values,
    evaluation_values,
    flops,
    held,
    step_values,
    train_values,
)
from llmsim.dialects.scalar import Log, Point, Table
from llmsim.job.records import Job
from llmsim.run import events
from llmsim.text import units

StepMetrics = Callable[[events.Step, Job], Values]
HeldOut = Callable[[Job, int], Values]


def no_more(*_about: object) -> Values:
    """No further values: the plain Trainer has none."""
    return ()


def history(logged: StepMetrics, held_out: HeldOut, scores: HeldOut = no_more) -> Table:
    """The Trainer's log_history as the run's release of transformers holds it, with the further
    values of a subclass for steps and evaluations.
    """

    def point(event: events.Event, step: int, values: Values, job: Job) -> Iterator[Point]:
        yield Point(event.at, step, tuple((key, held(job, key, each)) for key, each in values))

    def step(event: events.Step, job: Job) -> Iterator[Point]:
        yield from point(event, event.step, step_values(event, job, logged(event, job)), job)

    def validated(event: events.Validated, job: Job) -> Iterator[Point]:
        values = evaluation_values(
            job, event.step, held_out(job, event.step), scores(job, event.step)
        )
        yield from point(event, event.step, values.items(), job)

    def ended(event: events.PhaseEnded, job: Job) -> Iterator[Point]:
        if event.phase == "training":
            values = train_values(job, event.lasted) | {
                "total_flos": flops(job, job.schedule.steps)
            }
            yield from point(event, job.schedule.steps, values.items(), job)

    return {events.Step: step, events.Validated: validated, events.PhaseEnded: ended}


def rewritten(table: Table, *, client: bool = False) -> Table:
    """A table's points under the callbacks' names; the `client` is that of Weights & Biases."""

    def renamed(log: Log) -> Log:
        def points(event: object, job: Job) -> Iterator[Point]:
            for at, step, values in log(event, job):
                pairs = [(_key(tag), value) for tag, value in values]
                pairs += [("train/global_step", step)] * client
                yield Point(at, step, tuple(pairs))

        return points

    return {kind: renamed(log) for kind, log in table.items()}


def _key(tag: str) -> str:
    if tag.startswith("eval_"):
        return "eval/" + tag.removeprefix("eval_")
    return "train/" + tag


def folder(job: Job, at: float) -> str:
    """The Trainer's default: runs/Aug22_10-11-12_node1."""
    from llmsim.run.cluster import hostname

    return f"runs/{units.stamp(job.start, at):%b%d_%H-%M-%S}_{hostname(job, 0)}"
