"""How nanotron dies under torchrun, and what it prints when it loads (trainer.py)."""

from llmsim.dialects.line import Render
from llmsim.dialects.parts.last_words import code_of, spoken
from llmsim.dialects.parts.worker_errors import Place
from llmsim.run import events

_TRAINER = "/workspace/nanotron/src/nanotron/trainer.py"
CODE = code_of(
    "run_train.py",
    (Place("/workspace/nanotron/run_train.py", 253, "<module>", "trainer.train(dataloader)"),
     Place(_TRAINER, 472, "train", "outputs, loss_avg, z_loss_avg = self.training_step(")),
    Place("/workspace/nanotron/src/nanotron/optim/clip_grads.py", 86, "clip_grad_norm",
          "total_norm = total_norm.item()"),
    Place("/workspace/nanotron/src/nanotron/parallel/pipeline_parallel/engine.py", 53, "forward",
          "output = model(**micro_batch)"),
    Place(_TRAINER, 537, "training_step", "batch=(next(dataloader) for _ in range("),
    Place(_TRAINER, 894, "save_checkpoint", "save("),
    Place("/workspace/nanotron/src/nanotron/parallel/context.py", 34, "__init__",
          "dist.initialize_torch_distributed()"),
    device=Place("/workspace/nanotron/src/nanotron/distributed.py", 263,
                 "initialize_torch_distributed",
                 "torch.cuda.set_device(torch.cuda.device(device_id))"),
)  # fmt: skip
LINES: dict[type, Render] = {events.Symptom: spoken(CODE)}
