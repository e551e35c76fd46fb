"""Writes docs/plans.md: which jobs the planner draws where nothing is asked for, and why.

python -m tools.plan_docs            writes docs/plans.md
python -m tools.plan_docs --check    fails when it is out of date
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from llmsim.catalog import gpus, records
from llmsim.dialects import registry
from llmsim.job.framework import Framework
from llmsim.job.records import Job, batch_tokens
from llmsim.job.schedule import last_step, whole_run
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from tools.generated import ROOT, written

PAGE = ROOT / "docs" / "plans.md"
SEEDS = range(1, 301)
START = datetime(2026, 1, 30, 12)
ROWS = 14  # of a table; the others are counted together

PAGE_TEXT = """\
# Which jobs are planned

Made by `make docs` from the plans of seeds 1 to 300 with `--dialect any` and nothing else asked
for. The planner draws a kind of job from [data/llm_jobs.txt](../data/llm_jobs.txt) by its weight,
then a model, GPUs, a length of the sequences and a length of the run that this kind has. It takes
the first draw that people would run:

- it fits into the memory,
- a step takes {shortest} to {longest} seconds (with rollouts up to {rollout}),
- its MFU is {mfu} or more.

An option that you give is kept: only kinds of job that agree with it are drawn. If none agrees, the
planner draws from all models and GPUs.

tests/planning/test_recognised.py lists, as rules, the plans at which an expert would laugh. None of
these plans breaks a rule.

## What is shown of a long pretraining

One log seldom has a pretraining of weeks as a whole: a job goes on from a checkpoint, and ends when
its time in the queue is over. So some logs show a part of it, some hundreds or thousands of steps:

- {early} show one job in a queue of every long run: it goes on from a
  checkpoint, or begins the run, and Slurm's time limit ends it.
- {goes_on} do so in every other long run.
  In one of three of these the part is the last one of the run, and ends with an export.
- {late} log each step, so the part is short. TPUs
  have no Slurm, so what `maxtext` shows is the last part of a run.
- {whole} shows whole runs, since TRL is for fine-tuning: nothing of it is long.
- A benchmark of {benchmarks} is short: it ends at its target loss.

A job that Slurm ends has no export. Its log says what its framework does at the signal, and Slurm's
`CANCELLED AT ... DUE TO TIME LIMIT`. `pytorch` and `nemo` save at SIGTERM; the others lose the
steps since their last checkpoint. A framework whose save takes longer than the 30 s that Slurm
leaves is signalled ahead of the limit (`sbatch --signal`), and ends before it.

Learning rates, losses and the numbers of the steps are those of the whole run.

To see another part, give `--steps` or `--tokens`, or `first_step` and `time_limit` in a job file.

{tables}
"""

# What each table counts, and the reason for its shares.
REASONS = {
    "Recipes": """\
Most runs that people start adapt a released model; most GPU-hours go into pretraining, and a curve
that falls from ln V is what people want to see. So half of the weight is pretraining, and
frameworks that only pretrain add to it.""",
    "GPUs": """\
H100 and A100 with NVLink are what public logs of 2023 to 2026 name most, then H200 and B200; cards
without NVLink carry LoRA, QLoRA and GPT-2. The weights are a column of data/llm_gpus.txt.""",
    "Number of GPUs": """\
One card for adapters, a node of eight for fine-tuning and GPT-2 (nanoGPT and llm.c take 8 x A100),
8 to 64 for models up to 2B (Pythia, TinyLlama), 128 to 1,024 for 7B to 34B (OLMo 2, Llama 2), up to
4,096 for 70B and large mixtures (DeepSeek-V3: 2,048 H800).""",
    "Active parameters": """\
Sizes that released families have. In a mixture the active parameters count.""",
    "Tokens of a sequence": """\
1,024 is GPT-2's, 2,048 and 4,096 are Pythia's, Llama 2's and OLMo 2's, 8,192 is Llama 3's; 32,768
to 131,072 are a later part of pretraining with context parallelism (Llama 3, section 3.4.2).""",
    "Precision of the products": """\
FP8 pretraining is young (DeepSeek-V3, Nemotron) and needs Hopper or newer; QLoRA keeps the frozen
weights in NF4.""",
    "Tokens for each active parameter, in pretraining": """\
20 is the optimum of Hoffmann et al. 2022; GPT-2 on OpenWebText has about 70, Llama 2 7B 286, OLMo 2
7B 560, Llama 3 8B 1,875. Fewer than 20 teach less than a smaller model would.""",
    "How a model is spread": """\
Data ranks with sharded states carry most models; slices and stages are for large models on servers
with fast links, pipelines for 12B and more, context ranks for long sequences, expert ranks for
mixtures.""",
    "What a log shows": """\
Of pretrainings and continued ones; what is fine-tuned is shown whole.""",
    "Hours of training": """\
