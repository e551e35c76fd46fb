"""The content of the board at a moment, computed from the run without a state of its own.

    view(run, at) -> the numbers and gauges of that moment

A dashboard keeps values that it has computed before, and the moment of its gauges.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from functools import lru_cache
from math import inf

from llmsim.board.board import View
from llmsim.board.poster import Closing
from llmsim.board.training import Training
from llmsim.board.wall_content import Wall
from llmsim.catalog.gpus import brief_name, device, short_name
from llmsim.job.milestones import last_logged, part_done, steps_before, validated_steps
from llmsim.job.records import Job
from llmsim.job.schedule import last_step, whole_run
from llmsim.physics.learning import gradient, learning_rate, loss, objectives
from llmsim.physics.speed import batch_ramp, step_time
from llmsim.run import goodput, names
from llmsim.run.events import PhaseName, Step, Summary
from llmsim.run.moment import Moment, state, struck
from llmsim.run.simulation import latest_validation, step, tasks
from llmsim.run.timeline import Run, learner, scan, step_ended
from llmsim.show.gauge_readings import Readings, Simulated
from llmsim.show.trouble import BEFORE, culprit, details, stands, trouble
from llmsim.text import units

MOST_SAVES = 24  # marks of checkpoints on the curve
OF_PART = " of this job"  # what a part of a longer run has read
MOST_VALIDATIONS = 16  # the same of validations: more would hide it

# The kinds of segment that are a part of the training.
IN_TRAINING = ("training", "validation", "checkpoint")


def _ended_steps(run: Run, kind: str, number: int) -> list[int]:
    """The steps after which segments of a kind came, of the first `number` of all; the run
    remembers them.
    """
    known: tuple[list[int], list[int]] = run.memo.setdefault(("ended steps", kind), ([], []))
    for index in range(known[0][-1] + 1 if known[0] else 0, number):
        if run.timeline[index].kind == kind:
            known[0].append(index)
            known[1].append(run.timeline[index].last)
    return known[1][: bisect_left(known[0], number)]


def saved_steps(run: Run, moment: Moment) -> tuple[int, ...]:
    """Of the checkpoints until a moment some, by their steps; none that was rolled back."""
    saves = _ended_steps(run, "checkpoint", run.timeline.number_at(moment.at))
    return tuple(
        step for step in saves[:: max(1, -(-len(saves) // MOST_SAVES))] if step <= moment.step
    )


def failed_steps(run: Run, moment: Moment) -> list[int]:
    """The steps after which the run failed, the failure that goes on at a moment too."""
    return _ended_steps(run, "failure", run.timeline.number_at(moment.at) + stands(moment))


def progress(run: Run, at: float) -> tuple[PhaseName, float]:
    """The phase, and the part of it that is over, 0 .. 1: of the training the part of its steps, of
    other phases the part of their time.
    """
    moment = as_seen(run, at)
    return phase_of(moment), _share(run, moment)


def as_seen(run: Run, at: float) -> Moment:
    """The state at a moment as people see it: until something breaks, the step that will not end is
    a step of the training.
    """
    moment = state(run, at)
    segment = moment.segment
    computes = segment.kind == "failure" and moment.activity == "training"
    if computes and not any(event.at <= at for event in segment.events):
        segment = segment._replace(kind="training", first=segment.last + 1)
    return moment._replace(segment=segment)


def phase_of(moment: Moment) -> PhaseName:
    """The phase of a moment by its name: later attempts have a launch of their own."""
    again = moment.segment.kind == "launch" and moment.attempt > 1
    return "relaunch" if again else moment.segment.kind


def makes_no_steps(moment: Moment) -> bool:
    """Whether the training is interrupted, until the next attempt's first step, or is over."""
    again = moment.segment.kind == "launch" and moment.attempt > 1
    return stands(moment) or again or moment.segment.kind == "export"


def _share(run: Run, moment: Moment) -> float:
    segment = moment.segment
    if segment.kind == "training":
        return part_done(run.job, moment.step, expected_last(run, moment))
    return min(1.0, (moment.at - segment.began) / ((segment.ended - segment.began) or 1.0))


def expected_last(run: Run, moment: Moment) -> int:
    """The last step, as far as anybody can know: after a failure the next launch has the whole of a
    time limit again.
    """
    schedule, last = run.job.schedule, last_step(run.job.schedule)
    if schedule.reached and moment.attempt > 1:
        scan(run, run.timeline.number_at(moment.at))
        resumed: int = run.memo["found", moment.attempt]
        last = min(schedule.steps, resumed + last - steps_before(run.job))
    return max(last, moment.step)


def closing(event: Summary, job: Job) -> Closing:
    """The numbers and texts of the poster that a run leaves behind."""
    checked = event.final_validation
    return Closing(
        numbers=(
            ("loss", "training loss", f"{event.final_loss:.4f}"),
            *(() if checked is None else (("number", "validation", f"{checked:.4f}"),)),
            # The wall has what the whole training has read, of which this may be a part.
            ("throughput", "tokens" + OF_PART * (steps_before(job) > 0), units.short(event.tokens)),
            ("power", f"{device(job.gpu)}-hours", _hours(event.gpu_hours)),
        ),
        joke=names.last_line(job),
        command=job.command,
    )


