"""What a job file says of its recipe and its data: beta, group and the order of the samples."""

import tomllib
from statistics import correlation, fmean
from typing import Any

import pytest

from llmsim.cli.job_toml import text_of
from llmsim.errors import FLAG, PlanError
from llmsim.job.records import Job
from llmsim.options.job_keys import wanted_of
from llmsim.options.table import Options
from llmsim.physics.learning import loss, metrics
from llmsim.planning.plan import plan
from llmsim.planning.written import tables_of
from tests.runs import job_of


def asked(recipe: str, **keys: Any) -> Job:
    """A short run of a recipe with keys of its section."""
    job = {"recipe": {"name": recipe, **keys}, "schedule": {"steps": 120}}
    return job_of(5, dialect="pytorch", job=job)


def series(job: Job, name: str) -> list[float]:
    """A metric of every step from the tenth on."""
    return [dict(metrics.metrics(job, step))[name] for step in range(10, 121)]


@pytest.mark.parametrize("beta", [0.01, 0.04, 0.1])
def test_the_loss_of_grpo_is_beta_times_the_divergence(beta: float) -> None:
    """Real runs of TRL: the correlation is 0.998 where beta is above 0."""
    job = asked("grpo", beta=beta)
    losses = [loss.training(job, step) for step in range(10, 121)]
    divergences = series(job, "kl")
    assert correlation(losses, divergences) > 0.99
    assert fmean(losses) == pytest.approx(beta * fmean(divergences), rel=0.05)


@pytest.mark.parametrize("group", [4, 8, 16])
@pytest.mark.long
def test_larger_groups_seldom_agree(group: int) -> None:
    """The larger a group, the seldomer all of its answers are right, or all wrong."""
    usual, larger = asked("grpo", group=2), asked("grpo", group=group)
    shares = [fmean(series(job, "frac_reward_zero_std")) for job in (usual, larger)]
    assert shares[1] < shares[0]
    spread = fmean(series(larger, "reward_std"))
    assert 0.0 < spread < (group / (group - 1) / 4) ** 0.5  # of zeros and ones, with n - 1
    assert larger.schedule.global_batch % group == 0


def test_the_rewards_of_dpo_are_beta_times_the_gain() -> None:
    """Rafailov et al. 2023: a reward is beta log(policy / reference)."""
    weak, strong = asked("dpo", beta=0.1), asked("dpo", beta=0.5)
    for step in (40, 80, 120):
        one, other = (dict(metrics.metrics(job, step)) for job in (weak, strong))
        for side in ("chosen", "rejected"):
            references = [
                values[f"logps/{side}"] - values[f"rewards/{side}"] / job.recipe.beta
                for values, job in ((one, weak), (other, strong))
            ]
            assert references[0] == pytest.approx(references[1])


def test_the_loader_decides_how_neighbouring_losses_hang_together() -> None:
    """Public logs: none of shuffled samples, 0.28 to 0.46 at lag 1 in the documents' order."""

    def lag(loader: str) -> float:
        job = job_of(
            5, dialect="pytorch", model="X-1B", recipe="pretrain", gpu="NVIDIA H200", gpus=8,
            job={"data": {"loader": loader}, "schedule": {"steps": 4000}},
        )  # fmt: skip
        steps = range(2000, 3600)
        rest = [loss.training(job, step) - loss.expected(job, step) for step in steps]
        return correlation(rest[:-1], rest[1:])

    assert abs(lag("shuffled")) < 0.12
    assert lag("ordered") > 0.2


@pytest.mark.parametrize(
    ("recipe", "keys", "sentence"),
    [
        ("sft", {"beta": 0.1}, "--recipe sft has no reference model, so it takes no beta"),
        ("dpo", {"group": 4}, "--recipe dpo samples no completions: leave out [recipe] group."),
        ("grpo", {"group": 7}, "completions is no multiple of [recipe] group = 7: give a batch"),
    ],
)
def test_what_a_recipe_has_not_is_refused(recipe: str, keys: dict[str, Any], sentence: str) -> None:
    with pytest.raises(PlanError) as error:
        asked(recipe, **keys)
    assert sentence in error.value.sentence(FLAG)


def test_a_group_that_nobody_asks_for_is_no_reason_to_refuse() -> None:
    job = job_of(0, recipe="grpo", gpus=131_071)
    again = plan(Options(job=wanted_of(tomllib.loads(text_of(tables_of(job))), "x.toml")))
    assert again == job
