"""The deepspeed dialect against DeepSpeed's own formats, and its text against itself."""

import json
import re
from base64 import urlsafe_b64decode
from datetime import datetime
from itertools import pairwise
from math import exp

import pytest

from llmsim.dialects.capture import ranks_kept
from llmsim.dialects.deepspeed import lines as deepspeed
from llmsim.dialects.deepspeed.config import settings as settings_of
from llmsim.dialects.parts.statements import BARRIER, LEAKED
from llmsim.dialects.registry import lines_of
from llmsim.run import events
from tests.dialects.logs import rate as rate_of
from tests.dialects.transcripts import PIPE, Log, log, unmatched
from tests.runs import run_of

STAMP = r"\[(?P<stamp>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3})\]"
HOST = r"(?:[a-z]+-\d+: )?"
PLACE = r"\[[a-z_0-9]+\.py:\d+:\w+\]"
INFO = rf"{HOST}{STAMP} \[INFO\] "
RANK = rf"{INFO}\[logging\.py:\d+:log_dist\] \[Rank 0\] "
FLOAT = r"\d+(?:\.\d+)?(?:e[+-]\d+)?"
GROUPS = rf"\[(?P<rate>{FLOAT})(?:, {FLOAT})*\]"
MOMENTA = r"\[\(0\.9, 0\.9\d*\)(?:, \(0\.9, 0\.9\d*\))*\]"
PATH = r"[\w./-]+_states\.pt"
TORCH = rf"{INFO}\[torch_checkpoint_engine\.py:\d+:\w+\] \[Torch\] "

MEMORY = (
    rf"{INFO}\[utils\.py:\d+:see_memory_usage\] MA (?P<now>\d+\.\d+) GB {{9}}"
    r"Max_MA (?P<most>\d+\.\d+) GB {9}CA (?P<cached>\d+\.\d+) GB {9}Max_CA (?P<peak>\d+) GB "
)
PROGRESS = rf"{RANK}step=(?P<step>\d+), skipped=\d+, lr={GROUPS}, mom={MOMENTA}"
THROUGHPUT = (
    rf"{INFO}\[(?:timer|logging)\.py:\d+:\w+\] epoch=(?P<epoch>\d+)/micro_step=(?P<micro>\d+)"
    rf"/global_step=(?P<step>\d+), RunningAvgSamplesPerSec=(?P<running>{FLOAT}), "
    rf"CurrSamplesPerSec=(?P<current>{FLOAT}), MemAllocated=(?P<held>[\d.]+)GB, "
    r"MaxMemAllocated=(?P<most>[\d.]+)GB"
)
PIPELINE = (
    rf"{HOST}steps: (?P<step>\d+) loss: (?P<loss>\d+\.\d{{4}}) "
    r"iter time \(s\): (?P<seconds>\d+\.\d{3}) samples/sec: (?P<rate>\d+\.\d{3})"
)
LOSS = rf"{HOST}Epoch: (?P<epoch>\d+), Step: (?P<step>\d+), Rank: 0, loss = (?P<loss>{FLOAT})"
EVALUATED = rf"{HOST}ppl: (?P<perplexity>{FLOAT}), loss: (?P<loss>{FLOAT})"
SETTING = rf"{INFO}\[config\.py:\d+:print\]   (?P<name>\w+) (?P<dots>\.*) (?P<value>.*)"

