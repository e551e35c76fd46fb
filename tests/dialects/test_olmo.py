"""OLMo's log, against formats written down from its source and from real logs."""

import re
from datetime import datetime
from math import exp

import pyte
import pytest

from llmsim.dialects.olmo.configuration import Record, configuration, pretty
from llmsim.dialects.olmo.lines import flops
from llmsim.dialects.olmo.log_lines import number as written
from llmsim.dialects.olmo.statements import STATEMENTS
from llmsim.job import milestones
from tests.dialects.logs import COLORED, ESCAPE, found, in_order, log_of, near, number, played
from tests.dialects.logs import unmatched as unknown
from tests.runs import job_of

RICH = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] INFO +\[[\w.]+:\d+, rank=\d+\] "
TABBED = (
    r"(?P<stamp>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3})\t[\w-]+:\d\t[\w.]+:\d+\tINFO\t"
)  # fmt: skip
NUMBER = r"(?:[\d,]+(?:\.\d+)?|\d+(?:\.\d+)?e-\d\d)"
NAMES = (
    r"optim/total_grad_norm|train/CrossEntropyLoss|train/Perplexity|throughput/total_tokens|"
    r"throughput/total_training_Gflops|throughput/total_training_log_Gflops|"
    r"throughput/device/tokens_per_second|throughput/device/batches_per_second|"
    r"System/Peak GPU Memory \(MB\)|eval/[\w.+-]+/CrossEntropyLoss|eval/[\w.+-]+/Perplexity"
)
METRIC = rf"    (?P<name>{NAMES})=(?P<value>{NUMBER})"
HEAD = r"\[step=(?P<step>\d+)/(?P<steps>\d+)(?:,epoch=(?P<epoch>\d+))?\]"
PATTERNS = [re.sub(r"\?P<\w+>", "", one.text) for one in STATEMENTS]
REAL = """\
    train/CrossEntropyLoss=10.73
    train/Perplexity=45,773
    throughput/total_tokens=8,388,608
    throughput/device/tokens_per_second=45,538
    throughput/device/batches_per_second=0.0869
    System/Peak GPU Memory (MB)=43,309
    train/CrossEntropyLoss=2.345
    train/Perplexity=10.43
    optim/total_grad_norm=0.1234
""".splitlines()

ORDER = (
    "OMP_NUM_THREADS", "CLI environment", "TrainConfig(", "Saving config to", "Building model",
    "Total number", "before fsdp", "Wrapping", "after fsdp", "Model:",
    "(_fsdp_wrapped_module): OLMo(", "(wte)", "OLMoSequentialBlock(", "(ff_proj)",
    "Constructing optimizer", "Saving pre-train checkpoint", "Attempting", "Starting training",
    "Pre-train system",
    "[step=", "optim/total_grad_norm", "train/CrossEntropyLoss", "train/Perplexity",
    "throughput/total_tokens", "Gflops", "tokens_per_second", "batches_per_second",
    "Peak GPU Memory", "Running evaluation", "[eval_step=", "-validation", "eval/",
    "Saving checkpoint...", "Checkpoint saved to", "Training complete", "destroy_process_group",
)  # fmt: skip

OTHERS: tuple[dict[str, object], ...] = (
    {"gpus": 1},
    {"gpus": 131_072, "model": "Basalt-405B"},
    {"recipe": "continue"},
)


@pytest.mark.parametrize("seed", range(20))
def test_every_line_is_one_that_olmo_prints(seed: int) -> None:
    assert unknown(log_of("olmo", seed), PATTERNS) == []


@pytest.mark.parametrize("options", OTHERS, ids=str)
def test_so_it_is_in_unusual_jobs(options: dict[str, object]) -> None:
    assert unknown(log_of("olmo", 1, **options), PATTERNS) == []


def test_real_lines_match_the_same_patterns() -> None:
    assert unknown(REAL, PATTERNS) == []


def test_the_phases_come_in_the_order_of_its_scripts() -> None:
    log = log_of("olmo", 1, model="Magic8Ball-8B", gpus=16, recipe="pretrain")
    assert in_order(ORDER, log) is None


