"""Public programs that read the logs of frameworks, and what they find in ours.

Their regular expressions are typed anew from their sources, as facts. tests/dialects/
test_readers.py reads whole logs with them, and docs/dialects.md has them as a table.
"""

from collections.abc import Mapping
from types import MappingProxyType

from llmsim.dialects import statement
from llmsim.dialects.nanogpt.statements import evaluations, iterations
from llmsim.dialects.statement import Steps
from llmsim.job.records import Job
from llmsim.typed import NamedTuple

_ANY: Mapping[str, object] = MappingProxyType({})


class Found(NamedTuple):
    """What a reader finds: the name, its expression, and how often it must be in a log."""

    what: str
    pattern: str
    steps: Steps
    at_least: bool = False  # a file's bars come at notches, too


class Reader(NamedTuple):
    """A public program, by its repository and file."""

    dialect: str
    source: str
    found: tuple[Found, ...]
    asked: Mapping[str, object] = _ANY  # options of the runs that it can read


class Older(NamedTuple):
    """A public program that does not read the release that a dialect has, and why."""

    dialect: str
    source: str
    pattern: str
    why: str


_BAR = r"(\d+)%\|.*?\| (\d+)/(\d+) \[([\d:]+)<([\d:]+),"
_TIMED = (
    r"iteration (?:1[1-9]|[23]\d|4[0-4])/49.*train_step_timing in s: [0-9]+\.?[0-9]*.*"
    r"TFLOPS_per_GPU: [0-9]+\.?[0-9]*([eE][+-]?[0-9]+)?"
)


def _measured(job: Job) -> range:
    """The iterations that NVIDIA's benchmarks count."""
    del job
    return range(11, 45)


READERS = (
    Reader(
        "nanogpt", "yusuf-kundgol/train_ChessGPT: plot_training.py",
        (Found("iterations", r"iter (\d+): loss ([\d.]+).*mfu ([-\d.]+)%", iterations),
         Found("evaluations", r"step (\d+): train loss ([\d.]+), val loss ([\d.]+)",
               evaluations)),
    ),
    Reader(
        "nanogpt", "dhealy05/adding_interoception_to_nanoGPT: scripts/self_log_to_csv.py",
        (Found("losses", r"^iter (\d+): loss ([0-9.]+)", iterations),),
    ),
    Reader(
        "nemo", "NVIDIA/dgxc-benchmarking: common/parse_train_timing.sh",
        (Found("timed iterations 11 to 44", _TIMED, _measured),),
        {"steps": 50},
    ),
    Reader(
        "nemo", "NVIDIA/cloudai: src/cloudai/workloads/nemo_run/report_utils.py",
        (Found("step timings", r"train_step_timing in s:\s*([\d.]+(?:e[+-]\d+)?)",
               statement.each_step),),
    ),
    Reader(
        "nemo", "google/ml-flashpoint: scripts/parse_log_and_summarize_nemo.py",
        (Found("steps and timings", r"global_step: (\d+).*?train_step_timing in s: ([\d.]+)",
               statement.each_step),),
    ),
    Reader(
        "hf", "heyibaiyu/deep_learning: post_train_gemma2b/train_log_parser.py",
        (Found("losses", r"\{[^{]*?'loss': .*?\}", statement.logged),),
    ),
    Reader(
        "trl", "heyibaiyu/deep_learning: post_train_gemma2b/train_log_parser.py",
        (Found("margins", r"\{[^{]*?'rewards/margins': .*?\}", statement.logged),),
        {"recipe": "dpo"},
    ),
    Reader(
        "hf", "aral-cay/Difficulty-Detecting-NLP: scripts/monitor_training_live.py",
        (Found("bars", _BAR, statement.logged, at_least=True),),
    ),
    Reader(
        "lightning", "aral-cay/Difficulty-Detecting-NLP: scripts/monitor_training_live.py",
        (Found("bars", _BAR, statement.logged, at_least=True),),
    ),
)  # fmt: skip

OLDER = (
    Older(
        "hf", "huggingface/hub-docs: metric_definitions for SageMaker",
        r"'loss': ([0-9]+(.|e\-)[0-9]+),?",
        "transformers 5 writes numbers as strings of four digits: 'loss': '4.71'",
    ),
    Older(
        "llmc", "karpathy/llm.c: dev/vislog.ipynb", r"^s:(\d+) trl:([\d.]+)",
        "it reads the file main.log, not what the program prints",
    ),
)  # fmt: skip
