"""Megatron's log, against formats written down from its source and from real logs."""

import re
from collections.abc import Iterable
from datetime import datetime
from math import exp, sqrt

import pytest

from llmsim.dialects.registry import lines_of
from llmsim.job.milestones import save_is_due, saved_steps
from llmsim.options.wanted import ANYTHING, Wanted
from llmsim.physics.learning import loss
from llmsim.run import simulation
from llmsim.run.events import Step
from llmsim.run.timeline import speaker
from tests.dialects import logs
from tests.dialects.logs import found, in_order, near, number, rate, unmarked, unmatched
from tests.dialects.test_nccl import PATTERNS as NCCL
from tests.runs import job_of, run_of

FLOAT = r"\d\.\d{6}E[+-]\d\d"
# The time stamp is missing before 2024-03, and has microseconds from 2026-06.
ITERATION = (
    r" (?:\[(?P<ts>[\d-]+ [\d:.]+)\] )?iteration +(?P<it>\d+)/ *(?P<n>\d+) \|"
    r" consumed samples: +(?P<cs>\d+) \|(?: consumed tokens: +\d+ \|)?"
    r" elapsed time per iteration \((?:ms|s)\): (?P<ms>[\d.]+) \|"
    r"(?: throughput per GPU \(TFLOP/s/GPU\): (?P<tf>[\d.]+) \|)?"
    r" learning rate: (?P<lr>[\dE.+-]+) \| global batch size: +(?P<gbs>\d+) \|"
    r"(?: lm loss: (?P<loss>[\dE.+-]+) \|)?.* loss scale: (?P<ls>[\d.]+) \|"
    r"(?: grad norm: (?P<gn>[\d.]+) \|)?.*skipped iterations: +(?P<sk>\d+) \|"
    r" number of nan iterations: +(?P<nan>\d+) \|"
)
TIMER = r"    (?P<timer>[\w/-]+) \.+: \((?P<least>\d+\.\d\d), (?P<most>\d+\.\d\d)\)"
VALIDATION = (
    r" validation loss at iteration (?P<at>\d+)(?: on (?P<set>validation|test) set)? \|"
    rf" lm loss value: (?P<value>{FLOAT}) \|"
    rf" lm loss PPL: (?P<ppl>{FLOAT}) \| "
)
DATED = (
    r"\[(after megatron is initialized|after model, optimizer, and learning rate scheduler are "
    r"built|after dataloaders are built|before the start of training step|after training is "
    r"done)\] datetime: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d "
)
SPLIT = r"\[ t 1/\d+, p 1/\d+ \]"
LAUNCHER = r"W\d{4} \d\d:\d\d:\d\d\.\d{3}000 \d+ torch/distributed/run\.py:\d+\] "
COUNT = r" > number of parameters on \(tensor, pipeline\) model parallel rank \(\d+, \d+\): \d+"
PATTERNS = (
    r"Evaluating on \d+ samples",
    r"Evaluating iter \d+/\d+",
    rf"{LAUNCHER}(\*{{41}}|Setting OMP_NUM_THREADS environment variable .*)?",
    (
        r"using world size: \d+, data-parallel size: \d+, context-parallel size: \d+, hierarchical "
        r"context-parallel sizes: Nonetensor-model-parallel size: \d+, "
        r"encoder-tensor-model-parallel size: 0, pipeline-model-parallel size: \d+, "
        r"encoder-pipeline-model-parallel size: 0"
    ),
    (
        r"WARNING: Setting args\.overlap_p2p_comm and args\.align_param_gather to False since "
        r"non-interleaved schedule does not support overlapping p2p communication and aligned "
        r"param AG"
    ),
    r"Number of virtual stages per pipeline stage: (None|\d+)",
    r"accumulate and all-reduce gradients in fp32 for bfloat16 data type\.",
    r"using torch\.(bfloat16|float16) for parameters \.\.\.",
    r"-{24} arguments -{24}",
    r"-{20} end of arguments -{21}",
    r"  \w+ \.* .*",
    r"INFO:megatron\.core\.num_microbatches_calculator:setting number of microbatches to .*\d+",
    (  # num_microbatches_calculator.py: two words run together there, too
        r"INFO:megatron\.core\.num_microbatches_calculator:will use batch size rampup starting "
        r"from global batch size \d+ to global batch size \d+ with batchsize increments \d+ over "
        r"\d+ samples\."
    ),
    r"INFO:megatron\.core\.num_microbatches_calculator:setting initial batch size to \d+",
    r"INFO:megatron\.core\.num_microbatches_calculator:ramping up batch size from \d+ to \d+",
    r"setting training iterations to \d+",
    r"> building \w+ tokenizer \.\.\.",
    r" > padded vocab \(size: \d+\) with \d+ dummy tokens \(new size: \d+\)",
    r"WARNING:megatron\.core\.rerun_state_machine:RerunStateMachine initialized in mode \S+",
    r"WARNING:megatron\.core\.rerun_state_machine:Setting RerunStateMachine mode \S+",
    r"WARNING: one_logger package is required to enable e2e metrics tracking\. please go to .+",
    r"WARNING: constraints for invoking optimized fused softmax kernel are not met\. .+",
    r"> compiling and loading fused kernels \.\.\.",
    r">>> done with compiling and loading fused kernels\. Compilation time: \d+\.\d{3} seconds",
    r"\[rank\d+\]:\[W\d{3,4} [\d:.]+ ProcessGroupNCCL\.cpp:\d+\] .+",
    r"/\S+/distributed_c10d\.py:\d+: UserWarning: barrier\(\): .+",
    r"  warnings\.warn\(  # warn only once",
    r" checkpoint version 3\.0",
    r"Storing distributed optimizer sharded state of type fully_sharded_model_space",
    r"> initializing torch distributed \.\.\.",
    r"> initialized (tensor|pipeline) model parallel with size \d+",
    r"> setting random seeds to \d+ \.\.\.",
    r"> compiling dataset index builder \.\.\.",
    r"make: (Entering|Leaving) directory '.*megatron/core/datasets'",
    r"make: Nothing to be done for 'default'\.",
    r">>> done with dataset index builder\. Compilation time: \d+\.\d{3} seconds",
    r"time to initialize megatron \(seconds\): \d+\.\d{3}",
    DATED,
    r"building GPT model \.\.\.",
    rf"{COUNT}({COUNT})?",  # the line end is lost now and then, and comes afterwards
    r"",
    (
        r"INFO:megatron\.core\.distributed\.distributed_data_parallel:Setting up "
        r"DistributedDataParallel with config DistributedDataParallelConfig\(.*\)"
    ),
    (
        r"INFO:megatron\.core\.distributed\.param_and_grad_buffer:Number of buckets for gradient "
        r"all-reduce / reduce-scatter: \d+"
    ),
    r"Params for bucket \d+ \(\d+ elements, \d+ padded size\):",
    r"\tmodule\.[\w.]+",
    r"INFO:megatron\.core\.optimizer:Setting up optimizer with config OptimizerConfig\(.*\)",
    r"INFO:megatron\.core\.optimizer_param_scheduler:> learning rate decay style: \w+",
    r"WARNING: could not find the metadata file \S+/latest_checkpointed_iteration\.txt ?",
    r"    will not load any checkpoints and will start from random",
    r" loading (release )?distributed checkpoint from \S+( at iteration \d+)?",
    rf"  successfully loaded checkpoint from \S+ {SPLIT} at iteration \d+",
    r"\(min, max\) time across ranks \(ms\):",
    TIMER,
    r"> building train, validation, and test datasets( for GPT)? \.\.\.",
    r" > datasets target sizes \(minimum size\):",
    r"    (train:     |validation:|test:      ) \d+",
    r"INFO:megatron\.core\.datasets\.\w+:.*",
    r"> finished creating GPT datasets \.\.\.",
    r"done with setup \.\.\.",
    r"training \.\.\.",
    r"Setting rerun_state_machine\.current_iteration to \d+\.\.\.",
    ITERATION,
    r"Number of parameters in transformer block in billions:  \d+\.\d\d",
    r"Number of parameters in embedding layers in billions: \d+\.\d\d",
    r"Total number of parameters in billions: \d+\.\d\d",
    r"Number of parameters in (?:most loaded shard|other shards) in billions: \d+\.\d{4}",
    r"Activation memory footprint per transformer layer: \d+\.\d MB",
    r"Memory penalty from interleaved schedule: \d\.\d\d",
    r"Number of in-flight microbatches: \d+",
    (
        r"Theoretical memory footprints: weight and optimizer=\d+\.\d\d MB"
        r"(, activation=\d+\.\d\d MB, total=\d+\.\d\d MB)?"
    ),
    (
        r"\[Rank \d+\] \(after \d+ iterations\) memory \(MB\) \| allocated: \d+\.\d+ \|"
        r" max allocated: \d+\.\d+ \| reserved: \d+\.\d+ \| max reserved: \d+\.\d+"
    ),
    r"-+",
    VALIDATION,
    r"saving checkpoint at iteration [ \d]{6}\d to \S+ in \w+ format",
    r"  scheduled an async checkpoint save at iteration [ \d]{6}\d to \S+",
    rf"  successfully saved checkpoint from iteration [ \d]{{6}}\d to \S+ {SPLIT}",
)
ALL = [re.sub(r"\?P<\w+>", "", pattern) for pattern in (*PATTERNS, *NCCL)]

