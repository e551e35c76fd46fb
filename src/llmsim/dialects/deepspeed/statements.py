"""What DeepSpeed 0.16.5 prints under its launcher, statement by statement, and the script's own.

The logger speaks at INFO in every process; what `log_dist` prints has its ranks. pdsh puts the
node's name before the lines of its processes. Places are files of deepspeed/, main.py is the
script of DeepSpeed-Chat's first step.
"""

from collections.abc import Iterable

from llmsim.dialects import statement
from llmsim.dialects.capture import nodes_kept, ranks_kept
from llmsim.dialects.deepspeed import extension, occasions, pipeline, training
from llmsim.dialects.deepspeed.log_lines import has_launcher, zero_stage
from llmsim.dialects.parts.statements import BARRIER, LEAKED
from llmsim.dialects.statement import Statement, Steps, where
from llmsim.job.milestones import saved_steps, validated_steps
from llmsim.job.records import Job
from llmsim.physics.learning import loss_scale

_HOST = r"(?:[\w-]+: )?"
_STAMP = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\] \[INFO\] "
_FLOAT = r"\d+(?:\.\d+)?(?:e[+-]?\d+)?"
_FILE = r"checkpoints/[\w.-]+/global_step\d+/[\w-]+_states\.pt"
_GIB = r"\d+\.\d+ GB {9}"
_OVERFLOW = r"\[deepspeed\] OVERFLOW! Rank 0 Skipping step\. Attempted loss scale: \d+"


def _info(
    name: str, place: str, text: str, steps: Steps | None = statement.once, ranks: str = "each",
    folder: str = "", guard: str = "",
) -> Statement:  # fmt: skip
    """A message of the logger; its place, file:line:function, stands in the line."""
    shown = place.replace(".", r"\.")
    line = rf"{_HOST}{_STAMP}\[{shown}\] {text}"
    return Statement(name, folder + place, line, steps, ranks, guard)


def _overflows(job: Job, *, halves: bool) -> list[int]:
    """The steps that fp16's loss scaler skips, and in which the scale halves, or does not yet."""
    skipped = loss_scale.skips(job, job.schedule.first_step, job.schedule.steps)
    return [step for step in skipped if (loss_scale.scaled(job, step).patience == 1) == halves]


def _rank_zero(
    name: str, place: str, text: str, steps: Steps = statement.once, guard: str = ""
) -> Statement:
    """A message of log_dist(ranks=[0]), which shows its own place."""
    line = rf"{_HOST}{_STAMP}\[logging\.py:107:log_dist\] \[Rank 0\] {text}"
    return Statement(name, place, line, steps, "0", guard or "ranks=[0]")


def _plain(
    name: str, place: str, text: str, steps: Steps | None = statement.once, ranks: str = "0"
) -> Statement:
    return Statement(name, place, _HOST + text, steps, ranks)


def _sharded(job: Job) -> bool:
    """Whether ZeRO shards the weights: stage 3."""
    return zero_stage(job) == 3


def _kept_whole(job: Job) -> bool:
    return zero_stage(job) in (1, 2)


def _piped(job: Job) -> bool:
    return job.layout.pp > 1


def _unpiped(job: Job) -> bool:
    return job.layout.pp == 1


def _found(job: Job) -> Iterable[int]:
    """The accelerator is found by the runner, each launcher and each process."""
    launchers = len(nodes_kept(job)) if has_launcher(job) else 0
    return range(1 + launchers + len(ranks_kept(job)))


def _configured(job: Job) -> Iterable[int]:
    """zero.Init reads the configuration, too."""
    return (0, 0) if _sharded(job) else (0,)


