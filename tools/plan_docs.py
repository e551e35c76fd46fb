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

This page is made by `make docs` from the plans of seeds 1 to 300, with no option but
`--dialect any`. The planner draws a kind of job from [data/llm_jobs.txt](../data/llm_jobs.txt) by
its weight. Then it draws a model, GPUs, a length of the sequences and a length of the run that suit
this kind. The planner draws again until a plan has these properties:

- the job fits into the memory,
- a step takes {shortest} to {longest} seconds (up to {rollout} seconds with rollouts),
- the MFU is {mfu} or more.

If you give an option, the planner draws only kinds of job that agree with the option. If no kind
agrees, the planner draws from all models and GPUs. If you gave `--gpus`, and the job from this draw
would be absurd (a small model on thousands of GPUs, for example), the planner takes the kind whose
number of GPUs is the nearest to yours. If you have n times as many GPUs as this kind, the planner
multiplies the parameters of the model, the tokens and the batch by the square root of n. The work,
which is the product of parameters and tokens, then grows by n, and n times as many GPUs take the
same time for it.

With `--gpus`, `--dialect any` draws only frameworks that people use for a cluster of this size. So
nanoGPT is never drawn for 1,024 GPUs. With `--dialect nanogpt --gpus 1024`, nanoGPT trains one of
the largest models that it can train.

tests/planning/test_recognised.py has rules that refuse absurd plans. None of the 300 plans breaks a
rule.

## What is shown of a long pretraining

A pretraining of weeks is seldom in one log. A cluster gives a job some hours. Then Slurm ends the
job, and the next job goes on from the checkpoint of this job. So some logs show only a part of a
long run, with hundreds or thousands of steps:

- {early} show a part of every long run. The part begins the run, or goes on from a
  checkpoint, and Slurm's time limit ends it.
- {goes_on}
  show half of the long runs from beginning to end, and a part of each of the other long runs. One
  part in three is the end of a run, with the export of the model.
- {late} log each step, so their parts are short.
  TPUs have no Slurm, so `maxtext` shows the last part of a run.
- {whole} shows whole runs, since TRL is for fine-tuning, and no fine-tuning is long.
- A benchmark of {benchmarks} is short, and ends at its target loss.

In a part that Slurm ends, the model is not exported. The log of the part has the lines that the
framework prints at Slurm's signal, and Slurm's line `CANCELLED AT ... DUE TO TIME LIMIT`. `pytorch`
and `nemo` save a checkpoint at SIGTERM. Other frameworks lose the steps since their last
checkpoint. Slurm leaves 30 s for a save. If a save takes longer, Slurm sends the signal earlier
(`sbatch --signal`), and the job ends before the limit. After a
failure the job is launched again, and its limit begins anew. So a job that fails often never
reaches the limit. The planner gives no limit to jobs on large clusters that fail often.

A part is cut out of a whole run: at each step it has the learning rate and the loss that the whole
run has at this step.

To see another part, give `--steps` or `--tokens`, or write `first_step` and `time_limit` into a job
file.

{tables}
"""

# What each table counts, and the reason for its shares.
REASONS = {
    "Recipes": """\
Most runs of real people adapt a released model. But most GPU-hours go into pretraining, and a
viewer wants to see a loss that falls from ln V (V: the size of the vocabulary). So pretraining has
a little more than half of the weights in data/llm_jobs.txt. Its share in the table is higher, since
some frameworks can only pretrain.""",
    "GPUs": """\
Public logs of 2023 to 2026 name H100 and A100 with NVLink most often, then H200 and B200. Cards
without NVLink run LoRA, QLoRA and GPT-2. How often the planner draws
each GPU is a column of data/llm_gpus.txt.""",
    "Number of GPUs": """\
Most LoRA runs take one GPU. Most fine-tuning runs and GPT-2 runs take a node of eight (nanoGPT and
llm.c: 8 x A100).
Models up to 2B take 8 to 64 GPUs (Pythia, TinyLlama). Models of 7B to 34B take 128 to 1,024 GPUs
(OLMo 2, Llama 2). Models of 70B and large mixtures take up to 4,096 GPUs (DeepSeek-V3: 2,048
H800), and models of 180B and more take 4,096 to 131,072.""",
    "Active parameters": """\
The sizes are the sizes of released models. Of a mixture only the active parameters count.""",
    "Tokens of a sequence": """\
GPT-2 has sequences of 1,024 tokens. Pythia, Llama 2 and OLMo 2 have 2,048 or 4,096, and Llama 3 has
8,192. Sequences of 32,768 to 131,072 belong to a later part of pretraining with context parallelism
(Llama 3, section 3.4.2).""",
    "Precision of the matrix products": """\
Pretraining in fp8 is new (DeepSeek-V3, Nemotron), and needs GPUs of Hopper or later. QLoRA
keeps the frozen weights in NF4.""",
    "Tokens for each active parameter, in pretraining": """\
The optimum of Hoffmann et al. 2022 is 20. GPT-2 on OpenWebText has about 70, Llama 2 7B has 286,
OLMo 2 7B has 560, and Llama 3 8B has 1,875. With fewer than 20 tokens
for each parameter, a smaller model would reach a lower loss with the same compute.""",
    "How a model is spread": """\
Most models need only data ranks with sharded states. Large models on servers with fast links have
tensor ranks. Some models of 12B and more also have pipeline stages. Long sequences need context
ranks, and mixtures of experts need expert ranks.""",
    "What a log shows": """\
This table counts pretraining and continued pretraining. The log of a fine-tuning always shows the
whole run.""",
    "Time of training": """\
The shortest runs are a LoRA of less than an hour, and the longest are a pretraining of
months. BLOOM took 117 days, and Llama 3 405B took 54 days.""",
}

SIZES = ((4e8, "up to 0.4B"), (1.5e9, "0.4B to 1.5B"), (4e9, "1.5B to 4B"), (10e9, "4B to 10B"),
         (35e9, "10B to 35B"), (1e15, "more than 35B"))  # fmt: skip
PER_PARAMETER = ((40, "20 to 40"), (100, "40 to 100"), (300, "100 to 300"), (1000, "300 to 1,000"),
                 (1e9, "1,000 to 2,000"))  # fmt: skip
HOURS = ((1, "up to 1 hour"), (6, "1 to 6 hours"), (24, "6 to 24 hours"), (168, "1 to 7 days"),
         (720, "7 to 30 days"), (1e9, "more than 30 days"))  # fmt: skip


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
    parts = [("tensor ranks", layout.tp), ("pipeline stages", layout.pp), ("context", layout.cp),
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
    yield from count("Precision of the matrix products", _precision)
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
        "Time of training", lambda job: _band(_hours(job), HOURS), [name for _, name in HOURS]
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
        low, high = (
            f"{size / 1e12:g}T" if size >= 1e12 else f"{size / 1e9:g}B" for size in kind.models
        )
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
