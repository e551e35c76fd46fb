"""plan(options): draws a job from the seed and checks that it fits.

Values that the options leave open are drawn again and again (each draw has its own index)
until model, data set, GPU and cluster suit each other.
"""

from collections.abc import Iterator, Mapping

from llmsim.catalog import records
from llmsim.catalog.job_kinds import JobKind
from llmsim.dialects.registry import DEFAULT, DRAWN, framework_of, runs_on
from llmsim.errors import PlanError
from llmsim.job.framework import Framework
from llmsim.job.recipes import AUTO
from llmsim.job.records import Asked, Job
from llmsim.options.checking import checked
from llmsim.options.command import command, identity
from llmsim.options.table import Options
from llmsim.options.wanted import wanted as wanted_of
from llmsim.physics import noise
from llmsim.physics.speed import step_time
from llmsim.planning.asked import as_asked
from llmsim.planning.draw import Candidate, draw_candidate, framework_for
from llmsim.planning.given import capture_of, framework_of_release, release_of
from llmsim.planning.kinds import nearest, suiting
from llmsim.planning.part import Part, limited, part_of, shown_part
from llmsim.planning.possible import is_certain, wish_of
from llmsim.planning.schedule import (
    FEWEST_STEPS,
    length,
    often_saved,
    ramped,
    scheduled,
)
from llmsim.planning.sensible import is_usual, oddities, sensible
from llmsim.planning.software import drawn_software
from llmsim.planning.usual import usual
from llmsim.run import names

__all__ = ["PlanError", "plan"]

# Draws before an odd but possible combination is taken.
DRAWS = 60

# Draws of a usual job before more is left to chance.
USUAL_DRAWS = 24


def plan(options: Options) -> Job:
    """The job that the options and their seed name. `seed` and `start` must be set.

    Raises OptionError for a wrong value, PlanError for options that no job satisfies, and
    CatalogError for a list that is wrong: a sentence that says what would be right.
    """
    options = checked(options)
    if options.seed is None or options.start is None:
        raise PlanError("plan() needs a seed and a start: give both in the options.")
    refusal: PlanError | None = None
    for attempt in _attempts(options):
        try:
            return _planned(attempt, options.seed)._replace(command=_command(options))
        except PlanError as error:
            refusal = _plainer(refusal, error)
            if attempt.dialect not in DRAWN and _is_refused(attempt, options.seed):
                break
    raise refusal or PlanError("nothing fits.")


class _TooLateError(PlanError):
    """An incident that was asked for comes after the end of a run that was drawn."""

    def __init__(self, asked: Asked, ended: float) -> None:
        """`ended` is when the run has ended, in simulated seconds."""
        from llmsim.text.units import hours  # most plans do without

        after = f"the training has ended by then, after {hours(ended).strip()}."
        super().__init__(f"{asked.text} is too late: {after}")
        self.ended = ended


def _plainer(before: PlanError | None, error: PlanError) -> PlanError:
    """The refusal of two that helps more: of runs that are too short that of the longest."""
    if not isinstance(before, _TooLateError):
        return error
    longer = isinstance(error, _TooLateError) and error.ended > before.ended
    return error if longer else before


def _is_refused(options: Options, seed: int) -> bool:
    """Whether the options are refused whatever is drawn: to draw again would be a second's work."""
    asked = wanted_of(options)
    framework = framework_of_release(framework_for(options, seed, asked), asked.release)
    gpu = None if options.gpu == "auto" else records.gpu_named(options.gpu)
    return is_certain(framework, gpu, options.gpus, wish_of(asked))


def _command(options: Options) -> str:
    """What plays the run again: what the job file says, if nothing beside it is asked for."""
    job = options.job
    if job and job.command:
        beside = identity(options._replace(job=job._replace(source=job.source or "job")))
        if [name for name, _ in beside] == ["job"]:
            return job.command
    return command(options)


