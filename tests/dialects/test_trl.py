"""The trl dialect against TRL's own keys, and its text against itself."""

import ast
import re
from itertools import pairwise
from math import ceil, exp, fsum, hypot, log1p, sqrt
from math import log as ln
from statistics import NormalDist, fmean, stdev

import pytest

from llmsim.dialects.line import Bar
from llmsim.dialects.parts.transformers import values as trainer_values
from llmsim.dialects.registry import lines_of
from llmsim.dialects.trl.framework import FRAMEWORK
from llmsim.job.recipes import COMPLETIONS, PROMPT_TOKENS
from llmsim.job.records import Job
from llmsim.physics.learning import loss, metrics, preference
from llmsim.physics.speed import step_time
from llmsim.run import events
from tests.dialects.transcripts import (
    BAR,
    CLIENT,
    PIPE,
    TORCHRUN,
    Log,
    check_bar,
    log,
    screens,
    seconds,
    unmatched,
)
from tests.physics.loss_jobs import make_job
from tests.runs import job_of, run_of

RECIPES = FRAMEWORK.recipes
V = r"'-?\d[\d.]*(?:e[+-]\d\d+)?'"


def entry(*keys: str) -> str:
    """A dict with these keys, in this order."""
    return r"\{" + ", ".join(f"'{key}': {V}" for key in keys) + r"\}"


STEP = ("loss", "grad_norm", "learning_rate")
EVAL = ("eval_loss", "eval_runtime", "eval_samples_per_second", "eval_steps_per_second")
SFT = ("entropy", "mean_token_accuracy", "num_tokens")
# In the order of a log in TRL's issue 5608.
DPO = (
    "entropy", "num_tokens", "logits/chosen", "logits/rejected", "mean_token_accuracy",
    "rewards/chosen", "rewards/rejected", "rewards/accuracies", "rewards/margins",
    "logps/chosen", "logps/rejected",
)  # fmt: skip
GRPO = (
    "num_tokens", "completions/mean_length", "completions/min_length", "completions/max_length",
    "completions/clipped_ratio", "completions/mean_terminated_length",
    "completions/min_terminated_length", "completions/max_terminated_length",
    r"rewards/\w+/mean", r"rewards/\w+/std", "reward", "reward_std", "frac_reward_zero_std", "kl",
    "entropy", "clip_ratio/low_mean", "clip_ratio/high_mean", "clip_ratio/region_mean",
    "clip_ratio/low_min", "clip_ratio/high_max",
)  # fmt: skip
# By the objective of the recipe.
KEYS = {"supervised": SFT, "preference": DPO, "reinforcement": GRPO}


def evaluated(keys: tuple[str, ...]) -> str:
    return entry(*EVAL, *(f"eval_{key}" for key in keys), "epoch")


# The passes over the data, by the descriptions that TRL 1.16.0 gives to `map` and `filter`.
SUPERVISED = [
    "Converting train dataset to ChatML", "Tokenizing train dataset",
    "Building labels for train dataset", "Packing train dataset",
]  # fmt: skip
PASSES = {
    "supervised": SUPERVISED,
    "preference": [
        "Extracting prompt from train dataset", "Tokenizing train dataset",
        "Dropping fully truncated examples from train dataset",
    ],
    "reinforcement": [],
}  # fmt: skip


def rows_of_a_step(job: Job) -> int:
    """Sequences, pairs of two, or GRPO's prompts, of which eight completions each are sampled."""
    return job.schedule.global_batch // {"grpo": 8, "dpo": 2}.get(job.recipe.name, 1)


def steps_of_an_epoch(job: Job) -> float:
    """Rows of the data set by those of a step; of packed conversations by their tokens."""
    if job.recipe.name in ("dpo", "grpo"):
        return job.dataset.rows / rows_of_a_step(job)
    return job.dataset.tokens / (job.schedule.global_batch * job.schedule.sequence)