def _hours(count: float) -> str:
    """As the summary in the log has them, as long as there are few."""
    return f"{count:,.1f}" if count < 999.95 else f"{count:,.0f}"


def _curve(job: Job) -> Callable[[int, int], float]:
    """A function that gives the mean loss of steps first..last and remembers its values."""
    to = steps_before(job)
    return lru_cache(maxsize=4096)(lambda first, last: loss.averaged(job, first + to, last + to))


def _norm(job: Job) -> Callable[[int, int], float]:
    """A function that gives the gradient norm of the last of some steps, and remembers values."""
    to = steps_before(job)
    return lru_cache(maxsize=4096)(lambda _first, last: gradient.norm(job, last + to))


class Dashboard:
    """The dashboard of one run."""

    def __init__(self, run: Run, simulated: Simulated | None = None) -> None:
        """Nothing has been computed yet.

        `simulated` gives the simulated second of a show second; without it gauges have no past.
        """
        self.run = run
        job = run.job
        self._step = lru_cache(maxsize=8)(lambda number, attempt: step(run, number, attempt))
        self._losses = lru_cache(maxsize=2)(_curve)
        self._rate = lru_cache(maxsize=1024)(
            lambda step: learning_rate.learning_rate(job, step + steps_before(job))
        )
        self._speed = lru_cache(maxsize=2048)(self._throughput)
        self._norms = lru_cache(maxsize=2)(_norm)
        self._marks = lru_cache(maxsize=2)(self._validations)
        self._readings = Readings(run, simulated)

    def seen(self, at: float, shown: float, pace: float = 1.0) -> Callable[[], View]:
        """A function that returns the view of a simulated moment; see `view`."""
        return lru_cache(maxsize=1)(lambda: self.view(at, shown, pace))

    def view(self, at: float, shown: float, pace: float = 1.0) -> View:
        """The view of the board at a simulated moment, `shown` seconds into the show.

        The gauges are read anew in turns, `pace` times less often in a second of the show.
        """
        job, moment = self.run.job, as_seen(self.run, at)
        last = last_logged(job, moment.step)
        logged = self._step(last, moment.attempt) if last else None
        doing, also, share, left = self._progress(moment, logged)
        wrong = trouble(self.run, moment)
        cluster = self._readings.cluster(moment, shown, pace)
        return View(
            titles=(job.model.name, self._hardware(), job.run_name, job.recipe.name),
            brief=self._briefly(),
            phase=phase_of(moment),
            phase_share=-1.0 if stands(moment) else _share(self.run, moment),
            doing=doing,
            also=also,
            share=share,
            left=left,
            training=self._training(moment, logged),
            cluster=cluster,
            wall=lambda: self._wall(moment, logged, len(cluster.faulty)),
            facts=self._facts,
            band=wrong.role if wrong else "",
            word=wrong.phase if wrong else "",
        )

    def _wall(self, moment: Moment, logged: Step | None, faulty: int) -> Wall:
        """What the wall shows beside the board."""
        from llmsim.show.wall_view import content  # only a wall needs it

        norm, before = self._norms(learner(self.run, moment.segment)), steps_before(self.run.job)
        marks = (  # of two in one column the first is seen
            *(("failure", step - before) for step in failed_steps(self.run, moment)),
            *(("checkpoint", step - before) for step in saved_steps(self.run, moment)),
        )
        idle = makes_no_steps(moment)
        rank = culprit(self.run, moment)
        return content(self.run, moment, logged, rank, faulty, norm, marks, idle)

    def _facts(self) -> tuple[tuple[str, str], ...]:
        from llmsim.show.facts import facts  # the first line waits for nothing

        return facts(self.run.job)

    def _hardware(self) -> str:
        return f"{self.run.job.layout.gpus:,} x {short_name(self.run.job.gpu)}"

    def _briefly(self) -> str:
        return f"{self.run.job.layout.gpus:,} x {brief_name(self.run.job.gpu)}"

    def _progress(self, moment: Moment, logged: Step | None) -> tuple[str, str, float, str]:
        """The progress bar: its count, the text beside it, its share and the time left."""
        schedule, segment = self.run.job.schedule, moment.segment
        if segment.kind in IN_TRAINING:
            total = f"{schedule.steps:,}"
            spent = self._spent(moment)  # so that something moves however long a step takes
            still = self._left(moment, logged) - spent if logged else 0.0
            left = units.hours(max(0.0, min(still, self._allowed(moment)))) if logged else ""
            doing = f"step {moment.step:>{len(total)},}/{total}"
            if segment.fresh and moment.step < segment.first:
                doing = f"first step {units.hours(spent).strip()}"
            epoch = f"epoch {moment.epoch}/{schedule.epochs}"
            if moment.attempt > 1:
                epoch = f"attempt {moment.attempt}"
            elif schedule.time_limit:
                epoch = f"time limit {units.hours(schedule.time_limit).strip()}"
            done = part_done(self.run.job, moment.step, expected_last(self.run, moment))
            return doing, epoch, done, left.strip()
        if stands(moment):  # nobody can say when it ends
            return *details(self.run, moment), ""
        left = units.hours(max(0.0, segment.ended - moment.at))
        return self._task(moment), "", _share(self.run, moment), left

    def _spent(self, moment: Moment) -> float:
        """Seconds since the last step was done, or the training went on, while steps are made."""
        if moment.segment.kind != "training":
            return 0.0
        return moment.at - step_ended(self.run.job, moment.segment, moment.step)

    def _task(self, moment: Moment) -> str:
        """The current task of a launch or an export."""
        begun = tasks(self.run, self.run.timeline.number_at(moment.at))
        number = bisect_right(begun, moment.at, key=lambda task: task[0])
        label = begun[number - 1][1] if number else moment.segment.kind
        # Nobody has to ask for these benchmarks: --evaluate has others, at the validations.
        return "Final benchmarks" if label == "Evaluating" else label

    def _left(self, moment: Moment, logged: Step) -> float:
        """Seconds until the last sequence at the mean rate up to the last logged step; where a time
        limit ends the run, until the last before it.
        """
        if logged.remaining == 0.0:
            return 0.0
        schedule = self.run.job.schedule
        steps = logged.step, moment.step, expected_last(self.run, moment), schedule.steps
        then, now, last, whole = (batch_ramp.consumed(schedule, step) for step in steps)
        return logged.remaining * max(0, last - now) / (whole - then)

    def _allowed(self, moment: Moment) -> float:
        """Seconds until a time limit ends the attempt, which a first slow step may not outlast."""
        limit = self.run.job.schedule.time_limit
        if not limit:
            return inf
        scan(self.run, self.run.timeline.number_at(moment.at))
        return float(self.run.memo["launched", moment.attempt]) + limit - moment.at

    def _training(self, moment: Moment, logged: Step | None) -> Training:
        job, numbers = self.run.job, list[tuple[str, str, str]]()
        before = steps_before(job)
        validated = latest_validation(self.run, moment.at)
        taught = learner(self.run, moment.segment)
        before_it = BEFORE.get(moment.segment.kind, "")
        if logged:
            numbers.append(("curve", "loss", f"{logged.loss:.4f}"))
        if validated:
            numbers.append(("number", "val", f"{loss.validation(taught, validated):.4f}"))
        if logged:
            # Whose MFU it is: a framework's own may be a share of another peak.
            mfu, grey = (0.0, True) if makes_no_steps(moment) else (logged.mfu, bool(before_it))
            numbers.append(
                ("label" if grey else "mfu", "mfu", f"{mfu:.1%} of {job.gpu.tflops:,.0f}T")
            )
            norm = units.at_most_five(logged.gradient_norm).strip()
            numbers.append(("number", "gnorm", norm))
        usual, wrong = self._usual(logged), trouble(self.run, moment)
        speed = f"{0:<{len(usual)}}" if makes_no_steps(moment) else usual
        if moment.attempt > 1:
            part = goodput.share(goodput.goodput_until(self.run, moment.at))
            numbers.insert(2, ("warning", "goodput", f"{part:.0%}"))
        return Training(
            step=max(moment.step - before, 0),
            steps=expected_last(self.run, moment) - before,
            loss=self._losses(taught),
            rate=self._rate,
            throughput=self._speed,
            numbers=tuple(numbers),
            rate_number=f"{logged.learning_rate:.2e}" if logged else "-",
            throughput_number=speed,
            alarm=(wrong.letters, wrong.word) if wrong else (),
            paused=before_it,
            before=before,
            whole=whole_run(job.schedule),
            validated=tuple(
                (step - before, value)
                for step, value in self._marks(taught, validated)
                if before < step <= moment.step
            ),
            saved=tuple(step - before for step in saved_steps(self.run, moment)),
            broken=tuple(dict.fromkeys(each.step - before for each in struck(self.run, moment.at))),
        )

    @staticmethod
    def _usual(logged: Step | None) -> str:
        """Tokens per second at the last logged step, whose place the number keeps."""
        return f"{logged.tokens_per_second:,.0f}" if logged else "-"

    def _validations(self, job: Job, last: int) -> tuple[tuple[int, float], ...]:
        """Step and loss of the validations up to a step; of many every second, every fourth ..."""
        steps = [step for step in validated_steps(job) if step <= last]
        every = 1
        while len(steps) > MOST_VALIDATIONS * every:
            every *= 2
        return tuple((step, loss.validation(job, step)) for step in steps[every - 1 :: every])

    def _throughput(self, first: int, last: int) -> float:
        """Tokens per second of these steps."""
        job, before = self.run.job, steps_before(self.run.job)
        seconds = step_time.interval_seconds(job, first + before, last + before)
        return objectives.tokens(job, first + before, last + before) / seconds