def with_incidents(job: Job, options: Options) -> Job:
    """The job with what is to break. Raises PlanError for what cannot break in it."""
    given: tuple[Asked, ...] = ()
    if options.incident:
        from llmsim.options.incidents import asked  # most plans do without
        from llmsim.planning.breaks import refuse_breaks

        given = asked(options.incident)
        refuse_breaks(given, job)
    made = job._replace(incidents=options.incidents, asked=given)
    for each in given:
        _refuse_late(each, made)
    return made


def _refuse_late(asked: Asked, job: Job) -> None:
    """Refuse an incident after the end of the training: nothing breaks in an export."""
    if asked.unit != "seconds":
        return
    from llmsim.run.attempts import planned  # most plans do without
    from llmsim.run.simulation import run_of

    soon = min(planned(job), job.schedule.time_limit or asked.value)
    if asked.value >= soon:
        last = run_of(job).timeline.last()
        ended = last.began if last.kind == "export" else last.ended
        if asked.value >= ended:
            raise _TooLateError(asked, ended)


def _attempts(options: Options) -> Iterator[Options]:
    """The options, then variants of them in which the planner leaves less to chance.

    A random choice of the planner must not be the reason to refuse a given value.
    """
    yield options
    if options.dialect in DRAWN:
        options = options._replace(dialect=DEFAULT)  # the framework that can do most
        yield options
    framework = framework_of(options.dialect)
    if options.gpu == "auto":
        able = (gpu for gpu in records.gpus() if runs_on(framework, gpu))
        roomy = max(able, key=lambda gpu: gpu.memory_mib)
        options = options._replace(gpu=roomy.name)
        yield options
    if options.recipe == "auto":
        for recipe in dict.fromkeys(name for name in AUTO if name in framework.recipes):
            yield options._replace(recipe=recipe)


def _planned(options: Options, seed: int) -> Job:
    """A usual job, or else the first sensible of many draws. If this one is odd, and the number of
    GPUs is given, it is the least odd of the jobs whose usual numbers of GPUs are the nearest. If
    the framework trains small models alone, one of them that is as odd has the larger model.
    """
    if (found := _usual(options, seed)) is not None:
        return found
    job = _sensible(options, seed)
    odd = oddities(job, options) if options.gpus else 0
    small = job.framework.max_parameters > 0
    return _least_odd(options, seed, odd + small) or job if odd else job


def _sensible(options: Options, seed: int) -> Job:
    """The first sensible of many draws, or else the first of them."""
    refusal: PlanError | None = None
    odd: Job | None = None
    for index in range(1 if _is_refused(options, seed) else DRAWS):
        try:
            job = with_incidents(_job(options, options, seed, index), options)
        except PlanError as error:
            refusal = _plainer(refusal, error)
            continue
        if sensible(job, options):
            return job
        odd = odd or job
    if odd is not None:
        return odd
    raise refusal or PlanError("nothing fits.")


def _usual(options: Options, seed: int) -> Job | None:
    """A job of a kind that people run and that goes with the options; None if none is found."""
    framework = framework_for(options, seed, wanted_of(options))
    drawn = _of_kinds(options, seed, framework, suiting(options, framework))
    return next((job for job in drawn if is_usual(job, options)), None)


def _least_odd(options: Options, seed: int, odd: int) -> Job | None:
    """The least odd job of the kinds that people run on nearly this number of GPUs; None if none
    has fewer oddities than `odd`.
    """
    framework = framework_for(options, seed, wanted_of(options))
    found: Job | None = None
    kinds = nearest(options, framework)
    for job in _of_kinds(options, seed, framework, kinds, stretched=True):
        if (own := oddities(job, options)) < odd:
            found, odd = job, own
    return found


def _of_kinds(
    options: Options,
    seed: int,
    framework: Framework,
    kinds: Mapping[str, JobKind],
    *,
    stretched: bool = False,
) -> Iterator[Job]:
    """Jobs of these kinds, which go with the options, or are `stretched` to their GPUs."""
    for index in range(USUAL_DRAWS if kinds else 0):
        drawn = usual(options, seed, index, framework, kinds, stretched=stretched)
        if drawn is None:
            continue
        try:
            yield with_incidents(_job(drawn, options, seed, index), options)
        except PlanError:
            continue