END = entry(
    "train_runtime", "train_samples_per_second", "train_steps_per_second", "train_loss", "epoch"
)
LABELS = (
    r"(?:Converting|Tokenizing|Building labels for|Packing|Extracting prompt from|Dropping "
    r"fully truncated examples from) (?:train|eval) dataset(?: to ChatML)?"
)
PATTERNS = (
    TORCHRUN,
    BAR,
    rf"(?:{LABELS}|Downloading data|Loading weights|Writing model shards): {BAR}",
    entry(*STEP, *SFT, "epoch"),
    entry(*STEP, *DPO, "epoch"),
    entry(*STEP, *GRPO, "step_time", "epoch"),
    evaluated(SFT),
    evaluated(DPO),
    evaluated(GRPO),
    END,
    # trl/scripts/sft.py, after trainer.train() and after trainer.save_model().
    r"✅ Training completed\.",
    r"💾 Model saved to checkpoints/[\w-]+\.",
    *CLIENT,
)
REAL = """\
Tokenizing train dataset: 100%|██████████| 320/320 [00:00<00:00, 22641.32 examples/s]
Packing train dataset: 100%|██████████| 320/320 [00:00<00:00, 22641.32 examples/s]
{'loss': '6.833', 'grad_norm': '1.21', 'learning_rate': '0.0005', 'entropy': '6.895', \
'mean_token_accuracy': '0', 'num_tokens': '625', 'epoch': '0.025'}
"""


def dicts(told: Log, first: str) -> list[dict[str, float]]:
    """The dicts that begin with a key, read as Python reads them."""
    read = [ast.literal_eval(line) for line in told.lines if line.startswith(f"{{'{first}'")]
    return [{key: float(value) for key, value in values.items()} for values in read]


def logs(recipe: str, seeds: range) -> list[Log]:
    return [log("trl", seed, recipe=recipe) for seed in seeds]


@pytest.mark.parametrize("recipe", ["auto", *RECIPES])
@pytest.mark.parametrize("seed", range(20))
def test_every_line_is_one_of_the_frameworks(recipe: str, seed: int) -> None:
    told = log("trl", seed, recipe=recipe)
    assert unmatched(told.lines, PATTERNS) == []
    keys = KEYS[told.job.recipe.objective]
    assert told.found(evaluated(keys))
    last = ("step_time", "epoch") if told.job.recipe.name == "grpo" else ("epoch",)
    assert told.found(entry(*STEP, *keys, *last))


def test_the_real_lines_are_matched_too() -> None:
    assert unmatched(REAL.splitlines(), PATTERNS) == []


@pytest.mark.parametrize("recipe", ["sft", "lora"])
def test_supervised_runs_agree_with_themselves(recipe: str) -> None:
    for told in logs(recipe, range(25)):
        schedule, trained = told.job.schedule, dicts(told, "loss")
        for values in trained:
            # An epoch's last step counts as a full one.
            steps = values["epoch"] * steps_of_an_epoch(told.job) + values["epoch"] + 1
            # Padding is not counted, and no example is longer than a sequence.
            assert values["num_tokens"] < 1.001 * steps * schedule.global_batch * schedule.sequence
            guessed = exp(-0.31 * values["loss"])
            assert values["mean_token_accuracy"] == pytest.approx(guessed, rel=1e-3)
        # A model that knows what it does not know is as unsure as it is wrong.
        unsure = fsum(values["entropy"] for values in trained)
        assert unsure == pytest.approx(fsum(values["loss"] for values in trained), rel=0.1)
        for values in dicts(told, "eval_loss"):
            assert values["eval_mean_token_accuracy"] == pytest.approx(
                exp(-0.31 * values["eval_loss"]), rel=1e-3
            )


@pytest.mark.parametrize("recipe", ["sft", "lora"])
@pytest.mark.parametrize("seed", range(8))
def test_packed_runs_train_on_the_tokens_of_their_plan(recipe: str, seed: int) -> None:
    """Best-fit packing leaves under one per cent of the sequences empty (arXiv 2404.10830)."""
    job = run_of(seed, dialect="trl", recipe=recipe).job
    schedule = job.schedule
    told = dict(metrics.metrics(job, schedule.steps))["num_tokens"]
    whole = schedule.steps * schedule.global_batch * schedule.sequence
    rest = schedule.epochs / schedule.steps  # an epoch's last step takes what is left
    assert (0.99 - rest) * whole < told < whole


@pytest.mark.parametrize("recipe", ["dpo"])
@pytest.mark.parametrize("seed", range(8))
def test_unpacked_batches_have_their_own_number_of_tokens(recipe: str, seed: int) -> None:
    """Lengths of pairs spread by about half of their mean, so a batch's by that / sqrt(batch)."""
    job = run_of(seed, dialect="trl", recipe=recipe).job
    schedule = job.schedule
    told = [dict(metrics.metrics(job, step))["num_tokens"] for step in range(1, schedule.steps + 1)]
    assert all(tokens == int(tokens) for tokens in told)
    gained = [after - before for before, after in pairwise([0.0, *told])]
    assert 0 < min(gained) <= max(gained) <= schedule.global_batch * schedule.sequence
    gained = sorted(gained)[schedule.epochs :]  # an epoch's last step takes what is left
    spread = stdev(gained) / fmean(gained) * sqrt(schedule.global_batch)
    assert 0.3 < spread < 0.8
    last = dict(metrics.held_out(job, schedule.steps))
    assert last["num_tokens"] == told[-1]


