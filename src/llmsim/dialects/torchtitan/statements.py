"""What torchtitan v0.2.0 prints on the rank that torchrun shows, statement by statement."""

from collections.abc import Iterable

from llmsim.dialects import statement
from llmsim.dialects.parts.statements import TORCHRUN
from llmsim.dialects.statement import Statement, begins, goes_on, where
from llmsim.dialects.torchtitan.launch import is_sharded
from llmsim.dialects.torchtitan.log_lines import shown_rank
from llmsim.dialects.torchtitan.model import known_peak, spec
from llmsim.job import milestones
from llmsim.job.records import Job, gpus_per_node

_LOGGER = r"\[rank\d\]:\[titan\] \d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - root - "
_INFO, _WARNING = f"{_LOGGER}INFO - ", f"{_LOGGER}WARNING - "
_MEMORY = r"memory: [ \d]+\.\d\dGiB\(\d+\.\d\d%\)  tps: [\d,]+"
_ON = r"\+ "


def _first_rank(job: Job) -> bool:
    return shown_rank(job) == 0


def _piped(job: Job) -> bool:
    return job.layout.pp > 1


def _stages(job: Job) -> int:
    """Stages of all ranks of a pipeline; one without."""
    return job.layout.pp * max(1, job.layout.interleave)


def _compiled(job: Job) -> bool:
    return job.layout.engine.compiled


def _unknown(job: Job) -> bool:
    return known_peak(job.gpu) is None


def _before_last(job: Job) -> Iterable[int]:
    """save() returns before its last line at the last step."""
    return [step for step in milestones.saved_steps(job) if step < job.schedule.steps]


def _saves(job: Job) -> bool:
    return job.schedule.saves


def _deleted(job: Job) -> Iterable[int]:
    if not _first_rank(job):
        return ()
    gone = (milestones.evicted_checkpoint(job, step) for step in _before_last(job))
    return [step for step in gone if step]


