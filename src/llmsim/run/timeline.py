"""A run as a timeline of segments: when a step was done, and how many steps at a moment.

    launch | training | validation | checkpoint | training | ... | export

The last segment is the export, or the failure with which Slurm's time limit ends the run.
A segment is a stretch of simulated time in which the cluster does one thing. Segments follow one
another without a gap. They are computed when they are first needed, so that the first line
of a long run comes as early as that of a short one; what was drawn belongs to the run.

Two counters: an optimizer step says what has been learnt, an executed step what has been run.
They are equal until an attempt begins again from a checkpoint: then `repeated` is the number of
optimizer steps that earlier attempts ran and lost.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from math import fsum

from llmsim.job.microseconds import to_the_microsecond
from llmsim.job.records import Job
from llmsim.physics.speed import step_time
from llmsim.typed import Any, Literal, NamedTuple

Kind = Literal["launch", "training", "validation", "checkpoint", "export", "failure", "outage"]


class Delay(NamedTuple):
    """Seconds that each of the optimizer steps first..last takes longer than usual."""

    first: int
    last: int
    seconds: float


class Segment(NamedTuple):
    """A stretch of time with one activity.

    A training segment runs the optimizer steps first..last; a validation or a checkpoint comes
    after the step that both `first` and `last` name; a launch has run none, and an export all.
    A failure goes from the last whole step, or from what it interrupts, to the end of the last
    process; an outage from there to the next launch.
    """

    kind: Kind
    began: float  # simulated seconds since the run's command
    ended: float
    first: int  # optimizer step
    last: int
    attempt: int = 1
    repeated: int = 0  # executed steps minus optimizer steps
    fresh: bool = False  # whether the attempt's processes make their first steps in it
    warmup: float = 0.0  # seconds that the first step of a restarted process takes longer
    delays: tuple[Delay, ...] = ()
    final: bool = False  # whether a validation comes after the training and its last save
    cut: float = 0.0  # seconds that a fault took from its end
    events: Sequence[Any] = ()  # events of incidents within it, in order of time
    cured: tuple[int, ...] = ()  # incidents whose bends of the numbers are left behind
    spares: tuple[tuple[int, int], ...] = ()  # nodes, and the machines that stand in for them
    boots: tuple[tuple[int, float], ...] = ()  # nodes that were booted again, and the seconds


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
        drawn = self._drawn
        if index >= len(drawn) and not self.has(index):
            raise IndexError(index)
        return drawn[index]

    def __iter__(self) -> Iterator[Segment]:
        """All segments, from the launch on."""
        index, drawn = 0, self._drawn
        while index < len(drawn) or self._draw():
            yield drawn[index]
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
        """The hash of the object: two runs differ even if their jobs are equal."""
        return object.__hash__(self)

    def __eq__(self, other: object) -> bool:
        """Whether it is the same object."""
        return self is other


def learner(run: Run, segment: Segment) -> Job:
    """The job as its numbers are in a segment: without the bends that are left behind, and with
    the data that its attempt reads.
    """
    anew = segment.attempt if run.job.framework.restarts_data else 1
    if not segment.cured and anew == 1:
        return run.job
    known: dict[tuple[int, tuple[int, ...]], Job] = run.memo.setdefault("learners", {})
    if (anew, segment.cured) not in known:
        resumed = speaker(run, segment).resumed if anew > 1 else run.job.resumed
        made = run.job._replace(cured=segment.cured, resumed=resumed)
        known[anew, segment.cured] = made
    return known[anew, segment.cured]


def speaker(run: Run, segment: Segment) -> Job:
    """The job as the processes of a segment's attempt know it."""
    scan(run, run.timeline.number_at(segment.began))
    resumed = run.memo["found", segment.attempt] if segment.attempt > 1 else 0
    spoken = run.job._replace(
        attempt=segment.attempt, cured=segment.cured, resumed=resumed, spares=segment.spares,
        boots=segment.boots, repeated=segment.repeated,
    )  # fmt: skip
    # The first attempt knows the job as it is, with all that was computed for it.
    return run.job if spoken == run.job else spoken