REAL = """\
 [2024-04-06 02:55:45] iteration        2/     100 | consumed samples:          256 | elapsed time per iteration (ms): 5630.1 | throughput per GPU (TFLOP/s/GPU): 231.9 | learning rate: 4.000000E-07 | global batch size:   128 | lm loss: 2.021530E+00 | load_balancing_loss: 1.087362E+00 | loss scale: 1.0 | grad norm: 6.895 | num zeros: 0.0 | number of skipped iterations:   0 | number of nan iterations:   0 |
 [2025-04-13 23:41:12] iteration       10/    1000 | consumed samples:          160 | elapsed time per iteration (ms): 1147.6 | learning rate: 0.000000E+00 | global batch size:    16 | loss scale: 8388608.0 | number of skipped iterations:  10 | number of nan iterations:   0 |
 [2025-04-13 23:41:20] iteration       20/    1000 | consumed samples:          320 | elapsed time per iteration (ms): 820.7 | learning rate: 4.000000E-05 | global batch size:    16 | lm loss: 1.072453E+01 | loss scale: 131072.0 | grad norm: 3.874 | num zeros: 71.0 | number of skipped iterations:   6 | number of nan iterations:   0 |
[Rank 1] (after 1 iterations) memory (MB) | allocated: 54250.97802734375 | max allocated: 54250.98583984375 | reserved: 61480.0 | max reserved: 61480.0
 iteration      122/  250000 | consumed samples:       124928 | elapsed time per iteration (ms): 86545.2 | learning rate: 9.150E-06 | global batch size:  1024 | lm loss: 2.504220E+00 | loss scale: 1.0 | grad norm: 0.231 | number of skipped iterations:   0 | number of nan iterations:   0 |
Number of parameters in transformer block in billions:  0.08
Theoretical memory footprints: weight and optimizer=2121.85 MB
(min, max) time across ranks (ms):
    evaluate .......................................: (2052.52, 2052.52)
----------------------------------------------------------------------------------------------
 validation loss at iteration 50 | lm loss value: 8.889540E+00 | lm loss PPL: 7.255679E+03 | 
saving checkpoint at iteration     100 to /ckpt in torch_dist format
  successfully saved checkpoint from iteration     100 to /ckpt [ t 1/1, p 1/1 ]
    save-checkpoint ................................: (3413.14, 3413.14)
    train/valid/test-data-iterators-setup ..........: (114.59, 114.59)
 > padded vocab (size: 50257) with 47 dummy tokens (new size: 50304)
>>> done with dataset index builder. Compilation time: 0.051 seconds
time to initialize megatron (seconds): 1.961
[after megatron is initialized] datetime: 2025-04-13 23:41:00 
 > number of parameters on (tensor, pipeline) model parallel rank (0, 0): 124082688
 > number of parameters on (tensor, pipeline) model parallel rank (1, 7): 805560320 > number of parameters on (tensor, pipeline) model parallel rank (3, 7): 805560320
Params for bucket 1 (124082688 elements, 124082688 padded size):
  account_for_embedding_in_pipeline_split ......... False
  inference_dynamic_batching_buffer_guaranteed_fraction  0.2
WARNING: could not find the metadata file /ckpt/latest_checkpointed_iteration.txt 
""".splitlines()  # fmt: skip  # noqa: E501, W291

