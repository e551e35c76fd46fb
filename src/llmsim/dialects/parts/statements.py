"""The statements of what several frameworks' logs share: nvidia-smi, torchrun."""

from llmsim.dialects import statement
from llmsim.dialects.statement import Statement
from llmsim.job.records import gpus_per_node

# One name for all lines of the table that stands before some logs; a narrow log has none.
SMI = (
    Statement("smi", "nvidia-smi",
              r"\w{3} \w{3} [\d ]\d \d\d:\d\d:\d\d \d{4} {7}|[+|].{89}[+|]| {89}", None),
)  # fmt: skip
TORCHRUN = (
    Statement("torchrun", "torch/distributed/run.py",
              r"W\d{4} \d\d:\d\d:\d\d\.\d{3}000 \d+ torch/distributed/run\.py:\d+\] "
              r"(?:|\*{41}|Setting OMP_NUM_THREADS environment variable for each process to be "
              r".* needed\. )",
              statement.where(lambda job: gpus_per_node(job) > 1, lambda _job: (0,) * 4),
              "launcher", "several processes on a node and no OMP_NUM_THREADS"),
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