def _collected(job: Job) -> Iterable[int]:
    first = job.schedule.first_step
    return range(-(-first // 50) * 50, job.schedule.steps + 1, 50)


def _looped(job: Job) -> Iterable[int]:
    return range(job.schedule.epochs - 1)


def _initial(job: Job) -> bool:
    return job.recipe.released and begins(job)


def _loads(job: Job) -> bool:
    return job.recipe.released or goes_on(job)


_LAUNCH = (
    Statement("trace", "run_train.sh:8", rf"{_ON}(?:export )?[A-Z_]+=\S+",
              lambda _job: (0,) * 8, "launcher", "set -x"),
    Statement("command", "run_train.sh:22",
              rf"{_ON}torchrun (?:--nnodes=\d+ )?--nproc_per_node=\d+ --rdzv_backend c10d "
              r"--rdzv_endpoint=\S+ --local-ranks-filter \d+ --role rank --tee 3 "
              r"-m torchtitan\.train --job\.config_file \./torchtitan/models/\S+\.toml",
              ranks="launcher"),
    *TORCHRUN,
    Statement("starting", "train.py:76", rf"{_INFO}Starting job: .+"),
    Statement("overridden", "distributed/utils.py:246",
              rf"{_WARNING}ENV\[TORCH_NCCL_ASYNC_ERROR_HANDLING\] = 1 will be overridden to 3 "
              r"based on job config", guard="torchrun has set it"),
    Statement("mesh", "distributed/parallel_dims.py:158",
              rf"{_INFO}Building \d-D device mesh with "
              r"\[(?:'\w+'(?:, '\w+')*)?\], \[(?:\d+(?:, \d+)*)?\]"),
    Statement("gc", "tools/utils.py:64",
              rf"{_INFO}\[GC\] Initial GC collection took 0\.00 seconds"),
    Statement("nccl", "nccl init.cc:702",
              r"\[rank0\]:(?:NCCL version \d+\.\d+\.\d+\+cuda\d+\.\d+|RCCL version .*)",
              where(lambda job: job.layout.gpus > 1 and _first_rank(job))),
    Statement("tokenizer", "components/tokenizer.py:104",
              rf"{_INFO}Loading tokenizer from tokenizer\.json"),
    Statement("preparing", "datasets/hf_datasets.py:66", rf"{_INFO}Preparing \S+ dataset from \S+",
              lambda job: (0, 0)[: 1 + job.schedule.validates],
              guard="once for training, once for validation"),
    Statement("building", "train.py:146",
              rf"{_INFO}Building (?:llama3|qwen3|deepseek_v3) \S+ with "
              r"(?:TransformerModelArgs|Qwen3ModelArgs|DeepSeekV3ModelArgs)\(\S.*\)"),
    Statement("tensorboard", "components/metrics.py:122",
              rf"{_INFO}TensorBoard logging enabled\. Logs will be saved at \./outputs/tb/"
              r"\d{8}-\d{4}"),
    Statement("capacity", "components/metrics.py:99",
              rf"{_INFO}CUDA capacity: .+ with \d+\.\d\dGiB memory"),
    Statement("unknown", "tools/utils.py:125",
              rf"{_WARNING}Peak flops undefined for: .+, fallback to A100",
              where(_unknown, lambda _job: (0, 0)), guard="a GPU that is not in its list"),
    Statement("counts", "models/utils.py:427",
              rf"{_INFO}Total parameter count: dense [\d,]+, sparse [\d,]+, active [\d,]+",
              where(lambda job: spec(job) != "llama3")),
    Statement("size", "train.py:176",
              rf"{_INFO}Model (?:llama3|qwen3|deepseek_v3) \S+ size: [\d,]+ total parameters"),
    Statement("float8", "components/quantization/float8.py:96",
              rf"{_INFO}Float8 tensorwise scaled training active",
              where(lambda job: job.layout.precision == "fp8")),
    Statement("swapped", "components/quantization/float8.py:131",
              rf"{_INFO}Swapped to Float8Linear layers with enable_fsdp_float8_all_gather=True",
              where(lambda job: job.layout.precision == "fp8")),
    Statement("mx", "components/quantization/mx.py:74",
              rf"{_INFO}MX training active with recipe mxfp8_cublas",
              where(lambda job: job.layout.precision == "mxfp8")),
    Statement("loss-compiled", "components/loss.py:30",
              rf"{_INFO}Compiling the loss function with torch\.compile", where(_compiled)),
    Statement("stage", "distributed/pipeline_parallel.py:468",
              rf"{_INFO}PP rank \d+ is building stage_idx \d+ with modules \[.+\]",
              where(_piped, lambda job: range(max(1, job.layout.interleave)))),
    Statement("tensor", "models/llama3/infra/parallelize.py:233",
              rf"{_INFO}Applied Tensor Parallelism to the model",
              where(lambda job: job.layout.tp > 1)),
    Statement("recomputed", "distributed/activation_checkpoint.py:325",
              rf"{_INFO}Applied (?:selective|full) activation checkpointing to the model",
              where(lambda job: job.layout.recompute != "none")),
    Statement("compiled", "models/llama3/infra/parallelize.py:250",
              rf"{_INFO}Compiling each TransformerBlock with torch\.compile", where(_compiled)),
    Statement("applied", "models/llama3/infra/parallelize.py:132",
              rf"{_INFO}Applied (?:FSDP|HSDP|DDP) to the model",
              where(lambda job: job.layout.dp * job.layout.cp > 1)),
    Statement("context", "models/llama3/infra/parallelize.py:124",
              rf"{_INFO}Applied Context Parallel to the model",
              where(lambda job: job.layout.cp > 1)),
    Statement("bubble", "distributed/pipeline_parallel.py:196",
              rf"{_WARNING}Number of microbatches \(\d+\) is less than the total number of stages "
              r"\(\d+\) which may result in a bubble in the pipeline\.",
              where(lambda job: job.layout.accumulation < _stages(job))),
    Statement("schedule", "distributed/pipeline_parallel.py:207",
              rf"{_INFO}Using pipeline schedule (?:Interleaved)?1F1B with \d+ microbatches and "
              r"\d+ stages\.",
              where(_piped)),
    Statement("invisible", "components/metrics.py:215",
              rf"{_WARNING}Pipeline Parallel loss is not visible\. Please add rank \d+ to LOG_RANK "
              r"environment variable in run_train\.sh\.",
              where(lambda job: _piped(job) and shown_rank(job) >= gpus_per_node(job)),
              guard="the rank is not in LOG_RANK, which has local ranks"),
    Statement("peak", "train.py:271",
              rf"{_INFO}Peak FLOPS used for computing MFU: \d\.\d{{3}}e\+\d\d"),
    Statement("held", "train.py:273",
              rf"{_INFO}CUDA memory usage for model: \d+\.\d\dGiB\(\d+\.\d\d%\)"),
    Statement("no-index", "protocols/state_dict_adapter.py:92",
              rf"{_WARNING}model\.safetensors\.index\.json not found at hf_assets_path: \S+\."
              r" {21}Defaulting to saving a single safetensors file if checkpoint is saved in HF "
              "format",
              where(lambda job: not job.recipe.released), guard="FileNotFoundError"),
    Statement("active", "components/checkpoint.py:315",
              rf"{_INFO}Checkpointing active\. Checkpoints will be loaded from and saved to \S+",
              where(_saves), guard="checkpoint.enable"),
    Statement("mixed-warning", "distributed/utils.py:227",
              rf"{_WARNING}Mixed precision training with TP or PP is only supported when "
              r"FSDP/HSDP/CP is enabled\.",
              where(lambda job: job.layout.tp * job.layout.pp > 1 and not is_sharded(job))),
    Statement("mixed", "distributed/utils.py:223",
              rf"{_INFO}Mixed precision training is (?:handled by (?:fully_shard|AMP)|disabled)"),
    Statement("initialized", "train.py:362",
              rf"{_INFO}Trainer is initialized with local batch size \d+, global batch size \d+, "
              r"gradient accumulation steps \d+, sequence length \d+, total steps \d+ "
              r"\(warmup \d+\)"),
    Statement("released", "components/checkpoint.py:584",
              rf"{_INFO}loading from HF safetensors from --checkpoint\.initial_load_path: \S+",
              where(_initial), guard="initial_load_in_hf"),
    Statement("loading", "components/checkpoint.py:621",
              rf"{_INFO}Loading the checkpoint from \S+\.",
              where(_loads)),
    Statement("load-gc", "tools/utils.py:64",
              rf"{_INFO}\[GC\] GC collection for checkpoint loading\. took \d+\.\d\d seconds",
              where(_loads)),
    Statement("loaded", "components/checkpoint.py:631",
              rf"{_INFO}Finished loading the checkpoint in \d+\.\d\d seconds\.",
              where(_loads)),
    Statement("starts", "train.py:568", rf"{_INFO}Training starts at step (?P<step>\d+)",
              lambda job: (job.schedule.first_step,)),
)  # fmt: skip
_TRAINING = (
    Statement("periodic-gc", "tools/utils.py:64",
              rf"{_INFO}\[GC\] Performing periodic GC collection took \d+\.\d\d seconds",
              _collected, guard="step_count > 1 and step_count % gc_freq == 0"),
    Statement("step", "components/metrics.py:440",
              rf"{_INFO}step: +(?P<step>\d+)  loss: [ -]?\d+\.\d{{4}}  grad_norm: [ \d]+\.\d{{4}}  "
              rf"{_MEMORY}  tflops: [\d,]+\.\d\d  mfu: \d+\.\d\d%", statement.logged,
              guard="step == 1 or step % log_freq == 0"),
    Statement("saving", "components/checkpoint.py:491",
              rf"{_INFO}Saving the checkpoint \(or staging if async is enabled\)\.",
              lambda job: (0,) * len(milestones.saved_steps(job))),
    Statement("save-gc", "tools/utils.py:64",
              rf"{_INFO}\[GC\] GC collection invoked by checkpointer\. took \d+\.\d\d seconds",
              None),
    Statement("finished", "components/checkpoint.py:529",
              rf"{_INFO}Finished saving the checkpoint \(or staging if async is enabled\)in "
              r"\d+\.\d\d seconds\.", lambda job: (0,) * len([*_before_last(job)])),
    Statement("deleting", "components/checkpoint.py:106",
              rf"{_INFO}Checkpointer is deleting \S+/step-(?P<step>\d+)\.", _deleted,
              guard="the purge thread of rank 0"),
    Statement("deleted", "components/checkpoint.py:109",
              rf"{_INFO}Checkpointer deleted \S+/step-(?P<step>\d+) in \d+\.\d\d seconds\.",
              _deleted),
    Statement("validated", "components/metrics.py:477",
              rf"{_INFO}validate step: +(?P<step>\d+)  loss: [ -]?\d+\.\d{{4}}  {_MEMORY}",
              statement.validated, guard="step == 1 or step % freq == 0"),
    Statement("timeout", "distributed/utils.py:298",
              rf"{_INFO}Synchronizing and adjusting timeout for all ProcessGroups to 0:01:40",
              where(begins), guard="step == 1"),
    Statement("looped", "datasets/hf_datasets.py:138",
              rf"{_WARNING}Dataset \S+ is being re-looped",
              lambda job: (0,) * len([*_looped(job)])),
    Statement("last", "components/checkpoint.py:768",
              rf"{_INFO}Saving a model only checkpoint in torch\.float32 at last step, "
              r"step (?P<step>\d+)\.", lambda job: (job.schedule.steps,) * job.schedule.saves,
              guard="last_save_model_only, which is the default"),
    Statement("sleeping", "train.py:644",
              rf"{_INFO}Sleeping 2 seconds for other ranks to complete", where(_first_rank),
              guard="torch.distributed.get_rank() == 0"),
    Statement("completed", "train.py:647", rf"{_INFO}Training completed"),
    Statement("purge", "components/checkpoint.py:115", rf"{_INFO}Destroying the purge thread\.",
              where(_saves), guard="keep_latest_k > 0"),
    Statement("destroyed", "train.py:693", rf"{_INFO}Process group destroyed"),
)  # fmt: skip
STATEMENTS = (*_LAUNCH, *_TRAINING)

# In a step: garbage, the metrics, the save, the validation. A thread deletes meanwhile.
ORDER = """
trace+ command torchrun* starting overridden mesh gc nccl? tokenizer preparing building
tensorboard capacity unknown? counts? size (float8 swapped | mx)? loss-compiled
stage? tensor? recomputed? compiled applied? context? bubble? schedule? invisible?
unknown? peak held no-index? active? mixed-warning? mixed preparing
initialized released? (loading load-gc loaded)? starts
(step (saving save-gc* finished)? validated timeout)?
((deleting deleted)? looped? periodic-gc* looped? (deleting deleted)? step
(saving (save-gc* finished | last save-gc))? (deleting deleted)? validated?)+
sleeping? completed purge? destroyed
"""
