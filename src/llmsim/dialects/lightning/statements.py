"""What Lightning prints in Trainer.fit, statement by statement, at the release in framework.py.

rank_zero_info and rank_zero_warn print on rank 0 alone, a module's own log on every rank. The
script has its own ModelCheckpoint, num_sanity_val_steps=0, enough workers, and bf16-mixed.
"""

from collections.abc import Iterable

from llmsim.dialects import statement
from llmsim.dialects.parts.statements import TORCHRUN, bar
from llmsim.dialects.statement import Statement, where
from llmsim.job.records import Job

_COUNT = r"(?:\d[\d,]*(?:\.\d)? [ KMBT]|0 +)"
_NOTE = r", v_num=0, train_loss=\d\S{4}(?:, val_loss=\d\S{4})?"


def _is_distributed(job: Job) -> bool:
    return job.layout.gpus > 1


def _logged(job: Job) -> Iterable[int]:
    """A file has a bar at every logged step, and the one that stays at the end."""
    return (*statement.logged(job), job.schedule.steps)


_distributed = where(_is_distributed)

STATEMENTS = (
    *TORCHRUN,
    Statement("seed", "fabric/utilities/seed.py:57", r"(?:\[rank: \d+\] )?Seed set to \d+",
              ranks="each", guard="workers or verbose"),
    Statement("amp", "pytorch/trainer/connectors/accelerator_connector.py:486",
              r"Using bfloat16 Automatic Mixed Precision \(AMP\)", guard="bf16-mixed"),
    Statement("gpu", "pytorch/trainer/setup.py:164", r"GPU available: True \(cuda\), used: True"),
    Statement("tpu", "pytorch/trainer/setup.py:167",
              r"TPU available: False, using: 0 TPU cores"),
    Statement("tip", "pytorch/trainer/connectors/logger_connector/logger_connector.py:91",
              r"(?:💡 )?Tip: For seamless cloud logging .*litlogger.*", guard="no LitLogger"),
    Statement("matmul", "fabric/accelerators/cuda.py:171",
              r"You are using a CUDA device \('.+'\) that has Tensor Cores\. To properly utilize "
              r"them, you should set `torch\.set_float32_matmul_precision\('medium' \| .*",
              guard="capability >= 8, and float32 matmul precision is 'highest'"),
    Statement("member", "fabric/utilities/distributed.py:282",
              r"Initializing distributed: GLOBAL_RANK: \d+, MEMBER: \d+/\d+", _distributed, "each"),
    Statement("rule", "fabric/utilities/distributed.py:290", "-{100}",
              where(_is_distributed, lambda _job: (0, 0)), guard="rank 0"),
    Statement("backend", "fabric/utilities/distributed.py:290", "distributed_backend=nccl",
              _distributed),
    Statement("registered", "fabric/utilities/distributed.py:290",
              r"All distributed processes registered\. Starting with \d+ processes", _distributed),
    Statement("blank", "fabric/utilities/distributed.py:290", "",
              lambda job: (0, 0) if _is_distributed(job) else (0,)),
    Statement("devices", "pytorch/accelerators/cuda.py:61",
              r"LOCAL_RANK: \d+ - CUDA_VISIBLE_DEVICES: \[\d(?:,\d+)*\]", ranks="each"),
    Statement("precision", "pytorch/utilities/model_summary/model_summary.py:242",
              r"/\S+/model_summary\.py:242: Precision bf16-mixed is not supported by the model "
              r"summary\.  Estimated model size in MB will not be accurate\. Using 32 bits .*",
              guard="trainer.precision not in precision_to_bits"),
    Statement("head", "pytorch/callbacks/model_summary.py:110",
              r"  \| Name +\| Type +\| Params \| Mode  \| FLOPs"),
    Statement("line", "pytorch/utilities/model_summary/model_summary.py:467", "-{40,90}",
              lambda _job: (0, 0)),
    Statement("module", "pytorch/utilities/model_summary/model_summary.py:474",
              rf"0 \| model \| \w+ +\| {_COUNT} +\| train \| 0 +"),
    Statement("trainable", "pytorch/utilities/model_summary/model_summary.py:478",
              rf"{_COUNT} *Trainable params"),
    Statement("frozen", "pytorch/utilities/model_summary/model_summary.py:480",
              rf"{_COUNT} *Non-trainable params"),
    Statement("total", "pytorch/utilities/model_summary/model_summary.py:482",
              rf"{_COUNT} *Total params"),
    Statement("size", "pytorch/utilities/model_summary/model_summary.py:484",
              r"[\d,]+\.\d{3} *Total estimated model params size \(MB\)"),
    Statement("train-mode", "pytorch/utilities/model_summary/model_summary.py:486",
              r"\d+ +Modules in train mode"),
    Statement("eval-mode", "pytorch/utilities/model_summary/model_summary.py:488",
              r"0 +Modules in eval mode"),
    Statement("flops", "pytorch/utilities/model_summary/model_summary.py:490", r"0 +Total Flops"),
    Statement("bar", "pytorch/callbacks/progress/tqdm_progress.py:268",
              bar(r"Epoch \d+:", note=_NOTE, inverts=False), _logged),
    Statement("validation-bar", "pytorch/callbacks/progress/tqdm_progress.py:319",
              bar("Validation DataLoader 0:", inverts=False), None),
    Statement("restoring", "pytorch/trainer/connectors/checkpoint_connector.py:81",
              r"Restoring states from the checkpoint path at \S+", where(statement.goes_on),
              guard="ckpt_path"),
    Statement("restored", "pytorch/trainer/connectors/checkpoint_connector.py:224",
              r"Restored all states from the checkpoint at \S+", where(statement.goes_on),
              guard="ckpt_path"),
    Statement("stopped", "pytorch/loops/fit_loop.py:182",
              r"`Trainer\.fit` stopped: `max_steps=(?P<step>\d+)` reached\.",
              lambda job: (job.schedule.steps,)),
)  # fmt: skip

ORDER = """
torchrun* (seed | amp | gpu | tpu | tip | matmul | member)+
(rule backend registered rule blank)? restoring? devices+
precision blank head line module line
trainable frozen total size train-mode eval-mode flops restored?
(bar | validation-bar)* bar stopped
"""