From a LoRA over lunch to a pretraining of months: BLOOM took 117 days, Llama 3 405B 54.""",
}

SIZES = ((4e8, "up to 0.4B"), (1.5e9, "0.4B to 1.5B"), (4e9, "1.5B to 4B"), (10e9, "4B to 10B"),
         (35e9, "10B to 35B"), (1e15, "more"))  # fmt: skip
PER_PARAMETER = ((40, "20 to 40"), (100, "40 to 100"), (300, "100 to 300"), (1000, "300 to 1,000"),
                 (1e9, "1,000 to 2,000"))  # fmt: skip
HOURS = ((1, "up to 1"), (6, "1 to 6"), (24, "6 to 24"), (168, "1 to 7 days"), (720, "to 30 days"),
         (1e9, "more"))  # fmt: skip


def jobs() -> list[Job]:
    """The plans of the page."""
    return [plan(Options(seed=seed, start=START, dialect="any")) for seed in SEEDS]


def _band(value: float, bands: Sequence[tuple[float, str]]) -> str:
    return next(name for limit, name in bands if value <= limit)


def per_parameter(job: Job) -> float:
    """Tokens that the whole run reads for each active parameter."""
    return whole_run(job.schedule) * batch_tokens(job) / job.model.active_parameters


def _spread(job: Job) -> str:
    layout = job.layout
    if layout.gpus == 1:
        return "one GPU"
    parts = [("slices", layout.tp), ("stages", layout.pp), ("context", layout.cp),
             ("experts", layout.ep)]  # fmt: skip
    found = [name for name, ranks in parts if ranks > 1]
    return f"data ranks{''.join(f' + {name}' for name in found)}"


def _shown(job: Job) -> str:
    if job.schedule.time_limit:
        return "one job of a run, which Slurm ends"
    if job.schedule.first_step > 1:
        return "the last part of a run, from a checkpoint on"
    return "a whole run"


def _precision(job: Job) -> str:
    base = " over NF4" if job.layout.four_bit_base else ""
    return f"{job.layout.precision}{base}"


def _table(title: str, counts: Counter[str], order: Sequence[str] | None = None) -> Iterator[str]:
    """A table of shares with its reason."""
    whole = sum(counts.values())
    names = (
        [name for name in order if name in counts]
        if order
        else [n for n, _ in counts.most_common()]
    )
    yield f"## {title}"
    yield ""
    yield REASONS[title]
    yield ""
    yield "| | plans | share |"
    yield "|---|---|---|"
    for name in names[:ROWS]:
        yield f"| {name} | {counts[name]} | {counts[name] / whole:.0%} |"
    if rest := sum(counts[name] for name in names[ROWS:]):
        yield f"| {len(names) - ROWS} others | {rest} | {rest / whole:.0%} |"
    yield ""


def tables(drawn: Sequence[Job]) -> Iterator[str]:
    """All tables of shares."""

    def count(
        title: str, of: Callable[[Job], str], order: Sequence[str] | None = None
    ) -> Iterator[str]:
        return _table(title, Counter(map(of, drawn)), order)

    numbers = [f"{each:,}" for each in sorted({job.layout.gpus for job in drawn})]
    lengths = [f"{each:,}" for each in sorted({job.schedule.sequence for job in drawn})]
    yield from count("Recipes", lambda job: job.recipe.name)
    yield from count("GPUs", lambda job: gpus.short_name(job.gpu))
    yield from count("Number of GPUs", lambda job: f"{job.layout.gpus:,}", numbers)
    yield from count(
        "Active parameters",
        lambda job: _band(job.model.active_parameters, SIZES),
        [name for _, name in SIZES],
    )
    yield from count(
        "Tokens of a sequence",
        lambda job: f"{job.schedule.sequence:,}",
        lengths,
    )
    yield from count("Precision of the products", _precision)
    pretraining = [job for job in drawn if not job.recipe.released]
    yield from _table(
        "Tokens for each active parameter, in pretraining",
        Counter(_band(per_parameter(job), PER_PARAMETER) for job in pretraining),
        [name for _, name in PER_PARAMETER],
    )
    yield from _table(
        "What a log shows", Counter(_shown(job) for job in drawn if job.recipe.relative)
    )
    yield from count("How a model is spread", _spread)
    yield from count(
        "Hours of training", lambda job: _band(_hours(job), HOURS), [name for _, name in HOURS]
    )


def _hours(job: Job) -> float:
    from llmsim.physics.speed.step_time import training_seconds

    own = last_step(job.schedule) - job.schedule.first_step + 1
    return training_seconds(job) / own * whole_run(job.schedule) / 3600.0


def _names(some: Sequence[Framework]) -> str:
    *others, last = (f"`{each.name}`" for each in some)
    return f"{', '.join(others)} and {last}" if others else last


def kinds() -> Iterator[str]:
    """The list of kinds, as a table."""
    yield "## The kinds of job"
    yield ""
    yield "| kind | recipe | active parameters | GPUs | weight |"
    yield "|---|---|---|---|---|"
    for kind in records.job_kinds():
        low, high = (f"{size / 1e9:g}B" for size in kind.models)
        count = ", ".join(f"{each:,}" for each in kind.gpus)
        yield f"| {kind.name} | {kind.recipe} | {low} to {high} | {count} | {kind.weight:g} |"


def page() -> str:
    """The whole page."""
    from llmsim.planning import sensible

    told = "\n".join((*tables(jobs()), *kinds()))
    known = registry.frameworks()
    benchmarks = [each for each in known if each.target_loss]
    early = [each for each in known if each.stops_early]
    late = [each for each in known if each.logs_every_step]
    goes_on = [each for each in known if each.goes_on]
    whole = [each for each in known if each not in (*benchmarks, *early, *late, *goes_on)]
    return PAGE_TEXT.format(
        tables=told,
        early=_names(early),
        late=_names(late),
        goes_on=_names(goes_on),
        whole=_names(whole),
        benchmarks=_names(benchmarks),
        shortest=f"{sensible.SHORTEST_STEP_SECONDS:g}",
        longest=f"{sensible.LONGEST_STEP:g}",
        rollout=f"{sensible.LONGEST_ROLLOUT:g}",
        mfu=f"{sensible.LOWEST_MFU:.0%}",
    )


def main() -> int:
    """Writes the page, or with --check says whether it is up to date."""
    return written(PAGE, page())


if __name__ == "__main__":
    sys.exit(main())
