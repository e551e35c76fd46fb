"""Writes docs/dialects.md: what each dialect looks like, and how to add one.

python -m tools.dialect_docs            writes docs/dialects.md
python -m tools.dialect_docs --check    fails when it is out of date
"""

import re
import sys
from collections.abc import Iterator
from datetime import datetime
from importlib import import_module
from importlib.util import find_spec

from llmsim.dialects.capture import captured
from llmsim.dialects.line import Bar
from llmsim.dialects.registry import DEFAULT, framework_of, frameworks, lines_of
from llmsim.job.framework import Framework
from llmsim.options.command import command
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.events import Event, Progress, Step, Validated
from llmsim.run.simulation import simulate
from llmsim.text.screen import Screen
from tools.generated import ROOT, written
from tools.known_logs import COMPARED
from tools.known_readers import OLDER, READERS

PAGE = ROOT / "docs" / "dialects.md"
SEED = 5
SCREEN = Screen(100, 40, color=False, unicode=True, live=False)
LONGEST = 180  # characters of a line that are shown
# Lines of the launch, of the steps and of the first validation that an excerpt shows.
LAUNCH, STEPS, VALIDATION = 4, 3, 2
# What several logs begin with: torchrun's warning, and the table of nvidia-smi.
SHARED = (
    "torch/distributed/run.py", "variable for each process", "tune the variable", "+-----",
    "|=====", "NVIDIA-SMI", "| GPU  Name", "| Fan  Temp", "|   ", "|  GPU ", "Processes:", " " * 60,
)  # fmt: skip
# Of a validation, the lines with its loss. MLPerf calls this loss an accuracy.
VALIDATION_LOSS = re.compile(r"(?i)val.*loss|ppl: |eval_accuracy")
MODEL, GPUS, RECIPE = "Basalt-1B", 8, "pretrain"  # of the excerpts, where a framework can do it
STEPS_IN_ALL, FEW_STEPS = 2700, 270  # of the excerpts' run, and where each step is logged

HEAD = """\
# Dialects

A dialect is the log of one framework. This page shows the log of each framework.
An excerpt has up to three parts: lines of the training, lines with the losses of validations, and
lines of the launch that only this framework prints. Long lines are cut. Most excerpts come from
this command:

`{command}`

The default dialect, `pytorch`, has a line for nearly every event. Every other dialect prints what
its framework prints, and nothing else.

All excerpts have the same seed. Most excerpts have the same job, but a few frameworks cannot train
this job. `mlperf` follows the rules of a benchmark, `maxtext` has TPUs, `nanogpt` and `llmc` train
models of GPT-2's shape, and `trl` fine-tunes. Four frameworks log every step (`nanotron`,
`maxtext`, `llmc` and `nemo`); their excerpts are of runs with 270 steps.

For each framework a link leads to our list of its statements that print. The list says which
places in the framework's source write the lines of the log.

"""

READERS_HEAD = """\
## Known readers

These programs are public parsers of the frameworks' logs. For each parser, a test applies its
regular expressions to thirty runs of the dialect: the runs of the seeds 0 to 29. The table says
what the parser finds in the run of seed 5. (This run is not the run of the excerpts.)

| dialect | parser | finds |
|---|---|---|
"""

LOGS_HEAD = """\
## Beside public logs

We compared llmsim's logs with logs of real runs, line by line. The table says what still differs.
Most differences come from another release or from other settings. Each line that llmsim prints
exists in the release that this page names above.

| dialect | public logs | what differs |
|---|---|---|
"""

TAIL = """\
## How to add a dialect

[CONTRIBUTING.md](../CONTRIBUTING.md#a-dialect) has the steps for a dialect in this repository.
[plugins.md](plugins.md) says how a package of your own can add a dialect.
"""


