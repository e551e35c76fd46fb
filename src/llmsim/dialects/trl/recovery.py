"""How a run of TRL's trainers dies, and goes on: the Trainer below them does it."""

from llmsim.dialects.line import Render
from llmsim.dialects.parts.last_words import code_of, spoken
from llmsim.dialects.parts.transformers.resume import resumed
from llmsim.dialects.parts.worker_errors import Place
from llmsim.run import events

_TRAINER = "/usr/local/lib/python3/dist-packages/transformers/trainer.py"
_SCRIPT = "/workspace/trl/scripts/sft.py"
CODE = code_of(
    "trl/scripts/sft.py",
    (Place(_SCRIPT, 162, "<module>", "main(script_args, training_args, model_args)"),
     Place(_SCRIPT, 141, "main", "trainer.train()"),
     Place(_TRAINER, 2672, "_inner_training_loop",
           "tr_loss_step = self.training_step(model, inputs, num_items_in_batch)")),
    Place(_TRAINER, 2691, "_inner_training_loop", "tr_loss = tr_loss + tr_loss_step.item()"),
    Place(_TRAINER, 4071, "compute_loss", "outputs = model(**inputs)"),
    Place(_TRAINER, 5557, "get_batch_samples", "batch_samples.append(next(epoch_iterator))"),
    Place(_TRAINER, 3306, "_save_optimizer_and_scheduler",
          "torch.save(self.optimizer.state_dict(), os.path.join(output_dir, OPTIMIZER_NAME))"),
    Place("/usr/local/lib/python3/dist-packages/transformers/training_args.py", 2314,
          "_setup_devices", "self.distributed_state = PartialState(**accelerator_state_kwargs)"),
)  # fmt: skip
LINES: dict[type, Render] = {events.Symptom: spoken(CODE), events.Resumed: resumed}