ORDER = (
    "OMP_NUM_THREADS", "using world size", "using torch.bfloat16", "- arguments -", "  adam_beta1 ",
    "  world_size ", "- end of arguments -", "number of microbatches", "> building", "padded vocab",
    "RerunStateMachine initialized", "> initializing torch", "> initialized tensor",
    "> initialized pipeline", "> setting random seeds", "> compiling dataset", "make: Nothing",
    ">>> done", "Bootstrap", "Init COMPLETE", "time to initialize", "[after megatron",
    "building GPT", "number of parameters on", "DistributedDataParallelConfig(",
    "OptimizerConfig(", "decay style",
    "could not find the metadata", "load-checkpoint", "[after model", "> building train",
    "datasets target sizes", "for GPT ...", "GPTDatasetConfig(", "> finished", "[after dataloaders",
    "done with setup", "model-and-optimizer-setup", "training ...", "Setting rerun",
    "[before the start", " iteration ", "Theoretical memory", "[Rank 0]", "evaluate ..",
    "validation loss", "saving checkpoint", "successfully saved", "save-checkpoint",
    "[after training is done]", "on validation set", "on test set",
)  # fmt: skip

OTHERS: tuple[dict[str, object], ...] = (
    {"gpus": 1},
    {"gpus": 131_072, "model": "Basalt-405B"},
    {"model": "Archipelago-8x7B", "ep": 1},
    {"recipe": "continue"},
    {"tidy": True},
)
# A job whose pipeline stages are one piece each, which seeds seldom draw.
WHOLE_STAGES = ANYTHING._replace(interleave=1)
# Pretrainings of these seeds begin with a part of their batch.
RAMPED = (20, 30, 48)


def log_of(dialect: str, seed: int, **options: object) -> tuple[str, ...]:
    """The lines of all nodes, without their numbers."""
    return unmarked(logs.log_of(dialect, seed, **options))


@pytest.mark.parametrize("seed", range(50))
def test_every_line_is_one_that_megatron_prints(seed: int) -> None:
    assert unmatched(log_of("megatron", seed), ALL) == []


@pytest.mark.parametrize("options", OTHERS, ids=str)
def test_so_it_is_in_unusual_jobs(options: dict[str, object]) -> None:
    assert unmatched(log_of("megatron", 1, **options), ALL) == []


def test_real_lines_match_the_same_patterns() -> None:
    assert unmatched(REAL, ALL) == []


def test_the_phases_come_in_the_order_of_a_complete_log() -> None:
    log = log_of("megatron", 1, gpus=16, recipe="pretrain", tidy=True)
    assert in_order(ORDER, log) is None


# --- the arguments -----------------------------------------------------------------------


def arguments(log: tuple[str, ...]) -> dict[str, str]:
    first = next(i for i, line in enumerate(log) if "- arguments -" in line)
    last = next(i for i, line in enumerate(log) if "end of arguments" in line)
    pairs = [re.fullmatch(r"  (\w+) \.* (.*)", line) for line in log[first + 1 : last]]
    return {match[1]: match[2] for match in pairs if match}


def test_the_arguments_are_sorted_and_stand_in_a_column() -> None:
    log = log_of("megatron", 3)
    shown = arguments(log)
    names = list(shown)
    lines = [f"  {name} {'.' * (48 - len(name))}" for name in names]
    assert len(names) > 200
    assert lines == sorted(lines, key=str.lower)
    dotted = [line for line in log if re.fullmatch(r"  \w+ \.+ .*", line)]
    assert {line.index(" ", line.index(" .") + 1) for line in dotted} == {51}


# megatron/training/arguments.py of core 0.12.0 has 455 arguments; validate_args deletes five of
# them, such as batch_size and warmup, and sets eleven more, such as rank and use_dist_ckpt.
ARGUMENTS = 455 - 5 + 11


