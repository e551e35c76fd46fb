"""How a run of NeMo 2 dies under torchrun, and what it prints when it goes on."""

from collections.abc import Iterator

from llmsim.dialects.lightning.recovery import restored
from llmsim.dialects.line import Bar, Line, Render
from llmsim.dialects.megatron.recovery import GROUPS, NAN
from llmsim.dialects.nemo import saving
from llmsim.dialects.parts.last_words import code_of, spoken
from llmsim.dialects.parts.packages import PACKAGES
from llmsim.dialects.parts.worker_errors import Place
from llmsim.job.records import Job
from llmsim.run import events
from llmsim.text.screen import Screen

CODE = code_of(
    "pretrain.py",
    (Place("/workspace/pretrain.py", 84, "<module>", "llm.pretrain("),
     Place("/opt/NeMo/nemo/collections/llm/api.py", 154, "pretrain", "return train("),
     Place(f"{PACKAGES}/lightning/pytorch/loops/training_epoch_loop.py", 276, "advance",
           "batch_output = self.manual_optimization.run(kwargs)")),
    Place("/opt/NeMo/nemo/lightning/megatron_parallel.py", 312, "forward",
          "reduced_loss = loss_reduction.reduce(microbatch_outputs).item()"),
    Place("/opt/NeMo/nemo/collections/llm/gpt/model/base.py", 398, "forward",
          "output_tensor = self.module("),
    Place("/opt/NeMo/nemo/lightning/data.py", 244, "__iter__", "yield next(iterator)"),
    Place("/opt/NeMo/nemo/lightning/io/pl.py", 213, "save_checkpoint",
          "return dist_checkpointing.save("),
    Place("/opt/NeMo/nemo/lightning/_strategy_lib.py", 122, "init_parallel_ranks",
          "torch.distributed.init_process_group("),
    nan=NAN.format("local grad norm for bucket #0 in backward pass before data-parallel "
                   "communication collective"),
    check=Place(f"{PACKAGES}/megatron/core/rerun_state_machine.py", 494, "validate_result",
                "raise RuntimeError(full_message)"),
    groups=GROUPS,
    device=Place(f"{PACKAGES}/lightning/pytorch/accelerators/cuda.py", 49, "setup_device",
                 "torch.cuda.set_device(device)"),
    python_alone=True,
)  # fmt: skip
_spoken = spoken(CODE)


def _symptom(event: events.Symptom, job: Job, screen: Screen) -> Iterator[Line | Bar]:
    """NeMo's PreemptionCallback saves at SIGTERM (utils/callbacks/preemption.py)."""
    if event.name == "sigterm handled":
        yield Line("Received signal 15, initiating graceful stop")
        yield Line("Preemption detected, saving checkpoint and exiting")
    else:
        yield from _spoken(event, job, screen)


def _resumed(event: events.Resumed, job: Job, screen: Screen) -> Iterator[Line | Bar]:
    """The checkpoint that AutoResume has handed to the trainer."""
    if event.step:
        yield from restored(saving.restored(job, event.step))


LINES: dict[type, Render] = {events.Symptom: _symptom, events.Resumed: _resumed}