LAUNCH = (
    (
        rf"{INFO}\[real_accelerator\.py:\d+:get_accelerator\] "
        r"Setting ds_accelerator to cuda \(auto detect\)"
    ),
    rf"{INFO}\[runner\.py:\d+:main\] cmd = (?P<command>.*)",
    (
        rf"{INFO}\[launch\.py:\d+:main\] (?:"
        r"WORLD INFO DICT: \{'.*\]\}"
        r"|nnodes=\d+, num_local_procs=\d+, node_rank=\d+"
        r"|global_rank_mapping=defaultdict\(<class 'list'>, \{'.*\]\}\)"
        r"|dist_world_size=\d+|Setting CUDA_VISIBLE_DEVICES=[\d,]+"
        r"|process \d+ spawned with command: \['.*'\]|Process \d+ exits successfully\.)"
    ),
    (
        rf"{INFO}\[comm\.py:\d+:init_distributed\] (?:cdb=None|"
        r"Initializing TorchBackend in DeepSpeed with backend nccl)"
    ),
    (
        rf"{INFO}\[partition_parameters\.py:\d+:__exit__\] "
        r"finished initializing model - num_params = \d+, num_elems = \d+\.\d\dB"
    ),
    (
        rf"{HOST}Using /root/\.cache/torch_extensions/py3\d+_(?:cu\d+|cpu) "
        r"as PyTorch extensions root\.\.\."
    ),
    rf"{HOST}Detected CUDA files, patching ldflags",
    rf"{HOST}Emitting ninja build file .*/build\.ninja\.\.\.",
    rf"{HOST}(?:Building|Loading) extension module fused_adam\.\.\.",
    (
        rf"{HOST}(?:/usr/local/lib/python3\.\d+/dist-packages/torch/utils/cpp_extension\.py:\d+: "
        r"UserWarning|\[rank\d+\]:W\d{4} [\d:.]{15} \d+ torch/utils/cpp_extension\.py:2425\]):? "
        r"TORCH_CUDA_ARCH_LIST is not set, all archs for visible cards are included for "
        r"compilation\. ?"
    ),
    (
        rf"{HOST}(?:\[rank\d+\]:W\d{{4}} [\d:.]{{15}} \d+ torch/utils/cpp_extension\.py:2425\] )?"
        r"If this is not desired, please set os\.environ\['TORCH_CUDA_ARCH_LIST'\]"
        r"(?: to specific architectures)?\."
    ),
    rf"{HOST}  warnings\.warn\(",
    (
        rf"{HOST}Allowing ninja to set a default number of workers\.\.\. \(overridable by "
        r"setting the environment variable MAX_JOBS=N\)"
    ),
    rf"{HOST}ninja: no work to do\.",
    rf"{HOST}Time to load fused_adam op: {FLOAT} seconds",
    rf"{HOST}SEED_LAYERS=False BASE_SEED=\d+ SEED_FN=None",
    (
        rf"{HOST}(?:{STAMP} \[INFO\] \[module\.py:\d+:_partition_layers\] )?"
        r"Partitioning pipeline stages with method type:transformer"
    ),
    (
        rf"{INFO}\[engine\.py:\d+:__init__\] (?:CONFIG: micro_batches=\d+ micro_batch_size=\d+"
        r"|is_pipe_partitioned= \w+ is_grad_partitioned= \w+"
        r"|RANK=\d+ STAGE=\d+ LAYERS=\d+ \[\d+, \d+\) STAGE_PARAMS=\d+ \(\d+\.\d{3}M\) "
        r"TOTAL_PARAMS=\d+ \(\d+\.\d{3}M\) UNIQUE_PARAMS=\d+ \(\d+\.\d{3}M\))"
    ),
    rf"{HOST}stage=\d+ layers=\d+",
    rf"{HOST} +\d+: \w+",
    rf"{HOST}  loss: CrossEntropy",
)
ENGINE = (
    rf"{RANK}DeepSpeed info: version=[\d.]+, git-hash=\w+, git-branch=\w+",
    rf"{INFO}\[config\.py:\d+:__init__\] Config mesh_device None world_size = \d+",
    rf"{RANK}DeepSpeed Flops Profiler Enabled: False",
    rf"{RANK}Using client Optimizer as basic optimizer",
    rf"{RANK}Removing param_group that has no 'params' in the basic Optimizer",
    rf"{RANK}DeepSpeed (?:Basic|Final) Optimizer = \w+",
    (
        rf"{INFO}\[utils\.py:\d+:is_zero_supported_optimizer\] "
        r"Checking ZeRO support for optimizer=\w+ type=<class '[\w.]+'>"
    ),
    (
        rf"{RANK}Creating fp16 ZeRO stage 3 optimizer, MiCS is enabled False, Hierarchical params "
        r"gather False"
    ),
    rf"{RANK}Creating torch\.bfloat16 ZeRO stage [123] optimizer",
    (
        rf"{INFO}\[stage\w+\.py:\d+:\w+\] (?:(?:Reduce|Allgather|Prefetch) bucket size \d+"
        r"|CPU Offload: False|Round robin gradient partitioning: False|optimizer state initialized)"
    ),
    (
        rf"{INFO}\[utils\.py:\d+:see_memory_usage\] (?:Stage 3 initialize beginning"
        r"|DeepSpeedZeRoOffload initialize \[(?:begin|end)\]"
        r"|(?:Before|After) creating fp(?:16|32) partitions(?:: \d+)?"
        r"|(?:Before|After) initializing optimizer states|After initializing ZeRO optimizer)"
    ),
    MEMORY,
    (
        rf"{INFO}\[utils\.py:\d+:see_memory_usage\] "
        r"CPU Virtual Memory:  used = \d+\.\d+ GB, percent = \d+\.\d%"
    ),
    rf"{HOST}Parameter Offload: Total persistent parameters: \d+ in \d+ params",
    rf"{RANK}DeepSpeed using (?:configured|client) LR scheduler(?: = None)?",
    rf"{RANK}DeepSpeed LR Scheduler = .*",
    rf"{INFO}\[config\.py:\d+:print\] DeepSpeedEngine configuration:",
    SETTING,
    rf"{INFO}\[config\.py:\d+:print_user_config\]   json = \{{",
    rf'{HOST} *"\w+": .+',
    rf"{HOST} *\}}(?:, )?",
)
SCRIPT = (
    rf"{HOST}\*\*\*\*\* Running training \*\*\*\*\*",
    rf"{HOST}Beginning of Epoch \d+/\d+, Total Micro Batches \d+",
    rf"{HOST}\*\*\*\*\* Evaluating perplexity, Epoch \d+/\d+ \*\*\*\*\*",
    rf"{HOST}saving the final model \.\.\.",
    EVALUATED,
    LOSS,
)
CHECKPOINT = (
    rf"{RANK}\[Torch\] Checkpoint global_step\d+ is about to be saved!",
    rf"{INFO}\[logging\.py:107:log_dist\] \[Rank [01]\] Saving model checkpoint: {PATH}",
    rf"{TORCH}Saving {PATH}\.\.\.",
    rf"{TORCH}Saved {PATH}\.",
    rf"{INFO}\[engine\.py:\d+:_save_zero_checkpoint\] (?:bf16_)?zero checkpoint saved {PATH}",
    rf"{TORCH}Checkpoint global_step\d+ is ready now!",
    rf"{TORCH}(?:Loading|Loaded) checkpoint from {PATH}\.(?:\.\.)?",
    rf"{INFO}\[engine\.py:\d+:\w+\] successfully read \d+ ZeRO state_dicts for rank \d+",
    rf"{INFO}\[engine\.py:\d+:\w+\] loading \d+ zero partition checkpoints for rank \d+",
)
SHARED = [f"{HOST}(?:{one.text})" for one in (*BARRIER, *LEAKED)]
PATTERNS = (*SHARED, *LAUNCH, *ENGINE, PROGRESS, THROUGHPUT, PIPELINE, *SCRIPT, *CHECKPOINT)