@pytest.mark.parametrize("seed", range(10))
def test_all_arguments_are_there(seed: int) -> None:
    log = log_of("megatron", seed)
    first = next(i for i, line in enumerate(log) if "- arguments -" in line)
    last = next(i for i, line in enumerate(log) if "end of arguments" in line)
    names = [line.split()[0] for line in log[first + 1 : last]]
    assert len(names) == len(set(names)) == ARGUMENTS
    assert {
        "error_injection_type", "wgrad_deferral_limit", "head_lr_mult", "mscale", "mscale_all_dim",
        "straggler_minmax_count", "microbatch_group_size_per_vp_stage", "cuda_graph_scope",
        "ckpt_convert_update_legacy_dist_opt_format", "skipped_train_samples", "use_dist_ckpt",
        "transformer_pipeline_model_parallel_size", "disable_bf16_reduced_precision_matmul",
    } <= set(names)  # fmt: skip


# The same of core 0.8.0: 326, the same five deleted, nine added.
OLDER_ARGUMENTS = 326 - 5 + 9


@pytest.mark.parametrize("seed", range(3))
def test_the_older_release_has_its_own_arguments(seed: int) -> None:
    log = log_of("megatron", seed, release="core_v0.8.0")
    shown = arguments(log)
    assert len(shown) == OLDER_ARGUMENTS
    assert shown["use_dist_ckpt"] == "False"
    assert shown["dist_ckpt_format"] == "torch_dist"
    assert shown["async_save"] == "None"
    assert not {"ckpt_format", "rerun_mode", "attention_backend", "kv_lora_rank"} & {*shown}


# A log of September 2024 on four GPUs (a public course on large models), with core 0.8's files.
OLDER_LOG = r"""
saving checkpoint at iteration \s*(?P<step>\d+) to \S+ in torch format
  successfully saved checkpoint from iteration \s*(?P=step) to \S+
\(min, max\) time across ranks \(ms\):
    save-checkpoint \.{32}: \(\d+\.\d\d, \d+\.\d\d\)
"""


@pytest.mark.parametrize("seed", range(3))
def test_the_older_release_saves_by_torch(seed: int) -> None:
    job = job_of(seed, dialect="megatron", release="core_v0.8.0", incidents="none")
    text = "\n".join(log_of("megatron", seed, release="core_v0.8.0"))
    saves = [int(match["step"]) for match in re.finditer(OLDER_LOG.strip("\n"), text)]
    assert saves == [step for step in saved_steps(job) if save_is_due(job, step)]
    assert "distributed checkpoint" not in text
    assert "RerunMode" not in text


@pytest.mark.parametrize("job", [None, WHOLE_STAGES], ids=["pieces", "whole stages"])
@pytest.mark.parametrize("seed", range(8))
def test_the_theory_is_megatrons(seed: int, job: Wanted | None) -> None:
    """theoretical_memory_usage.py:195-262, typed anew from the printed arguments."""
    log = log_of("megatron", seed, tp=4, pp=(1, 2, 4, 2)[seed % 4], gpus=32, recompute="selective",
                 model="Basalt-13B", job=job)  # fmt: skip
    shown = arguments(log)
    tensor, pipeline, pieces = (
        int(shown[f"{name}_parallel_size"].replace("None", "0"))
        for name in ("tensor_model", "pipeline_model", "virtual_pipeline_model")
    )
    hidden, layers = int(shown["hidden_size"]), int(shown["num_layers"])
    tokens = int(shown["seq_length"]) * int(shown["micro_batch_size"])
    layer = tokens * hidden * (18 + 4 * int(shown["ffn_hidden_size"]) / hidden)
    text = "\n".join(log)
    printed = float(found(r"per transformer layer: (?P<mb>[\d.]+) MB", log)["mb"])
    assert printed == pytest.approx(layer / 2**20 / tensor, abs=0.051)
    whole = layer * layers + (8 * tokens + tokens * hidden) * pipeline
    if pipeline == 1:
        vocabulary = int(found(r"new size: (?P<size>\d+)", log)["size"])
        whole += tokens * hidden * 4 * (1 + vocabulary / hidden)
        assert "in-flight" not in text
    elif pieces:
        whole *= 1 + (pipeline - 1) / (pipeline * pieces)
    else:
        batch = int(shown["global_batch_size"]) // int(shown["data_parallel_size"])
        batches = batch // int(shown["micro_batch_size"])
        whole *= min(1, batches / pipeline)
        assert f"Number of in-flight microbatches: {min(batches, pipeline)}" in log
    activation = float(found(r" activation=(?P<mb>[\d.]+) MB", log)["mb"])
    assert activation == pytest.approx(whole / tensor / 2**20, abs=0.0051)
    assert ("in other shards" in text) == (pipeline > 1)


@pytest.mark.parametrize("seed", range(20))
def test_the_last_evaluations_take_the_time_that_they_say(seed: int) -> None:
    """From the end of the loop to the exit: perhaps a save, then two evaluations."""
    log = log_of("megatron", seed)
    done = next(at for at, line in enumerate(log) if "after training is done" in line)
    begun = when(log[done].partition("datetime: ")[2].strip())
    exits = [line for line in log if "destroy_process_group" in line]
    took = [
        float(re.findall(r", ([\d.]+)\)", line)[0]) for line in log[done:] if "evaluate" in line
    ]
    assert len(took) == 2
    for line in exits:
        match = re.search(r"\[W(\d+)(\d\d) ([\d:]+)\.", line)
        assert match
        ended = when(f"{begun.year}-{int(match[1]):02d}-{match[2]} {match[3]}")
        assert (ended - begun).total_seconds() >= sum(took) / 1000 - 1, seed


