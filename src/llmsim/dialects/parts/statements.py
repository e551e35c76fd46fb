"""The statements that several logs share: nvidia-smi, torchrun, W&B, torch."""

from llmsim.dialects import statement
from llmsim.dialects.parts import process_group
from llmsim.dialects.parts.torchrun import MOST_NODES
from llmsim.dialects.statement import Statement
from llmsim.job.records import Job, gpus_per_node
from llmsim.run.hangs import torch_release

# One name for all lines of the table that stands before some logs; a narrow log has none.
SMI = (
    Statement("smi", "nvidia-smi",
              r"\w{3} \w{3} [\d ]\d \d\d:\d\d:\d\d \d{4} {7}|[+|].{89}[+|]| {89}", None),
)  # fmt: skip


def _launches(job: Job) -> bool:
    """Whether a launcher starts several processes, and nobody has set OMP_NUM_THREADS."""
    return gpus_per_node(job) > 1 and job.layout.nodes <= MOST_NODES


TORCHRUN = (
    Statement("torchrun", "torch/distributed/run.py",
              r"W\d{4} \d\d:\d\d:\d\d\.\d{3}000 \d+ torch/distributed/run\.py:\d+\] "
              r"(?:|\*{41}|Setting OMP_NUM_THREADS environment variable for each process to be "
              r".* needed\. )",
              statement.where(_launches, lambda _job: (0,) * 4),
              "launcher", "several processes on a node and no OMP_NUM_THREADS"),
)  # fmt: skip

_RUN = r"run-\d{8}_\d{6}-[a-z0-9]{8}"
_URL = r"https://wandb\.ai/[\w-]+/[\w-]+"
_KEY = r"(?:eval|train)/\w+(?:/\w+)*|total_flos|train_\w+"
# The client's lines (0.31.0), which stand at the beginning of a run and at its end.
WANDB = (
    Statement("wandb", "wandb 0.31.0", r"wandb: (?:"
              r"|Currently logged in as: [\w-]+ \([\w-]+\) to https://api\.wandb\.ai\. .*"
              r"|Tracking run with wandb version \d+\.\d+\.\d+"
              rf"|Run data is saved locally in /[\w/-]+/wandb/{_RUN}"
              r"|Run `wandb offline` to turn off syncing\."
              r"|Syncing run [\w-]+"
              rf"|⭐️ View project at:? {_URL}"
              rf"|🚀 View run (?:at|[\w-]+ at:) {_URL}/runs/[a-z0-9]{{8}}"
              r"|Run (?:history|summary):"
              rf"| *(?:{_KEY}) [▁▂▃▄▅▆▇█]{{1,40}}"
              rf"| *(?:{_KEY}) -?\d+(?:\.\d{{1,5}})?(?:e-\d+)?"
              r"| *\+\d+ \.\.\."
              r"|Synced 5 W&B file\(s\), 0 media .*, 0 artifact file\(s\) and 0 other file\(s\)"
              rf"|Find logs at: \./wandb/{_RUN}/logs)", None, guard="report_to wandb"),
)  # fmt: skip


def bar(label: str, unit: str = "it", note: str = "", *, inverts: bool = True) -> str:
    """A bar of tqdm's in a pipe, ten cells wide: a regular expression.

    `label` has the colon; a rate below 1 is seconds per unit where it `inverts`.
    """
    rate = rf"(?:\?|[\d.]+[kMGT]?){unit}/s" + (rf"|[\d.]+[kMGT]?s/{unit}" * inverts)
    return (
        rf"{label} *\d+%\|[ ▏▎▍▌▋▊▉█]{{10}}\| [\d.]+[kMGT]?/[\d.]+[kMGT]? "
        rf"\[(?:\d+:)?\d\d:\d\d<(?:(?:\d+:)?\d\d:\d\d|\?), +(?:{rate}){note}\]"
    )


# Lines of NCCL_DEBUG=INFO; how many there are depends on ranks and channels.
NCCL = (
    Statement("nccl", "NCCL init.cc and others",
              r"[\w.-]+:\d+:\d+ \[\d+\] NCCL INFO .*|(?:NCCL|RCCL) version .*|000 commId .*",
              None, "each", "NCCL_DEBUG=INFO"),
)  # fmt: skip


def _warned(job: Job) -> bool:
    return job.layout.gpus > 1 and job.layout.nodes <= process_group.MOST_NODES


def _first_barrier(job: Job) -> tuple[int, ...]:
    """Python's warning, of torch 2.8 and newer, has two lines."""
    return (0,) * (1 if torch_release(job) < (2, 8) else 2)


_CPP = "torch/csrc/distributed/c10d/ProcessGroupNCCL.cpp"
_WARNING = r"\[rank\d+\]:\[W\d{3,4} [\d:.]+ ProcessGroupNCCL\.cpp:\d+\] "
BARRIER = (
    Statement("barrier", _CPP,
              rf"{_WARNING}\[PG ID 0 PG GUID 0 Rank \d+\]  using GPU \d+ to perform barrier as .*|"
              r"/\S+/distributed_c10d\.py:\d+: UserWarning: barrier\(\): using the device .*|"
              r"  warnings\.warn\(  # warn only once",
              statement.where(_warned, _first_barrier), "each", "no device_id is said"),
)  # fmt: skip
LEAKED = (
    Statement("leaked", _CPP,
              rf"{_WARNING}Warning: WARNING: destroy_process_group\(\) was not called before .*",
              statement.where(_warned), "launcher", "the first process of each node"),
)  # fmt: skip