@pytest.mark.parametrize("seed", [8, 14, 37])
def test_no_rank_warns_of_an_embedding_as_large_as_the_vocabulary(seed: int) -> None:
    """olmo/model.py:1077 looks at a size's divisor only where the two sizes differ."""
    log = log_of("olmo", seed)
    config = next(line for line in log if "TrainConfig(" in line)
    sizes = [number(size) for size in re.findall(r"(?:vocab|embedding)_size=(\d+)", config)]
    assert sizes[0] == sizes[1]
    assert sizes[0] % 128
    assert [line for line in log if "UserWarning" in line or not line] == []


# As torch 2 prints OLMo-1B's class under DDP, cut to one width (olmo/model.py, OLMo-1B.yaml).
TREE = """\
DistributedDataParallel(
  (module): OLMo(
    (transformer): ModuleDict(
      (wte): Embedding({v}, {d})
      (emb_drop): Dropout(p=0.0, inplace=False)
      (ln_f): RMSLayerNorm()
      (blocks): ModuleList(
        (0-{last}): {n} x OLMoSequentialBlock(
          (dropout): Dropout(p=0.0, inplace=False)
          (act): SwiGLU()
          (attn_out): Linear(in_features={d}, out_features={d}, bias=False)
          (ff_out): Linear(in_features={f}, out_features={d}, bias=False)
          (rotary_emb): RotaryEmbedding()
          (att_proj): Linear(in_features={d}, out_features={qkv}, bias=False)
          (ff_proj): Linear(in_features={d}, out_features={ff}, bias=False)
          (attn_norm): RMSLayerNorm()
          (ff_norm): RMSLayerNorm()
        )
      )
    )
  )
)"""


def test_the_modules_are_those_of_the_model() -> None:
    options: dict[str, object] = {"model": "Heron-124M", "gpus": 8, "recipe": "pretrain"}
    log, config = log_of("olmo", 1, **options), job_of(1, dialect="olmo", **options).architecture
    begin = next(at for at, line in enumerate(log) if line.endswith("Model:")) + 1
    tree = TREE.format(
        v=config.vocabulary, d=config.hidden_size, last=config.layers - 1, n=config.layers,
        f=config.feed_forward, ff=2 * config.feed_forward,
        qkv=(config.heads + 2 * config.kv_heads) * config.head_dim,
    ).splitlines()  # fmt: skip
    assert log[begin].endswith("\ttrain:223\tINFO\t" + tree[0])
    assert list(log[begin + 1 : begin + len(tree)]) == tree[1:]


@pytest.mark.parametrize("seed", range(20))
def test_the_modules_hold_the_weights_that_are_counted(seed: int) -> None:
    """Matrices of every block, the embeddings, and a norm's vector wherever one stands."""
    log = log_of("olmo", seed)
    begin = next(at for at, line in enumerate(log) if line.endswith("Model:")) + 1
    end = next(at for at, line in enumerate(log) if "Constructing optimizer" in line)
    tree = "\n".join(log[begin:end])
    (times,) = (int(each) for each in re.findall(r"\): (\d+) x ", tree))
    ((words, width),) = (map(int, both) for both in re.findall(r"Embedding\((\d+), (\d+)\)", tree))
    sizes = [
        (int(rows) * int(columns), "          " in blanks)
        for blanks, rows, columns in re.findall(
            r"\n( +)\(\w+\): Linear\(in_features=(\d+), out_features=(\d+)", tree
        )
    ]
    counted = words * width + width + times * 2 * width
    counted += sum(size * (times if inside else 1) for size, inside in sizes)
    shown = found(r"Total number of parameters: (?P<all>[\d,]+)", log)["all"]
    assert number(shown) == counted