@pytest.mark.parametrize("seed", range(30))
def test_the_index_is_of_the_whole_data_set(seed: int) -> None:
    """gpt_dataset.py: whole epochs of the split's documents, as few as hold what is wanted."""
    log = "\n".join(log_of("megatron", seed))
    job = job_of(seed, dialect="megatron")
    wanted = map(int, re.findall(r"^    (?:train|validation|test): +(\d+)$", log, re.MULTILINE))
    samples = map(int, re.findall(r"total number of samples: (\d+)", log))
    epochs = map(int, re.findall(r"total number of epochs: (\d+)", log))
    parts = (949, 50, 1)  # --split 949,50,1
    for want, have, passes, part in zip(wanted, samples, epochs, parts, strict=True):
        one = job.dataset.tokens * part / 1000 / job.schedule.sequence
        assert have == pytest.approx(passes * one, abs=1.1)
        assert want <= have < want + one + 1.1


@pytest.mark.parametrize("seed", range(50))
def test_the_arguments_agree_with_the_rest_of_the_log(seed: int) -> None:
    log = log_of("megatron", seed)
    shown = arguments(log)
    data, micro = int(shown["data_parallel_size"]), int(shown["micro_batch_size"])
    full = int(shown["global_batch_size"])
    assert full % (data * micro) == 0
    if shown["rampup_batch_size"] == "None":
        accumulation = int(found(r"microbatches to constant (?P<n>\d+)", log)["n"])
        assert full == data * micro * accumulation
    split = int(shown["tensor_model_parallel_size"]) * int(shown["pipeline_model_parallel_size"])
    assert int(shown["world_size"]) == data * split * int(shown["context_parallel_size"])
    *_, samples = consumed_samples(shown, last_iteration(log))
    assert found(r"^    train:      (?P<n>\d+)", log)["n"] == str(samples)
    assert f"learning rate decay style: {shown['lr_decay_style']}" in "\n".join(log)
    assert sum("model parallel rank (" in line for line in log) <= split
    assert "\n".join(log).count("model parallel rank (") == split


def test_ranks_of_a_split_model_lose_a_line_end_unless_the_job_is_tidy() -> None:
    """On one terminal; srun hands on whole lines."""
    options = {"gpus": 8, "tp": 4, "pp": 2, "recipe": "pretrain", "recompute": "none"}
    for tidy in (False, True):
        log = log_of("megatron", 1, tidy=tidy, **options)
        counts = [line for line in log if "model parallel rank (" in line]
        torn = [line for line in counts if line.count("model parallel rank") == 2]
        assert len(torn) == (not tidy)
        assert ("" in log) == (not tidy)


@pytest.mark.parametrize("seed", range(50))
def test_gradients_are_added_up_in_fp32(seed: int) -> None:
    """validate_args turns it on for bf16 and says so before it says what the weights are in."""
    log = log_of("megatron", seed)
    shown = arguments(log)
    at = log.index("using torch.bfloat16 for parameters ...")
    assert log[at - 1] == "accumulate and all-reduce gradients in fp32 for bfloat16 data type."
    assert shown["accumulate_allreduce_grads_in_fp32"] == "True"
    assert found(r"(?P<config>DistributedDataParallelConfig\(grad_reduce_in_fp32=True)", log)


@pytest.mark.parametrize("seed", range(50))
def test_ranks_hold_what_the_theory_says(seed: int) -> None:
    """theoretical_memory_usage.py: 6 + 12 / d bytes of each weight of the most loaded rank.

    It knows nothing of experts on ranks of their own, nor of 8 bits, nor of cuBLAS's workspace
    (torch's notes on CUDA: 32 MiB since Hopper, 8.1 MiB before).
    """
    log = log_of("megatron", seed, ep=1, precision="bf16", gpus=(8, 16, 32, 64)[seed % 4])
    shown = arguments(log)
    told = "\n".join(log)
    # Context ranks share the optimizer's state, too; the theory forgets them.
    data, whole = int(shown["data_parallel_size"]), shown["use_distributed_optimizer"] != "True"
    contexts = int(shown["context_parallel_size"])
    each = 18 if whole else 6 + 12 / data / contexts
    assumed = 18 if whole else 6 + 12 / data
    theory = float(found(r"weight and optimizer=(?P<mb>[\d.]+) MB", log)["mb"])
    ranks = re.findall(r"\[Rank (\d+)\].* allocated: ([\d.]+) \| max allocated: ([\d.]+)", told)
    counts = re.findall(r"rank \((\d+), (\d+)\): (\d+)", told)
    tensor, pipeline = (
        int(shown[f"{name}_model_parallel_size"]) for name in ("tensor", "pipeline")
    )
    assert len(ranks) == len(counts) == tensor * pipeline
    for slice_, stage, count in counts:
        rank = int(stage) * int(shown["world_size"]) // pipeline + int(slice_)
        ((held, most),) = [(float(a), float(b)) for r, a, b in ranks if int(r) == rank]
        beside = held - each * int(count) / 2**20
        assert 8.0 <= beside <= 32.1
        assert held <= most
    # The theory divides the layers by the stages, which cannot hold a part of a layer.
    uneven = 0.12 if int(shown["num_layers"]) % pipeline else 0.0
    most_held = max(float(held) for _, held, _ in ranks) - 8.0
    assert most_held == pytest.approx(theory * each / assumed, rel=0.06 + uneven)


