"""--print-config: the plan of a run, held against the log of that very run."""

import json
import re
from collections.abc import Iterator
from math import fsum
from pathlib import Path
from typing import Any

import pytest

from llmsim.options.parsing import REAL_TIME
from llmsim.options.table import Options
from llmsim.options.wanted import Wanted
from llmsim.planning.plan import plan
from llmsim.run.simulation import simulate
from llmsim.show.facts import facts
from llmsim.show.player import play
from llmsim.text.screen import Screen
from tests.cli.asked import Captured, refused, shown
from tests.runs import START, Run, told

# Dense and mixed, adapters, one GPU and many, with a reference model, split in three ways, and
# with a batch that grows.
SEED, GROWING = 7, 3
ASKED: tuple[dict[str, Any], ...] = (
    {},
    {"gpus": 1, "model": "Heron-124M", "recipe": "pretrain"},
    {"recipe": "lora"},
    {"recipe": "grpo"},
    {"model": "Archipelago-8x7B", "recipe": "pretrain"},
    {"model": "Basalt-405B", "recipe": "pretrain", "gpus": 131_072},
    {"model": "Basalt-70B", "recipe": "pretrain", "gpus": 256, "seed": GROWING},
)


@pytest.fixture(params=ASKED, ids=lambda asked: "-".join(map(str, asked.values())) or "auto")
def asked(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What is asked for."""
    return dict(request.param)


def printed(capfd: Captured, asked: dict[str, Any], *more: str) -> str:
    """What --print-config shows."""
    asked = {"dialect": "pytorch", "seed": SEED, "start": START.isoformat(), **asked}
    flags = [word for name, value in asked.items() for word in (f"--{name}", str(value))]
    return shown(capfd, "--print-config", *flags, *more)


def log_of(asked: dict[str, Any]) -> tuple[Run, str]:
    """The run as it is planned, with Slurm's time limit if it has one, and its whole log."""
    job = plan(Options(**{"seed": SEED, "start": START, "dialect": "pytorch", **asked}))
    run = Run(job, tuple(simulate(job)))
    return run, "\n".join(told(run, 400))


def found(pattern: str, log: str) -> str:
    """What the pattern's group matches in the log."""
    match = re.search(pattern, log)
    assert match, pattern
    return match[1]


def number(pattern: str, log: str) -> float:
    """A number of the log, without its commas."""
    return float(found(pattern, log).replace(",", ""))


@pytest.mark.long
def test_the_numbers_are_those_of_the_log(asked: dict[str, Any], capfd: Captured) -> None:
    told_of = json.loads(printed(capfd, asked, "--json"))
    _, log = log_of(asked)
    model, batch, schedule = told_of["model"], told_of["batch"], told_of["schedule"]
    expected, memory = told_of["expected"], told_of["memory_per_gpu"]
    assert model["parameters"] == number(r"([\d,]+) parameters", log)
    assert model["layers"] == number(r"([\d,]+) layers", log)
    assert model["width"] == number(r"width ([\d,]+)", log)
    assert model["vocabulary_tokens"] == number(r"vocabulary ([\d,]+)", log)
    size = found(r"Batch ([\d,]+ \w+)", log).replace(",", "")
    assert size in (f"{batch['tokens']} tokens", f"{batch['sequences']} answers")
    assert batch["tokens"] == batch["sequences"] * batch["sequence_tokens"]
    assert schedule["whole_run_steps"] == number(r"([\d,]+) steps, [\d,]+.*? of warmup", log)
    warmup = found(r"steps, ([\d,]+(?: sequences)?) of warmup", log).replace(",", "")
    if batch["ramp"]:
        assert warmup == f"{schedule['warmup_sequences']} sequences"
        stages = [
            f"{stage['sequences']:,} from step {stage['first_step']:,}" for stage in batch["ramp"]
        ]
        assert log.count(", ".join(stages[1:])) == 1
    else:
        assert warmup == f"{schedule['warmup_steps']}"
    # Slurm's clock ends some runs: which step is the last, their plan knows about.
    inexact = 0.03 if schedule["time_limit_seconds"] else 0.0
    assert schedule["tokens"] == pytest.approx(
        number(r"\| tokens +([\d,]+)", log), rel=inexact, abs=0
    )
    assert f"{schedule['decay']} {schedule['peak_learning_rate']:.2e}" in log
    # Slurm's signal asks for one more, after whatever step.
    more = number(r"\| checkpoints +(\d+)", log) - schedule["checkpoints"]
    assert more in ({0, 1} if schedule["time_limit_seconds"] else {0})
    assert memory["expected_bytes"] / 2**30 == pytest.approx(
        number(r"Expected peak: ([\d.]+)GiB", log), abs=0.02
    )
    assert memory["capacity_bytes"] / 2**30 == pytest.approx(
        number(r"after build \([\d.]+% of ([\d.]+)GiB", log), abs=0.005
    )
    assert f"{expected['mfu']:.0%}" == found(r"expecting MFU of about (\d+%)", log)
    assert f"{expected['gpu_hours']:,.1f}" == found(r"\| GPU-hours +([\d,.]+)", log)
    # A steady step's rate: the run's mean differs by its first step and its disturbances.
    mean = number(r"\| throughput +([\d,]+) tokens/s", log)
    assert expected["tokens_per_second"] == pytest.approx(mean, rel=0.06)
    assert expected["tokens_per_second"] * expected["step_seconds"] == pytest.approx(
        batch["tokens"]
    )


@pytest.mark.long
def test_the_text_says_what_the_log_says(asked: dict[str, Any], capfd: Captured) -> None:
    text, (run, log) = printed(capfd, asked), log_of(asked)
    end = "Slurm's time limit" if run.job.schedule.time_limit else "export"
    assert f"{found(r'wall clock +([^|]+?) *[|]', log)} from launch to {end}" in text
    assert f"{found(r'training time +([^|,]+?), ', log)} of it training" in text
    assert f"memory        {found(r'Expected peak: ([.0-9]+GiB)', log)} of" in text
    assert found(r"Expected peak: [.0-9]+GiB = (.*)", log) in text
    assert (
        f"run           {run.job.run_name}, seed {run.job.seed}, from 2026-01-30 12:00:00\n" in text
    )
    assert text.endswith(f"again         {run.job.command}\n")
    assert f"{run.job.layout.gpus:,} x {run.job.gpu.name}" in text


@pytest.mark.parametrize("view", ["log", "board"])
@pytest.mark.long
def test_in_real_time_a_run_takes_as_long_as_its_plan_says(view: str, capfd: Captured) -> None:
    told_of = json.loads(printed(capfd, {}, "--json", "--duration", "real"))
    options = Options(seed=SEED, start=START, dialect="pytorch", view=view, duration=REAL_TIME)
    # At a hundred times the speed the board is drawn as seldom; delays are those of speed 1.
    options = options._replace(speed_factor=100.0)
    screen = Screen(120, 40, color=True, unicode=True, live=True)
    frames = play(plan(options), options, lambda: screen)
    shown = fsum(frame.delay for frame in frames)
    assert shown == pytest.approx(told_of["expected"]["total_seconds"], abs=1.0)


def rows_at(width: int, **asked: Any) -> Iterator[str]:
    """The text on a screen of this width."""
    from llmsim.cli.configuration import configuration

    screen = Screen(width, 24, color=False, unicode=True, live=True)
    options = Options(seed=SEED, start=START, dialect="pytorch")._replace(**asked)
    yield from configuration(options, screen).splitlines()


@pytest.mark.long
@pytest.mark.parametrize("width", [*range(20, 120, 5), 200, 400])
def test_no_row_is_wider_than_the_screen(width: int) -> None:
    rows = [*rows_at(width, model="Archipelago-8x7B", recipe="pretrain")]
    assert max(map(len, rows)) <= width
    assert all(row.strip() for row in rows)


def test_rows_are_aligned() -> None:
    rows = [*rows_at(80)]
    assert all(re.match(r"(\w+ +| {14})(?<=^.{14})\S", row) for row in rows)


def test_colours_as_asked_for(capfd: Captured) -> None:
    assert "\x1b" not in printed(capfd, {})
    colored = printed(capfd, {}, "--color", "always")
    assert re.sub(r"\x1b\[[\d;]*m", "", colored) == printed(capfd, {})
    assert colored.count("\x1b[0m") == colored.count("\x1b[") / 2


def test_a_fresh_seed_is_shown_with_the_command_that_repeats_it(capfd: Captured) -> None:
    first = json.loads(shown(capfd, "--print-config", "--json"))["run"]
    again = first["command"].removeprefix("llmsim ").split()
    assert json.loads(shown(capfd, "--print-config", "--json", *again))["run"] == first


def test_json_has_no_numbers_that_json_lacks(capfd: Captured) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    text = printed(capfd, {}, "--json", "--duration", "real", "--speed-factor", "max")
    show = json.loads(text, parse_constant=refuse)["show"]
    assert show == {"duration_seconds": "real", "speed_factor": "max", "runs": 1}


def test_a_job_that_cannot_be_is_refused(capfd: Captured) -> None:
    asked = ("--print-config", "--model", "ButtGPT-420B", "--gpu", "RTX 4090", "--gpus", "1")
    assert refused(capfd, *asked).startswith("ButtGPT-420B does not fit on 1 x")


def test_what_fits_and_nobody_would_wait_for_has_a_dry_remark(capfd: Captured) -> None:
    """BLOOM's steps of 176B took 105 s (its chronicles); 540B on gamers' cards takes minutes."""
    asked = {"model": "Foo-540B", "gpu": "NVIDIA GeForce RTX 3090", "gpus": 2048, "seed": 1}
    text = " ".join(printed(capfd, {**asked, "recipe": "pretrain"}).split())
    assert number(r"remark it fits, so it plays, nobody who pays .* waits (\d+) min", text) > 3
    assert "remark" not in printed(capfd, {})


def test_a_run_without_validations_and_saves_says_so(tmp_path: Path, capfd: Captured) -> None:
    """It had no validation, and said that it validates every ten steps."""
    text = '[schedule]\nvalidates = false\nsaves = false\n[framework]\ndialect = "torchtitan"\n'
    (tmp_path / "job.toml").write_text(text, encoding="utf-8")
    flags = ("--job", f"{tmp_path}/job.toml", "--recipe", "pretrain", "--gpus", "8", "--seed", "3")
    sheet = shown(capfd, *flags, "--print-config")
    assert re.search(r"^intervals .*, no validations, no saves$", sheet, re.MULTILINE)
    plans = json.loads(shown(capfd, *flags, "--print-config", "--json"))
    assert plans["schedule"]["validate_every_steps"] is None
    assert plans["schedule"]["validations"] == 0
    job = plan(Options(seed=3, gpus=8, job=Wanted(validates=False, saves=False),
                       dialect="torchtitan", recipe="pretrain", start=START))  # fmt: skip
    told = dict(facts(job))
    assert (told["validates"], told["saves"]) == ("never", "never")
