"""What scripts of Megatron-LM's own repository set, in the log that they give.

A GPT: examples/gpt3/train_gpt3_175b_distributed.sh. Exits: megatron/training/training.py, release
core_v0.12.0, checkpoint_and_decide_exit, whose sys.exit leaves out what follows the loop.
"""

import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from llmsim.cli.job_files import job_of_file
from llmsim.errors import PlanError
from llmsim.job.records import Job
from llmsim.model.architecture import parameter_count
from llmsim.options.table import Options
from llmsim.options.wanted import Wanted
from llmsim.planning.plan import plan
from llmsim.run import events
from llmsim.run.simulation import simulate
from llmsim.show.player import play
from tests.dialects.logs import PIPE, found, unmarked, unmatched
from tests.dialects.test_megatron import ALL, arguments
from tests.runs import START

# The arguments of the example for GPT-3 175B, on as many GPUs as its tensor and pipeline ranks.
GPT3 = """
--num-layers 96 --hidden-size 12288 --num-attention-heads 96 --seq-length 2048
--max-position-embeddings 2048 --attention-backend auto --micro-batch-size 1
--global-batch-size 1536 --train-iters 500000 --fp16 --lr 6.0e-5 --lr-decay-style cosine
--min-lr 6.0e-6 --lr-warmup-fraction .001 --lr-decay-iters 430000
--tensor-model-parallel-size 8 --pipeline-model-parallel-size 16
--log-interval 100 --save-interval 10000 --eval-interval 1000 --save ckpt --eval-iters 10
"""
SMALL = """#!/bin/bash
#SBATCH --nodes=2
#SBATCH --gpus-per-node=8
{more}
srun python pretrain_gpt.py --num-layers 24 --hidden-size 2048 --num-attention-heads 16 \\
  --seq-length 2048 --max-position-embeddings 2048 --micro-batch-size 4 --global-batch-size 512 \\
  --train-iters 90000 --lr 2e-4 --min-lr 2e-5 --bf16 --log-interval 10 --eval-interval 500 \\
  --eval-iters 10 --save-interval 400 {arguments}
"""
SAVED = "--save checkpoints"


def job_of(folder: Path, text: str, **options: object) -> Job:
    """The job of a script's text."""
    path = folder / "script.sh"
    path.write_text(text, encoding="utf-8")
    job, _ = job_of_file(str(path))
    asked = Options(seed=7, start=START, incidents="none", gpu="H100 80GB HBM3", job=job)
    return plan(asked._replace(**options))  # type: ignore[arg-type]  # any option


def log_of(job: Job) -> tuple[str, ...]:
    """The lines of its log, without srun's marks."""
    text = "".join(frame.text for frame in play(job, Options(view="log"), lambda: PIPE))
    return unmarked(text.removesuffix("\n").split("\n"))


def test_gpt_3_has_the_weights_of_gpt_3(tmp_path: Path) -> None:
    """The count of Narayanan et al. 2021 (arXiv 2104.04473, equation 2), for their vocabulary of
    51,200: 174.6 billion, as in table 2.1 of Brown et al. 2020.
    """
    job = job_of(tmp_path, GPT3, gpus=128)
    layers, width, vocabulary, sequence = 96, 12288, 51200, 2048
    said = 12 * layers * width**2 * (
        1 + 13 / (12 * width) + (vocabulary + sequence) / (12 * layers * width)
    )  # fmt: skip
    # Their formula leaves out the last norm.
    assert parameter_count(job.architecture) == pytest.approx(said + 2 * width, abs=1)
    assert (job.layout.tp, job.layout.pp, job.schedule.steps) == (8, 16, 500_000)


def test_a_gpt_has_the_arguments_and_the_weights_of_one(tmp_path: Path) -> None:
    text = SMALL.format(more="", arguments=f"{SAVED} --exit-interval 20")
    log = log_of(job_of(tmp_path, text))
    assert unmatched(log, (*ALL, r"\[exiting program at iteration \d+\] datetime: .*")) == []
    shown = arguments(log)
    assert shown["swiglu"] == shown["use_rotary_position_embeddings"] == "False"
    assert shown["position_embedding_type"] == "learned_absolute"
    assert (shown["normalization"], shown["add_bias_linear"]) == ("LayerNorm", "True")
    told = found(r"padded vocab \(size: (?P<n>\d+)\) with (?P<more>\d+) dummy", log)
    assert (told["n"], told["more"]) == ("50257", "47")  # 50,304 is a multiple of 128
    named = {line.split(".", 1)[1] for line in log if line.startswith("\tmodule.")}
    assert "embedding.position_embeddings.weight" in named
    # Each of 24 layers: four matrices and two norms, with a bias each; two embeddings; a norm.
    assert len(named) == 24 * 12 + 2 + 2
    parts = re.findall(r"Params for bucket 1 \((\d+) elements", "\n".join(log))
    assert sum(map(int, parts)) == int(found(r"\(0, 0\): (?P<n>\d+)$", log)["n"])