def test_the_last_stage_makes_logits() -> None:
    """At its peak it has at least the bf16 logits of a micro-batch, a part on each tensor rank."""
    log = log_of("megatron", 4, model="Archipelago-8x7B", gpus=64, pp=4)
    shown = arguments(log)
    tensor, pipeline = (
        int(shown[f"{name}_model_parallel_size"]) for name in ("tensor", "pipeline")
    )
    assert pipeline > 1
    ranks = re.findall(r" allocated: ([\d.]+) \| max allocated: ([\d.]+)", "\n".join(log))
    tokens = int(shown["micro_batch_size"]) * int(shown["seq_length"])
    logits = 2 * tokens * 32_000 / tensor / 2**20  # Mixtral's vocabulary
    for held, most in ranks[-tensor:]:
        assert float(most) - float(held) > 0.9 * logits


LARGE: dict[str, object] = {"model": "Basalt-405B", "gpus": 512}


@pytest.mark.parametrize("options", [*OTHERS, LARGE, {**LARGE, "job": WHOLE_STAGES}], ids=str)
def test_every_weight_is_on_one_stage(options: dict[str, object]) -> None:
    log = log_of("megatron", 1, **options)
    shown = arguments(log)
    counts = re.findall(r"rank \(\d+, \d+\): (\d+)", "\n".join(log))
    total = sum(map(int, counts)) / 1e9
    told = float(found(r"Total number of parameters in billions: (?P<n>[\d.]+)", log)["n"])
    tied = shown["untie_embeddings_and_output_weights"] == "False"
    if shown["pipeline_model_parallel_size"] != "1" and tied:  # the last stage has a copy
        total -= int(shown["vocab_size"]) * int(shown["hidden_size"]) / 1e9
    assert total == pytest.approx(told, abs=0.006)
    # Stages are equal, but for the first and the last, for which there are arguments.
    layers, stages = int(shown["num_layers"]), int(shown["pipeline_model_parallel_size"])
    ends = [shown[f"decoder_{end}_pipeline_num_layers"] for end in ("first", "last")]
    pieces = shown["num_virtual_stages_per_pipeline_rank"]
    if pieces != "None":  # the embedding and the loss count as a layer each
        assert ends == ["None", "None"]
        assert (layers + 2) % (stages * int(pieces)) == 0
    elif layers % stages:
        assert (layers - sum(map(int, ends))) % (stages - 2) == 0
    else:
        assert ends == ["None", "None"]
    blocks = "\n".join(log).split("Params for bucket 1")[1:]  # the first rank's of each stage
    listed = [len(set(re.findall(r"module\.decoder\.layers\.(\d+)\.", block))) for block in blocks]
    each = shown["virtual_pipeline_model_parallel_size"]
    assert len(listed) == stages * (1 if each == "None" else int(each))
    assert sum(listed) == layers


@pytest.mark.parametrize("seed", range(50))
def test_arguments_that_say_the_same_agree(seed: int) -> None:
    log = log_of("megatron", seed)
    shown = arguments(log)
    assert len(shown) > 290
    for one, other in (
        ("num_layers", "encoder_num_layers"),
        ("seq_length", "encoder_seq_length"),
        ("seq_length", "max_position_embeddings"),
        ("weight_decay", "start_weight_decay"),
        ("weight_decay", "end_weight_decay"),
    ):
        assert shown[one] == shown[other]
    config = found(r"(?P<text>OptimizerConfig\(.*\))", log)["text"]
    for name, value in re.findall(r"(\w+)=([^,()<]+)[,)]", config):
        if name in shown:
            assert shown[name] == value.strip("'"), name
    wrapper = found(r"(?P<text>DistributedDataParallelConfig\(.*\))", log)["text"]
    for name, value in re.findall(r"(\w+)=([^,()<]+)[,)]", wrapper):
        if name in shown:
            assert shown[name] == value.strip("'"), name
    (elements, padded) = re.findall(r"\((\d+) elements, (\d+) padded", "\n".join(log))[0]
    assert 0 <= int(padded) - int(elements) < 128 * int(shown["data_parallel_size"])
    if shown["use_distributed_optimizer"] == "True":
        assert int(padded) % 128 == int(padded) % int(shown["data_parallel_size"]) == 0
    low = float(shown["min_lr"])
    assert shown["min_lr"] == f"{low}"
    assert len(shown["min_lr"]) < 10  # as somebody would type it