# Of a run of 2025-02-20 with 0.15.4, of BigScience's, and of DeepSpeed's issues.
AT = "[2025-02-20 02:13:56,542] [INFO] "
REAL = f"""\
{AT}[real_accelerator.py:219:get_accelerator] Setting ds_accelerator to cuda (auto detect)
{AT}[comm.py:652:init_distributed] cdb=None
{AT}[comm.py:683:init_distributed] Initializing TorchBackend in DeepSpeed with backend nccl
{AT}[config.py:733:__init__] Config mesh_device None world_size = 8
{AT}[logging.py:128:log_dist] [Rank 0] DeepSpeed info: version=0.15.4, git-hash=unknown, \
git-branch=unknown
{AT}[logging.py:128:log_dist] [Rank 0] DeepSpeed Flops Profiler Enabled: False
{AT}[logging.py:128:log_dist] [Rank 0] Using client Optimizer as basic optimizer
{AT}[logging.py:128:log_dist] [Rank 0] Removing param_group that has no 'params' in the basic \
Optimizer
{AT}[logging.py:128:log_dist] [Rank 0] DeepSpeed Basic Optimizer = AdamW
{AT}[utils.py:59:is_zero_supported_optimizer] Checking ZeRO support for optimizer=AdamW \
type=<class 'torch.optim.adamw.AdamW'>
{AT}[logging.py:128:log_dist] [Rank 0] Creating torch.bfloat16 ZeRO stage 2 optimizer
{AT}[stage_1_and_2.py:149:__init__] Reduce bucket size 500000000
{AT}[stage_1_and_2.py:150:__init__] Allgather bucket size 500000000
{AT}[stage_1_and_2.py:151:__init__] CPU Offload: False
{AT}[stage_1_and_2.py:152:__init__] Round robin gradient partitioning: False
{AT}[utils.py:781:see_memory_usage] Before initializing optimizer states
{AT}[utils.py:782:see_memory_usage] MA 6.57 GB         Max_MA 6.57 GB         CA 6.65 GB         \
Max_CA 7 GB \n{AT}[utils.py:789:see_memory_usage] CPU Virtual Memory:  used = 258.62 GB, \
percent = 12.8%
{AT}[stage_1_and_2.py:544:__init__] optimizer state initialized
{AT}[logging.py:128:log_dist] [Rank 0] DeepSpeed Final Optimizer = DeepSpeedZeroOptimizer
{AT}[logging.py:128:log_dist] [Rank 0] DeepSpeed using configured LR scheduler = None
{AT}[logging.py:128:log_dist] [Rank 0] DeepSpeed LR Scheduler = None
{AT}[logging.py:128:log_dist] [Rank 0] step=0, skipped=0, lr=[0.0, 0.0], \
mom=[(0.9, 0.999), (0.9, 0.999)]
{AT}[logging.py:128:log_dist] [Rank 0] step=10, skipped=6, lr=[9.65e-06], mom=[(0.9, 0.95)]
{AT}[config.py:999:print] DeepSpeedEngine configuration:
Parameter Offload: Total persistent parameters: 121344 in 73 params
steps: 1 loss: 12.7902 iter time (s): 150.471 samples/sec: 6.805
steps: 2 loss: 12.8004 iter time (s): 145.206 samples/sec: 7.052
SEED_LAYERS=False BASE_SEED=1234 SEED_FN=None
Partitioning pipeline stages with method type:transformer
stage=0 layers=7
     0: _to_float16
  loss: CrossEntropy
Using /root/.cache/torch_extensions/py311_cu124 as PyTorch extensions root...
Detected CUDA files, patching ldflags
/usr/local/lib/python3.10/dist-packages/torch/utils/cpp_extension.py:2059: UserWarning: \
TORCH_CUDA_ARCH_LIST is not set, all archs for visible cards are included for compilation.
If this is not desired, please set os.environ['TORCH_CUDA_ARCH_LIST'].
  warnings.warn(
[rank0]:W1228 16:05:29.287000 152 torch/utils/cpp_extension.py:2425] TORCH_CUDA_ARCH_LIST is not \
set, all archs for visible cards are included for compilation.
[rank0]:W1228 16:05:29.287000 152 torch/utils/cpp_extension.py:2425] If this is not desired, \
please set os.environ['TORCH_CUDA_ARCH_LIST'] to specific architectures.
Building extension module fused_adam...
Allowing ninja to set a default number of workers... (overridable by setting the environment \
variable MAX_JOBS=N)
ninja: no work to do.
Loading extension module fused_adam...
Time to load fused_adam op: 0.0567 seconds
"""