def test_a_terminal_gets_rich_lines_and_the_same_metrics() -> None:
    text = played("olmo", 3, COLORED._replace(live=True))
    plain = ESCAPE.sub("", text).splitlines()
    begin = next(at for at, line in enumerate(plain) if line.endswith("[train:91, rank=0]"))
    end = plain.index(")", begin)
    config = configuration(job_of(3, dialect="olmo"))
    assert plain[begin + 1 : end + 1] == [*pretty(config)]
    shown = [re.sub(RICH, "", line) for line in (*plain[:begin], *plain[end + 1 :])]
    piped = [line.rpartition("\t")[2] for line in log_of("olmo", 3)]
    assert shown == [line for line in piped if not line.startswith("TrainConfig(")]
    terminal = pyte.Screen(80, 24)
    terminal.set_mode(pyte.modes.LNM)
    pyte.Stream(terminal).feed(text)
    assert "Training complete" in "".join(terminal.display)


def test_the_configuration_has_every_field_of_the_release() -> None:
    """Counted in olmo/config.py of v0.6.0."""
    sizes = {
        "ModelConfig": 43, "OptimizerConfig": 11, "SchedulerConfig": 8, "DataConfig": 15,
        "TokenizerConfig": 2, "SpeedMonitorConfig": 2, "CompilerConfig": 4, "FSDPConfig": 5,
        "DDPConfig": 2,
    }  # fmt: skip
    seen = set()
    for seed in range(20):
        config = configuration(job_of(seed, dialect="olmo"))
        assert len(config.fields) == 64
        for part in config.fields.values():
            if isinstance(part, Record):
                assert len(part.fields) == sizes[part.name], part.name
                seen.add(part.name)
    assert seen >= {*sizes} - {"CompilerConfig", "DDPConfig"}


def test_rich_opens_what_is_too_wide() -> None:
    """rich.pretty, with 4 blanks and the width of OLMo's console."""
    inner = Record("B", {"name": "x" * 150, "sizes": (0.9, 0.95)})
    assert [*pretty(Record("A", {"one": 1, "two": "z" * 100, "three": [inner]}))] == [
        "A(",
        "    one=1,",
        f"    two='{'z' * 100}',",
        "    three=[",
        "        B(",
        f"            name='{'x' * 150}',",
        "            sizes=(0.9, 0.95)",
        "        )",
        "    ]",
        ")",
    ]
    assert [*pretty(inner._replace(fields={"name": "x"}))] == ["B(name='x')"]


@pytest.mark.parametrize("seed", range(20))
def test_it_saves_before_it_evaluates_and_first_of_all(seed: int) -> None:
    """train.py:1250, :1300, and :1349 after the loop; scripts/train.py:289 before it."""
    log, job = "\n".join(log_of("olmo", seed)), job_of(seed, dialect="olmo")
    fresh = not job.recipe.released and job.schedule.first_step == 1
    assert ("Saving pre-train checkpoint..." in log) == fresh
    both = {*milestones.saved_steps(job)} & {*milestones.validated_steps(job)}
    for step in both:
        saved = (
            log.index(f"/step{step}\n")
            if f"/step{step}\n" in log
            else log.index(f"/step{step}-unsharded\n")
        )
        at = log.index(f"[step={step}/") if f"[step={step}/" in log else -1
        evaluated = log.index("Running evaluation", at)
        if at >= 0:
            assert (saved < evaluated) == milestones.save_is_due(job, step)


@pytest.mark.parametrize("seed", range(20))
def test_flops_are_counted_as_its_model_counts_them(seed: int) -> None:
    """model.py:1569 and :1587: in forward passes the embeddings count nothing."""
    job = job_of(seed, dialect="olmo")
    log = log_of("olmo", seed)
    total = number(found(r"Total number of parameters: (?P<n>[\d,]+)", log)["n"])
    inner = number(found(r"Number of non-embedding parameters: (?P<n>[\d,]+)", log)["n"])
    config, length = job.architecture, job.schedule.sequence
    attention = 3 * config.layers * 4 * config.hidden_size * length
    assert flops(job) == 2 * inner + 4 * total + attention
    for _, _, metrics in blocks(log):
        if "throughput/total_tokens" in metrics:
            expected = flops(job) * metrics["throughput/total_tokens"] / 1e9
            assert metrics["throughput/total_training_Gflops"] == int(expected)


