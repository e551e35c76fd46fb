"""How MaxText dies, which nobody launches but the cluster, and goes on from its checkpoint."""

from collections.abc import Iterator

from llmsim.dialects.line import Bar, Line, Render
from llmsim.dialects.parts.last_words import code_of, spoken
from llmsim.dialects.parts.worker_errors import Place
from llmsim.job.records import Job
from llmsim.run import events
from llmsim.text.screen import Screen

_TRAIN = "/deps/MaxText/train.py"
_CODE = code_of(
    "MaxText/train.py",
    (Place(_TRAIN, 1030, "<module>", "app.run(main)"),
     Place(_TRAIN, 1025, "main", "train_loop(config)")),
    Place(_TRAIN, 922, "train_loop", "state, metrics = p_train_step(state, example_batch, rng)"),
    Place(_TRAIN, 922, "train_loop", "state, metrics = p_train_step(state, example_batch, rng)"),
    Place(_TRAIN, 914, "train_loop", "example_batch = load_next_batch(data_iterator, ...)"),
    Place(_TRAIN, 949, "train_loop", "if save_checkpoint(checkpoint_manager, int(step), state):"),
    Place(_TRAIN, 986, "main", "max_utils.maybe_initialize_jax_distributed_system(config)"),
    launcher="none",
    nan="Aborting training due to NaN loss.",
)  # fmt: skip


def _resumed(event: events.Resumed, job: Job, screen: Screen) -> Iterator[Line | Bar]:
    del job, screen
    if event.step:
        text = "checkpoint manager exists so trying to load this run's existing checkpoint"
        yield Line(text)
        yield Line(f"restoring from this run's directory step {event.step - 1}")


LINES: dict[type, Render] = {events.Symptom: spoken(_CODE), events.Resumed: _resumed}
