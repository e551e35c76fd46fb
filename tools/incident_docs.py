"""Writes docs/incidents.md: what breaks a run, with excerpts of every stream.

python -m tools.incident_docs            writes the page
python -m tools.incident_docs --check    fails when it is out of date

The rows are those of the catalogue, the excerpts those of one job, and the detectors those that
the tests hold against each kind's lines.
"""

import sys
from collections.abc import Iterator

from llmsim.run.incident_kinds import KINDS, Kind, per_million_gpu_hours
from tests.incidents.detectors import DETECTORS
from tests.incidents.told import Told, lines
from tools.generated import ROOT, written

PAGE = ROOT / "docs" / "incidents.md"
SEED, RANK = 3, 13
MOST_LINES, WIDEST = 7, 150  # of an excerpt
NAMES = {"log": "training log", "kernel": "kernel", "slurm": "Slurm"}

HEAD = """\
# Incidents

Made by `make docs` from the catalogue in
[src/llmsim/run/incident_kinds.py](../src/llmsim/run/incident_kinds.py).

```sh
llmsim --incidents typical                     # about as many as make a run interesting
llmsim --incident gpu-lost@40% --gpus 16       # this one, when 40 % of the steps are done
llmsim --incident nccl-timeout@step=500:rank=3 --stream all
```

`--incidents rare`, the default, is what such a cluster would meet in the time that the run takes:
Llama 3 405B was interrupted 419 times in 54 days of 16,384 H100, once in 50,700 GPU-hours
(arXiv 2407.21783, table 5), so that most runs on a few nodes meet nothing. `typical` expects one
or two incidents in a run, `chaos` six or three times the real rate. `--incident KIND@WHEN` asks
for one: WHEN is a share of the steps, `step=500`, a time since the launch such as `2h10min`, or a
phase (`launch`, `training`, `validation`, `checkpoint`).

A deadly fault cuts the run. The processes say their last words, Slurm takes the job off the nodes
and puts it into the queue again, and the next attempt loads the last checkpoint that was durable
when the fault came: the steps after it are run again. A framework that handles SIGTERM finishes its
step and saves before it exits, if the grace lasts: 30 s after a time limit, 30 to 300 s before a
preemption. A straggler, and half of the hot nodes, are taken out by a person. After a lost GPU, a
dead link or node and silent corruption a spare machine takes the node's place: the next attempt has
another host name, address, UUIDs and serial numbers there, in every stream, page and export. A
lemon passes its tests after a boot, comes back, and fails again. `--stream launcher`,
`kernel`, `slurm` or `all` shows the logs beside the training's. The summary of the run has its
goodput; the board has it from the second attempt on.

Every gauge, page and export follows: see "telemetry" of each kind. `--export labels=FILE` has the
truth with which a monitor can be graded: what broke, where, when it began, showed, was found and
was over, its cause, what to do, and the rules of public tools that react to its lines.

Rates are per million GPU-hours. Those of kinds that slow a run, and of what people do, are
estimates. `scale-collapse` needs fp16's loss scale: `--precision fp16`, in the dialect `pytorch`.

Incidents of the numbers bend the loss and the gradient's norm in every log, tracker and board. A
`loss-spike` has a shape (`loss-spike@60%:shape=slow`): fast, gone after 20 to 40 steps; slow, for
hundreds of steps; or permanent. The norm leads by 1 to 5 steps. At a `nan` Megatron-LM, NeMo, OLMo
and MaxText end the run, as their checks do; the others go on printing `nan` until a person stops
them. What does not heal is left behind: the next attempt loads a checkpoint from before it, and
goes past its batches.
"""


def excerpt(told: list[Told]) -> Iterator[str]:
    """Some lines of a stream, cut to a width."""
    texts = [line.text for line in told]
    for text in texts[:MOST_LINES]:
        yield text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"
    if len(texts) > MOST_LINES:
        yield f"... {len(texts) - MOST_LINES} more lines"


def section(kind: Kind) -> Iterator[str]:
    """What the catalogue says of a kind, what each stream says, and who catches it."""
    yield f"## {kind.name}\n"
    yield f"{kind.meaning[0].upper()}{kind.meaning[1:]}.\n"
    rate = f"{per_million_gpu_hours(kind.name):.2f} per million GPU-hours"
    rows = [
        ("layer", kind.layer), ("rate", rate), ("before", kind.precursors),
        ("who speaks", kind.speaks), ("telemetry", kind.telemetry),
        ("what ends it", kind.recovery),
        ("exit status", "none" if kind.exit_status is None else str(kind.exit_status)),
    ]  # fmt: skip
    yield "| | |\n|---|---|"
    yield from (f"| {name} | {text} |" for name, text in rows)
    yield ""
    told = lines(SEED, kind.name, RANK)
    for stream, name in NAMES.items():
        if own := [line for line in told if line.stream == stream]:
            yield f"{name}:\n\n```"
            yield from excerpt(own)
            yield "```\n"
    if caught := [detector.tool for detector in DETECTORS if kind.name in detector.catches]:
        yield f"Caught by: {', '.join(caught)}.\n"


def page() -> str:
    """The whole page."""
    return HEAD + "\n" + "\n".join(line for kind in KINDS for line in section(kind)).rstrip() + "\n"


def main() -> int:
    """Writes the page, or with --check says whether it is up to date."""
    return written(PAGE, page())


if __name__ == "__main__":
    sys.exit(main())
