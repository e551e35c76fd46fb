"""How MaxText dies, which nobody launches but the cluster."""

from llmsim.dialects.line import Render
from llmsim.dialects.parts.last_words import code_of, spoken
from llmsim.dialects.parts.worker_errors import Place
from llmsim.run import events

_TRAIN = "/deps/src/MaxText/train.py"
_CODE = code_of(
    "MaxText/train.py",
    (Place(_TRAIN, 512, "<module>", "app.run(main)"),
     Place(_TRAIN, 508, "main", "run(config, recorder, diagnostic_config)"),
     Place(_TRAIN, 503, "run", "train_loop(config, recorder)")),
    Place(_TRAIN, 403, "train_loop", "state, metrics = p_train_step(state, example_batch, ...)"),
    Place(_TRAIN, 403, "train_loop", "state, metrics = p_train_step(state, example_batch, ...)"),
    Place(_TRAIN, 398, "train_loop", "example_batch = data_loader.load_next_batch()"),
    Place(_TRAIN, 409, "train_loop", "checkpointing.maybe_save_checkpoint(...)"),
    Place(_TRAIN, 366, "train_loop", ") = train_utils.setup_train_loop(config, recorder)"),
    launcher="none",
    nan="Aborting training due to NaN loss.",
)  # fmt: skip

LINES: dict[type, Render] = {events.Symptom: spoken(_CODE)}
