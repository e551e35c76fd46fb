"""What nanotron of 2026-04-07 prints on rank 0 and on each stage's, statement by statement."""

from collections.abc import Iterable

from llmsim.dialects import statement
from llmsim.dialects.nanotron.config import is_qwen
from llmsim.dialects.nanotron.lines import MEMORY_STEPS
from llmsim.dialects.parts.statements import BARRIER, LEAKED, TORCHRUN
from llmsim.dialects.statement import Statement, begins, goes_on, where
from llmsim.job import milestones
from llmsim.job.records import Job

_RANKS = r"(?:\|DP=\d+)?(?:\|PP=\d+)?(?:\|TP=\d+)?\|[\w-]+\]: "
_START = r"\d\d/\d\d \d\d:\d\d:\d\d "
_INFO, _WARNING = rf"{_START}\[INFO{_RANKS}", rf"{_START}\[WARNING{_RANKS}"
_HUMAN, _MIB = r"-?\d+(?:\.\d+)?(?:e-\d\d)?[KMBTP]?", r"\d+\.\d\dMiB"


def _padded(job: Job) -> bool:
    return job.architecture.vocabulary % job.layout.tp > 0


def _piped(job: Job) -> bool:
    return job.layout.pp > 1


def _slices(job: Job) -> Iterable[int]:
    """The first data rank of each slice of a stage."""
    return range(job.layout.tp * job.layout.pp)


def _shards(job: Job) -> bool:
    return job.layout.sharding != "ddp"


def _first(job: Job) -> Iterable[int]:
    own = job.schedule.steps - job.schedule.first_step + 1
    return range(min(MEMORY_STEPS, own))


_FOLDERS = r"\{(?:'\S+': \d+)?\}"  # tokens that have been read so far