def doubt(told: Log, margin: float, share: float) -> float:
    """Three standard errors of the loss that the accuracy and the margin of some pairs give."""
    schedule, normal = told.job.schedule, NormalDist()
    pairs = schedule.validation_batches * schedule.global_batch / 2
    accuracy, spread = normal.cdf(share), margin / share
    off = sqrt(accuracy * (1 - accuracy) / pairs) / normal.pdf(share) / share
    relative = hypot(off, spread / margin / sqrt(pairs))
    ends = (preference.preference_loss(margin, spread * (1 + relative * sign)) for sign in (-1, 1))
    less, more = ends
    return max(0.05, 1.5 * (more - less))


def test_preferences_agree_with_themselves() -> None:
    off: list[float] = []
    for told in logs("dpo", range(50)):
        for values in dicts(told, "loss"):
            chosen, rejected = values["rewards/chosen"], values["rewards/rejected"]
            rounding = 1e-3 * (abs(chosen) + abs(rejected)) + 1e-9
            assert values["rewards/margins"] == pytest.approx(chosen - rejected, abs=rounding)
            assert 0 <= values["rewards/accuracies"] <= 1
            # Margins differ from pair to pair, and the loss is convex (Jensen).
            assert values["loss"] > log1p(exp(-values["rewards/margins"])) - 1e-3
        last = dicts(told, "eval_loss")[-1]
        assert last["eval_loss"] > 1.05 * log1p(exp(-last["eval_rewards/margins"]))
        # Accuracies and margins give the spread, and the spread the loss.
        share = NormalDist().inv_cdf(last["eval_rewards/accuracies"])
        margin = last["eval_rewards/margins"]
        lost = preference.preference_loss(margin, margin / share)
        assert last["eval_loss"] == pytest.approx(lost, abs=doubt(told, margin, share))
        off.append(last["eval_loss"] - lost)
        first = dicts(told, "loss")[0]
        assert (first["rewards/margins"], first["rewards/accuracies"]) == (0, 0)
        assert first["loss"] == pytest.approx(0.6931, abs=1e-4)
    assert fmean(off) == pytest.approx(0.0, abs=0.015)


@pytest.mark.parametrize("seed", range(12))
def test_a_step_without_a_learning_rate_changes_nothing(seed: int) -> None:
    """transformers' schedules are lambda(0) = 0 at step 1: the next sees the same policy."""
    job = run_of(seed, dialect="trl", recipe="dpo").job
    for step in (1, 2):
        values = dict(metrics.metrics(job, step))
        assert values["rewards/margins"] == pytest.approx(0.0, abs=1e-12)
        assert values["rewards/accuracies"] == 0
        assert loss.training(job, step) == pytest.approx(0.693147, abs=1e-6)
    assert dict(metrics.metrics(job, 3))["rewards/margins"] != 0
    grpo = run_of(seed, dialect="trl", recipe="grpo").job
    distances = [dict(metrics.metrics(grpo, step))["kl"] for step in (1, 2, 3, 4)]
    assert distances[:2] == [0, 0]
    # The divergence of a step varies by 0.19 to 1.8 of its level (public runs).
    assert min(distances[2:]) > 0


def test_small_models_are_less_sure_of_the_answers() -> None:
    """zephyr-7b's logps, 0.9 to 1.1 nats a token; a 160M on HH-RLHF 2.2 to 2.4, half right."""
    told = {}
    for size in (160e6, 7e9, 310e9):
        jobs = [make_job(seed=seed, parameters=int(size), recipe="dpo", kind="preference")
                for seed in range(20)]  # fmt: skip
        first = [dict(metrics.metrics(job, 1)) for job in jobs]
        told[size] = tuple(
            fmean(values[key] for values in first) for key in ("entropy", "mean_token_accuracy")
        )
    assert told[160e6] == pytest.approx((2.2, 0.48), rel=0.1)
    assert told[7e9] == pytest.approx((1.0, 0.73), rel=0.1)
    assert told[310e9][0] < 0.75


