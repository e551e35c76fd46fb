"""A run as a timeline of segments: when a step was done, and how many steps at a moment.

    launch | training | validation | checkpoint | training | ... | export

A segment is a stretch of simulated time in which the cluster does one thing. Segments follow one
another without a gap. They are drawn when somebody first asks for them, so that the first line
of a long run comes as early as that of a short one; what was drawn belongs to the run.

Two counters: an optimizer step says what has been learnt, an executed step what has been run.
They are equal until an attempt begins again from a checkpoint: then `repeated` is the number of
optimizer steps that earlier attempts ran and lost.
"""

from bisect import bisect_right
from collections.abc import Iterator

from llmsim.job.records import Job
from llmsim.physics.speed import step_time
from llmsim.typed import Any, Literal, NamedTuple

Kind = Literal["launch", "training", "validation", "checkpoint", "export"]


class Segment(NamedTuple):
    """A stretch of time with one activity.

    A training segment runs the optimizer steps first..last; a validation or a checkpoint comes
    after the step that both `first` and `last` name; a launch has run none, and an export all.
    """

    kind: Kind
    began: float  # simulated seconds since the run's command
    ended: float
    first: int  # optimizer step
    last: int
    attempt: int = 1
    repeated: int = 0  # executed steps minus optimizer steps


class Timeline:
    """The segments of a run, in order; each is drawn once, when it is first needed."""

    def __init__(self, segments: Iterator[Segment]) -> None:
        """Take the source of the segments; nothing is drawn yet."""
        self._coming = segments
        self._drawn: list[Segment] = []
        self._begins: list[float] = []

    def _draw(self) -> bool:
        """Draw the next segment; False when there is none."""
        segment = next(self._coming, None)
        if segment is None:
            return False
        self._drawn.append(segment)
        self._begins.append(segment.began)
        return True

    def has(self, index: int) -> bool:
        """Whether there is a segment of this number, counted from 0."""
        while len(self._drawn) <= index:
            if not self._draw():
                return False
        return True

    def __getitem__(self, index: int) -> Segment:
        """The segment of this number. Raises IndexError past the end."""
        if not self.has(index):
            raise IndexError(index)
        return self._drawn[index]

    def __iter__(self) -> Iterator[Segment]:
        """All segments, from the launch on."""
        index = 0
        while self.has(index):
            yield self._drawn[index]
            index += 1

    def number_at(self, at: float) -> int:
        """The number of the segment that is going on at a moment; the last one after the end."""
        while (not self._drawn or self._drawn[-1].ended <= at) and self._draw():
            pass
        return max(0, bisect_right(self._begins, at) - 1)

    def last(self) -> Segment:
        """The last segment: all are drawn."""
        while self._draw():
            pass
        return self._drawn[-1]


class Run(NamedTuple):
    """A job with its timeline, and what is remembered of both."""

    job: Job
    timeline: Timeline
    memo: dict[Any, Any]  # what functions over the run have computed and may ask again

    def __hash__(self) -> int:
        """Runs are told apart as objects: each has a memory of its own."""
        return object.__hash__(self)

    def __eq__(self, other: object) -> bool:
        """Whether it is the same object."""
        return self is other


def segment_at(run: Run, at: float) -> Segment:
    """The segment that is going on at a moment, in simulated seconds."""
    return run.timeline[run.timeline.number_at(at)]


def step_ended(job: Job, segment: Segment, step: int) -> float:
    """When an optimizer step of a training segment was done; the segment's beginning for the one
    before its first. Simulated seconds, to the microsecond.
    """
    if step < segment.first:
        return segment.began
    first, last = segment.first + segment.repeated, step + segment.repeated
    return round(segment.began + step_time.interval_seconds(job, first, last), 6)


def step_in(job: Job, segment: Segment, at: float) -> int:
    """The optimizer steps that are done at a moment within a training segment, by bisection."""
    low, high = segment.first - 1, segment.last
    while low < high:
        middle = (low + high + 1) // 2
        if step_ended(job, segment, middle) <= at:
            low = middle
        else:
            high = middle - 1
    return low


def step_at(run: Run, at: float) -> int:
    """The optimizer steps whose result the model holds at a moment."""
    segment = segment_at(run, at)
    return step_in(run.job, segment, at) if segment.kind == "training" else segment.last


def number_of_step(run: Run, step: int) -> int:
    """The number of the training segment that last ran an optimizer step.

    Raises IndexError where the run has no such step.
    """
    numbers: list[int] = run.memo.setdefault("training segments", [])
    lasts: list[int] = run.memo.setdefault("last steps", [])
    while not lasts or lasts[-1] < step:
        number = numbers[-1] + 1 if numbers else 0
        while run.timeline[number].kind != "training":
            number += 1
        numbers.append(number)
        lasts.append(run.timeline[number].last)
    return numbers[bisect_right(lasts, step - 1)]


def step_done(run: Run, step: int) -> float:
    """When an optimizer step was done, in simulated seconds; 0 steps: when the training began."""
    if not step:
        return training_began(run)
    return step_ended(run.job, run.timeline[number_of_step(run, step)], step)


def step_began(run: Run, step: int) -> float:
    """When an optimizer step began: after the pauses that followed the step before it."""
    segment = run.timeline[number_of_step(run, step)]
    return step_ended(run.job, segment, step - 1)


def training_began(run: Run) -> float:
    """When the first step began, in simulated seconds since the command."""
    began: float | None = run.memo.get("training began")
    if began is None:
        began = run.memo["training began"] = run.timeline[number_of_step(run, 1)].began
    return began


def run_ended(run: Run) -> float:
    """When the summary was told, in simulated seconds since the command."""
    return run.timeline.last().ended
