"""How torchtitan dies, and goes on from its last checkpoint (train.py, components/checkpoint.py).

Only local rank 0 is shown (--local-ranks-filter 0), so that an error of another rank is seen in
the launcher's block alone."""

from collections.abc import Iterator

from llmsim.dialects.line import Bar, Line, Render
from llmsim.dialects.parts.groups import Names
from llmsim.dialects.parts.last_words import code_of, spoken
from llmsim.dialects.parts.worker_errors import Place
from llmsim.dialects.torchtitan.launch import CHECKPOINTS
from llmsim.dialects.torchtitan.log_lines import say
from llmsim.dialects.torchtitan.training import GATHERED
from llmsim.job.records import Job
from llmsim.run import events
from llmsim.text.screen import Screen

_TRAIN, _UTILS = "/workspace/torchtitan/train.py", "/workspace/torchtitan/distributed/utils.py"
CODE = code_of(
    "torchtitan.train",
    (Place(_TRAIN, 617, "<module>", "trainer.train()"),
     Place(_TRAIN, 571, "train", "self.train_step(data_iterator)")),
    Place(_UTILS, 353, "clip_grad_norm_", "total_norm = torch.nn.utils.get_total_norm("),
    Place(_TRAIN, 487, "forward_backward_step", "pred = model_parts[0](inputs)"),
    Place(_TRAIN, 420, "batch_generator", "batch = next(data_iterator)"),
    Place("/workspace/torchtitan/components/checkpoint.py", 449, "save", "self.dcp_save("),
    Place(_UTILS, 302, "init_distributed", "torch.distributed.init_process_group("),
    device=Place(_TRAIN, 79, "__init__", "device_module.set_device(self.device)"),
    first_ranks_only=True,
    tee=True,
    groups=Names("mesh_dp_shard", "mesh_dp_replicate", "mesh_pp", "mesh_tp"),
    records=True,  # comm.trace_buf_size is 20,000
)  # fmt: skip


def _resumed(event: events.Resumed, job: Job, screen: Screen) -> Iterator[Line | Bar]:
    del screen
    if not event.step:
        return
    begun = event.at - event.seconds
    yield from say(job, begun, f"Loading the checkpoint from {CHECKPOINTS}/step-{event.step}.")
    collected = GATHERED.format("GC collection for checkpoint loading.", 0.01)
    yield from say(job, event.at, collected)
    text = f"Finished loading the checkpoint in {event.seconds:.2f} seconds."
    yield from say(job, event.at, text)


LINES: dict[type, Render] = {events.Symptom: spoken(CODE), events.Resumed: _resumed}