def owner(run: Run, at: float) -> Job:
    """The job with the machines that it has at a moment; its numbers are the run's."""
    segment = segment_at(run, at)
    about = segment.spares, segment.boots
    if about == ((), ()):
        return run.job
    known: dict[object, Job] = run.memo.setdefault("owners", {})
    if about not in known:
        known.clear()
        known[about] = run.job._replace(spares=about[0], boots=about[1])
    return known[about]


def segment_at(run: Run, at: float) -> Segment:
    """The segment that is going on at a moment, in simulated seconds."""
    return run.timeline[run.timeline.number_at(at)]


def whole(run: Run, number: int) -> Segment:
    """A segment as it was planned, where a fault has cut it."""
    segment = run.timeline[number]
    if not segment.cut:
        return segment
    return segment._replace(ended=to_the_microsecond(segment.ended + segment.cut), cut=0.0)


def step_ended(job: Job, segment: Segment, step: int) -> float:
    """When an optimizer step of a training segment was done; the segment's beginning for the one
    before its first. Simulated seconds, to the microsecond.
    """
    if step < segment.first:
        return segment.began
    usual = steps_seconds(job, segment.first, step, segment.repeated)
    return to_the_microsecond(segment.began + usual + delayed(segment, segment.first, step))


def steps_seconds(job: Job, first: int, last: int, repeated: int) -> float:
    """Seconds of the optimizer steps first..last after `repeated` repeated steps, without delays.

    Time depends on executed steps. If a step's length depends on learning, as in GRPO or with a
    growing batch, the optimizer step decides. Executed steps beyond the schedule take the times
    of its first steps again.
    """
    if not repeated or job.schedule.ramp or job.recipe.generates:
        return step_time.interval_seconds(job, first, last)
    return to_the_microsecond(
        _executed(job, last + repeated) - _executed(job, first - 1 + repeated)
    )


def _executed(job: Job, count: int) -> float:
    """Seconds of the first `count` executed steps; after the last step the first times come
    again.
    """
    steps = job.schedule.steps
    if count <= steps:
        return step_time.elapsed(job, count)
    rounds, rest = divmod(count, steps)
    compiled = rounds if rest else rounds - 1  # times that the first step's extra is counted
    whole = rounds * step_time.interval_seconds(job, 1, steps)
    whole += step_time.interval_seconds(job, 1, rest)
    return whole - compiled * step_time.compile_seconds(job)


def delayed(segment: Segment, first: int, last: int) -> float:
    """Seconds by which these steps of a segment took longer than usual."""
    if not (segment.delays or segment.warmup):
        return 0.0
    slow = [
        each.seconds * (min(each.last, last) - max(each.first, first) + 1)
        for each in segment.delays
        if each.first <= last and each.last >= first
    ]
    return fsum(slow) + (segment.warmup if first <= segment.first <= last else 0.0)


GUESSES = 8  # of a step at a moment, before the search is by halves


def step_in(job: Job, segment: Segment, at: float) -> int:
    """The optimizer steps that are done at a moment within a training segment.

    Steps take about as long as one another, so each guess is as many of them away from the one
    before it as the moment is; after some guesses the interval that is left is halved.
    """
    low, high = segment.first - 1, segment.last
    mean = (segment.ended + segment.cut - segment.began) / (high - low)
    guess, tries = low + round((at - segment.began) / (mean or 1.0)), 0
    while low < high:
        usable = tries < GUESSES and low < guess <= high
        middle = guess if usable else (low + high + 1) // 2
        early = at - step_ended(job, segment, middle)
        low, high = (middle, high) if early >= 0.0 else (low, middle - 1)
        away = early / (mean or 1.0)
        guess, tries = (
            middle + (max(1, int(away)) if early >= 0.0 else min(-1, int(away))),
            tries + 1,
        )
    return low


def step_at(run: Run, at: float) -> int:
    """The optimizer steps whose result the model holds at a moment."""
    segment = segment_at(run, at)
    return step_in(run.job, segment, at) if segment.kind == "training" else segment.last


def number_of_step(run: Run, step: int, attempt: int | None = None) -> int:
    """The number of the training segment that ran an optimizer step.

    Of an attempt, or of the latest before it that ran the step; without one, of the first that
    did. Raises IndexError if the run does not have the step.
    """
    if attempt is None:
        attempt, found = 1, _in_attempt(run, 1, step)
        while found is None and _goes_on(run, attempt):
            attempt += 1
            found = _in_attempt(run, attempt, step)
    else:
        found = _in_attempt(run, attempt, step)
        while found is None and attempt > 1:
            attempt -= 1
            found = _in_attempt(run, attempt, step)
    if found is None:
        raise IndexError(step)
    return found


