"""How nanoGPT dies under torchrun, and begins again with init_from=resume (train.py)."""

from llmsim.dialects.line import Render
from llmsim.dialects.parts.last_words import code_of, spoken
from llmsim.dialects.parts.worker_errors import Place
from llmsim.job.records import Job
from llmsim.run import events

TRAIN = "/workspace/nanoGPT/train.py"
CODE = code_of(
    "train.py",
    (),
    Place(TRAIN, 324, "<module>", "lossf = loss.item() * gradient_accumulation_steps"),
    Place(TRAIN, 300, "<module>", "logits, loss = model(X, Y)"),
    Place(TRAIN, 131, "get_batch", "x, y = x.pin_memory().to(device, non_blocking=True), y"),
    Place(TRAIN, 286, "<module>", "torch.save(checkpoint, os.path.join(out_dir, 'ckpt.pt'))"),
    Place(TRAIN, 85, "<module>", "init_process_group(backend=backend)"),
    device=Place(TRAIN, 193, "<module>", "model.to(device)"),
    python_alone=True,
)


def out_dir(job: Job) -> str:
    """The folder of a run's checkpoints."""
    return f"checkpoints/{job.run_name}"


LINES: dict[type, Render] = {events.Symptom: spoken(CODE)}