def _shown(job: Job) -> Iterable[int]:
    """Steps at which the engine reports: steps_per_print."""
    every, first = job.schedule.log_every, job.schedule.first_step
    return range(-(-first // every) * every, job.schedule.steps + 1, every)


def _stages(job: Job) -> Iterable[int]:
    return range(job.layout.pp)


def _modules(job: Job) -> Iterable[int]:
    return [0 for stage in _stages(job) for _ in pipeline.modules(job, stage)[1]]


def _first_copies(job: Job) -> Iterable[int]:
    """Processes with data rank 0, of the nodes whose output the log has."""
    return [0 for rank in ranks_kept(job) if not pipeline.place(job, rank)[1]]


def _seen(job: Job) -> Iterable[int]:
    """Reports of memory: see_memory_usage(force=True)."""
    return range(10 if _sharded(job) else 3)


def _writers(job: Job) -> list[int]:
    return [rank for rank in ranks_kept(job) if training.writes_model(job, rank)]


def _models_told(job: Job) -> Iterable[int]:
    told = [rank for rank in _writers(job) if rank in (0, 1)]
    return [0 for _ in saved_steps(job) for _ in told]


def _files(job: Job) -> Iterable[int]:
    """Each file of each save: modules', models' and the optimizer's parts."""
    layers = [
        0
        for rank in _writers(job)
        if _piped(job)
        for _ in training.layer_files(job, 1, rank)
    ]  # fmt: skip
    parts = [0 for _ in ranks_kept(job)] if zero_stage(job) else []
    return [0 for _ in saved_steps(job) for _ in (*layers, *_writers(job), *parts)]


def _parts(job: Job) -> Iterable[int]:
    return statement.saved(job)


_TORCH, _ZERO = "torch_checkpoint_engine.py", "stage_1_and_2.py"
_CPP = "torch/utils/cpp_extension.py"
_UNSET = (
    "TORCH_CUDA_ARCH_LIST is not set, all archs for visible cards are included for compilation\\. "
)
_ADVICE = r"If this is not desired, please set os\.environ\['TORCH_CUDA_ARCH_LIST'\]"
_TORCH_LOG = r"\[rank\d+\]:W\d{4} \d\d:\d\d:\d\d\.\d{6} \d+ torch/utils/cpp_extension\.py:2425\]"
_WORKERS = (
    r"Allowing ninja to set a default number of workers\.\.\. \(overridable by setting the "
    r"environment variable MAX_JOBS=N\)"
)
_LOUD = where(extension.speaks)
_WARNED = where(lambda job: extension.speaks(job) and extension.on_cuda(job))
_LOGGED = where(lambda job: not extension.speaks(job) and extension.on_cuda(job))
_ROOT = r"/root/\.cache/torch_extensions/py3\d+_(?:cu\d+|cpu)"

STATEMENTS = (
    *(each._replace(text=f"{_HOST}(?:{each.text})") for each in (*BARRIER, *LEAKED)),
    # --- the launcher ---
    _info("accelerator", "real_accelerator.py:239:get_accelerator",
          r"Setting ds_accelerator to cuda \(auto detect\)", _found, "0"),
    _info("command", "runner.py:605:main", "cmd = .*", ranks="0"),
    *(_info(name, f"launch.py:{number}:main", text, where(has_launcher), "launcher")
      for name, number, text in (
          ("world", 146, r"WORLD INFO DICT: \{'.*\]\}"),
          ("nodes", 152, r"nnodes=\d+, num_local_procs=\d+, node_rank=\d+"),
          ("mapping", 163, r"global_rank_mapping=defaultdict\(<class 'list'>, \{'.*\]\}\)"),
          ("size", 164, r"dist_world_size=\d+"),
          ("devices", 168, r"Setting CUDA_VISIBLE_DEVICES=[\d,]+"),
      )),
    _info("spawned", "launch.py:256:main", r"process \d+ spawned with command: \['.*'\]",
          where(has_launcher)),
    _info("exits", "launch.py:351:main", r"Process \d+ exits successfully\.",
          where(has_launcher)),
    # --- the model ---
    _info("backend", "comm.py:658:init_distributed", "cdb=None"),
    _info("torch", "comm.py:689:init_distributed",
          "Initializing TorchBackend in DeepSpeed with backend nccl", ranks="0",
          guard="RANK == 0"),
    _info("configured", "config.py:734:__init__",
          r"Config mesh_device None world_size = \d+", _configured),
    _plain("layer-seeds", "runtime/pipe/module.py:160",
           r"SEED_LAYERS=False BASE_SEED=\d+ SEED_FN=None", where(_piped)),
    _info("partitioning", "module.py:398:_partition_layers",
          "Partitioning pipeline stages with method type:transformer", where(_piped), "0"),
    _plain("stage", "runtime/pipe/module.py:425", r"stage=\d+ layers=\d+", where(_piped, _stages)),
    _plain("module", "runtime/pipe/module.py:437", r" {4}[ \d]+: \w+", where(_piped, _modules)),
    _plain("stage-loss", "runtime/pipe/module.py:440", "  loss: CrossEntropy", where(_piped)),
    _info("zero-init", "partition_parameters.py:348:__exit__",
          r"finished initializing model - num_params = \d+, num_elems = \d+\.\d\dB",
          where(_sharded), "0", guard="dist.get_rank() == 0"),
    # --- the optimizer's extension ---
    _plain("root", _CPP, rf"Using {_ROOT} as PyTorch extensions root\.\.\.", _LOUD, "each"),
    *(_plain(name, place, text, steps, "launcher") for name, place, text, steps in (
        ("cuda-files", _CPP, "Detected CUDA files, patching ldflags", _LOUD),
        ("emitting", _CPP, rf"Emitting ninja build file {_ROOT}/fused_adam/build\.ninja\.\.\.",
         _LOUD),
        ("archs", f"{_CPP}:2059, 2356", rf"/[\w./-]+/{_CPP}:(?:2059|2356): UserWarning: {_UNSET}",
         _WARNED),
        ("archs-advice", _CPP, rf"{_ADVICE}\.", _WARNED),
        ("archs-code", _CPP, r"  warnings\.warn\(", _WARNED),
        ("archs-logged", f"{_CPP}:2425", rf"{_TORCH_LOG} {_UNSET}", _LOGGED),
        ("advice-logged", f"{_CPP}:2425", rf"{_TORCH_LOG} {_ADVICE} to specific architectures\.",
         _LOGGED),
        ("building", _CPP, r"Building extension module fused_adam\.\.\.", _LOUD),
        ("workers", _CPP, _WORKERS, _LOUD),
        ("ninja", "ninja", r"ninja: no work to do\.", statement.once),
    )),
    _plain("loading", _CPP, r"Loading extension module fused_adam\.\.\.", _LOUD, "each"),
    _plain("loaded", "ops/op_builder/builder.py:560",
           rf"Time to load fused_adam op: {_FLOAT} seconds", ranks="each"),
    # --- the engine ---
    _rank_zero("version", "__init__.py:132",
               r"DeepSpeed info: version=0\.16\.5, git-hash=\w+, git-branch=\w+"),
    _rank_zero("flops", "runtime/engine.py:293", "DeepSpeed Flops Profiler Enabled: False"),
    _rank_zero("client-optimizer", "runtime/engine.py:1367",
               "Using client Optimizer as basic optimizer"),
    _rank_zero("no-params", "runtime/engine.py:1378",
               "Removing param_group that has no 'params' in the basic Optimizer"),
    _rank_zero("basic", "runtime/engine.py:1383", "DeepSpeed Basic Optimizer = FusedAdam"),
    _info("supported", "utils.py:59:is_zero_supported_optimizer",
          r"Checking ZeRO support for optimizer=FusedAdam type=<class '[\w.]+'>",
          where(lambda job: zero_stage(job) > 0), "0", "runtime/zero/"),
    _rank_zero("mics", "runtime/engine.py:1704",
               "Creating fp16 ZeRO stage 3 optimizer, MiCS is enabled False, Hierarchical params "
               "gather False", where(_sharded)),
    _rank_zero("creating", "runtime/engine.py:1640, 1712",
               r"Creating torch\.b?float16 ZeRO stage [123] optimizer",
               where(lambda job: zero_stage(job) > 0)),
    *(_info(name, f"{_ZERO}:{number}:__init__", text, where(_kept_whole), "0", "runtime/zero/")
      for name, number, text in (
          ("reduce-bucket", 149, r"Reduce bucket size \d+"),
          ("gather-bucket", 150, r"Allgather bucket size \d+"),
          ("offload", 151, "CPU Offload: False"),
          ("robin", 152, "Round robin gradient partitioning: False"),
      )),
    _info("bucket-3", "stage3.py:170:__init__", r"Reduce bucket size \d+", where(_sharded), "0"),
    _info("prefetch", "stage3.py:171:__init__", r"Prefetch bucket size \d+", where(_sharded), "0"),
    _info("memory-at", "utils.py:781:see_memory_usage",
          r"(?:Stage 3 initialize beginning|DeepSpeedZeRoOffload initialize \[(?:begin|end)\]|"
          r"(?:Before|After) creating fp(?:16|32) partitions(?:: \d+)?|"
          r"(?:Before|After) initializing optimizer states|After initializing ZeRO optimizer)",
          _seen, "0", "runtime/", "force"),
    _info("memory", "utils.py:782:see_memory_usage",
          rf"MA {_GIB}Max_MA {_GIB}CA {_GIB}Max_CA \d+ GB ", _seen, "0", "runtime/", "force"),
    _info("host-memory", "utils.py:789:see_memory_usage",
          r"CPU Virtual Memory:  used = \d+\.\d+ GB, percent = \d+\.\d%", _seen, "0", "runtime/",
          "force"),
    _plain("persistent", "runtime/zero/parameter_offload.py:270",
           r"Parameter Offload: Total persistent parameters: \d+ in \d+ params", where(_sharded)),
    _info("state", f"{_ZERO}:556:__init__", "optimizer state initialized", where(_kept_whole),
          "0", "runtime/zero/"),
    _info("state-3", "stage3.py:534:_setup_for_real_optimizer", "optimizer state initialized",
          where(_sharded), "0", "runtime/zero/"),
    _rank_zero("final", "runtime/engine.py:1403",
               r"DeepSpeed Final Optimizer = (?:DeepSpeedZeroOptimizer(?:_Stage3)?|FusedAdam)"),
    _rank_zero("client-scheduler", "runtime/engine.py:1042", "DeepSpeed using client LR scheduler"),
    _rank_zero("scheduler", "runtime/engine.py:1050",
               r"DeepSpeed LR Scheduler = <torch\.optim\.lr_scheduler\.LambdaLR object at 0x\w+>"),
    _rank_zero("step-zero", "runtime/engine.py:2516", r"step=0, skipped=0, lr=\[.*\], mom=\[.*\]"),
    _info("configuration", "config.py:1000:print", "DeepSpeedEngine configuration:", ranks="0"),
    _info("setting", "config.py:1004:print", r"  \w+ \.* .*", lambda _job: range(76), "0"),
    _info("json", "config.py:990:print_user_config", r"  json = \{", ranks="0"),
    _plain("entry", "runtime/config.py:990", r' +(?:"\w+": .+|\}(?:, )?)', None),
    _plain("brace", "runtime/config.py:990", r"\}", None),
    _info("micro-batches", "engine.py:105:__init__",
          r"CONFIG: micro_batches=\d+ micro_batch_size=\d+", where(_piped), "0", "runtime/pipe/"),
    _info("pipe-partitioned", "engine.py:146:__init__",
          r"is_pipe_partitioned= (?:True|False) is_grad_partitioned= (?:True|False)",
          where(_piped), "each", "runtime/pipe/"),
    _info("pipe-stage", "engine.py:165:__init__",
          r"RANK=\d+ STAGE=\d+ LAYERS=\d+ \[\d+, \d+\) STAGE_PARAMS=\d+ \(\d+\.\d{3}M\) "
          r"TOTAL_PARAMS=\d+ \(\d+\.\d{3}M\) UNIQUE_PARAMS=\d+ \(\d+\.\d{3}M\)",
          where(_piped, _first_copies), "0", "runtime/pipe/", "data_parallel_id == 0"),
    # --- the load of a checkpoint ---
    _info("opening", f"{_TORCH}:27:load", rf"\[Torch\] Loading checkpoint from {_FILE}\.\.\.",
          occasions.opened, "0", guard="load_checkpoint"),
    _info("opened", f"{_TORCH}:29:load", rf"\[Torch\] Loaded checkpoint from {_FILE}\.",
          occasions.opened, "0", guard="load_checkpoint"),
    _info("read", "engine.py:3212:_get_all_zero_checkpoint_state_dicts",
          r"successfully read \d+ ZeRO state_dicts for rank \d+", occasions.read, "0"),
    _info("parts", "engine.py:3162:_load_zero_checkpoint",
          r"loading \d+ zero partition checkpoints for rank \d+", occasions.read, "0"),
    # --- the training ---
    _plain("running", "main.py", r"\*{5} Running training \*{5}"),
    _plain("epoch", "main.py", r"Beginning of Epoch \d+/\d+, Total Micro Batches \d+",
           occasions.begun),
    _plain("loss", "main.py", rf"Epoch: \d+, Step: \d+, Rank: 0, loss = (?:{_FLOAT}|nan)",
           where(_unpiped, _shown)),
    _info("overflow", "loss_scaler.py:183:update_scale", rf"{_OVERFLOW}, reducing to \d+",
          lambda job: _overflows(job, halves=True), "0", "runtime/fp16/", "cur_hysteresis == 1"),
    _info("hesitates", "loss_scaler.py:190:update_scale",
          rf"{_OVERFLOW}, but hysteresis is 2\. Reducing hysteresis to 1",
          lambda job: _overflows(job, halves=False), "0", "runtime/fp16/", "cur_hysteresis > 1"),
    _rank_zero("progress", "runtime/engine.py:2516",
               r"step=(?P<step>[1-9]\d*), skipped=\d+, lr=\[.*\], mom=\[.*\]", _shown,
               "(global_steps + 1) % steps_per_print == 0"),
    _info("rate", "timer.py:264:stop",
          r"epoch=\d+/micro_step=\d+/global_step=(?P<step>\d+), RunningAvgSamplesPerSec="
          rf"{_FLOAT}, CurrSamplesPerSec={_FLOAT}, MemAllocated=[\d.]+GB, MaxMemAllocated=[\d.]+GB",
          where(_unpiped, lambda job: [step for step in _shown(job) if step > training.WARMING]),
          "0", "utils/", "global_step_count > start_step"),
    _plain("pipe-steps", "runtime/pipe/engine.py:406",
           r"steps: (?P<step>\d+) loss: (?:\d+\.\d{4}|nan) iter time \(s\): \d+\.\d{3} "
           r"samples/sec: \d+\.\d{3}", where(_piped, _shown)),
    _plain("evaluating", "main.py", r"\*{5} Evaluating perplexity, Epoch \d+/\d+ \*{5}",
           validated_steps),
    _plain("evaluated", "main.py", rf"ppl: {_FLOAT}, loss: {_FLOAT}", validated_steps),
    # --- checkpoints ---
    _rank_zero("about-to-save", "runtime/checkpoint_engine/torch_checkpoint_engine.py:18",
               r"\[Torch\] Checkpoint global_step(?P<step>\d+) is about to be saved!",
               statement.saved),
    Statement("saving-model", "runtime/engine.py:3520", _HOST + _STAMP +
              rf"\[logging\.py:107:log_dist\] \[Rank [01]\] Saving model checkpoint: {_FILE}",
              _models_told, "0", "ranks=[0, 1]"),
    _info("saving", f"{_TORCH}:21:save", rf"\[Torch\] Saving {_FILE}\.\.\.", _files, "0"),
    _info("saved", f"{_TORCH}:23:save", rf"\[Torch\] Saved {_FILE}\.", _files, "0"),
    _info("part-saved", "engine.py:3672:_save_zero_checkpoint",
          rf"zero checkpoint saved {_FILE}", where(lambda job: zero_stage(job) > 0, _parts)),
    _info("ready", f"{_TORCH}:33:commit",
          r"\[Torch\] Checkpoint global_step(?P<step>\d+) is ready now!", statement.saved),
    _plain("final-model", "main.py", r"saving the final model \.\.\."),
)  # fmt: skip

# A launcher's lines come while other nodes' processes are at work, so the launch has no order.
ORDER = """
accelerator command
(accelerator | world | nodes | mapping | size | devices | spawned | backend)*
torch barrier* configured*
(layer-seeds partitioning (stage module+)+ stage-loss)?
zero-init? root*
(cuda-files | emitting | archs archs-advice archs-code | archs-logged advice-logged | building
 | workers | ninja)+
loading* loaded+
version configured+ flops client-optimizer no-params basic
(supported mics? creating (reduce-bucket gather-bucket offload robin)?
 (memory-at memory host-memory (bucket-3 prefetch | persistent | state | state-3)?
  | persistent)+)?
final client-scheduler scheduler step-zero configuration setting+
(setting | entry | brace)* json (entry | brace)+
(micro-batches pipe-partitioned+ pipe-stage*)?
(opening | opened | read | parts)*
running
(epoch | overflow | hesitates | loss progress | progress pipe-steps | progress | rate
 | evaluating evaluated | about-to-save (saving-model | saving | saved | part-saved | ready)+)*
final-model leaked* exits*
"""
