"""How Megatron-LM dies."""

from collections.abc import Iterator

from llmsim.dialects.line import Bar, Line, Render
from llmsim.dialects.megatron.log_lines import dated
from llmsim.dialects.parts import process_group
from llmsim.dialects.parts.groups import Names
from llmsim.dialects.parts.last_words import code_of, spoken
from llmsim.dialects.parts.worker_errors import Place
from llmsim.job.records import Job
from llmsim.run import events
from llmsim.text.screen import Screen

_HOME = "/opt/megatron-lm"
_TRAINING = f"{_HOME}/megatron/training/training.py"
# Of megatron/core/parallel_state.py, which hands its names to torch.
GROUPS = Names(
    data="DATA_PARALLEL_GROUP_WITH_CP", stages="PIPELINE_MODEL_PARALLEL_GROUP",
    tensors="TENSOR_MODEL_PARALLEL_GROUP", default=False,
)  # fmt: skip
# Of rerun_state_machine.py, whose mode is disabled.
NAN = (
    "RuntimeError: Rank {{rank}}, node {{host}}, device {{local}}, iteration {{step}}: Unexpected "
    "result nan (message='found NaN in {}')"
)
CODE = code_of(
    "pretrain_gpt.py",
    (Place(f"{_HOME}/pretrain_gpt.py", 304, "<module>", "pretrain("),
     Place(_TRAINING, 892, "pretrain", "iteration, num_floating_point_operations_so_far = train("),
     Place(_TRAINING, 2251, "train", "train_step(")),
    Place(f"{_HOME}/megatron/core/optimizer/clip_grads.py", 133, "get_grad_norm_fp32",
          "total_norm = total_norm[0].item() ** (1.0 / norm_type)"),
    Place(f"{_HOME}/megatron/core/pipeline_parallel/schedules.py", 399, "forward_step",
          "output_tensor, loss_func = forward_step_func(data_iterator, model)"),
    Place(f"{_HOME}/megatron/training/utils.py", 503, "get_batch_on_this_tp_rank",
          "data = next(data_iterator)"),
    Place(f"{_HOME}/megatron/training/checkpointing.py", 554, "save_checkpoint",
          "async_save_request = dist_checkpointing.save(state_dict, checkpoint_name,"),
    Place(f"{_HOME}/megatron/training/initialize.py", 337, "_initialize_distributed",
          "torch.distributed.init_process_group(**init_process_group_kwargs)"),
    device=Place(f"{_HOME}/megatron/training/initialize.py", 322, "_initialize_distributed",
                 "torch.cuda.set_device(args.local_rank)"),
    nan=NAN.format("local forward loss calculation"),
    check=Place(f"{_HOME}/megatron/core/rerun_state_machine.py", 494, "validate_result",
                "raise RuntimeError(full_message)"),
    groups=GROUPS,
)  # fmt: skip

_spoken = spoken(CODE)


def _symptom(event: events.Symptom, job: Job, screen: Screen) -> Iterator[Line | Bar]:
    """--exit-duration-in-mins: the time is that before the save (training.py:1768-1782)."""
    if event.name == "time is over":
        yield dated(job, event.at, f"exiting program after {event.code / 60_000} minutes")
        yield from process_group.leaked(job, event.at)
    else:
        yield from _spoken(event, job, screen)


LINES: dict[type, Render] = {events.Symptom: _symptom}