# A model so large that it is cut into stages, on more nodes than the launcher starts.
PIPED = {"model": "Basalt-405B", "recipe": "pretrain", "gpus": 256, "gpu": "NVIDIA H100 80GB HBM3"}


def told_by(seed: int) -> Log:
    return log("deepspeed", seed)


@pytest.mark.parametrize("seed", range(20))
def test_every_line_is_one_of_the_frameworks(seed: int) -> None:
    assert unmatched(told_by(seed).lines, PATTERNS) == []


def test_the_real_lines_are_matched_too() -> None:
    assert unmatched(REAL.splitlines(), PATTERNS) == []


@pytest.mark.parametrize("seed", range(4))
def test_every_process_reads_its_part_of_a_checkpoint(seed: int) -> None:
    """engine.py, load_checkpoint: the model, a stage's modules, the optimizer's part."""
    told = log("deepspeed", seed, incident=("segfault@60%",), tidy=True)
    ranks, layout = ranks_kept(told.job), told.job.layout
    read = told.found(
        rf"{INFO}\[engine\.py:3212:\w+\] successfully read (?P<parts>\d+) "
        r"ZeRO state_dicts for rank (?P<rank>\d+)"
    )
    before = told.job.schedule.first_step - 1  # a part of a longer run loads a checkpoint, too
    assert [int(match["rank"]) for match in read] == [*ranks] * (1 + (before > 0))
    assert {int(match["parts"]) for match in read} == {layout.dp}
    loading = told.found(rf"{TORCH}Loading checkpoint from (?P<path>{PATH})\.\.\.")
    loaded = told.found(rf"{TORCH}Loaded checkpoint from (?P<path>{PATH})\.")
    assert sorted(m["path"] for m in loading) == sorted(m["path"] for m in loaded)
    written = {m["path"] for m in told.found(rf"{TORCH}Saved (?P<path>{PATH})\.")}
    if told.job.capture == "all" or layout.nodes == 1:
        ours = {m["path"] for m in loaded if f"global_step{before}/" not in m["path"]}
        assert ours <= written


