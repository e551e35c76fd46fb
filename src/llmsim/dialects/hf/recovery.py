"""How a run of Hugging Face's Trainer dies, and goes on with resume_from_checkpoint."""

from llmsim.dialects.line import Render
from llmsim.dialects.parts.last_words import code_of, spoken
from llmsim.dialects.parts.transformers.resume import resumed
from llmsim.dialects.parts.worker_errors import Place
from llmsim.run import events

_HOME, _SCRIPT = "/usr/local/lib/python3/dist-packages/transformers", "run_clm.py"
CODE = code_of(
    _SCRIPT,
    (Place(f"/workspace/{_SCRIPT}", 688, "<module>", "main()"),
     Place(f"/workspace/{_SCRIPT}", 639, "main", "train_result = trainer.train()"),
     Place(f"{_HOME}/trainer.py", 2672, "_inner_training_loop",
           "tr_loss_step = self.training_step(model, inputs, num_items_in_batch)")),
    Place(f"{_HOME}/trainer.py", 2691, "_inner_training_loop",
          "tr_loss = tr_loss + tr_loss_step.item()"),
    Place(f"{_HOME}/trainer.py", 4071, "compute_loss", "outputs = model(**inputs)"),
    Place(f"{_HOME}/trainer.py", 5557, "get_batch_samples",
          "batch_samples.append(next(epoch_iterator))"),
    Place(f"{_HOME}/trainer.py", 3306, "_save_optimizer_and_scheduler",
          "torch.save(self.optimizer.state_dict(), os.path.join(output_dir, OPTIMIZER_NAME))"),
    Place(f"{_HOME}/training_args.py", 2314, "_setup_devices",
          "self.distributed_state = PartialState(**accelerator_state_kwargs)"),
)  # fmt: skip
LINES: dict[type, Render] = {events.Symptom: spoken(CODE), events.Resumed: resumed}
