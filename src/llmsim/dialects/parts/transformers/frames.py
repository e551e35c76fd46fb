"""Where the Trainer of transformers 5.23.0 stands when an error comes up, in tracebacks."""

from llmsim.dialects.parts.last_words import Code
from llmsim.dialects.parts.packages import PACKAGES
from llmsim.dialects.parts.worker_errors import Place

_HOME = f"{PACKAGES}/transformers"
_FILE = f"{_HOME}/trainer.py"
_TRAIN = (
    Place(_FILE, 1576, "train", "return inner_training_loop("),
    Place(_FILE, 1660, "_inner_training_loop", "self._run_epoch("),
)
# The first look at a loss waits for the GPU: logging_nan_inf_filter is on.
_STEP = Place(
    _FILE, 1914, "_run_epoch", "and (torch.isnan(tr_loss_step) or torch.isinf(tr_loss_step))"
)
_FORWARD = (
    Place(_FILE, 1909, "_run_epoch",
          "tr_loss_step = self.training_step(model, inputs, num_items_in_batch)"),
    Place(_FILE, 2082, "training_step",
          "loss = self.compute_loss(model, inputs, num_items_in_batch=num_items_in_batch)"),
    Place(_FILE, 2164, "compute_loss", "outputs = model(**inputs)"),
)  # fmt: skip
_DATA = (
    Place(_FILE, 1873, "_run_epoch",
          "batch_samples, num_items_in_batch = self.get_batch_samples(epoch_iterator, "
          "num_batches, self.args.device)"),
    Place(_FILE, 2291, "get_batch_samples", "batch_samples.append(next(epoch_iterator))"),
)  # fmt: skip
_SAVE = (
    Place(_FILE, 1950, "_run_epoch", "self._maybe_log_save_evaluate("),
    Place(_FILE, 2277, "_maybe_log_save_evaluate", "self._save_checkpoint(model, trial)"),
    Place(_FILE, 3392, "_save_checkpoint", "self._save_optimizer_and_scheduler(output_dir)"),
    Place(_FILE, 3564, "_save_optimizer_and_scheduler",
          "torch.save(self.optimizer.state_dict(), os.path.join(output_dir, OPTIMIZER_NAME))"),
)  # fmt: skip
_START = Place(
    f"{_HOME}/training_args.py", 1901, "_setup_devices",
    "self.distributed_state = PartialState(**accelerator_state_kwargs)",
)  # fmt: skip
_DEVICE = Place(
    f"{_HOME}/training_args.py", 1946, "_setup_devices", "torch.cuda.set_device(device)"
)


def trainer_code(script: str, main: Place, trains: Place) -> Code:
    """The code of a script: its own two frames, and the Trainer's below them."""
    loop = (main, trains, *_TRAIN)
    return Code(
        script,
        step=(*loop, _STEP),
        forward=(*loop, *_FORWARD),
        data=(*loop, *_DATA),
        save=(*loop, *_SAVE),
        start=(main, _START),
        device=_DEVICE,
        python_alone=True,
    )
