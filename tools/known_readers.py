"""Public programs that read the logs of frameworks, and what they find in ours.

Their regular expressions are typed anew from their sources, as facts. tests/dialects/
test_readers.py reads whole logs with them, and docs/dialects.md has them as a table.
"""

from collections.abc import Mapping
from types import MappingProxyType

from llmsim.dialects import statement
from llmsim.dialects.llmc import statements as llmc
from llmsim.dialects.megatron import occasions as megatron
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
    file: bool = False  # whether it reads the file that the framework writes beside its output


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
    """The iterations that NVIDIA's benchmarks count, from the run's first one on."""
    return range(max(11, job.schedule.first_step - 1), 45)


def _megatron_evaluated(job: Job) -> tuple[int, ...]:
    """Megatron's evaluations: the loop's, and two after it."""
    return (0,) * (len([*megatron.evaluated(job)]) + 2)


def _timed(job: Job) -> list[int]:
    """The steps with DeepSpeed's timer, which leaves out its first two; a pipeline has none."""
    late = job.schedule.first_step + 2
    return [] if job.layout.pp > 1 else [step for step in _console(job) if step >= late]


def _console(job: Job) -> range:
    """The steps that are multiples of the interval."""
    every, first = job.schedule.log_every, job.schedule.first_step
    return range(-(-first // every) * every, job.schedule.steps + 1, every)


def _two_digits(job: Job) -> list[int]:
    """Steps and validations of torchtitan: before a step of one digit stands a second blank."""
    both = (*statement.logged(job), *statement.validated(job))
    return [step for step in both if step > 9]


def _reported(job: Job) -> list[int]:
    """The engine's reports, and the one that it makes before its first step."""
    return [0, *_console(job)]


def _piped(job: Job) -> range:
    """The steps that a pipeline's engine prints."""
    return _console(job) if job.layout.pp > 1 else range(0)


def _after_first(job: Job) -> list[int]:
    """The steps with a rate: OLMo's meter begins after the first."""
    return [step for step in _console(job) if step > 1]


def _tens(job: Job) -> list[int]:
    """The printed steps that are multiples of ten, at which OLMo looks at the memory."""
    return [step for step in _console(job) if step % 10 == 0]


def _once(job: Job) -> tuple[int, ...]:
    return (job.schedule.steps,)


READERS = (
    Reader(
        "megatron",
        "NVIDIA/Megatron-LM: tests/performance_tests/shell_test_utils/determinism/"
        "print_nsys_leaderboard.py",
        (Found("iterations",
               r"iteration\s+(\d+)/\s*\d+.*elapsed time per iteration \(ms\):\s*([\d.]+)",
               _console),),
    ),
    Reader(
        "megatron", "mingjielu/Pai-Megatron-Patch: examples/mistral/parse_log.sh",
        (Found("throughputs", r".*throughput per GPU \(TFLOP\/s\/GPU\): ([0-9\.]+).*", _console),
         Found("timings", r".*elapsed time per iteration \(ms\): ([0-9\.]+).*", _console)),
    ),
    Reader(
        "megatron", "NVIDIA/TransformerEngine: plots of its CI's Megatron logs",
        (Found("evaluations",
               r"validation loss at iteration \d* on validation set | lm loss"
               r" value: ([\d.]*)E\+(\d*) | lm loss PPL: ([\d.]*)E\+(\d*)",
               _megatron_evaluated),),
    ),
    Reader(
        "torchtitan", "pytorch/ao: benchmarks/float8/training/parse_torchtitan_logs.py",
        (Found("steps and validations", r"step: (\d+).*?memory: ([\d.]+)GiB.*?tps: ([\d,]+)",
               _two_digits),),
    ),
    Reader(
        "torchtitan", "a public collector of results (collect_results.py)",
        (Found("complete lines of steps",
               r"step:\s*(\d+)\s+loss:\s*([-\d.]+)\s+grad_norm:\s*([-\d.]+)\s+"
               r"memory:\s*([\d.]+)GiB\(([\d.]+)%\)\s+"
               r"tps:\s*([\d,]+)\s+tflops:\s*([\d.]+)\s+mfu:\s*([\d.]+)%",
               statement.logged),),
        {"gpu": "NVIDIA H100 80GB HBM3"},  # from 1,000 TFLOP/s on a comma stands in the rate
    ),
    Reader(
        "torchtitan", "a public plotter of its losses",
        (Found("steps",
               r"(?<!validate )step:\s*(\d+)\s+loss:\s*([\d.]+)(?:\s+grad_norm:\s*([\d.]+))?",
               statement.logged),
         Found("validations", r"validate step:\s*(\d+)\s+loss:\s*([\d.]+)",
               statement.validated)),
    ),
    Reader(
        "nanotron", "a public plotter of nanotron's losses",
        (Found("losses",
               r"\biteration:\s*(?P<step>\d+)\s*/\s*\d+.*?"
               r"\blm_loss:\s*(?P<loss>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)",
               statement.each_step),),
    ),
    Reader(
        "nanotron", "a public test of nanotron's gradients",
        (Found("norms and losses",
               r"iteration:\s*(\d+)\s*/\s*\d+.*?grad_norm:\s*([\d.eE+\-]+).*?"
               r"lm_loss:\s*([\d.eE+\-]+)",
               statement.each_step),),
    ),
    Reader(
        "maxtext", "AMD-AGI/Primus-SaFE: Lens/modules/telemetry-processor",
        (Found("steps",
               r"completed\s+step:\s*(\d+).*?seconds:\s*([\d.]+).*?TFLOP/s/device:\s*([\d.]+).*?"
               r"Tokens/s/device:\s*([\d,]+(?:\.\d+)?)",
               statement.each_step),),
    ),
    Reader(
        "maxtext", "Google's plot_loss_curves.py, which reads MaxText's logs",
        (Found("steps",
               r"completed step: (\d+), seconds: ([\d.]+), TFLOP/s/device: ([\d.]+), "
               r"Tokens/s/device: ([\d.]+), total_weights: (\d+), loss: ([\d.]+)",
               statement.each_step),),
    ),
    Reader(
        "deepspeed", "a ReFrame test of DeepSpeed's BERT (deepspeed_bert_qa_train)",
        (Found("rates", r"RunningAvgSamplesPerSec=(?P<samples_per_sec>\S+),", _timed),),
    ),
    Reader(
        "deepspeed", "a public collector of a pipeline's steps",
        (Found("reports", r"step=(\d+), skipped=(\d+), lr=\[(.+)\], mom=\[(.+)\]", _reported),
         Found("pipeline steps",
               r"steps: (\d+) loss: ([\d.]+) iter time \(s\): ([\d.]+.\d+) "
               r"samples/sec: ([\d.]+.\d+)", _piped)),
    ),
    Reader(
        "olmo", "a public benchmark of micro-batches",
        (Found("rates", r"throughput/device/tokens_per_second=([0-9,.]+)", _after_first),
         Found("batch rates", r"throughput/device/batches_per_second=([0-9,.]+)", _after_first),
         Found("peaks of GPU memory", r"System/Peak GPU Memory \(MB\)=([0-9,.]+)", _tens,
               at_least=True)),
    ),
    Reader(
        "olmo", "a public plotter of OLMo's losses",
        (Found("steps", r"\[step=(\d+)/(\d+),epoch=(\d+)\]", _console),
         Found("losses", r"\s+train/CrossEntropyLoss=([0-9eE+\-.]+)", _console),
         Found("evaluations", r"\s+eval/([^/]+)/CrossEntropyLoss=([0-9eE+\-.]+)",
               statement.validated)),
    ),
    Reader(
        "mlperf", "GoogleCloudPlatform/PerfKitBenchmarker: linux_benchmarks/mlperf_benchmark.py",
        (Found("events", r":::MLLOG (.*)", statement.logged, at_least=True),),
    ),
    Reader(
        "mlperf", "a public reader of MLPerf's times",
        (Found("run_start", r':::MLLOG (.*"run_start",.*)', _once),
         Found("run_stop", r':::MLLOG (.*"run_stop",.*)', _once)),
    ),
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
        "llmc", "a ReFrame test of llm.c on LUMI (lumi_train_gpt2)",
        (Found("rates", r"\s(\S+)\stok\/s", statement.each_step),
         Found("validations", r"val loss\s(\S+)", llmc.validated),
         Found("mean of the times", r"total average iteration time:\s+(\S+)\sms", _once)),
    ),
    Reader(
        "llmc", "karpathy/llm.c: dev/vislog.ipynb, which reads main.log",
        (Found("losses", r"^s:(\d+) trl:([\d.]+) \S+ \S+$", statement.each_step),
         Found("validations", r"^s:(\d+) tel:([\d.]+)$", llmc.validated),
         Found("evaluations", r"^s:(\d+) eval:([\d.]+)$", llmc.asked)),
        file=True,
    ),
    Reader(
        "llmc", "a public check of llm.c's main.log (validate_training_log.py)",
        (Found("steps",
               r"^s:(?P<step>\d+)\s+trl:(?P<loss>[-+0-9.eE]+)\s+"
               r"lr:(?P<lr>[-+0-9.eE]+)\s+norm:(?P<norm>[-+0-9.eE]+)\s*$", statement.each_step),
         Found("validations", r"^s:(?P<step>\d+)\s+tel:(?P<value>[-+0-9.eE]+)\s*$",
               llmc.validated),
         Found("evaluations", r"^s:(?P<step>\d+)\s+eval:(?P<value>[-+0-9.eE]+)\s*$", llmc.asked)),
        file=True,
    ),
    Reader(
        "nemo", "NVIDIA/dgxc-benchmarking: common/parse_train_timing.sh",
        (Found("timed iterations (11 to 44)", _TIMED, _measured),),
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
        "hf", "a public benchmark of Trainer's throughput",
        (Found("summary",
               r"'train_runtime':\s*'?(?P<runtime>[0-9.]+)'?.*?"
               r"'train_samples_per_second':\s*'?(?P<samples>[0-9.]+)'?.*?"
               r"'train_steps_per_second':\s*'?(?P<steps>[0-9.]+)'?", _once),
         Found("evaluations", r"'eval_loss':\s*'?([0-9.eE+-]+)'?", statement.validated,
               at_least=True)),
    ),
    Reader(
        "hf", "a public dashboard of runs with transformers 4",
        (Found("steps",
               r"\{'loss':\s*([-\d.eE+]+),\s*'grad_norm':\s*([-\d.eE+]+).*?"
               r"'learning_rate':\s*([-\d.eE+]+),\s*'epoch':\s*([\d.]+)\}", statement.logged),
         Found("summary",
               r"'train_runtime':\s*([\d.]+),\s*'train_samples_per_second':\s*([\d.]+),\s*"
               r"'train_steps_per_second':\s*([\d.]+),\s*'train_loss':\s*([\d.eE+]+),\s*"
               r"'epoch':\s*([\d.]+)\}", _once)),
        {"release": "4.57.1"},
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
        "nanotron", "huggingface/bench_cluster: bench_cluster/report.py",
        r"\[default\d+\]:\S+ \S+ \[INFO\|DP=\d+\|PP=\d+\|TP=\d+\|\S+\]: iteration: (\d+) / \d+ \| "
        r"consumed_tokens: ([\d\.KM]+) \| elapsed_time_per_iteration_ms: ([\d\.KM]+) \| ",
        "nanotron of 2024 printed elapsed_time_per_iteration_ms, and printed PP and TP even if "
        "each is 1",
    ),
    Older(
        "megatron", "AMD-AGI/Primus-SaFE: Lens/modules/telemetry-processor",
        r"elapsed\stime\sper\siteration\s\(ms\):\s+(\d+(?:\.\d+)*)/\d+(?:\.\d+)*\s+\|",
        "AMD's Primus prints a mean beside each time, and Megatron-LM prints none",
    ),
    Older(
        "hf", "huggingface/hub-docs: metric_definitions for SageMaker",
        r"'loss': ([0-9]+(.|e\-)[0-9]+),?",
        "transformers 5 writes numbers as strings of four digits: 'loss': '4.71'",
    ),
)  # fmt: skip
