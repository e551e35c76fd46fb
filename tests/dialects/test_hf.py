"""The hf dialect against the Trainer's own formats, and its text against itself."""

import ast
import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib.util import find_spec
from math import ceil, exp
from pathlib import Path
from struct import pack, unpack

import pytest
from tqdm.std import EMA, tqdm  # type: ignore[attr-defined]  # EMA is not in its stubs

from llmsim.dialects.hf import arguments
from llmsim.dialects.hf import lines as hf
from llmsim.dialects.hf.statements import OLDER, STATEMENTS
from llmsim.dialects.line import Bar
from llmsim.dialects.registry import lines_of
from llmsim.job.milestones import validated_steps
from llmsim.run import events
from llmsim.text.screen import Screen
from tests.dialects.logs import in_order, rate
from tests.dialects.transcripts import (
    BAR,
    PIPE,
    Log,
    check_bar,
    log,
    number,
    screens,
    seconds,
    unmatched,
)
from tests.runs import job_of, run_of

V = r"'-?\d[\d.]*(?:e[+-]\d\d+)?'"
STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"

INFO = rf"\[INFO\|(?P<place>[\w/]+\.py:\d+)\] (?P<stamp>{STAMP}) >> "
PATH = r"(?:checkpoints/[\w-]+/checkpoint-\d+|exports/[\w.-]+)"
COUNT = r"(?P<count>[\d,]+)"

CLOCK = r"\d\d/\d\d/\d{4} \d\d:\d\d:\d\d"
RANK = r"Process rank: \d+, device: cuda:\d+, n_gpu: 1"
PATTERNS = tuple(each.text for each in STATEMENTS)

# As transformers 5.23.0, wandb 0.31.0 and torch 2.13.0 printed them.
REAL = """\
W1122 17:30:25.729000 1726 torch/distributed/run.py:874] *****************************************
{'loss': '5.367', 'grad_norm': '7.194', 'learning_rate': '0', 'epoch': '0.01667'}
{'loss': '4.71', 'grad_norm': '2.824', 'learning_rate': '0.0006', 'epoch': '0.1167'}
{'loss': '3.804', 'grad_norm': '2.623', 'learning_rate': '8.333e-05', 'epoch': '0.2333'}
{'eval_loss': '3.215', 'eval_accuracy': '0.4112', 'eval_runtime': '0.1438', \
'eval_samples_per_second': '445', 'eval_steps_per_second': '27.81', 'epoch': '0.3333'}
{'train_runtime': '11.75', 'train_samples_per_second': '81.7', 'train_steps_per_second': '5.106', \
'train_loss': '3.401', 'epoch': '1'}
Writing model shards: 100%|██████████| 1/1 [00:00<00:00, 171.26it/s]
Running tokenizer on dataset: 100%|██████████| 320/320 [00:00<00:00, 22641.32 examples/s]
[INFO|trainer.py:1618] 2026-11-22 17:27:21,235 >> ***** Running training *****
[INFO|trainer.py:1619] 2026-11-22 17:27:21,235 >>   Num examples = 960
[INFO|trainer.py:1620] 2026-11-22 17:27:21,235 >>   Num Epochs = 1
[INFO|trainer.py:1621] 2026-11-22 17:27:21,235 >>   Num update steps per epoch = 60
[INFO|trainer.py:1622] 2026-11-22 17:27:21,235 >>   Instantaneous batch size per device = 16
[INFO|trainer.py:1625] 2026-11-22 17:27:21,235 >>   Total train batch size (w. parallel, \
distributed & accumulation) = 16
[INFO|trainer.py:1626] 2026-11-22 17:27:21,235 >>   Gradient Accumulation steps = 1
[INFO|trainer.py:1627] 2026-11-22 17:27:21,235 >>   Total optimization steps = 60
[INFO|trainer.py:1628] 2026-11-22 17:27:21,235 >>   Number of trainable parameters = 842,496
***** train metrics *****
  epoch                    =        1.0
  total_flos               =      544GF
  train_loss               =      3.401
  train_runtime            = 0:00:11.74
  train_samples_per_second =     81.703
***** eval metrics *****
  eval_steps_per_second   =     30.938
  perplexity              =    16.3316
wandb: Tracking run with wandb version 0.31.0
wandb: Run `wandb offline` to turn off syncing.
wandb: Syncing run fancy-dawn-42
wandb: Run history:
wandb:                train/loss █▇▆▆▆▅▅▄▄▄▄▄▃▃▃▂▂▂▂▂▂▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁
wandb: Run summary:
wandb:                  train/loss 3.0003
wandb: Synced 5 W&B file(s), 0 media file(s), 0 artifact file(s) and 0 other file(s)
"""