_MODEL = (
    *TORCHRUN,
    *BARRIER,
    Statement("rule", "logging/base.py:248", rf"{_INFO}={{50}}", lambda _job: range(2 * 7),
              guard="is_separator: before and after a title"),
    Statement("padding", "helpers.py:58",
              rf"{_WARNING}\[Vocab Size Padding\] Padded vocab \(size: \d+\) with \d+ dummy tokens "
              r"\(new size: \d+\)", where(_padded)),
    Statement("building", "models/base.py:196", rf"{_INFO}Building model"),
    Statement("rope", "models/llama.py:847", rf"{_INFO}Initialize RoPE Theta = \d+\.0",
              where(lambda job: not is_qwen(job))),
    Statement("ranks", "models/base.py:209", rf"{_INFO}Setting PP block ranks\.\.\."),
    Statement("block", "models/base.py:94", rf"{_INFO}module_name: \S+ \| PP: \d+/\d+",
              where(_piped, lambda job: range(job.architecture.layers + 5)), guard="pp_size > 1"),
    Statement("total", "trainer.py:1137",
              rf"{_INFO}Total number of parameters: {_HUMAN} \({_MIB}\)"),
    Statement("local", "trainer.py:1144",
              rf"{_INFO}Local number of parameters: {_HUMAN} \({_MIB}\)", _slices,
              guard="rank 0 of the data ranks"),
    Statement("built", "trainer.py:1151",
              rf"{_INFO}\[After model building\] Memory usage: {_MIB}\. Peak allocated: {_MIB} "
              rf"Peak reserved: {_MIB}", _slices, guard="rank 0 of the data ranks"),
    Statement("no-checkpoint", "trainer.py:1051", rf"{_INFO}No checkpoint path provided\.",
              where(begins)),
    Statement("loading", "trainer.py:1025", rf"{_INFO}Loading checkpoint from \S+",
              where(goes_on), guard="init_checkpoint_path"),
    Statement("loading-weights", "serialize/main.py", rf"{_INFO}Loading weights from \S+",
              where(goes_on)),
    Statement("metadata", "trainer.py:232", rf"{_INFO}CheckpointMetadata\(version=.*\)",
              where(goes_on)),
    Statement("parametrizing", "models/llama.py:1097",
              rf"{_INFO}Parametrizing model parameters using StandardParametrizator",
              where(lambda job: begins(job) and not job.recipe.released), guard="RandomInit"),
    Statement("optimizer", "helpers.py:321",
              rf"{_INFO}Building Optimizer and Gradient Accumulator and Learning Rate Scheduler"),
    Statement("rate", "helpers.py:262",
              rf"{_INFO}\[Optimizer Building\] Using LearningRateForSP as learning rate"),
    Statement("excluded", "helpers.py:232",
              rf"{_WARNING}\[Optimizer Building\] 0 params excluded from weight decay"),
    Statement("zero", "optim/zero.py:195",
              rf"{_INFO}\[ZeRO sharding\] Size of optimizer params per rank:", where(_shards)),
    Statement("zero-rank", "optim/zero.py:208",
              rf"{_INFO}\[ZeRO sharding\] DP Rank \d+ has {_HUMAN} out of {_HUMAN} \(\d+\.\d\d%\) "
              r"params' optimizer states", where(_shards, lambda job: range(job.layout.dp))),
)  # fmt: skip
_SETTINGS = (
    Statement("versions", "logging/base.py:427", rf"{_INFO}Libraries versions:"),
    Statement("version", "logging/base.py:428",
              rf"{_INFO}(?:nanotron|torch|transformers|datasets|flash-attn|numpy) version: \S+",
              lambda _job: range(6)),
    Statement("environment", "torch/utils/collect_env.py",
              r"Collecting environment information\.\.\.|(?!W\d)(?:[A-Z]|cuDNN)[\w ]*: ?.*|"
              r"\[(?:pip3|conda)\] .*|", None, guard="called while the next record is made"),
    Statement("blank", "logging/base.py:434, run_train.py:326", _INFO, lambda _job: (0, 0),
              guard="a text begins or ends with a new line"),
    Statement("environment-record", "logging/base.py:434",
              rf"{_INFO}torch\.utils\.collect_env: None"),
    Statement("config", "trainer.py:283", rf"{_INFO}Config:"),
    Statement("parsing", "trainer.py:284", rf"{_INFO}Parsing config: /\S+"),
    Statement("model-config", "trainer.py:288", rf"{_INFO}Model Config:"),
    Statement("pretty", "trainer.py:287-289",
              rf"{_INFO}(?:Config\(general=|(?:Llama|Qwen2)Config\(bos_token_id=1,"
              r"| {7,}(?:\w+=)?\S).*[,\])]|"
              rf"{_INFO}(?:Llama|Qwen2)Config\(bos_token_id=1,", None),
)  # fmt: skip
_DATA = (
    Statement("plan", "run_train.py:321", rf"{_INFO}Training plan"),
    Statement("stages", "run_train.py:326",
              rf"{_INFO}(?:There are 1 training stages |\[Stage [\w ]+\] start from step 1 )",
              lambda _job: range(2)),
    Statement("starting", "run_train.py:334", rf"{_INFO}Starting new stage [\w ]+",
              where(begins)),
    Statement("current", "run_train.py:355",
              rf"{_INFO}Current stage: [\w ]+ has \d+ remaining training steps and has consumed "
              rf"\d+ samplesConsumed tokens per dataset folder: {_FOLDERS}"),
    Statement("loader", "run_train.py:181", rf"{_INFO}Using TokenizedBytes Dataloader"),
    Statement("creating", "run_train.py:189",
              rf"{_INFO}\[TokenizedBytes\] Creating TokenizedBytes with 1 dataset folders and \d+ "
              r"train samples"),
    Statement("streamable", "data/tokenized_bytes.py:543",
              rf"{_INFO}Building Streamable datasets\."),
    Statement("folder", "data/tokenized_bytes.py:315", rf"{_INFO}Using DatatroveFolderDataset"),
    Statement("make", "data/nemo_dataset/dataset_utils.py:30", r"make: .+",
              lambda _job: range(3)),
    Statement("indices", "data/nemo_dataset/blendable_dataset.py:99",
              rf"{_INFO}> elapsed time for building blendable dataset indices: \d+\.\d\d \(sec\)"),
    Statement("consumed-before", "data/nemo_dataset/blendable_dataset.py",
              rf"{_INFO}\[BlendableDataset\] Setting consumed_tokens for dataset 0 \(\S+\) to \d+",
              where(goes_on)),
    Statement("ready", "data/tokenized_bytes.py:636", rf"{_INFO}Streamable datasets ready\."),
    Statement("consumed", "data/tokenized_bytes.py:677",
              rf"{_INFO}Building dataloader with consumed samples for current datastage: \d+"),
    Statement("sampler", "data/samplers.py:175",
              rf"{_INFO}Instantiating MegatronPretrainingSampler with total_samples: \d+ and "
              r"consumed_samples: \d+"),
    Statement("created", "run_train.py:233",
              rf"{_INFO}\[TokenizedBytes\] Time taken to create TokenizedBytes: \d\d:\d\d "
              r"\(MM:SS\)"),
)  # fmt: skip
_TRAINING = (
    Statement("start", "trainer.py:340", rf"{_INFO}Start training"),
    Statement("sizes", "trainer.py:341",
              rf"{_INFO}mbs: \d+ \| grad_accum: \d+ \| cp: 1 \| sequence_length: \d+ \| "
              r"global_batch_size: \d+ \| train_steps: \d+ \| start_iteration_step: \d+ \| "
              r"consumed_tokens_total: \d+"),
    Statement("resuming", "trainer.py:497",
              rf"{_INFO}Resuming training from stage [\w ]+, it has trained for \d+ samples and "
              r"has \d+ remaining train steps", guard="the stage of the first iteration"),
    Statement("folders", "trainer.py:498",
              rf"{_INFO}Consumed tokens per dataset folder: {_FOLDERS}"),
    Statement("before", "trainer.py:618", rf"{_INFO}Before train_batch_iter", _first,
              guard="iteration_step < initial_iter_step + 5"),
    Statement("memory", "logging/base.py:287",
              rf"{_INFO} Memory usage: {_MIB}\. Peak allocated {_MIB}\. Peak reserved: {_MIB}",
              lambda job: (*_first(job), *_first(job))),
    Statement("after", "trainer.py:631", rf"{_INFO}After train_batch_iter", _first,
              guard="iteration_step < initial_iter_step + 5"),
    Statement("iteration", "logging/base.py:319",
              rf"{_INFO}iteration: (?P<step>\d+) / \d+ \| consumed_tokens: {_HUMAN} \| "
              rf"time_per_iteration_ms: {_HUMAN} \| tokens_per_sec: {_HUMAN} \| "
              rf"tokens_per_sec_per_gpu: {_HUMAN} \| global_batch_size: {_HUMAN} \| "
              rf"grad_norm: {_HUMAN} \| lm_loss: {_HUMAN} \| lr: {_HUMAN} \| "
              rf"model_tflops_per_gpu: {_HUMAN} \| eta: (?:\d+ days?, )?\d+:\d\d:\d\d",
              statement.each_step, "last", "the first rank of the stage that has the loss"),
    Statement("saving", "trainer.py:1263",
              rf"{_WARNING}Saving checkpoint at checkpoints/(?P<step>\d+)", milestones.saved_steps,
              guard="at the interval, and after the loop with save_final_state"),
    *LEAKED,
)  # fmt: skip
STATEMENTS = (*_MODEL, *_SETTINGS, *_DATA, *_TRAINING)


ORDER = """
torchrun* barrier* padding? rule building rule rope? ranks block* total (local built)+
(no-checkpoint | loading loading-weights)? parametrizing? rule optimizer rule rate excluded
(zero zero-rank+)? metadata?
rule versions rule version+ environment+ blank environment-record rule config rule parsing
pretty+ rule model-config rule pretty+ rule plan rule stages+ blank starting? current loader
creating streamable folder make+ indices consumed-before? ready consumed sampler created
rule start rule sizes resuming folders ((before memory after memory)? iteration saving?)+ leaked*
"""