# train.py:966, on numbers of real lines.
@pytest.mark.parametrize(
    ("value", "text"),
    [(45773.9, "45,773"), (8388608, "8,388,608"), (10.734, "10.73"), (9.7031, "9.703"),
     (0.08691, "0.0869"), (123.45, "123.5"), (2e-05, "2e-05"), (1.0, "1.0000")],
)  # fmt: skip
def test_decimals_go_by_the_size(value: float, text: str) -> None:
    assert written(value) == text


@pytest.mark.parametrize("seed", range(20))
def test_weights_are_in_fp32_before_training(seed: int) -> None:
    """Four bytes each, twice with DDP's buckets; FSDP's ranks have a part each (train.py:172)."""
    log, ranks = log_of("olmo", seed), job_of(seed, dialect="olmo").layout.dp
    weights = number(found(r"Total number of parameters: (?P<n>[\d,]+)", log)["n"])
    told = found(r"Memory \(MB\) after (?P<how>\w+): (?P<mb>\d+)", log)
    size = {"ddp": 8.0, "fsdp": 4 / ranks}[told["how"]]
    assert int(told["mb"]) == int(size * weights / 1e6)


# --- identities on the text --------------------------------------------------------------


def blocks(log: tuple[str, ...]) -> list[tuple[str, str, dict[str, float]]]:
    """(time, head, metrics) of each block, and of each line without metrics."""
    shown: list[tuple[str, str, dict[str, float]]] = []
    for line in log:
        if match := re.fullmatch(METRIC, line):
            shown[-1][2][match["name"]] = number(match["value"])
        elif match := re.match(TABBED, line):
            shown.append((match["stamp"], line[match.end() :], {}))
    return shown


def digits(value: float) -> float:
    """Half of the last digit that is printed of a number: 100.0 may have been 100.03."""
    text = written(1.001 * value)
    return 0.5 * 10.0 ** -len(text.partition(".")[2]) if "." in text else 1.0


def when(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f")


def check_identities(log: tuple[str, ...]) -> int:
    last, seen, before = None, 0, 0
    batch = 0.0
    ratios = []
    for stamp, head, metrics in blocks(log):
        match = re.fullmatch(HEAD, head)
        if not match:
            last = None
            for name, value in metrics.items():
                if name.endswith("CrossEntropyLoss"):
                    perplexity = metrics[name.replace("CrossEntropyLoss", "Perplexity")]
                    part = digits(value) * 1.01
                    assert near(perplexity, exp(value), part, digits(perplexity))
            continue
        step = int(match["step"])
        loss, perplexity = metrics["train/CrossEntropyLoss"], metrics["train/Perplexity"]
        assert near(perplexity, exp(loss), digits(loss) * 1.01, digits(perplexity))
        batch = batch or metrics["throughput/total_tokens"] / step
        assert metrics["throughput/total_tokens"] == step * batch
        assert ("System/Peak GPU Memory (MB)" in metrics) == (step < 3 or step % 10 == 0)
        if step > 1:
            per_second = metrics["throughput/device/batches_per_second"]
            tokens = metrics["throughput/device/tokens_per_second"]
            ratios.append((tokens / per_second, 1 / tokens + digits(per_second) / per_second))
            if last:
                gap = (when(stamp) - when(last)).total_seconds()
                took = (step - before) / per_second
                assert near(
                    gap, took, 1.01 * digits(per_second) / (per_second - digits(per_second)), 0.002
                )
        last, before, seen = stamp, step, seen + 1
    for ratio, part in ratios:  # tokens of a batch on one device
        assert near(ratio, ratios[0][0], part + ratios[0][1], 0)
    return seen


@pytest.mark.parametrize("seed", range(50))
def test_the_identities_hold_on_the_text_alone(seed: int) -> None:
    assert check_identities(log_of("olmo", seed)) > 50


@pytest.mark.parametrize("options", OTHERS, ids=str)
def test_they_hold_in_unusual_jobs(options: dict[str, object]) -> None:
    assert check_identities(log_of("olmo", 1, **options)) > 50


def test_the_parameters_are_counted_as_everywhere() -> None:
    log = log_of("olmo", 1, model="Magic8Ball-8B", recipe="pretrain")
    assert found(r"Total number of parameters: (?P<n>\S+)", log)["n"] == "8,030,261,248"