def test_the_policy_gains_what_the_rewards_say() -> None:
    """Rewards are beta times the change of logps: noise aside, both move together."""
    job = run_of(1, dialect="trl", recipe="dpo").job
    for step in range(1, job.schedule.steps + 1, 7):
        values = dict(metrics.metrics(job, step))
        for side in ("chosen", "rejected"):
            reference = values[f"logps/{side}"] - values[f"rewards/{side}"] / job.recipe.beta
            assert -700 < reference < -80


def test_reinforcement_agrees_with_itself() -> None:
    for told in logs("grpo", range(50)):
        answers = told.job.schedule.global_batch
        longest = told.job.schedule.sequence - PROMPT_TOKENS
        trained = dicts(told, "loss")
        for values in trained:
            mean, cut = values["completions/mean_length"], values["completions/clipped_ratio"]
            ended = values["completions/mean_terminated_length"]
            assert mean == pytest.approx(cut * longest + (1 - cut) * ended, rel=3e-3)
            assert values["completions/min_length"] <= ended <= mean <= longest
            assert values["completions/max_terminated_length"] < longest
            assert (values["completions/max_length"] == longest) == (cut > 0)
            reward = values["reward"]
            whole = [(cut, answers)]
            if told.job.schedule.log_every == 1:  # otherwise they are means over the interval
                groups = answers // COMPLETIONS
                whole += [(reward, answers), (values["frac_reward_zero_std"], groups)]
            for share, count in whole:
                assert share * count == pytest.approx(round(share * count), abs=6e-4 * count)
            assert values["rewards/accuracy_reward/mean"] == reward
            spread = sqrt(reward * (1 - reward) * answers / (answers - 1))
            assert values["rewards/accuracy_reward/std"] == pytest.approx(spread, abs=2e-3)
            # The mean of the groups' own: 0 in groups without a spread, at most that of a tie.
            most = sqrt(COMPLETIONS / (COMPLETIONS - 1) / 4)
            mixed = 1 - values["frac_reward_zero_std"]
            assert 0.6 * most * mixed <= values["reward_std"] <= most * mixed + 2e-3
        if told.job.schedule.log_every == 1:
            for before, values in pairwise(trained):
                gained = values["num_tokens"] - before["num_tokens"]
                prompts = gained / answers - values["completions/mean_length"]
                wide = 1.2 * PROMPT_TOKENS * sqrt(COMPLETIONS / answers)
                rounding = 1.1e-3 * values["num_tokens"] / answers
                assert prompts == pytest.approx(PROMPT_TOKENS, abs=wide + rounding)
        assert trained[-1]["reward"] > trained[0]["reward"]
        assert trained[-1]["entropy"] < trained[0]["entropy"]


@pytest.mark.parametrize("seed", range(12))
def test_lengths_are_those_of_a_sample(seed: int) -> None:
    """Against draws from the same law: log-normal, 0.5 wide, cut off at the limit."""
    job = run_of(seed, dialect="trl", recipe="grpo").job
    answers, longest = job.schedule.global_batch, job.schedule.sequence - PROMPT_TOKENS
    told = [dict(metrics.metrics(job, step)) for step in range(1, 61)]
    mean = fmean(values["completions/mean_length"] for values in told)
    law = NormalDist(ln(mean) - 0.125, 0.5)
    drawn = [[exp(z) for z in law.samples(answers, seed=100 * seed + trial)] for trial in range(60)]
    ended = [[length for length in batch if length < longest] for batch in drawn]
    for key, expected in (
        ("completions/max_terminated_length", [max(batch) for batch in ended]),
        ("completions/min_terminated_length", [min(batch) for batch in ended]),
    ):
        seen = [values[key] for values in told]
        assert fmean(seen) == pytest.approx(fmean(expected), rel=0.12)
        assert len(set(seen)) > 20
    cut = fmean(values["completions/clipped_ratio"] for values in told)
    over = 1 - law.cdf(ln(longest))
    assert cut == pytest.approx(over, abs=5 * sqrt(over / (60 * answers)) + 0.1 * over)


@pytest.mark.parametrize("recipe", RECIPES)
def test_rates_and_bars_agree_with_themselves(recipe: str) -> None:
    for told in logs(recipe, range(15)):
        (ended,) = dicts(told, "train_runtime")
        rows = told.job.schedule.steps * rows_of_a_step(told.job)
        run = run_of(told.job.seed, dialect="trl", recipe=recipe)
        (began,) = [at for at, phase, _ in run.all(events.PhaseStarted) if phase == "training"]
        (over,) = [at for at, phase, _ in run.all(events.PhaseEnded) if phase == "training"]
        assert ended["train_runtime"] == pytest.approx(over - began, rel=6e-4)
        rate = ended["train_samples_per_second"]
        assert rate == pytest.approx(rows / ended["train_runtime"], rel=2e-3, abs=6e-4)
        for match in told.found(rf"(?:[\w ]+: )?{BAR}"):
            check_bar(match)