def user_config(told: Log) -> dict[str, object]:
    """ds_config.json as the log shows it."""
    lines = [re.sub(rf"^{HOST}", "", line) for line in told.lines]
    begin = next(index for index, line in enumerate(lines) if line.endswith("json = {"))
    end = lines.index("}", begin)
    read = json.loads("{" + "".join(lines[begin + 1 : end + 1]))
    assert isinstance(read, dict)
    return read


def settings(told: Log) -> dict[str, str]:
    """The engine's settings."""
    return {match["name"]: match["value"] for match in told.found(SETTING)}


@pytest.mark.parametrize("seed", range(50))
def test_the_configuration_agrees_with_the_job_and_itself(seed: int) -> None:
    told = told_by(seed)
    config, known = user_config(told), settings(told)
    layout, schedule = told.job.layout, told.job.schedule
    micro, steps = (
        config["train_micro_batch_size_per_gpu"], config["gradient_accumulation_steps"]
    )  # fmt: skip
    assert isinstance(micro, int)
    assert isinstance(steps, int)
    assert config["train_batch_size"] == micro * steps * int(known["world_size"])
    assert config["train_batch_size"] == schedule.global_batch
    for name in ("train_batch_size", "train_micro_batch_size_per_gpu", "steps_per_print"):
        assert float(known[name]) == config[name]
    zero = config["zero_optimization"]
    assert isinstance(zero, dict)
    assert known["zero_optimization_stage"] == f"{zero['stage']}"
    if layout.pp == 1:
        assert (zero["stage"] == 3) == (layout.sharding in ("zero3", "fsdp2"))
    created = told.found(rf"{RANK}Creating torch\.bfloat16 ZeRO stage (?P<stage>\d) optimizer")
    assert [match["stage"] for match in created] == ([f"{zero['stage']}"] if zero["stage"] else [])
    for match in told.found(SETTING):
        assert len(match["name"]) + len(match["dots"]) == max(29, len(match["name"]))


