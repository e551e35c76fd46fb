"""The schedule of a run: its steps, batches, learning rates and intervals."""

from llmsim.typed import Literal, NamedTuple

Decay = Literal["cosine", "wsd", "linear"]


class BatchStage(NamedTuple):
    """A stretch of steps with the same batch, in sequences."""

    first: int  # step
    batch: int  # sequences per step
    before: int  # sequences consumed before it


class Schedule(NamedTuple):
    """The schedule of a run. Counts are optimizer steps unless a comment names another unit."""

    steps: int
    warmup: int  # steps; full batches if the batch grows
    peak_lr: float
    final_lr: float
    decay: Decay
    sequence: int  # tokens in a sequence
    global_batch: int  # sequences per full step = dp x micro_batch x accumulation
    epochs: int
    log_every: int
    validate_every: int
    validation_batches: int  # global batches in one validation, forward only
    save_every: int
    ramp: tuple[BatchStage, ...] = ()  # stages of a growing batch, the full one last; () if none
    first_step: int = 1  # of this run: a later one goes on from a checkpoint of a longer run
    validates: bool = True  # False: the run has no validation; its interval has no meaning then
    saves: bool = True  # False: the run saves no checkpoint; its interval has no meaning then
    horizon: int = 0  # steps of the whole run, of which this is a part; 0: `steps`
    time_limit: int = 0  # seconds that Slurm gives each launch, then it ends the run; 0: none
    exit_after: int = 0  # seconds from each launch after which the framework ends the run; 0: none
    reached: int = 0  # about the last step that is done by then, undisturbed; 0: `steps`


def whole_run(schedule: Schedule) -> int:
    """The steps of the whole run, over which the learning rate falls."""
    return max(schedule.steps, schedule.horizon)


def is_timed(schedule: Schedule) -> bool:
    """Whether the clock, Slurm's or the framework's own, ends the run if its steps do not."""
    return schedule.time_limit > 0 or schedule.exit_after > 0


def whole_minutes(seconds: int) -> int:
    """A time limit in seconds, rounded up to the next minute, as Slurm rounds it (man sbatch)."""
    return -(-seconds // 60) * 60


def last_step(schedule: Schedule) -> int:
    """The last step of the run; about the last where the clock ends it."""
    return schedule.reached or schedule.steps