@pytest.mark.parametrize("saves", [True, False])
def test_an_exit_interval_leaves_the_loop(tmp_path: Path, saves: bool) -> None:
    text = SMALL.format(more="", arguments=f"--swiglu --exit-interval 30 {SAVED if saves else ''}")
    log = log_of(job_of(tmp_path, text))
    told = "\n".join(log)
    assert re.search(r"iteration +30/ +90000 \|", told)
    assert "[exiting program at iteration 30] datetime: " in told
    assert ("saving checkpoint at iteration      30 " in told) == saves
    assert "after training is done" not in told
    assert "Evaluating" not in told  # what is evaluated on both sets after the loop is not


def test_an_exit_after_minutes_is_by_the_clock(tmp_path: Path) -> None:
    text = SMALL.format(more="", arguments=f"--swiglu --exit-duration-in-mins 12 {SAVED}")
    job = job_of(tmp_path, text)
    log = log_of(job)
    pattern = r"\[exiting program after (?P<minutes>[\d.]+) minutes\] datetime: (?P<at>\S+ \S+)"
    line = found(pattern, log)
    minutes, stamp = float(line["minutes"]), datetime.fromisoformat(line["at"])
    *facts, summary = simulate(job)
    assert isinstance(summary, events.Summary)
    assert (summary.state, summary.kept) == ("COMPLETED", summary.steps)
    steps = [event for event in facts if isinstance(event, events.Step)]
    assert steps[-1].step <= summary.steps
    longest = max(event.step_seconds for event in steps[1:])
    assert 12.0 < minutes < 12.0 + 3 * longest / 60  # the first iteration that ends later
    saving = stamp - (job.start + timedelta(minutes=minutes))
    assert timedelta(0) < saving < timedelta(seconds=60)  # it is printed when all is saved
    told = "\n".join(log)
    assert f"saving checkpoint at iteration {summary.steps:7d} " in told
    assert "after training is done" not in told
    assert shown_time(log) == "12"


def shown_time(log: tuple[str, ...]) -> str:
    """--exit-duration-in-mins among the arguments."""
    return arguments(log)["exit_duration_in_mins"]


def test_other_frameworks_do_not_end_by_their_clock() -> None:
    asked = Wanted(steps=5000, exit_after=3600)
    with pytest.raises(PlanError, match="does not end a run by the clock"):
        plan(Options(seed=7, start=START, dialect="torchtitan", job=asked))


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [  # man sbatch, --time
        ("--time=90", 5400), ("-t 30:30", 1860), ("--time 2:00:00", 7200), ("-t 1-0", 86_400),
        ("--time=1-12:30", 131_400), ("--time=2-00:00:00", 172_800), ("--time=UNLIMITED", 0),
        ("-t 0", 0),
    ],
)  # fmt: skip
def test_the_time_that_a_script_asks_of_slurm_ends_its_run(
    tmp_path: Path, asked: str, seconds: int
) -> None:
    job = job_of(tmp_path, SMALL.format(more=f"#SBATCH {asked}", arguments="--swiglu"))
    assert job.schedule.time_limit == seconds  # in whole minutes, as Slurm rounds them up
    assert (job.layout.gpus, job.layout.nodes) == (16, 2)


def test_what_a_script_does_not_say_is_as_megatrons_parser_has_it(tmp_path: Path) -> None:
    """arguments.py: --log-interval 100, --eval-interval 1000, --eval-iters 100, --min-lr 0.0."""
    job = job_of(tmp_path, "--num-layers 8 --hidden-size 512 --num-attention-heads 8 --swiglu "
                 "--seq-length 1024 --train-iters 5000 --lr 1e-3", gpus=8)  # fmt: skip
    schedule = job.schedule
    assert (schedule.log_every, schedule.validate_every, schedule.validation_batches) == (
        100, 1000, 100,
    )  # fmt: skip
    assert (schedule.final_lr, schedule.decay) == (0.0, "linear")