def _job(drawn: Options, options: Options, seed: int, index: int) -> Job:
    """The job of the options, with the planner's choices beside them in `drawn`."""
    candidate = draw_candidate(drawn, seed, index)
    job, wanted = _unscheduled(candidate, options, seed), candidate.wanted
    steps, epochs = length(job, wanted, noise.uniform(seed, "plan/steps", index))
    seconds = step_time.step_seconds(job)
    given = candidate._replace(wanted=wanted_of(options))
    part = shown_part(job, steps, index) if _may_be_a_part(given, drawn, options) else Part()

    def made(count: int) -> Job:
        schedule = scheduled(candidate, count, epochs, seconds, part.steps)
        schedule = often_saved(job._replace(schedule=schedule), part.steps)
        if part.steps:
            schedule = part_of(job, schedule, part, index)
        ramp = () if part.steps else ramped(candidate, schedule, seed)
        return limited(job._replace(schedule=as_asked(given, schedule, ramp)), given.wanted)

    free = not (wanted.steps or wanted.tokens or wanted.epochs or wanted.first_step)
    if job.framework.target_loss and free:
        from llmsim.planning.target import reached  # other plans do without

        return reached(made, steps)
    return made(steps)


def _unscheduled(candidate: Candidate, options: Options, seed: int) -> Job:
    """The job of a candidate, with a schedule that is only good for timing a step."""
    assert options.start is not None
    wanted, framework = candidate.wanted, candidate.framework
    named = names.naming_seed(seed, _asked(options))
    layout, per_node = candidate.layout, noise.uniform(seed, "plan/storage")
    # One run in three saves in the background, if its framework can.
    background = noise.uniform(seed, "plan/saves") < 1 / 3 and not framework.blocking_checkpoints
    # A parallel file system grows with the cluster: 2 to 5 GB/s a node, up to
    # the 2 TB/s that Llama 3's storage sustained (Llama 3 paper, section 3.3.1).
    storage = min(2000.0, round(layout.nodes * (2 + 3 * per_node), 1))
    software = drawn_software(seed, candidate.gpu, options.start)
    return Job(
        seed=seed,
        start=options.start,
        recipe=candidate.recipe,
        model=candidate.model,
        architecture=candidate.config,
        dataset=candidate.dataset,
        gpu=candidate.gpu,
        layout=layout,
        schedule=scheduled(candidate, FEWEST_STEPS, epochs=1),
        software=software._replace(**dict(wanted.versions or ())),
        run_name=wanted.name or names.run_name(named, options.jokes),
        cluster=wanted.hosts or names.cluster_name(named, options.jokes),
        storage_gb_s=wanted.storage_gb_s or storage,
        command="",  # plan() knows it
        framework=framework,
        evaluates=options.evaluate,
        tidy=options.tidy,
        jokes=options.jokes,
        loader=wanted.loader,
        release=release_of(framework, wanted.release),
        capture=capture_of(framework, layout, wanted.capture),
        background_saves=(
            background if wanted.background_saves is None else wanted.background_saves
        ),
    )


def _may_be_a_part(given: Candidate, drawn: Options, options: Options) -> bool:
    """Whether the planner may show a part of the run: it is of a usual kind that it has drawn, and
    nothing that is asked for says how long it is.
    """
    asked = given.wanted
    told = (asked.steps, asked.tokens, asked.epochs, asked.first_step, asked.horizon, asked.ramp,
            asked.save_every, asked.time_limit, asked.exit_after)  # fmt: skip
    return drawn is not options and not any(told) and not given.framework.target_loss


def _asked(options: Options) -> str:
    """The options that concern the training, as a text, without dialect, start and incidents."""
    shown = ("dialect", "start", "seed", "tidy", "jokes", "evaluate", "incidents", "incident",
             "release", "capture")  # fmt: skip
    told = [*identity(options._replace(job=None))]
    if options.job:
        fields = options.job._replace(source="", command=None, lifted=False)._asdict().items()
        told += [(name, str(value)) for name, value in fields if value not in (None, "", False)]
    return " ".join(f"{name}={value}" for name, value in told if name not in shown)
