"""torchtitan's flavors, Megatron-LM's scripts, and kinds of files that --job does not read."""

from math import isfinite
from pathlib import Path

import pytest

from llmsim.cli.job_files import job_of_file
from llmsim.errors import LlmsimError
from llmsim.job.records import Job
from llmsim.model.architecture import parameter_count
from llmsim.options.job_keys import wanted_of
from llmsim.options.table import Options
from llmsim.physics.learning import preference
from llmsim.planning.plan import plan
from tests.cli.test_foreign_jobs import MEGATRON, TORCHTITAN, played_from
from tests.runs import START

# Weights of the safetensors of these models on Hugging Face.
FLAVORS = (
    ("deepseek_v3", "16B", 15_706_484_224),
    ("deepseek_v3", "671B", 671_026_419_200),
    ("qwen3", "0.6B", 596_049_920),
    ("qwen3", "8B", 8_190_735_360),
    ("qwen3", "32B", 32_762_123_264),
)


def flavored(name: str, flavor: str) -> str:
    """A torchtitan file of another model."""
    text = TORCHTITAN.replace('name = "llama3"', f'name = "{name}"')
    return text.replace('flavor = "8B"', f'flavor = "{flavor}"')


@pytest.mark.parametrize(("name", "flavor", "weights"), FLAVORS)
def test_a_flavor_is_the_model_of_this_name(
    name: str, flavor: str, weights: int, tmp_path: Path
) -> None:
    gpus = {"671B": 1024, "32B": 64}.get(flavor, 16)
    job, _ = played_from(tmp_path, flavored(name, flavor), gpus=gpus)
    assert parameter_count(job.architecture) == pytest.approx(weights, rel=1e-3)
    assert (job.architecture.experts > 1) == (name == "deepseek_v3")


@pytest.mark.parametrize("text", [TORCHTITAN, MEGATRON])
def test_without_fp8_products_are_in_bf16(text: str, tmp_path: Path) -> None:
    """torchtitan's mixed precision is bf16 by default; the script says --bf16."""
    (tmp_path / "job").write_text(text, encoding="utf-8")
    wanted = job_of_file(str(tmp_path / "job"))[0]
    for seed in range(30):
        options = Options(seed=seed, start=START, job=wanted, gpu="NVIDIA H100 80GB HBM3", gpus=16)
        assert plan(options).layout.precision == "bf16", seed


def test_a_script_without_validation_plays(tmp_path: Path) -> None:
    """--eval-iters 0: Megatron's log has a validation here all the same, and this is said."""
    text = MEGATRON.replace("--eval-iters 32", "--eval-iters 0")
    job, remark = played_from(tmp_path, text)
    assert job.schedule.validate_every == job.schedule.steps
    assert "--eval-iters 0" in remark


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("zero3.yaml", "compute_environment: LOCAL\nnum_processes: 8\n", "is YAML, which --job"),
        ("fsdp2.yml", "compute_environment: LOCAL\n", "is YAML, which --job does not read"),
        ("registry.py", "def llama3_8b():\n    return None\n", "is Python, which --job does not"),
    ],
)
def test_other_kinds_of_files_are_named(
    name: str, text: str, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(LlmsimError, match=sentence):
        job_of_file(str(tmp_path / name))


def planned(**tables: dict[str, object]) -> Job:
    return plan(Options(seed=807, start=START, job=wanted_of(tables, "job.toml")))


def test_a_vocabulary_has_letters() -> None:
    """A loss begins near ln V, so a text of two tokens leaves nothing to learn."""
    with pytest.raises(LlmsimError, match="cannot be 2: give a whole number from 32"):
        planned(model={"vocabulary": 2})


def test_pairs_may_be_learnt_by_heart() -> None:
    """Two tokens of data on 1,024 ranks: by the law the mean loss reaches 0, and no margin is that
    of a loss of 0.
    """
    job = planned(
        model={"dense_layers": 4}, data={"tokens": 2}, parallel={"dp": 1024}, recipe={"name": "dpo"}
    )
    pairs = [preference.expected(job, step) for step in range(1, job.schedule.steps + 1)]
    assert all(isfinite(each.margin) and isfinite(each.loss_spread) for each in pairs)