def _trainings(run: Run, attempt: int) -> tuple[list[int], list[int]]:
    """Numbers of an attempt's training segments as far as they are known, and their last steps."""
    known: tuple[list[int], list[int]] = run.memo.setdefault(("training", attempt), ([], []))
    return known


def scan(run: Run, number: int) -> None:
    """Know the training segments up to a segment's number; when launches began, what they found."""
    for upcoming in range(run.memo.get("scanned", -1) + 1, number + 1):
        run.memo["scanned"], segment = upcoming, run.timeline[upcoming]
        if segment.kind == "launch":
            run.memo["launched", segment.attempt] = segment.began
            run.memo["found", segment.attempt] = segment.last
        if segment.kind == "training":
            numbers, lasts = _trainings(run, segment.attempt)
            numbers.append(upcoming)
            lasts.append(segment.last)


def _in_attempt(run: Run, attempt: int, step: int) -> int | None:
    """The number of the training segment of an attempt that ran a step, if one did."""
    numbers, lasts = _trainings(run, attempt)
    while not lasts or lasts[-1] < step:
        upcoming = run.memo.get("scanned", -1) + 1
        if not run.timeline.has(upcoming) or run.timeline[upcoming].attempt > attempt:
            break
        scan(run, upcoming)
    place = bisect_right(lasts, step - 1)
    if place == len(lasts) or step < run.timeline[numbers[place]].first:
        return None
    return numbers[place]


def _goes_on(run: Run, attempt: int) -> bool:
    """Whether an attempt may follow this one, as far as the segments are known."""
    scanned = run.memo.get("scanned", -1)
    known = scanned >= 0 and run.timeline[scanned].attempt > attempt
    return bool(known or run.timeline.has(scanned + 1))


def step_done(run: Run, step: int, attempt: int | None = None) -> float:
    """When an optimizer step was done, in simulated seconds; 0 steps: when the training began."""
    if not step:
        return training_began(run, attempt)
    return step_ended(run.job, run.timeline[number_of_step(run, step, attempt)], step)


def step_began(run: Run, step: int, attempt: int | None = None) -> float:
    """When an optimizer step began: after the pauses that followed the step before it."""
    segment = run.timeline[number_of_step(run, step, attempt)]
    return step_ended(run.job, segment, step - 1)


def steps_took(run: Run, first: int, last: int, segment: Segment) -> float:
    """Seconds that optimizer steps of an attempt took, pauses left out, delays included.

    The segment is the training segment that ran the last of them.
    """
    took = steps_seconds(run.job, first, last, segment.repeated)
    if first >= segment.first:
        late = delayed(segment, first, last)
        return to_the_microsecond(took + late) if late else took
    numbers = [number_of_step(run, step, segment.attempt) for step in (first, last)]
    for number in range(numbers[0], numbers[1] + 1):
        segment = run.timeline[number]
        if segment.kind == "training" and (segment.delays or segment.warmup):
            took += delayed(segment, max(first, segment.first), min(last, segment.last))
    return to_the_microsecond(took)


def first_step(run: Run, attempt: int | None = None) -> int:
    """The first optimizer step that the processes of an attempt ran."""
    if attempt is None or attempt == 1:
        return run.job.schedule.first_step
    numbers, _ = _trainings(run, attempt)
    return run.timeline[numbers[0]].first


def training_began(run: Run, attempt: int | None = None) -> float:
    """When the first step began, of an attempt or of the run, in simulated seconds."""
    about = ("training began", attempt or 1)
    if (known := run.memo.get(about)) is None:
        step = run.job.schedule.first_step
        numbers = () if about[1] == 1 else _trainings(run, about[1])[0]
        first = numbers[0] if numbers else number_of_step(run, step)
        known = run.memo[about] = run.timeline[first].began
    began: float = known
    return began


def run_ended(run: Run) -> float:
    """When the run ended with its summary, in simulated seconds since the command."""
    return run.timeline.last().ended