@pytest.mark.parametrize("seed", range(50))
def test_steps_agree_with_each_other(seed: int) -> None:
    told = told_by(seed)
    config = user_config(told)
    every, batch = config["steps_per_print"], config["train_batch_size"]
    assert isinstance(every, int | float)  # DeepSpeed prints 5,000 as 5.000000e+03
    every = int(every)
    assert isinstance(batch, int | float)
    first, *progress = told.found(PROGRESS)
    assert (first["step"], float(first["rate"])) == ("0", 0.0)
    steps = [int(match["step"]) for match in progress]
    found = told.job.schedule.first_step - 1
    assert steps == [*range(found // every * every + every, steps[-1] + 1, every)]
    rates = [float(match["rate"]) for match in progress]
    top = rates.index(max(rates))
    assert rates[:top] == sorted(rates[:top])
    assert rates[top:] == sorted(rates[top:], reverse=True)

    if told.job.layout.pp > 1:
        for match in told.found(PIPELINE):
            rate = batch / float(match["seconds"])
            assert float(match["rate"]) == pytest.approx(rate, rel=2e-3, abs=6e-4)
        return
    losses, throughputs = told.found(LOSS), told.found(THROUGHPUT)
    assert len(losses) == len(steps)
    assert [int(match["step"]) for match in throughputs] == [step for step in steps if step > 2]
    for loss, match in zip(losses[-len(throughputs) :], throughputs, strict=True):
        assert loss["epoch"] == match["epoch"]
        assert int(loss["step"]) + 1 == int(match["micro"])
        assert float(match["held"]) <= float(match["most"])


@pytest.mark.parametrize("seed", range(10))
def test_the_rate_is_that_of_a_scheduler_stepped_as_often(seed: int) -> None:
    """LambdaLR's, n steps after its 0: the engine steps it before it reports."""
    told = told_by(seed)
    schedule = told.job.schedule
    _, *progress = told.found(PROGRESS)
    for match in progress:
        step = int(match["step"])
        expected = rate_of(
            step,
            schedule.steps,
            schedule.warmup,
            schedule.peak_lr,
            schedule.final_lr,
            schedule.decay,
        )
        assert float(match["rate"]) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(50))
def test_between_two_steps_passes_what_the_running_averages_say(seed: int) -> None:
    told = told_by(seed)
    batch = told.job.schedule.global_batch
    for stretch in re.split(r"Evaluating perplexity|about to be saved", told.text):
        matches = Log(told.job, tuple(stretch.split("\n"))).found(THROUGHPUT)
        for before, after in pairwise(matches):
            spent = [(int(m["step"]) - 2) * batch / float(m["running"]) for m in (before, after)]
            passed = (instant(after) - instant(before)).total_seconds()
            assert passed == pytest.approx(spent[1] - spent[0], abs=2e-3)


def instant(match: re.Match[str]) -> datetime:
    return datetime.strptime(match["stamp"], "%Y-%m-%d %H:%M:%S,%f")


@pytest.mark.parametrize("seed", range(50))
def test_time_never_goes_back(seed: int) -> None:
    told = told_by(seed)
    stamps = [instant(match) for match in told.found(rf"{INFO}.*")]
    assert stamps == sorted(stamps)


def waits_of(told: Log) -> dict[str, float]:
    """Seconds of each look at the memory since the look before it."""
    begun = [
        (match["text"], instant(match))
        for match in told.found(rf"{INFO}\[utils\.py:781:see_memory_usage\] (?P<text>.*)")
    ]
    return {text: (at - before).total_seconds() for (_, before), (text, at) in pairwise(begun)}


def test_the_states_of_a_full_gpu_take_more_than_a_second() -> None:
    told = log("deepspeed", 1, model="ButtGPT-7B", gpus=2, steps=300)
    held = [float(match["gb"]) for match in told.found(rf"{INFO}.* MA (?P<gb>[\d.]+) GB .*")]
    assert held[-1] > 50  # GB of weights and states that were made
    assert sum(waits_of(told).values()) > 1


@pytest.mark.parametrize("seed", range(20))
def test_the_looks_at_memory_are_as_far_apart_as_what_they_look_at(seed: int) -> None:
    """see_memory_usage collects garbage; copies of weights and Adam's states take the longest."""
    waits = waits_of(told_by(seed))
    assert all(wait >= 0.004 for wait in waits.values())
    heavy = ("After creating fp32 partitions", "After initializing optimizer states")
    for text in heavy:
        if text in waits:
            assert waits[text] >= 2 * waits["After initializing ZeRO optimizer"]


@pytest.mark.parametrize("seed", range(50))
def test_memory_is_what_the_optimizer_needs(seed: int) -> None:
    told = told_by(seed)
    looks = told.found(MEMORY)
    assert bool(looks) == ("ZeRO stage" in told.text)
    for match in looks:
        now, most, cached = (float(match[name]) for name in ("now", "most", "cached"))
        assert now <= most <= cached + 0.006
        assert abs(cached - int(match["peak"])) <= 0.5 + 0.006
    peaks = [float(match["cached"]) for match in looks]
    assert peaks == sorted(peaks)
    throughputs = told.found(THROUGHPUT)
    if looks and throughputs:
        assert float(looks[-1]["now"]) <= float(throughputs[-1]["held"]) + 0.011


@pytest.mark.parametrize("seed", range(50))
def test_perplexity_is_that_of_the_loss(seed: int) -> None:
    evaluated = told_by(seed).found(EVALUATED)
    assert evaluated
    for match in evaluated:
        assert float(match["perplexity"]) == pytest.approx(exp(float(match["loss"])), rel=1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_every_save_becomes_ready(seed: int) -> None:
    told = told_by(seed)
    begun = told.found(rf"{RANK}\[Torch\] Checkpoint (?P<tag>\w+) is about to be saved!")
    ready = told.found(rf"{TORCH}Checkpoint (?P<tag>\w+) is ready now!")
    assert [match["tag"] for match in begun] == [*dict.fromkeys(match["tag"] for match in ready)]
    assert len(ready) == len(begun) * len(ranks_kept(told.job))  # every process commits
    saving = told.found(rf"{TORCH}Saving (?P<path>{PATH})\.\.\.")
    saved = told.found(rf"{TORCH}Saved (?P<path>{PATH})\.")
    assert [match["path"] for match in saving] == [match["path"] for match in saved]


def test_stage_3_has_its_weights_in_the_optimizers_files() -> None:
    """Its model files hold shapes: bf16 weights are made from the fp32 parts (zero_to_fp32.py)."""
    stages = set()
    for seed in range(20):
        told = told_by(seed)
        model, optimizer = (
            r"\S+/(?:zero_pp_rank_0_)?mp_rank_00_model_states\.pt",
            (r"\S+_pp_rank_0_mp_rank_00_optim_states\.pt"),
        )
        first = model if told.job.layout.pp == 1 else r"\S+/layer_00-model_00-model_states\.pt"
        times = [
            [instant(match) for match in told.found(line)]
            for line in (
                rf"{TORCH}Saving {first}\.\.\.", rf"{TORCH}Saved {model}\.",
                rf"{TORCH}Saved {optimizer}\."
            )
        ]  # fmt: skip
        if not times[2]:
            continue
        stages.add(told.job.layout.sharding)
        for began, switched, ended in zip(*times, strict=True):
            part = (switched - began) / (ended - began)
            if told.job.layout.sharding == "zero3":
                assert part < 0.01
            else:
                assert part == pytest.approx(2 / 14, abs=0.01)
    assert {"zero3", "zero1"} <= stages


def test_the_launcher_knows_the_world() -> None:
    for seed in range(20):
        told = told_by(seed)
        (cmd,) = told.found(LAUNCH[1])
        if told.job.layout.nodes > 8:  # a cluster of Slurm's, which starts the processes
            assert cmd["command"].startswith(f"srun -n {told.job.layout.gpus} ")
            continue
        world = re.search(r"--world_info=(\S+)", cmd["command"])
        assert world
        hosts = json.loads(urlsafe_b64decode(world[1]))
        assert sum(map(len, hosts.values())) == told.job.layout.gpus
        spawned = re.findall(r"process (\d+) spawned", told.text)
        ended = re.findall(r"Process (\d+) exits", told.text)
        assert spawned == ended
        assert len(spawned) == told.job.layout.gpus


def test_a_pipeline_speaks_of_steps_and_a_large_cluster_of_slurm() -> None:
    run = run_of(2, dialect="deepspeed", **PIPED)
    table = lines_of("deepspeed")
    lines = [
        line.text
        for event in run.events
        if (tell := table.get(type(event)))
        for line in tell(event, run.job, PIPE)
    ]
    assert unmatched(lines, PATTERNS) == []
    told = Log(run.job, tuple(lines))
    assert run.job.layout.pp > 1
    assert len(told.found(PIPELINE)) == len(told.found(PROGRESS)) - 1
    assert not told.found(THROUGHPUT)
    assert "cmd = srun -n 256 " in told.text
    assert "launch.py" not in told.text


def test_the_table_of_events_is_whole() -> None:
    assert set(deepspeed.LINES) >= {events.Step, events.Validated, events.TrainerReady}


def test_every_setting_of_the_release_is_there() -> None:
    """Counted in DeepSpeedConfig of runtime/config.py (v0.16.5), without _param_dict."""
    for seed in range(5):
        assert len({name for name, _ in settings_of(told_by(seed).job)}) == 76


def test_a_pipelines_grid_names_each_part_of_the_model_once() -> None:
    """runtime/pipe/topology.py: axes pipe, data, model; a part's number counts stages and slices.

    module.py: data rank 0 writes a file for each module and slice of its stage.
    """
    for seed in range(4):
        told = log("deepspeed", seed, recipe="pretrain", model="Basalt-8B", gpus=16, tp=2, pp=4)
        layout = told.job.layout
        assert (layout.pp, told.job.capture) == (4, "all")
        saved = [match["path"] for match in told.found(rf"{TORCH}Saved (?P<path>{PATH})\.")]
        last = [
            path.rpartition("/")[2] for path in saved if f"step{told.job.schedule.steps}/" in path
        ]
        assert len(set(last)) == len(last)
        models = {name for name in last if name.startswith("mp_rank_")}
        parts = layout.pp * layout.tp
        assert models == {f"mp_rank_{part:02d}_model_states.pt" for part in range(parts)}
        assert sum("_optim_states" in name for name in last) == layout.gpus
        modules = told.job.architecture.layers + 3  # embedding, norm and head
        assert sum(name.startswith("layer_") for name in last) == modules * layout.tp
        stages = re.findall(r"STAGE=(\d+) LAYERS=(\d+) \[(\d+), (\d+)\)", told.text)
        spans = sorted({(int(a), int(b)) for _, _, a, b in stages})
        assert spans[0][0] == 0
        assert spans[-1][1] == modules
        assert all(before[1] == after[0] for before, after in pairwise(spans))


def test_a_hang_over_pdsh_names_the_host_of_each_row_and_the_stuck_process_holds_its_launcher() -> (
    None
):
    """launch.py kills its processes one after another and waits up to 30 s for each; its last
    line repeats the command that it started last.
    """
    run = run_of(7, dialect="deepspeed", gpu="NVIDIA H100 80GB HBM3", gpus=16,
                 incident=("nccl-timeout@50%:rank=2",))  # fmt: skip
    table, spoken = lines_of("deepspeed"), list[str]()
    for event in run.events:
        if isinstance(event, events.Symptom):
            for line in table[events.Symptom](event, run.job, PIPE):
                spoken += line.text.split("\n")
    assert spoken
    assert all(re.match(r"[a-z]+-0[12]: ", row) for row in spoken)
    ended = [row for row in spoken if "sigkill_handler" in row]
    assert sum("--local_rank=7', '--model_name_or_path'" in row for row in ended) == 2
    times: dict[str, list[datetime]] = {}
    for row in ended:
        host, _, rest = row.partition(": ")
        times.setdefault(host, []).append(datetime.strptime(rest[1:20], "%Y-%m-%d %H:%M:%S"))
    waits = sorted((max(each) - min(each)).total_seconds() for each in times.values())
    assert waits[0] == 0.0
    assert 30.0 <= waits[1] <= 34.0
