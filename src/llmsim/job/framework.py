"""What a framework does, as far as a job depends on it: a record, and nothing more.

The job holds the record of its framework. Each framework's own record stands in its folder,
dialects/NAME/framework.py; dialects/registry.py finds it by its name.
"""

from llmsim.catalog.gpus import Device
from llmsim.job.layout import Engine, Parallelism
from llmsim.job.schedule import Decay
from llmsim.model.architecture import Family
from llmsim.typed import Literal, NamedTuple

# The recipes of a framework that is for pretraining alone.
PRETRAINING = ("pretrain", "continue")

# Where a file has a framework's bar of an epoch: at every move, at each quarter of the epoch, with
# each logged step, or nowhere. A terminal always draws every move.
FileBar = Literal["every", "quarters", "logged", "never"]
FILE_BARS: tuple[FileBar, ...] = ("every", "quarters", "logged", "never")

# Models of Hugging Face run in eager mode. Compiled they are as fast as PyTorch's own (fitted to
# torchtune's table of optimizations: a 3B on one A100 makes 7,075 tokens/s, compiled 8,998).
EAGER = Engine(
    compiled=False,
    fused_loss=False,
    kernels=0.63,
    compiled_kernels=0.9,
    attention=0.97,
    step_seconds=0.03,
)
# Data parallelism alone, as in a trainer that works with any model: DDP, ZeRO-1 or FSDP, and
# recomputation of whole layers. Accelerate's ParallelismConfig has context parallelism;
# torch.compile, Liger's loss and the kernel of the attention are arguments; fp16's scaler is AMP's.
DATA_PARALLEL = Parallelism(
    split=None,
    recomputes=("none", "full"),
    engine=EAGER,
    experts=False,
    precisions=("bf16", "fp16"),
    switches=("compiled", "fused_loss", "attention"),
)

# Seconds that Transformer Engine's grouped products cost a layer for each expert of a rank, beside
# the products themselves, which are as fast as dense ones. Each expert has kernels of its own: two
# products forward, four backward, and in fp8 as many that quantize. Fitted to the mixtures in
# tests/truth/throughput.csv (not to jobs.jsonl), which have 1 to 32 experts a rank.
GROUPED = 1.2e-4

# Megatron-LM's: tensors and stages are split, the optimizer's state is sharded over data ranks
# (ZeRO-1), and gradients are added up in fp32. Transformer Engine has fp8, whose weights it keeps
# twice; the optimizer's masters are fp32 always.
MEGATRON = Parallelism(
    ("ddp", "zero1"),
    "zero1",
    fp32_gradients=True,
    engine=Engine(
        kernels=1.08,
        attention=0.89,
        mixtures=1.0,
        overlap=0.85,
        tensor_overlap=0.5,
        wire=0.9,
        step_seconds=0.05,
        expert_seconds=GROUPED,
        fp8_copies=2.0,
    ),
    replicas=False,
    whole_experts=True,
    bf16_states=False,
    four_bit_base=False,
    switches=("attention", "sequence_parallel", "interleave"),
)
# With NVIDIA's own recipes.
NEMO = MEGATRON._replace(
    engine=Engine(
        kernels=1.27,
        attention=0.94,
        mixtures=1.0,
        overlap=0.75,
        wire=0.83,
        expert_seconds=GROUPED,
        fp8=1.63,
        fp8_copies=0.0,  # fp8_param_gather: the weights themselves are in fp8, twice
    ),
    bf16_gradients=True,  # grad_reduce_in_fp32=False, as scripts/performance has it
    latent_attention=False,
)


# What a log holds: the stream of one node's launcher, all nodes' together, or rank 0's file.
Capture = Literal["node", "all", "rank0"]
Mark = Literal["task", "host", "none"]  # of a line's node: srun -l's number, or pdsh's host name
# What step 1 waits for: a compiler, if the engine compiles blocks; kernels that somebody wrote; or
# nothing.
FirstStep = Literal["compiles", "loads", "ready"]
Speaker = Literal["first", "last stage", "last"]  # the rank that prints the steps
CAPTURES: tuple[Capture, ...] = ("node", "all", "rank0")
MARKS: tuple[Mark, ...] = ("task", "host", "none")
SPEAKERS: tuple[Speaker, ...] = ("first", "last stage", "last")


class LossScaler(NamedTuple):
    """How a framework moves fp16's loss scale; the defaults are torch.amp.GradScaler's."""

    begins: int = 16  # the first scale is 2 to this
    interval: int = 2000  # steps without an overflow after which it doubles
    patience: int = 1  # overflows until it halves, where it has doubled since the last one
    ends: bool = True  # the run ends where gradients overflow at a scale of 1; else it goes on
    holds_rate: bool = False  # a skipped step does not move the learning rate
    shares_experts: bool = True  # mixtures in fp16 can share their experts between ranks


