"""How a run of run_clm.py dies, and goes on from a checkpoint."""

from llmsim.dialects.line import Render
from llmsim.dialects.parts import process_group
from llmsim.dialects.parts.last_words import spoken
from llmsim.dialects.parts.transformers import values
from llmsim.dialects.parts.transformers.bars import Lines
from llmsim.dialects.parts.transformers.frames import trainer_code
from llmsim.dialects.parts.transformers.log_lines import info
from llmsim.dialects.parts.transformers.releases import is_fourth
from llmsim.dialects.parts.worker_errors import Place
from llmsim.job.milestones import steps_found
from llmsim.job.records import Job
from llmsim.run import events
from llmsim.text.screen import Screen

_SCRIPT = "run_clm.py"
CODE = trainer_code(
    _SCRIPT,
    Place(f"/workspace/{_SCRIPT}", 688, "<module>", "main()"),
    Place(
        f"/workspace/{_SCRIPT}", 639, "main",
        "train_result = trainer.train(resume_from_checkpoint=checkpoint)",
    ),
)  # fmt: skip


def going_on(job: Job, at: float, done: int) -> Lines:
    """Where a run goes on that resumes after `done` steps."""
    epoch, steps = divmod(done, values.updates_per_epoch(job))
    batches = steps * job.layout.accumulation
    if is_fourth(job):
        skipped = f"the first {epoch} epochs then the first {batches} batches in the first epoch."
        texts = {
            2549: "  Continuing training from checkpoint, will skip to saved global_step",
            2550: f"  Continuing training from epoch {epoch}",
            2551: f"  Continuing training from global step {done}",
            2553: f"  Will skip {skipped}",
        }
        for number, text in texts.items():
            yield from info(job, at, f"trainer.py:{number}", text)
        return
    text = f"  Resuming training from checkpoint with epoch {epoch} and global step {done}"
    yield from info(job, at, "trainer.py:1631", text)
    text = (
        f"  Fast-forwarding the dataloader past {epoch} epochs and {batches} batches to resume "
        "from the exact training state."
    )
    yield from info(job, at, "trainer.py:1635", text)


def _dataset_ready(event: events.DatasetReady, job: Job, screen: Screen) -> Lines:
    """All processes meet at the barrier where a run that goes on finds its data in the cache."""
    if job.attempt > 1 or steps_found(job):
        yield from process_group.barrier(job, event.at)


LINES: dict[type, Render] = {
    events.Symptom: spoken(CODE),
    events.DatasetReady: _dataset_ready,
}
