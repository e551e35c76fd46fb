"""How OLMo dies under torchrun (train.py)."""

from llmsim.dialects.line import Render
from llmsim.dialects.parts.last_words import code_of, spoken
from llmsim.dialects.parts.worker_errors import Place
from llmsim.run import events

_TRAIN = "/workspace/OLMo/olmo/train.py"
CODE = code_of(
    "scripts/train.py",
    (Place("/workspace/OLMo/scripts/train.py", 386, "<module>", "main(cfg)"),
     Place("/workspace/OLMo/scripts/train.py", 351, "main", "trainer.fit()"),
     Place(_TRAIN, 1223, "fit", "metrics = self.train_step(batch, reduce_global_loss=True)")),
    Place(_TRAIN, 897, "train_step", "self.cur_train_loss = ce_batch_loss.item()"),
    Place(_TRAIN, 789, "model_forward", "logits = self.dist_model("),
    Place(_TRAIN, 1203, "fit", "for batch in self.train_loader:"),
    Place(_TRAIN, 528, "save_checkpoint", "result = checkpointer.save_checkpoint("),
    Place("/workspace/OLMo/scripts/train.py", 371, "<module>",
          'dist.init_process_group(backend="nccl", timeout=timedelta(minutes=30))'),
    device=Place("/workspace/OLMo/scripts/train.py", 374, "<module>",
                 'torch.cuda.set_device(f"cuda:{get_local_rank()}")'),
    nan="ValueError: nan loss encountered",
    check=Place(_TRAIN, 885, "train_step", 'raise ValueError("nan loss encountered")'),
)  # fmt: skip
LINES: dict[type, Render] = {events.Symptom: spoken(CODE)}