def asked(name: str) -> Options:
    """The same job for all frameworks, if they can train it; a benchmark has rules of its own."""
    framework = framework_of(name)
    alone = Options(seed=SEED, start=datetime(2026, 1, 30, 12), dialect=name)
    if framework.target_loss:
        return alone
    recipe = RECIPE if RECIPE in framework.recipes else framework.recipes[0]
    steps = FEW_STEPS if framework.logs_every_step else STEPS_IN_ALL
    return alone._replace(recipe=recipe, model=MODEL, gpus=GPUS, steps=steps)


def rendered(name: str) -> Iterator[tuple[Event, str]]:
    """Every line of the run with its event, without bars in progress."""
    job = plan(asked(name))
    table = captured(job, lines_of(name))
    for event in simulate(job):
        render = table.get(type(event))
        for line in render(event, job, SCREEN) if render else ():
            if not (isinstance(line, Bar) and line.fraction < 1):
                yield from ((event, text) for text in line.text.split("\n"))


def excerpt(name: str) -> str:
    """Some steps, the first validation, and the launch's first lines that no other log has."""
    launch: list[str] = []
    steps: list[str] = []
    validation: list[str] = []
    first: Event | None = None  # a framework's first step prints what its other steps do not
    for event, text in rendered(name):
        if isinstance(event, Step) or (isinstance(event, Progress) and event.task == "epoch"):
            first = first or event
            steps += [] if event is first else [text]
        elif isinstance(event, Validated) and VALIDATION_LOSS.search(text):
            validation.append(text)
        elif not (first or text in launch or any(shared in text for shared in SHARED)):
            launch.append(text)
    parts = (steps[:STEPS], validation[:VALIDATION], launch[:LAUNCH])
    return "\n...\n".join("\n".join(line[:LONGEST] for line in part) for part in parts if part)


def release(framework: Framework) -> str:
    """The release whose lines the log has, and where its statements that print are listed."""
    if not framework.release:
        return ""
    text = f"Release: {framework.source}, {framework.release} (`{framework.commit[:12]}`)"
    if find_spec(f"llmsim.dialects.{framework.name}.statements"):
        path = f"src/llmsim/dialects/{framework.name}/statements.py"
        count = len(import_module(f"llmsim.dialects.{framework.name}.statements").STATEMENTS)
        text += f"; [the {count} statements that print]({'../' + path})"
    for name, commit in framework.older:
        text += f"; also `--release {name}` (`{commit[:12]}`)"
    return text + ".\n\n"


def readers() -> str:
    """The table of public parsers: what each finds in a log of run 5, and which find nothing."""
    text = READERS_HEAD
    for each in READERS:
        options = Options(seed=SEED, start=datetime(2026, 1, 30, 12), dialect=each.dialect)
        job = plan(options._replace(incidents="none", **each.asked))  # type: ignore[arg-type]
        counts = ((part, len([*part.steps(job)])) for part in each.found)
        found = ", ".join(
            f"{'at least ' * part.at_least}{count:,} {part.what}" for part, count in counts if count
        )
        text += f"| `{each.dialect}` | {each.source} | {found} |\n"
    for older in OLDER:
        text += f"| `{older.dialect}` | {older.source} | nothing: {older.why} |\n"
    return text + "\n"


def logs() -> str:
    """The table of public logs, and of what ours do otherwise."""
    rows = (f"| `{each.dialect}` | {each.logs} | {each.differs} |\n" for each in COMPARED)
    return LOGS_HEAD + "".join(rows) + "\n"


def page() -> str:
    """The whole page."""
    text = HEAD.format(seed=SEED, command=command(asked(DEFAULT)._replace(dialect="NAME")))
    for framework in frameworks():
        recipes = ", ".join(framework.recipes)
        text += f"## {framework.name}\n\n{framework.meaning}. Recipes: {recipes}.\n\n"
        text += release(framework)
        text += f"```\n{excerpt(framework.name)}\n```\n\n"
    return text + readers() + logs() + TAIL


def main() -> int:
    """Writes the page, or with --check says whether it is up to date."""
    return written(PAGE, page())


if __name__ == "__main__":
    sys.exit(main())
