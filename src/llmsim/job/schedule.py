"""What happens when in a run: its steps, batches and intervals."""

from llmsim.typed import Literal, NamedTuple

Decay = Literal["cosine", "wsd", "linear"]


class BatchStage(NamedTuple):
    """A stretch of steps with the same batch, in sequences."""

    first: int  # step
    batch: int  # sequences per step
    before: int  # sequences consumed before it


class Schedule(NamedTuple):
    """What happens when. Everything is counted in optimizer steps unless named otherwise."""

    steps: int
    warmup: int  # in full batches, should the batch grow
    peak_lr: float
    final_lr: float
    decay: Decay
    sequence: int  # tokens in a sequence
    global_batch: int  # sequences per full step = data x micro_batch x accumulation
    epochs: int
    log_every: int
    validate_every: int
    validation_batches: int  # global batches in one validation, forward only
    save_every: int
    ramp: tuple[BatchStage, ...] = ()  # how the batch grows, the full one last; () if it does not
