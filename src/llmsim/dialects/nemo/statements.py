"""What NeMo 2 prints under torchrun, statement by statement, at the release in framework.py.

NeMo's logger and ProgressPrinter speak on rank 0. Megatron core is 0.13.1, and Lightning that of
NVIDIA's containers of 2025 (public logs of 25.07 and 25.09: a column of FLOPs, no line about
HPUs).
"""

from collections.abc import Iterable

from llmsim.dialects import statement
from llmsim.dialects.nemo.launch import MOST_RANKS
from llmsim.dialects.parts.statements import TORCHRUN
from llmsim.dialects.statement import Statement, Steps, begins, goes_on, where
from llmsim.job.milestones import saved_steps
from llmsim.job.records import Job

_STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
_COUNT = r"(?:\d[\d,]*(?:\.\d)? [ KMBT]|0 +)"
_V = r"-?\d[\d.]*(?:e[+-]\d\d)?"
_LIST, _LISTS = r"\[\d+(?:, \d+)*\]", r"\[\[.*\]\]"
_PATH = r"/\S+--val_loss=\d\.\d\d-step=\d+-consumed_samples=\d+\.0-last\.ckpt"


def _iterations(job: Job) -> Iterable[int]:
    """n % log_interval == 0, n the number of iterations so far; iterations count from 0."""
    every, first = job.schedule.log_every, job.schedule.first_step
    return range(-(-first // every) * every - 1, job.schedule.steps, every)


def _batches(job: Job) -> Iterable[int]:
    """n % log_interval == 0, n the batches of a validation so far."""
    schedule = job.schedule
    each = schedule.validation_batches // schedule.log_every
    return [step for step in statement.validated(job) for _ in range(each)]


def _indices(job: Job) -> Iterable[int]:
    """The iterations whose state is saved."""
    return (step - 1 for step in saved_steps(job))


def _is_small(job: Job) -> bool:
    return job.layout.gpus <= MOST_RANKS


def _saves_behind(job: Job) -> bool:
    return job.background_saves


def _last(job: Job) -> Iterable[int]:
    return (job.schedule.steps,)


def _said(
    name: str, place: str, text: str, steps: Steps | None = statement.once,
    at: str = "nemo_logging:393", level: str = "I", guard: str = "",
) -> Statement:  # fmt: skip
    return Statement(name, place, rf"\[NeMo {level} {_STAMP} {at}\] {text}", steps, guard=guard)


def _warned(
    name: str, place: str, text: str, steps: Steps = statement.once, at: str = "nemo_logging:405"
) -> Statement:
    return _said(name, place, text, steps, at=at, level="W")


def _group(name: str, line: int, text: str, *, long: bool = False) -> Statement:
    steps = where(_is_small) if long else statement.once
    return _said(name, f"nemo/lightning/megatron_init.py:{line}", text, steps)


def _adapts(job: Job) -> bool:
    return job.architecture.adapter_rank > 0


def _adapts_further(job: Job) -> bool:
    return _adapts(job) and goes_on(job)


def _restores(job: Job) -> bool:
    return job.recipe.released and begins(job)


def _restored(name: str, place: str, text: str) -> Statement:
    return _said(name, place, text, where(_restores), guard="restore_config and no ckpt_path")


def _adapter(name: str, place: str, text: str) -> Statement:
    return _said(name, place, text, where(_adapts), guard="a callback transforms the model")


def _once_more(name: str, text: str) -> Statement:
    """A line of the summary with adapters, as NeMo's formatter indents it."""
    steps: Steps = (lambda _job: (0, 0)) if name == "a-line" else statement.once
    return Statement(name, _TRANSFORM, rf"    {text}", where(_adapts, steps))


_TRANSFORM = "nemo/lightning/pytorch/callbacks/model_transform.py:97"
_PEFT, _LORA = "nemo/lightning/pytorch/callbacks/peft.py", "nemo/collections/llm/peft/lora.py:468"
_STRATEGY = "nemo/lightning/pytorch/strategies/megatron_strategy.py"
_CONFIG = r"RestoreConfig\(path='\S+', .*=True\)"
_LOGGER, _IO = "nemo/lightning/nemo_logger.py", "nemo/lightning/io/pl.py"
_CHECKPOINT = "nemo/lightning/pytorch/callbacks/model_checkpoint.py"
_SUMMARY = "lightning/pytorch/utilities/model_summary/model_summary.py"

STATEMENTS = (
    *TORCHRUN,
    Statement("gpu", "lightning/pytorch/trainer/setup.py",
              r"GPU available: True \(cuda\), used: True"),
    Statement("tpu", "lightning/pytorch/trainer/setup.py",
              r"TPU available: False, using: 0 TPU cores"),
    _warned("no-version", f"{_LOGGER}:137", r"No version folders would be created .* enabled\."),
    _said("logged-at", f"{_LOGGER}:160", r"Experiments will be logged at /\S+"),
    _warned("overwritten", f"{_LOGGER}:207", r"The Trainer already contains a ModelCheckpoint .*"),
    _warned("tensorboard", f"{_LOGGER}:188", r'"update_logger_directory" is True\. Overwriting .*'),
    _warned("monitor", f"{_LOGGER}:237", r"The checkpoint callback was told to monitor .* out\."),
    _warned("scratch", "nemo/lightning/resume.py:240",
            r"There were no checkpoints found in .*\. Training from scratch\.",
            where(begins)),
    Statement("matmul", "lightning/fabric/accelerators/cuda.py",
              r"You are using a CUDA device \('.+'\) that has Tensor Cores\. To properly .*"),
    _group("dp", 435, rf"Rank 0 has data parallel group : {_LIST}", long=True),
    _group("dp-cp", 441, rf"Rank 0 has combined group of .* : {_LIST}", long=True),
    _group("all-dp", 446, rf"All data parallel group ranks with .* combined: {_LISTS}", long=True),
    _group("dp-rank", 449, "Ranks 0 has data parallel rank: 0"),
    _group("cp", 457, rf"Rank 0 has context parallel group: {_LIST}"),
    _group("all-cp", 460, rf"All context parallel group ranks: {_LISTS}", long=True),
    _group("cp-rank", 461, "Ranks 0 has context parallel rank: 0"),
    _group("mp", 468, rf"Rank 0 has model parallel group: {_LIST}", long=True),
    _group("all-mp", 469, rf"All model parallel group ranks: {_LISTS}", long=True),
    _group("tp", 478, rf"Rank 0 has tensor model parallel group: {_LIST}"),
    _group("all-tp", 482, rf"All tensor model parallel group ranks: {_LISTS}", long=True),
    _group("tp-rank", 483, "Rank 0 has tensor model parallel rank: 0"),
    _group("pp", 510, rf"Rank 0 has pipeline model parallel group: {_LIST}"),
    _group("embedding", 522, rf"Rank 0 has embedding group: {_LIST}"),
    _group("all-pp", 528, rf"All pipeline model parallel group ranks: {_LISTS}", long=True),
    _group("pp-rank", 529, "Rank 0 has pipeline model parallel rank 0"),
    _group("all-embedding", 530, rf"All embedding group ranks: {_LISTS}", long=True),
    _group("embedding-rank", 531, "Rank 0 has embedding rank: 0"),
    Statement("rule", "nemo/lightning/pytorch/strategies/megatron_strategy.py:596", "-{100}",
              lambda _job: (0, 0)),
    Statement("backend", "nemo/lightning/pytorch/strategies/megatron_strategy.py:596",
              "distributed_backend=nccl"),
    Statement("registered", "nemo/lightning/pytorch/strategies/megatron_strategy.py:596",
              r"All distributed processes registered\. Starting with \d+ processes"),
    Statement("blank", "nemo/lightning/pytorch/strategies/megatron_strategy.py:596", "",
              lambda _job: (0, 0)),
    Statement("devices", "lightning/pytorch/accelerators/cuda.py",
              r"LOCAL_RANK: \d+ - CUDA_VISIBLE_DEVICES: \[\d(?:,\d+)*\]", ranks="each"),
    _said("max-steps", "nemo/lightning/pytorch/strategies/megatron_strategy.py:465",
          r"Copying Trainer's 'max_steps' \(\d+\) to LR scheduler's 'max_steps'\."),
    _said("padded", "nemo/lightning/base.py:48",
          r"Padded vocab_size: \d+, original vocab_size: \d+, dummy tokens: \d+\."),
    _said("parameters", "nemo/lightning/megatron_parallel.py:573",
          r" > number of parameters on \(tensor, pipeline\) model parallel rank \(0 ,0\): \d+"),
    _said("ddp", "megatron/core/distributed/distributed_data_parallel.py:71",
          r"Setting up DistributedDataParallel with config DistributedDataParallelConfig\(.*\)",
          at="utils:661"),
    _said("buckets", "megatron/core/distributed/param_and_grad_buffer.py:749",
          r"Number of buckets for gradient all-reduce / reduce-scatter: \d+", at="utils:682"),
    Statement("bucket", "megatron/core/distributed/param_and_grad_buffer.py:749",
              r"Params for bucket \d+ \(\d+ elements, \d+ padded size\):", None),
    Statement("weight", "megatron/core/distributed/param_and_grad_buffer.py:749",
              r"\tmodule\.[\w.]+", None),
    _said("optimizer", "megatron/core/optimizer/__init__.py:480",
          r"Setting up optimizer with config OptimizerConfig\(.*\)", at="utils:661"),
    Statement("head", _SUMMARY, r"  \| Name +\| Type +\| Params \| Mode  \| FLOPs"),
    Statement("line", _SUMMARY, "-{40,90}", lambda _job: (0, 0)),
    Statement("module", _SUMMARY,
              rf"0 \| module \| (?:DDP|GPTModel) +\| {_COUNT} +\| train \| 0 +"),
    Statement("trainable", _SUMMARY, rf"{_COUNT} *Trainable params"),
    Statement("frozen", _SUMMARY, rf"{_COUNT} *Non-trainable params"),
    Statement("total", _SUMMARY, rf"{_COUNT} *Total params"),
    Statement("size", _SUMMARY, r"[\d,]+\.\d{3} *Total estimated model params size \(MB\)"),
    Statement("train-mode", _SUMMARY, r"\d+ +Modules in train mode"),
    Statement("eval-mode", _SUMMARY, r"0 +Modules in eval mode"),
    Statement("flops", _SUMMARY, r"0 +Total Flops"),
    Statement("restoring", "lightning/pytorch/trainer/connectors/checkpoint_connector.py",
              r"Restoring states from the checkpoint path at \S+", where(goes_on),
              guard="a checkpoint is there"),
    Statement("restored", "lightning/pytorch/trainer/connectors/checkpoint_connector.py",
              r"Restored all states from the checkpoint at \S+", where(goes_on),
              guard="a checkpoint is there"),
    _warned("implicit", "megatron/core/rerun_state_machine.py:1263",
            r"Implicit initialization of Rerun State Machine!", at="rerun_state_machine:1263"),
    _warned("rerun", "megatron/core/rerun_state_machine.py:239",
            r"RerunStateMachine initialized in mode RerunMode\.DISABLED",
            at="rerun_state_machine:239"),
    Statement("iteration", "nemo/lightning/pytorch/callbacks/progress_printer.py:142",
              rf"Training epoch 0, iteration (?P<step>\d+)/\d+ \| lr: {_V} \| global_batch_size: "
              rf"\d+ \| global_step: \d+ \| reduced_train_loss: {_V} \| "
              rf"train_step_timing in s: {_V} \| TFLOPS_per_GPU: {_V}"
              rf"(?: \| consumed_samples: {_V})?(?: \| val_loss: {_V})?", _iterations,
              guard="n % log_interval == 0"),
    Statement("validation", "nemo/lightning/pytorch/callbacks/progress_printer.py:183",
              r"Validation: iteration \d+/\d+", _batches, guard="n % log_interval == 0"),
    _said("strategy", f"{_IO}:361",
          r"Using FullyParallelSaveStrategyWrapper\(torch_dist, 1\) dist-ckpt save strategy\.",
          guard="the first save"),
    _adapter("transform", f"{_TRANSFORM[:-2]}67", r"Setting up ModelTransform for stage: .*"),
    _adapter("found-transform", f"{_TRANSFORM[:-2]}70", "Found model_transform attribute .*"),
    _adapter("set-transform", f"{_TRANSFORM[:-2]}73",
             r"Set model_transform to: <function _call_counter.<locals>.wrapper at 0x[0-9a-f]+>"),
    _restored("restore", f"{_STRATEGY}:991", rf"Doing selective restore from {_CONFIG}"),
    _restored("load-strategy", f"{_IO}:283",
              r"Using <[\w.]+ object at 0x[0-9a-f]+> dist-ckpt load strategy\."),
    _restored("loaded", f"{_IO}:305",
              r"Global Checkpoint Load : Rank : 0 : Start time : \d+\.\d{3}s : Time spent in "
              r"load_checkpoint: \d+\.\d{3}s"),
    _restored("weights-restored", f"{_STRATEGY}:996", rf"Restoring model weights from {_CONFIG}"),
    _restored("finished", f"{_STRATEGY}:1004",
              rf"Finished restoring from {_CONFIG}, cleaning up\."),
    _said("adding", _LORA, r"Adding lora to: 0\.module\.decoder\.layers\.\d+\.[\w.]+", None),
    _adapter("applied", _TRANSFORM, "After applying model_transform:"),
    _once_more("a-blank", ""),
    _once_more("a-head", r"  \| Name +\| Type +\| Params \| Mode  \| FLOPs"),
    _once_more("a-line", "-{40,90}"),
    _once_more("a-module", rf"0 \| module \| GPTModel +\| {_COUNT} +\| train \| 0 +"),
    _once_more("a-trainable", rf"{_COUNT} *Trainable params"),
    _once_more("a-frozen", rf"{_COUNT} *Non-trainable params"),
    _once_more("a-total", rf"{_COUNT} *Total params"),
    _once_more("a-size", r"[\d,]+\.\d{3} *Total estimated model params size \(MB\)"),
    _once_more("a-train-mode", r"\d+ +Modules in train mode"),
    _once_more("a-eval-mode", r"0 +Modules in eval mode"),
    _once_more("a-flops", r"0 +Total Flops"),
    _said("adapters", f"{_PEFT}:238", r"Loading adapters from \S+", where(_adapts_further),
          guard="a checkpoint is there"),
    _adapter("parallel", f"{_PEFT}:245", "Initializing model parallel"),
    _adapter("trained", "nemo/lightning/megatron_parallel.py:579",
             r" > number of trainable parameters: \d+ \(\d+\.\d\d% of total\)"),
    _adapter("optimizers", f"{_PEFT}:249", "Setting up optimizers"),
    _said("saved", f"{_IO}:217",
          r"Global Checkpoint Save : Rank: 0 : Iteration: (?P<step>\d+) : Start time: "
          r"\d+\.\d{3}s : Save duration: \d+\.\d{3}s", _indices),
    _said("scheduled", f"{_CHECKPOINT}:632", rf"Scheduled async checkpoint save for {_PATH}",
          where(_saves_behind, statement.saved), guard="async_save"),
    _said("looked", "nemo/utils/callbacks/dist_ckpt_io.py:155",
          r"Async finalization time took \d+\.\d{3} s", None,
          guard="get_num_unfinalized_calls() > 0, after each batch, the epoch and fit"),
    _said("pending", "nemo/utils/callbacks/dist_ckpt_io.py:185",
          r"Pending async checkpoint saves\. Finalizing them synchronously now",
          where(_saves_behind, _last), guard="unfinalized calls at the end of fit"),
    _said("successful", f"{_IO}:220",
          rf"Successfully saved checkpoint from iteration +(?P<step>\d+) to {_PATH}",
          where(_saves_behind, _indices), guard="async_save"),
    _said("finalized", f"{_CHECKPOINT}:657",
          rf"Async checkpoint save for step (?P<step>\d+) \({_PATH}\) finalized successfully\.",
          where(_saves_behind, statement.saved), guard="async_save"),
    Statement("stopped", "lightning/pytorch/loops/fit_loop.py",
              r"`Trainer\.fit` stopped: `max_steps=(?P<step>\d+)` reached\.", _last),
)  # fmt: skip

ORDER = """
torchrun* gpu tpu no-version logged-at tensorboard overwritten monitor scratch? matmul
dp? dp-cp? all-dp? dp-rank cp all-cp? cp-rank mp? all-mp? tp all-tp? tp-rank pp embedding all-pp?
pp-rank all-embedding? embedding-rank
rule backend registered rule blank (transform found-transform set-transform)? devices+ max-steps
padded (parameters ddp buckets (bucket weight+)+ optimizer)?
(restore load-strategy loaded weights-restored finished)?
blank head line module line trainable frozen total size train-mode eval-mode flops
(restoring restored)?
(adding+ applied a-blank a-head a-line a-module a-line a-trainable a-frozen a-total a-size
    a-train-mode a-eval-mode a-flops adapters? parallel
    parameters trained ddp buckets (bucket weight+)+ optimizers optimizer)?
implicit rerun
(iteration (successful finalized looked | looked)?
    | validation | strategy? saved (scheduled looked)?)*
looked? stopped (pending successful finalized looked)?
"""
