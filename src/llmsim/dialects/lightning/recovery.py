"""How a run under Lightning dies, whose processes torchrun starts, and how it goes on."""

from collections.abc import Iterator

from llmsim.dialects.line import Line, Render
from llmsim.dialects.parts.last_words import code_of, spoken
from llmsim.dialects.parts.packages import PACKAGES
from llmsim.dialects.parts.worker_errors import Place
from llmsim.job.milestones import steps_found
from llmsim.job.records import Job
from llmsim.run import events

HOME = f"{PACKAGES}/lightning/pytorch"
CODE = code_of(
    "train.py",
    (Place("/workspace/train.py", 118, "<module>", "trainer.fit(model, data)"),
     Place(f"{HOME}/trainer/trainer.py", 584, "fit", "call._call_and_handle_interrupt("),
     Place(f"{HOME}/loops/training_epoch_loop.py", 276, "advance",
           "batch_output = self.automatic_optimization.run(optimizer, batch_idx, kwargs)"
           )),
    Place(f"{HOME}/utilities/types.py", 43, "result", "return float(value.item())"),
    Place("/workspace/train.py", 61, "training_step", "logits = self.model(batch)"),
    Place(f"{HOME}/loops/fetchers.py", 134, "__next__", "batch = super().__next__()"),
    Place(f"{HOME}/trainer/trainer.py", 1445, "save_checkpoint",
          "self.strategy.save_checkpoint(checkpoint, filepath, storage_options=storage_options)"),
    Place(f"{HOME}/strategies/ddp.py", 200, "setup_distributed",
          "_init_dist_connection(self.cluster_environment, self._process_group_backend)"),
    device=Place(f"{HOME}/accelerators/cuda.py", 49, "setup_device",
                 "torch.cuda.set_device(device)"),
    python_alone=True,
)  # fmt: skip


def _path(job: Job) -> str:
    """The checkpoint that fit(ckpt_path=...) was given."""
    return f"checkpoints/{job.run_name}/step={steps_found(job)}.ckpt"


def restoring(job: Job) -> Iterator[Line]:
    """What the checkpoint connector prints before it loads a checkpoint, if the run has one."""
    if steps_found(job):
        yield Line(f"Restoring states from the checkpoint path at {_path(job)}")


def restored_all(job: Job) -> Iterator[Line]:
    """What it prints when all is loaded, below the table of the model."""
    if steps_found(job):
        yield Line(f"Restored all states from the checkpoint at {_path(job)}")


def restored(path: str) -> Iterator[Line]:
    """Both lines, as NeMo has them."""
    yield Line(f"Restoring states from the checkpoint path at {path}")
    yield Line(f"Restored all states from the checkpoint at {path}")


LINES: dict[type, Render] = {events.Symptom: spoken(CODE)}
