"""The runs of a show, for both hosts."""

import os
from collections.abc import Iterator
from functools import cached_property
from math import ceil

from llmsim.dialects.registry import says_command
from llmsim.errors import LlmsimError
from llmsim.job.records import Job
from llmsim.options.table import LARGEST_SEED, Options
from llmsim.options.wanted import wanted
from llmsim.planning.plan import plan
from llmsim.typed import datetime, timedelta

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmsim.run.timeline import Run

PAUSE = 5.0  # seconds between two runs at any speed, in which the last picture of a run stays


def fresh_seed() -> int:
    """A random seed that is short enough to type."""
    return int.from_bytes(os.urandom(4))


def seeded(options: Options) -> Options:
    """The options with a seed: their own, or a random one."""
    return options if options.seed is not None else options._replace(seed=fresh_seed())


class ShownRun:
    """A run of a show, named by its options. Its job and its timeline are made once, when they are
    first needed.
    """

    def __init__(self, options: Options) -> None:
        """Plans nothing yet. The options have a seed and a start."""
        self.options = options

    @cached_property
    def job(self) -> Job:
        """What trains on what. Raises OptionError or PlanError."""
        return plan(self.options)

    @cached_property
    def run(self) -> "Run":
        """The job with its timeline. Raises OptionError or PlanError."""
        from llmsim.run.simulation import run_of  # the typed command does not wait for it

        return run_of(self.job)

    def ended(self) -> datetime:
        """The first whole second after the last line. Raises OptionError or PlanError."""
        from llmsim.run.timeline import run_ended

        return self.job.start + timedelta(seconds=ceil(run_ended(self.run)) + 1)

    def has_beginning(self) -> bool:
        """Whether the run has the moment of --from; False where there is no plan."""
        from llmsim.show.seek import moment_of

        try:
            moment_of(self.run, self.options.from_ or "")
        except LlmsimError:  # the host that plays the run says why there is no plan
            return False
        return True


def runs_of(options: Options) -> Iterator[ShownRun]:
    """The runs of a show: each has the next seed, and starts after the run before has ended.

    The first run starts at the time of day unless a start is given. A later run that does not have
    the moment of --from begins at its launch, so that a loop goes on.
    """
    number, start = 0, options.start or _now()
    while options.runs == 0 or number < options.runs:
        seed = ((options.seed or 0) + number) % (LARGEST_SEED + 1)
        this = ShownRun(options._replace(seed=seed, start=start))
        if number and options.from_ and not this.has_beginning():
            this.options = this.options._replace(from_=None)
        yield this
        number += 1
        ended = this.ended()
        start = ended if options.start else max(ended, _now())


def again(asked: Options, job: Job, ended: bool, poster: bool = False, left: int = 1) -> str:
    """The sentence with the command that plays this run again; "" where nobody needs it.

    It is not said to somebody who has `asked` for this seed and this start. A run that has
    `ended` says it at the end of its log, if its log is not a framework's own, or on the board's
    `poster`. A stop is in the middle of a show: the command goes on with the show, of which runs
    are `left`, this one included (0: there is no end).
    """
    known = (asked.seed, asked.start) == (job.seed, job.start)
    said = ended and (poster or says_command(job.framework.name))
    shown = "" if ended else "".join(_of_show(asked, left))
    return "" if known or said else f"Same run again: {job.command}{shown}"


def _of_show(asked: Options, left: int) -> Iterator[str]:
    """The flags of the show that were given, each after a blank."""
    usual = Options()
    for field in ("view", "theme", "from_", "stream"):
        value = getattr(asked, field)
        if value != getattr(usual, field):
            yield f" --{field.rstrip('_')} {value}"
    if left != 1:
        yield f" --runs {left}"


def drawn(options: Options, job: Job) -> str:
    """Which data set and recipe the seed has drawn where a job file says none; "" if it says both.

    A flag counts as said.
    """
    if options.job is None:
        return ""
    asked = wanted(options)
    open_ = [("recipe", job.recipe.name)] if asked.recipe is None else []
    if asked.dataset is None and asked.data_tokens is None:
        open_.insert(0, ("dataset", job.dataset.name))
    if not open_:
        return ""
    names = " and ".join(f"{flag} {name}" for flag, name in open_)
    flags = " and ".join(f"--{flag}" for flag, _ in open_)
    return f"llmsim: the job file leaves it open, so the seed draws {names}; {flags} can set it."


def _now() -> datetime:
    """The time of day, in whole seconds."""
    return datetime.now().replace(microsecond=0)  # a log shows local time