def dicts(told: Log, first: str) -> list[dict[str, float]]:
    """The dicts that begin with a key, read as Python reads them."""
    found = []
    for line in told.lines:
        if line.startswith(f"{{'{first}'"):
            read = ast.literal_eval(line)
            assert isinstance(read, dict)
            assert all(f"{float(value):.4g}" == value for value in read.values()), line
            found.append({key: float(value) for key, value in read.items()})
    return found


def close(value: float, expected: float, digits: int = 4) -> bool:
    """Whether a printed value is the expected one, to its digits."""
    return value == pytest.approx(expected, rel=1.01 * 10.0 ** (1 - digits), abs=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_every_line_is_one_of_the_frameworks(seed: int) -> None:
    assert unmatched(log("hf", seed).lines, PATTERNS) == []


def test_the_real_lines_are_matched_too() -> None:
    assert unmatched(REAL.splitlines(), PATTERNS) == []


def planned(told: Log, name: str) -> int:
    """A number of the plan that is told before the first step."""
    (match, *_) = told.found(rf"{INFO}  {re.escape(name)} = (?P<number>[\d,]+)")
    return int(number(match["number"]))


def logged_steps(told: Log) -> list[int]:
    """The steps that a run logs: each of an interval, and step 1 (--logging_first_step)."""
    schedule = told.job.schedule
    every, found = schedule.log_every, schedule.first_step - 1
    first = [] if found or every == 1 else [1]
    return [*first, *range(found // every * every + every, schedule.steps + 1, every)]


@pytest.mark.parametrize("seed", range(50))
def test_the_identities_hold_on_the_text_alone(seed: int) -> None:
    told = log("hf", seed)
    steps, epochs = planned(told, "Total optimization steps"), planned(told, "Num Epochs")
    per_epoch = planned(told, "Num update steps per epoch")
    batch = planned(told, "Total train batch size (w. parallel, distributed & accumulation)")
    accumulation = planned(told, "Gradient Accumulation steps")
    # trainer.py: set_initial_training_values, of a run that is told its steps.
    batches = ceil(planned(told, "Num examples") / (batch // accumulation))
    assert per_epoch == ceil(batches / accumulation)
    assert epochs == steps // per_epoch + (steps % per_epoch > 0)

    def epoch(step: int) -> float:
        return step // per_epoch + step % per_epoch * accumulation / batches

    trained, evaluated, (ended,) = (
        dicts(told, "loss"), dicts(told, "eval_loss"), dicts(told, "train_runtime")
    )  # fmt: skip

    # Steps are told at even intervals, and the learning rate is a plan's.
    logged, found = logged_steps(told), told.job.schedule.first_step - 1
    assert len(trained) == len(logged)
    for step, values in zip(logged, trained, strict=True):
        assert close(values["epoch"], epoch(step))
        assert 0 <= values["learning_rate"] <= 1.001 * trained_peak(trained)
    lengths = [step - before for before, step in zip([found, *logged], logged, strict=False)]
    mean = sum(values["loss"] * length for values, length in zip(trained, lengths, strict=True))
    own = steps - found  # _finalize_training counts the steps of this call of train()
    assert close(ended["train_loss"], mean / own, digits=3)
    assert close(ended["epoch"], epoch(steps))
    if told.job.dataset.rows:  # texts of all conversations in blocks, as run_clm.py groups them
        blocks = told.job.dataset.tokens / told.job.schedule.sequence
        assert planned(told, "Num examples") == pytest.approx(blocks, rel=0.005)
    else:
        assert ended["epoch"] == epochs

    # Evaluations and the whole training: what passed divided by the time.
    runtime = ended["train_runtime"]
    assert close(ended["train_samples_per_second"], own * batch / runtime, digits=3)
    assert ended["train_steps_per_second"] == pytest.approx(own / runtime, rel=2e-3, abs=6e-4)
    held_out = list(told.found(rf"{INFO}  Num examples = (?P<number>\d+)"))[1:]
    for match, values in zip(held_out, evaluated, strict=False):
        samples = int(match["number"])
        rate = values["eval_samples_per_second"]
        assert rate == pytest.approx(samples / values["eval_runtime"], rel=2e-3, abs=6e-4)


@pytest.mark.parametrize("seed", range(12))
def test_a_step_logs_the_rate_that_it_took(seed: int) -> None:
    """optimization.py's lambdas of the step before: transformers' schedules count from 0."""
    told = log("hf", seed)
    schedule = told.job.schedule
    for values in dicts(told, "loss"):
        told_steps = values["epoch"] * planned(told, "Num update steps per epoch")
        step = round(told_steps)
        if abs(step - told_steps) > 0.01:
            continue  # four digits of an epoch do not tell the step
        expected = rate(
            step - 1,
            schedule.steps,
            schedule.warmup,
            schedule.peak_lr,
            schedule.final_lr,
            schedule.decay,
        )
        assert close(values["learning_rate"], expected)
    if schedule.first_step == 1:
        assert dicts(told, "loss")[0]["learning_rate"] == 0


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("dialect", ["hf", "trl"])
def test_a_file_has_the_training_bar_around_the_dicts(dialect: str, seed: int) -> None:
    """tqdm.write redraws the bar below each line that is written through it."""
    told = log(dialect, seed)
    steps = told.job.schedule.steps
    lines = iter(told.lines)
    first = next(line for line in lines if line.startswith("  0%|"))
    assert first == f"  0%|          | 0/{steps} [00:00<?, ?it/s]"
    counts = []
    for line in lines:
        if line.startswith(("{'loss'", "{'eval_loss'", "{'train_runtime'")):
            bar = re.fullmatch(BAR, next(lines))
            assert bar, line
            assert int(bar["total"]) == steps
            counts.append(int(bar["done"]))
    assert counts == sorted(counts)
    evaluated = {*validated_steps(told.job)}
    assert set(counts) == {*logged_steps(told), *evaluated}


def trained_peak(trained: list[dict[str, float]]) -> float:
    return max(values["learning_rate"] for values in trained)


@pytest.mark.parametrize("seed", range(50))
def test_the_tables_say_what_the_dicts_say(seed: int) -> None:
    told = log("hf", seed)
    table = {
        match["key"]: match["value"]
        for match in told.found(r"  (?P<key>\w+) += +(?P<value>[\w.:, ]+)")
    }
    (ended,), evaluated = dicts(told, "train_runtime"), dicts(told, "eval_loss")[-1]
    for key in ("train_loss", "train_samples_per_second", "train_steps_per_second"):
        assert close(ended[key], float(table[key]))
    for key in ("eval_loss", "eval_samples_per_second", "eval_steps_per_second"):
        assert close(evaluated[key], float(table[key]))
    for key, values in (("train_runtime", ended), ("eval_runtime", evaluated)):
        assert values[key] == pytest.approx(duration(table[key]), rel=1e-3, abs=0.011)
    loss = float(table["eval_loss"])
    assert float(table["perplexity"]) == pytest.approx(exp(loss), rel=6e-5, abs=2e-4)


def duration(text: str) -> float:
    """Seconds of "1 day, 2:03:04.56"."""
    days, _, clock = text.rpartition("day")
    hours, minutes, seconds = clock.removeprefix("s, ").removeprefix(", ").split(":")
    whole = timedelta(days=int(days or 0), hours=int(hours), minutes=int(minutes))
    return whole.total_seconds() + float(seconds)


def test_the_script_ends_as_run_clm_does() -> None:
    """Train, save_model, log_metrics("train"), evaluate, log_metrics("eval")."""
    told = log("hf", 3)
    marks = (
        "Training completed.", "Saving model checkpoint to exports/", "***** train metrics *****",
        "*** Evaluate ***", "***** Running Evaluation *****", "100%|", "***** eval metrics *****",
        "Run history",
    )  # fmt: skip
    assert in_order(marks, told.lines) is None


@pytest.mark.parametrize("seed", range(50))
def test_time_stamps_and_runtimes_agree(seed: int) -> None:
    told = log("hf", seed)
    stamps = [
        (match["place"], datetime.strptime(match["stamp"], "%Y-%m-%d %H:%M:%S,%f"))
        for match in told.found(rf"{INFO}.*")
    ]
    assert [at for _, at in stamps] == sorted(at for _, at in stamps)
    began = next(at for place, at in stamps if place == "trainer.py:1618")
    ended = next(at for place, at in stamps if place == "trainer.py:1995")
    (values,) = dicts(told, "train_runtime")
    passed = (ended - began).total_seconds()
    (phase,) = [
        event
        for event in run_of(seed, dialect="hf").all(events.PhaseEnded)
        if event.phase == "training"
    ]
    assert values["train_runtime"] == pytest.approx(phase.lasted, rel=6e-4)
    # The launch's last line is written some 0.4 s before the training begins.
    assert passed == pytest.approx(phase.lasted, abs=0.5)


@pytest.mark.parametrize("seed", range(50))
def test_bars_agree_with_themselves(seed: int) -> None:
    told = log("hf", seed)
    bars = told.found(rf"(?:[\w ]+: )?{BAR}")
    assert len(bars) > 5
    # After a resume the training bar has jumped, so that its rate is of the latest updates alone.
    jumped = told.job.schedule.steps if told.job.schedule.first_step > 1 else 0
    for match in bars:
        if number(match["total"]) != jumped:
            check_bar(match)


@pytest.mark.parametrize("seed", range(50))
def test_the_client_says_the_last_values(seed: int) -> None:
    told = log("hf", seed)
    summary = {
        match["key"]: float(match["value"])
        for match in told.found(r"wandb: +(?P<key>[\w/]+) (?P<value>-?\d[\d.e+-]*)")
    }
    trained, evaluated = dicts(told, "loss")[-1], dicts(told, "eval_loss")[-1]
    # The client shows ten values in alphabetical order: train/loss is among the others.
    assert summary["train/grad_norm"] == pytest.approx(trained["grad_norm"], rel=1e-3, abs=1e-5)
    assert summary["eval/accuracy"] == pytest.approx(evaluated["eval_accuracy"], rel=1e-3)
    assert summary["eval/loss"] == pytest.approx(evaluated["eval_loss"], rel=1e-3)
    assert summary["train/global_step"] == told.job.schedule.steps
    (spark,) = told.found(r"wandb: +train/global_step (?P<spark>[▁-█]+)")
    assert list(spark["spark"]) == sorted(spark["spark"])
    assert len(spark["spark"]) == 40


def bar_lines(seed: int, surface: Screen) -> Iterator[tuple[events.Progress, Bar]]:
    run, tell = run_of(seed, dialect="hf"), lines_of("hf")[events.Progress]
    for event in run.all(events.Progress):
        for line in tell(event, run.job, surface):
            if isinstance(line, Bar):
                yield event, line


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("seed", [0, 3, 7])
def test_bars_are_tqdms(width: int, seed: int) -> None:
    job = run_of(seed, dialect="hf").job
    for surface, columns in (
        (PIPE, None), (Screen(width, 40, False, unicode=True, live=True), width - 1)
    ):  # fmt: skip
        for event, line in bar_lines(seed, surface):
            if event.task == "validation":
                batches = job.layout.accumulation
                done, total = event.done * batches, event.total * batches
                label, unit, scale = "", "it", False
            elif event.label == job.dataset.name:
                done, total, label = event.done, event.total, "Downloading data"
                unit, scale = "B", True
            else:
                continue
            assert line.text == tqdm.format_meter(
                done, total, event.elapsed, ncols=columns, prefix=label, unit=unit, unit_scale=scale
            )


def test_a_run_of_one_epoch_counts_its_time_to_the_second() -> None:
    """On a terminal: a file has the bar only below the lines that are written through it."""
    surface, seen = Screen(120, 40, False, unicode=True, live=True), 0
    for seed in range(8):
        schedule = run_of(seed, dialect="hf").job.schedule
        if schedule.epochs > 1 or schedule.first_step > 1:
            continue
        for event, line in bar_lines(seed, surface):
            if event.task == "epoch":
                seen += 1
                assert line.text == tqdm.format_meter(
                    event.done, schedule.steps, event.elapsed, ncols=119
                )
    assert seen > 100


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (200, 50)])
@pytest.mark.parametrize("seed", [1, 3])
def test_a_terminal_shows_no_leftovers(width: int, height: int, seed: int) -> None:
    seen = 0
    for rows in screens("hf", seed, width, height, every=7):
        shown = [row for row in rows if "%|" in row]
        for row in shown:
            # tqdm cuts a bar that is wider than the terminal.
            assert re.fullmatch(r"(?:[\w ]+: )?.*%\|.*\| \S+/\S+ \[[^\]]*\]?", row), row
            # A blank where it is cut is not to be seen.
            assert row.endswith("]") or len(row) in (width - 1, width - 2)
            assert len(row) < width
        unfinished = [row for row in shown if "100%|" not in row]
        assert len(unfinished) <= 1, rows
        seen += len(unfinished)
        if unfinished:
            assert [row for row in rows if row][-1] == unfinished[0]
    assert seen > 10


def test_a_terminal_shows_the_command_and_a_pipe_does_not() -> None:
    assert not any(line.startswith("$ ") for line in log("hf", 1).lines)
    first = next(rows for rows in screens("hf", 1, 200, 50))
    assert first[0].startswith("$ torchrun --")


def test_adapters_are_saved_without_a_configuration() -> None:
    told = log("hf", 2, recipe="lora")
    assert not told.found(rf"{INFO}(?:Configuration|Model weights) saved in .*")
    assert not told.found(r"Writing model shards: .*")
    assert told.found(rf"{INFO}Saving model checkpoint to exports/.*")
    assert unmatched(told.lines, PATTERNS) == []


@pytest.mark.exports  # needs transformers
def test_all_arguments_are_those_of_the_library() -> None:
    """The fields of TrainingArguments and their defaults, read from the installed source."""
    spec = find_spec("transformers")
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse((Path(spec.origin).parent / "training_args.py").read_text())
    (arguments_class,) = (
        node
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == "TrainingArguments"
    )
    defaults: dict[str, object] = {}
    for node in arguments_class.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            words = node.value.keywords if isinstance(node.value, ast.Call) else []
            given = [word.value for word in words if word.arg == "default"]
            is_plain = given and isinstance(given[0], ast.Constant)
            defaults[node.target.id] = ast.literal_eval(given[0]) if is_plain else ...
    fields = arguments.fields(job_of(1, dialect="hf"))
    assert set(fields) == set(defaults)
    # What this run's command sets, and what __post_init__ derives.
    given_here = re.findall(r"\w+", CHANGED)
    for name, value in fields.items():
        if defaults[name] is not ... and name not in given_here:
            assert value == defaults[name], name


CHANGED = """
accelerator_config activation_checkpointing bf16 debug disable_tqdm do_eval do_train eval_steps
eval_strategy fsdp fsdp_config gradient_accumulation_steps gradient_checkpointing hub_strategy
hub_token learning_rate logging_first_step logging_steps logging_strategy lr_scheduler_kwargs
lr_scheduler_type max_steps num_train_epochs output_dir per_device_eval_batch_size
per_device_train_batch_size report_to save_steps save_strategy save_total_limit seed warmup_steps
weight_decay
"""


@pytest.mark.exports  # needs transformers
@pytest.mark.parametrize("seed", [0, 1, 3])
def test_the_configuration_is_printed_as_the_library_prints_it(seed: int) -> None:
    from transformers import LlamaConfig

    told = log("hf", seed)
    first = next(
        at for at, line in enumerate(told.lines) if ">> Model config LlamaConfig {" in line
    )
    last = told.lines.index("}", first)
    text = "\n".join(told.lines[first : last + 1]).partition(">> Model config ")[2]
    config = LlamaConfig(**json.loads(text.removeprefix("LlamaConfig ")))
    assert re.sub(r'(_version": ")[\d.]+', r"\g<1>5.23.0", str(config)) == text + "\n"


def test_the_table_of_events_is_whole() -> None:
    assert set(hf.LINES) >= {events.Step, events.Validated, events.Progress, events.Summary}


@pytest.mark.parametrize("seed", range(6))
def test_weights_and_biases_begins_with_the_training(seed: int) -> None:
    """The callback calls wandb.init in on_train_begin, after "Running training"."""
    told = log("hf", seed)
    running = told.found(rf"{INFO}\*\*\*\*\* Running training \*\*\*\*\*")[0]
    began = datetime.strptime(running["stamp"][:19], "%Y-%m-%d %H:%M:%S")
    folders = [m["at"] for m in told.found(r"wandb: .*wandb/run-(?P<at>\d{8}_\d{6})-\w{8}.*")]
    assert len(folders) == 2
    for folder in folders:
        assert 0 <= (datetime.strptime(folder, "%Y%m%d_%H%M%S") - began).total_seconds() <= 2


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("dialect", ["hf", "trl"])
def test_a_resumed_call_counts_its_own_steps(dialect: str, seed: int) -> None:
    """trainer.py, _finalize_training: samples, steps and loss of this call. Its bar begins at 0,
    jumps with the first step, and tqdm's moving mean forgets the jump.
    """
    told = log(dialect, seed, recipe="sft", gpus=8, incident=("segfault@60%",))
    steps, batch = told.job.schedule.steps, told.job.schedule.global_batch
    second = max(at for at, line in enumerate(told.lines) if line.startswith("  0%|"))
    lines = told.lines[second:]
    bars = [
        bar for line in lines if (bar := re.fullmatch(BAR, line)) and bar["total"] == str(steps)
    ]
    found = int(bars[1]["done"]) // told.job.schedule.save_every * told.job.schedule.save_every
    assert 0 < found < steps
    (ended,) = dicts(Log(told.job, lines), "train_runtime")
    runtime = ended["train_runtime"]
    assert close(ended["train_samples_per_second"], (steps - found) * batch / runtime, digits=2)
    assert close(ended["train_steps_per_second"], (steps - found) / runtime, digits=1)
    for bar in bars[1:]:
        done, elapsed = int(bar["done"]), seconds(bar["elapsed"])
        units, times = EMA(0.3), EMA(0.3)
        for update in range(done - found):
            units(1 if update else found + 1)
            times(1.0)
        each = times() / units() * elapsed / (done - found)
        shown = number(bar["rate"])
        shown = shown if bar["unit"].startswith("s/") else 1 / shown
        assert shown == pytest.approx(each, rel=0.02, abs=0.02), bar.string


# Of public runs with transformers 4: Chinese-LLaMA-Alpaca's issue 534, a trainer_state of
# Jaong/Checkpoint-of-CPT and others; what a script of 4.57 printed.
REAL_4 = """\
{'loss': 1.1409, 'grad_norm': 2.757542133331299, 'learning_rate': 1.817850637522769e-05, \
'epoch': 0.91}
{'train_runtime': 472.0904, 'train_samples_per_second': 0.763, 'train_steps_per_second': 0.095, \
'train_loss': 2.382095660103692, 'epoch': 3.0}
Loading checkpoint shards: 100%|██████████| 4/4 [00:07<00:00,  1.85s/it]
"""


def raw_dicts(told: Log, first: str) -> list[dict[str, float]]:
    """The dicts of version 4, whose numbers are Python's."""
    return [
        ast.literal_eval(line) for line in told.lines if line.startswith(f"{{'{first}'")
    ]  # fmt: skip


def test_the_real_lines_of_version_4_are_matched_too() -> None:
    patterns = [each.text for each in OLDER["4.57.1"][0]]
    assert unmatched(REAL_4.splitlines(), patterns) == []


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("dialect", "release"), [("hf", "4.57.1"), ("trl", "1.16.0+transformers-4.57.1")]
)
def test_version_4_writes_the_same_numbers_as_python_does(
    dialect: str, release: str, seed: int
) -> None:
    """trainer.py:3205 rounds the loss, trainer_callback.py:692 the epoch; tensors are float32."""
    old, new = log(dialect, seed, release=release, recipe="sft"), log(dialect, seed, recipe="sft")
    pairs = list(zip(raw_dicts(old, "loss"), dicts(new, "loss"), strict=True))
    assert len(pairs) > 5
    for raw, text in pairs:
        assert list(raw) == list(text)
        assert raw["loss"] == round(raw["loss"], 4)
        assert raw["epoch"] == round(raw["epoch"], 2)
        assert raw["grad_norm"] == unpack("f", pack("f", raw["grad_norm"]))[0]
        for key in ("grad_norm", "learning_rate"):
            assert close(raw[key], text[key])  # of four digits
    for raw in raw_dicts(old, "eval_loss"):
        assert raw["eval_loss"] == unpack("f", pack("f", raw["eval_loss"]))[0]
        assert raw["eval_runtime"] == round(raw["eval_runtime"], 4)
    (ended,) = raw_dicts(old, "train_runtime")
    assert ended["train_runtime"] == round(ended["train_runtime"], 4)


# training_args.py:216 of 4.57.1 beside that of 5.23.0; per_gpu_* are not shown.
ONLY_4 = """
overwrite_output_dir warmup_ratio logging_dir save_safetensors no_cuda use_mps_device jit_mode_eval
fp16_opt_level half_precision_backend tpu_num_cores tpu_metrics_debug past_index
fsdp_min_num_params fsdp_transformer_layer_cls_to_wrap adafactor group_by_length
use_legacy_prediction_loop include_inputs_for_metrics fp16_backend push_to_hub_model_id
push_to_hub_organization push_to_hub_token _n_gpu mp_parameters torchdynamo ray_scope
include_tokens_per_second
"""
ONLY_5 = """
activation_checkpointing activation_checkpointing_kwargs use_cache trackio_bucket_id
trackio_static_space_id enable_jit_checkpoint dataloader_multiprocessing_context dataloader_in_order
train_sampling_strategy ddp_static_graph
"""


@pytest.mark.parametrize("seed", range(4))
def test_all_arguments_of_version_4_are_there(seed: int) -> None:
    told = log("hf", seed, release="4.57.1")
    first = next(at for at, line in enumerate(told.lines) if "parameters TrainingArgu" in line)
    lines = told.lines[first + 1 : told.lines.index(")", first)]
    names = [line.partition("=")[0] for line in lines]
    assert names == sorted(names)
    new = set(arguments.fields(job_of(seed, dialect="hf")))
    assert set(names) - new == set(ONLY_4.split())
    assert new - set(names) == set(ONLY_5.split())
    assert len(names) == 131


def test_a_resumed_run_of_version_4_counts_all_steps() -> None:
    """trainer.py:2816-2825 of 4.57.1: num_train_samples and max_steps, whatever was resumed."""
    told = log("hf", 1, recipe="sft", gpus=8, incident=("segfault@60%",), release="4.57.1")
    (ended,) = raw_dicts(told, "train_runtime")
    steps, runtime = told.job.schedule.steps, ended["train_runtime"]
    assert ended["train_steps_per_second"] == pytest.approx(steps / runtime, abs=6e-4)
    assert told.found(rf"{INFO}  Continuing training from global step \d+")