@pytest.mark.parametrize("recipe", RECIPES)
def test_epochs_are_parts_of_the_data_set(recipe: str) -> None:
    """Not of the run: what is read leaves a rest, and no run ends on a whole epoch by itself."""
    ends = []
    for told in logs(recipe, range(15)):
        (ended,) = dicts(told, "train_runtime")
        per_epoch = steps_of_an_epoch(told.job)
        # Trainer counts the last batch of an epoch, which is a part, as a whole step.
        whole = told.job.schedule.steps / ceil(per_epoch)
        assert ended["epoch"] == pytest.approx(whole, rel=0.02, abs=1.5 / per_epoch)
        ends.append(ended["epoch"])
        if told.job.recipe.objective == "supervised":
            tokens = dicts(told, "loss")[-1]["num_tokens"]
            assert tokens == pytest.approx(ended["epoch"] * told.job.dataset.tokens, rel=0.02)
    assert sum(end % 1 != 0 for end in ends) > 10


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_passes_over_the_data_are_tqdms(recipe: str) -> None:
    run = run_of(2, dialect="trl", recipe=recipe)
    last = [event for event in run.all(events.Progress) if event.task == "tokenize"][-1]
    told = list(lines_of("trl")[events.Progress](last, run.job, PIPE))
    assert all(isinstance(line, Bar) for line in told)
    shown = [re.fullmatch(rf"(?P<label>[\w ]+): {BAR}", line.text) for line in told]
    trained = PASSES[run.job.recipe.objective]
    held_out = [at.replace("train", "eval") for at in trained]
    assert [match and match["label"] for match in shown] == [*trained, *held_out]
    if not trained:  # GRPO takes prompts as they are
        return
    counts = [re.findall(r"\| (\d+)/(\d+) \[", line.text)[0] for line in told]
    assert all(done == rows for done, rows in counts)  # all of the rows, in each pass
    rates = [float(re.findall(r" ([\d.]+) examples/s", line.text)[0]) for line in told]
    assert len(set(rates[: len(trained)])) == len(trained)
    # Whatever the run then reads of them.
    assert {int(rows) for _, rows in counts[: len(trained)]} == {run.job.dataset.rows}
    assert len({rows for _, rows in counts[len(trained) :]}) == 1
    if run.job.recipe.objective == "supervised":
        length = run.job.dataset.tokens / run.job.dataset.rows
        assert 1e6 <= rates[1] * length <= 2e6  # one process: a template and a fast tokenizer
    passed = 0
    for match in shown:
        assert match
        check_bar(match)
        passed += seconds(match["elapsed"])
    assert passed <= last.elapsed <= passed + len(shown)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (200, 50)])
@pytest.mark.parametrize("recipe", ["sft", "dpo", "grpo"])
def test_a_terminal_shows_no_leftovers(width: int, height: int, recipe: str) -> None:
    seen = 0
    for rows in screens("trl", 3, width, height, every=9, recipe=recipe):
        shown = [row for row in rows if "%|" in row]
        assert all(len(row) < width for row in shown)
        unfinished = [row for row in shown if not re.match(r"(?:[\w ]+: )?100%", row)]
        assert len(unfinished) <= 1, rows
        seen += len(unfinished)
        if unfinished:
            assert [row for row in rows if row][-1] == unfinished[0]
    assert seen > 10


def test_the_last_step_of_an_epoch_takes_what_is_left() -> None:
    """trainer.py: num_batches is the remainder of the epoch's batches in its last update."""
    seen = 0
    for seed in (20, 22, 23, 39, 56):
        job = job_of(seed, dialect="trl", recipe="sft")
        accumulation = job.layout.accumulation
        rows, batch = trainer_values.examples(job), job.schedule.global_batch
        batches = ceil(rows / (batch // accumulation))
        last = trainer_values.updates_per_epoch(job)
        rest = batches % accumulation or accumulation
        seconds = step_time.interval_seconds(job, last, last)
        whole = step_time.step_seconds(job)
        assert seconds == pytest.approx(whole * rest / accumulation, abs=0.1 * whole), seed
        seen += rest < accumulation
    assert seen >= 3