@pytest.mark.parametrize("seed", range(50))
def test_what_is_evaluated_last_follows_the_training(seed: int) -> None:
    """training.py: the loop evaluates and saves at the intervals; pretrain() does the rest.

    That is a save, if the loop has not just done it, then the validation set and the test set.
    """
    log = log_of("megatron", seed)
    shown = arguments(log)
    steps, every = last_iteration(log), int(shown["eval_interval"])
    (done,) = (at for at, line in enumerate(log) if "after training is done" in line)
    told = [(at, match) for at, line in enumerate(log) if (match := re.fullmatch(VALIDATION, line))]
    inside = [int(match["at"]) for at, match in told if at < done]
    begun = int(found(r"current_iteration to (?P<begun>\d+)\.+", log)["begun"])
    assert inside == [*range((begun // every + 1) * every, steps + 1, every)]
    assert [match["set"] for at, match in told if at < done] == [None] * len(inside)
    assert [(match["set"], int(match["at"])) for at, match in told if at > done] == [
        ("validation", steps),
        ("test", steps),
    ]
    last = [match["value"] for _, match in told if int(match["at"]) == steps]
    assert len(set(last)) == len(last)  # other tokens
    assert max(map(float, last)) - min(map(float, last)) < 0.1
    saved = next(at for at, line in enumerate(log) if f"at iteration {steps:7d} to " in line)
    assert (saved > done) == (steps % int(shown["save_interval"]) > 0)
    assert saved < told[-2][0]


@pytest.mark.parametrize("seed", range(10))
def test_the_last_evaluations_tell_their_batches(seed: int) -> None:
    log = log_of("megatron", seed)
    shown = arguments(log)
    batches, whole = int(shown["eval_iters"]), int(shown["global_batch_size"])
    counted = [f"Evaluating iter {batch}/{batches}" for batch in range(1, batches + 1)]
    starts = [at for at, line in enumerate(log) if line.startswith("Evaluating on")]
    assert len(starts) == 2
    for at in starts:
        assert log[at] == f"Evaluating on {batches * whole} samples"
        assert list(log[at + 1 : at + 1 + batches]) == counted


def test_the_loss_is_the_mean_since_the_line_before() -> None:
    job = job_of(3, dialect="megatron")
    every = job.schedule.log_every
    assert every > 1
    matches = [m for line in log_of("megatron", 3) if (m := re.fullmatch(ITERATION, line))]
    for match in matches[3:60]:
        step = int(match["it"])
        steps = range(step - every + 1, step + 1)
        mean = sum(loss.training(job, each) for each in steps) / every
        # Each mean has its own noise, as small as that of so many steps.
        sigma = 30 / sqrt(every * job.schedule.global_batch * job.schedule.sequence)
        assert abs(float(match["loss"]) - mean) < 8 * sigma


# --- identities on the text --------------------------------------------------------------


def flops_per_token(shown: dict[str, str]) -> float:
    """num_floating_point_operations of core 0.12: products, and half of the attention's matrix."""
    value = {name: int(text) for name, text in shown.items() if text.isdigit()}
    width, layers = value["hidden_size"], value["num_layers"]
    query = value["num_attention_heads"] * value["kv_channels"]
    grouped = shown["group_query_attention"] == "True"
    groups = value["num_query_groups"] if grouped else value["num_attention_heads"]
    experts = 1 if shown["num_experts"] == "None" else value["moe_router_topk"]
    inner = experts * 3 * width * value["ffn_hidden_size"]
    projections = width * (2 * query + 2 * groups * value["kv_channels"])
    padded = value["vocab_size"] + -value["vocab_size"] % value["tensor_model_parallel_size"]
    attention = 6 * layers * query * value["seq_length"]
    return 6 * (layers * (projections + inner) + padded * width) + attention


def last_iteration(log: Iterable[str]) -> int:
    return max(int(match["it"]) for line in log if (match := re.fullmatch(ITERATION, line)))


def consumed_samples(shown: dict[str, str], iterations: int) -> list[int]:
    """After 0, 1, 2 ... iterations, counted as num_microbatches_calculator.py does."""
    full, consumed = int(shown["global_batch_size"]), [0]
    ramp = re.findall(r"'(\d+)'", shown["rampup_batch_size"])
    start, increment, samples = map(int, ramp) if ramp else (full, 1, 0)
    each = samples / ((full - start) // increment) if ramp else 1
    for _ in range(iterations):
        now = consumed[-1]
        part = full if now > samples or not ramp else start + int(now / each) * increment
        consumed.append(now + part)
    return consumed


def check_identities(log: tuple[str, ...]) -> int:
    shown = arguments(log)
    flops = flops_per_token(shown)
    decay = shown["lr_decay_style"].lower()
    peak, low = float(shown["lr"]), float(shown["min_lr"])
    consumed = consumed_samples(shown, last_iteration(log))
    warmup = int(shown["lr_warmup_iters"]) * int(shown["global_batch_size"])
    warmup += int(shown["lr_warmup_samples"])
    before, clock, seen = 0, "", 0
    for line in log:
        if match := re.fullmatch(ITERATION, line):
            part = match.groupdict()
            step, steps = int(part["it"]), int(part["n"])
            assert int(part["cs"]) == consumed[step]
            assert int(part["gbs"]) == consumed[step] - consumed[step - 1]
            tokens = int(part["gbs"]) * int(shown["seq_length"])
            assert (part["sk"], part["nan"], part["ls"]) == ("0", "0", "1.0")
            seconds = float(part["ms"]) / 1000
            teraflops = tokens * flops / seconds / int(shown["world_size"]) / 1e12
            assert near(float(part["tf"]), teraflops, 6e-5 / seconds, 0.051)
            expected = rate(consumed[step], consumed[steps], warmup, peak, low, decay)
            assert near(float(part["lr"]), expected, 1e-6, 1e-12)
            assert step % int(shown["log_interval"]) == 0
            if clock:
                gap = (when(part["ts"]) - when(clock)).total_seconds()
                assert abs(gap - seconds * (step - before)) <= 1 + 6e-5 * (step - before)
            before, clock, seen = step, part["ts"], seen + 1
        elif "evaluate" in line or "saving" in line or "saved" in line:
            clock = ""  # pauses are not in the iterations' times
        if match := re.fullmatch(VALIDATION, line):
            assert near(float(match["ppl"]), exp(float(match["value"])), 2e-6, 0)
    return seen


def when(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize("seed", range(50))
def test_the_identities_hold_on_the_text_alone(seed: int) -> None:
    assert check_identities(log_of("megatron", seed)) > 50


@pytest.mark.parametrize("seed", RAMPED)
def test_a_batch_that_grows_is_megatrons_in_every_line(seed: int) -> None:
    log = log_of("megatron", seed, recipe="pretrain", model="Basalt-8B", gpus=64)
    assert unmatched(log, ALL) == []
    assert check_identities(log) > 50
    shown = arguments(log)
    ramp = re.findall(r"'(\d+)'", shown["rampup_batch_size"])
    start, increment, samples = ramp
    told = found(
        r"from global batch size (?P<start>\d+) to global batch size (?P<full>\d+) with "
        r"batchsize increments (?P<increment>\d+) over (?P<samples>\d+) samples", log
    )  # fmt: skip
    full = shown["global_batch_size"]
    assert told == {"start": start, "full": full, "increment": increment, "samples": samples}
    # Arguments count either iterations or samples (arguments.py), and never both.
    assert (shown["train_iters"], shown["lr_warmup_iters"]) == ("None", "0")
    iterations = int(found(r"setting training iterations to (?P<n>\d+)", log)["n"])
    consumed = consumed_samples(shown, iterations)
    assert int(shown["train_samples"]) == consumed[-1]
    # Before it grows the batch is saved (training.py), right after the line that says so.
    grown = [i for i, line in enumerate(log) if "ramping up batch size" in line]
    assert len(grown) == (int(full) - int(start)) // int(increment)
    for index in grown:
        assert "saving checkpoint at iteration" in log[index + 1]


@pytest.mark.parametrize("options", OTHERS, ids=str)
def test_they_hold_in_unusual_jobs(options: dict[str, object]) -> None:
    assert check_identities(log_of("megatron", 1, **options)) > 50


@pytest.mark.parametrize("seed", range(50))
def test_boxes_timers_and_memory_agree_with_themselves(seed: int) -> None:
    log = log_of("megatron", seed)
    for above, line, below in zip(log, log[1:], log[2:], strict=False):
        if line.startswith(" validation loss"):
            assert above == below == "-" * (len(line) + 1)
        if match := re.fullmatch(TIMER, line):
            assert float(match["least"]) <= float(match["most"])
            assert line.index(":") == 52
        if line.startswith("[Rank"):
            used, most, held, peak = (float(x) for x in re.findall(r": (\d+\.\d+)", line))
            assert used <= most <= held == peak
    total = float(found(r"Total number .* billions: (?P<n>\S+)", log)["n"])
    parts = [float(x) for x in re.findall(r"(?:block|layers) in billions: +(\S+)", "\n".join(log))]
    assert total == pytest.approx(sum(parts), abs=0.011)


def test_every_stage_tells_its_memory_once() -> None:
    options = {"gpus": 1024, "model": "Basalt-405B", "recipe": "pretrain"}
    log = log_of("megatron", 1, **options)
    shown = arguments(log)
    told = [int(line[6 : line.index("]")]) for line in log if line.startswith("[Rank")]
    tensor = int(shown["tensor_model_parallel_size"])
    between = int(number(shown["world_size"])) // int(shown["pipeline_model_parallel_size"])
    assert told == [
        first + slice_
        for first in range(0, int(shown["world_size"]), between)
        for slice_ in range(tensor)
    ]


def test_the_first_line_of_an_attempt_is_the_mean_of_its_own_steps() -> None:
    """A relaunch from step 1 takes its first step anew: its line is not the line before."""
    asked = {"recipe": "pretrain", "model": "Basalt-8B", "gpus": 64}
    run = run_of(7, dialect="megatron", incident=("segfault@step=45",), **asked)
    every = run.job.schedule.log_every
    steps = [step for step in run.all(Step) if step.step in (1, every)]
    assert [step.step for step in steps] == [1, every, 1, every]
    means = [
        (first.step_seconds + last.step_seconds * (every - 1)) / every
        for first, last in zip(steps[::2], steps[1::2], strict=True)
    ]
    table = lines_of("megatron")
    said = [line.text for step in steps for line in table[Step](step, run.job, logs.PIPE)]
    lines = [re.search(ITERATION, line) for line in said]
    shown = [match["ms"] for match in lines if match and int(match["it"]) == every]
    assert shown == [f"{1000 * mean:.1f}" for mean in means]
    assert shown[0] != shown[1]


def test_the_first_line_of_an_attempt_leaves_its_pauses_out() -> None:
    """The interval's timer stands still in a validation (training.py): the relaunch's, too."""
    asked: dict[str, object] = {"recipe": "pretrain", "model": "Basalt-8B", "gpus": 64}
    asked["job"] = Wanted(log_every=100, validate_every=30, save_every=1000)
    told = run_of(7, dialect="megatron", incidents="none", incident=("segfault@step=145",), **asked)
    steps = [step for step in told.all(Step) if step.step == 100]
    assert len(steps) == 2
    run = simulation.run_of(told.job)
    parts = [part for part in run.timeline if part.kind == "training" and part.last <= 120]
    shown = []
    for attempt, step in enumerate(steps, 1):
        own = [part for part in parts if part.attempt == attempt]
        job = speaker(run, own[0])
        said = [line.text for line in lines_of("megatron")[Step](step, job, logs.PIPE)]
        shown += [match["ms"] for line in said if (match := re.search(ITERATION, line))]
        # The last part goes on after the line.
        taken = sum(part.ended - part.began for part in own[:-1]) + step.at - own[-1].began
        assert float(shown[-1]) == pytest.approx(10 * taken, abs=0.06)
    assert shown[0] != shown[1]