class Framework(NamedTuple):
    """The traits of a framework. A default is what a plain PyTorch trainer does."""

    name: str  # also of its dialect: what --dialect takes
    meaning: str  # one line about its log, for people who choose
    recipes: tuple[str, ...]  # the recipes that people train with it
    # The release whose lines the log has, line numbers and all.
    source: str = ""  # its public repository, or the package on PyPI: "github.com/karpathy/nanoGPT"
    release: str = ""  # as its people call it: "v0.2.2", or "master of 2025-11-12"
    commit: str = ""  # of that release; of a package that was read from PyPI, its wheel's sha256
    device: Device = "GPU"
    logs_every_step: bool = False  # so its runs have fewer steps
    lr_lag_steps: int = 0  # first steps with a learning rate of 0: its schedule counts from 0
    dispatches_ahead: bool = False  # the host hands out steps without waiting for its devices
    holds_lines: bool = False  # some lines come with a later event: its events are told in order
    blocking_checkpoints: bool = False  # training waits for every save
    saves_first_step: bool = False  # it saves after step 1, too: its steps count from 0
    saves_before: bool = False  # a run from random weights saves them and loads them again first
    saves_with_validation: bool = False  # a save follows each validation
    validates: bool = True  # it validates between steps; False: only after the training
    may_skip_validation: bool = False  # a run can be without any validation
    may_skip_saves: bool = False  # a run can be without any checkpoint
    saves_first: bool = False  # a save comes before the validation of the same step
    last_save_bytes: int = 0  # a weight in the last checkpoint, if that has the weights alone
    saves_after_loop: bool = False  # a last save that is not due follows the last validation
    validates_end: bool = True  # the last step is validated even if that is not due
    final_evaluations: tuple[str, ...] = ()  # what it evaluates on when all is trained and saved
    sequence: int = 0  # tokens of its sequences, if its rules say how many
    target_loss: float = 0.0  # it ends with the first validation at or below it; 0: it does not
    decays: tuple[Decay, ...] = ("cosine", "linear", "wsd")  # how its learning rate can fall
    goes_on: bool = False  # a log of it often begins at a checkpoint of a long run
    stops_early: bool = False  # it can stop, saved, at a step before its schedule's end
    exits_loop: bool = False  # it can exit at a step or a time, without what follows the loop
    validates_first_step: bool = False  # it validates after step 1, and not at the end of the run
    saves_at_sigterm: bool = False  # it finishes its step and saves before it exits
    stops_at_nan: bool = False  # it checks the loss, and ends the run when it is not a number
    loss_scaler: LossScaler | None = None  # of fp16; None: its log shows none, so no run is in fp16
    restarts_data: bool = False  # a process that goes on reads the data from their beginning
    prints_nan_step: bool = False  # it ends so after that step's line, not within the step
    evaluates: bool = False  # it can run its benchmarks at every validation
    ramps_batch: bool = False  # its batch can grow in the first part of a run
    file_bar: FileBar = "every"  # where its log in a file has the bar of an epoch
    reads_metrics: bool = True  # its lines read the metrics in a logged step's record
    gc_every: int = 0  # steps between garbage collections on all ranks at once; 0: Python decides
    model_first: bool = False  # the model is loaded between the data's download and preparation
    single_process_map: bool = False  # one process tokenizes the data, pass by pass
    takes_rest: bool = False  # the last step of an epoch has the micro-batches that are left
    shuffles: bool = False  # its samples are shuffled; otherwise it reads its data as a stream
    max_shard_gb: int = 5  # the largest file of an exported model, in GB
    dense_only: bool = False  # it has no mixtures of experts
    model_family: Family = "llama"  # the architecture that its models have
    pads_gpts: bool = True  # a GPT's embedding has more rows, a multiple for each tensor rank
    families: tuple[Family, ...] = ()  # architectures that it builds as well, if a job asks for one
    has_biases: bool = False  # its GPT-2 has biases
    max_parameters: int = 0  # of the largest model that people train with it; 0: no limit
    known_gpus: tuple[str, ...] = ()  # GPUs that it knows by name, so one of them is drawn; (): any
    parallelism: Parallelism = Parallelism()  # how it can split a model
    first_step: FirstStep = "compiles"  # what makes its first step longer than the others
    collective_timeout: float = 600.0  # seconds after which a hanging collective ends the job
    start_timeout: float = 600.0  # seconds in which the processes have to meet; 0: they do not wait
    has_watchdog: bool = True  # torch watches its collectives, and ends a process that waits
    older: tuple[tuple[str, str], ...] = ()  # other releases for --release, with their commits
    older_traits: tuple[tuple[str, object], ...] = ()  # traits that these have instead, by name
    streams_nodes: int = 0  # of more nodes people keep one node's output; 0: of any number all
    capture: Capture = "node"  # what people keep of a run on several nodes
    marks: Mark = "task"
    speaker: Speaker = "first"  # rank 0, the last stage's first rank, or the last of all
    weight: int = 1  # how often "auto" draws it, relative to the others
