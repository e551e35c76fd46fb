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

This page is made by `make docs` from the catalogue in
[src/llmsim/run/incident_kinds.py](../src/llmsim/run/incident_kinds.py).

```sh
llmsim --incidents typical                     # one or two incidents in a run
llmsim --incident gpu-lost@40% --gpus 16       # a lost GPU, when 40 % of the steps are done
llmsim --incident nccl-timeout@step=500:rank=3 --stream all
```

## How to ask for incidents

`--incidents` says how much breaks:

| value | how much breaks |
|---|---|
| `none` | nothing |
| `rare` (the default) | as much as on a real cluster of this size |
| `typical` | one or two incidents in a run, or as much as in `rare` if that is more |
| `chaos` | six incidents in a run, or three times as much as in `rare` if that is more |

The rate of `rare` is the rate of Llama 3 405B: its training was interrupted 419 times in 54 days on
16,384 H100 (arXiv 2407.21783, table 5). That is once in 50,700 GPU-hours. So most runs on a few
nodes meet no incident.

`--incident KIND@WHEN` asks for one incident. WHEN is a share of the steps (`40%`), a step
(`step=500`), a time since the launch (`2h10min`), or a phase (`launch`, `training`, `validation`,
`checkpoint`).

`--stream` shows another log of the same run: `launcher`, `kernel` or `slurm`. `all` shows these
and the training log together. `--export labels=FILE` writes the truth about each incident, with
which you can grade a monitor:

- what broke, and where;
- when it began, when it was visible, when it was detected, and when it was over;
- its cause, what to do, and the rules of public tools that react to its lines.

The row "telemetry" of each kind below says what the gauges show: those of `llmsim serve`, of
`llmsim smi` and of the exports.

With `--capture all` and at most eight nodes, every node prints lines in a failure. On a larger
cluster, or if the log has the output of one node, two nodes print lines: the node whose output the
log has, and the node at fault. For the other nodes there is one line of srun, which joins their
names (`srun: error: raclette-[03-04]: tasks 2-3: ...`).

## What follows from a failure

1. The processes print their last words.
2. Slurm takes the job off its nodes and puts it into the queue again. Its controller's lines, in
   the stream `slurm`, say which node is drained, why the job is pending, and which nodes it gets.
3. The next attempt loads the last checkpoint that was on disk before the fault. It runs the steps
   after that checkpoint again.

- Some frameworks handle SIGTERM: they finish the step and save before they exit, if there is time.
  A time limit leaves 30 s for this, and a preemption leaves 30 to 300 s.
- A straggler is removed from the job by a person, not by Slurm. So is a hot node, in half of the
  cases.
- After a lost GPU, a dead link, a dead node or silent corruption, a spare machine takes the place
  of the node. From the next attempt on, every log, gauge and export shows the spare's host name,
  address, UUIDs and serial numbers.
- Some nodes are lemons: they pass their tests after a boot, come back, and fail again.
- The summary of the run has its goodput. The board shows the goodput from the second attempt on.

## Incidents of the numbers

`loss-spike`, `nan`, `sdc` and `scale-collapse` change the loss and the gradient norm. Every log,
export and board shows the changed numbers.

- A `loss-spike` has a shape (`loss-spike@60%:shape=slow`). A `fast` spike is over after 20 to 40
  steps, a `slow` one after hundreds of steps, and a `permanent` one never. The gradient norm
  begins to rise 1 to 5 steps earlier than the loss.
- When the loss is `nan`, Megatron-LM (not in fp16), NeMo, OLMo and MaxText end the run by their own
  checks. Other frameworks go on and print `nan` until a person stops the run.
- `scale-collapse` needs the loss scale of fp16 (`--precision fp16`, in the dialects `pytorch`,
  `deepspeed` and `megatron`). With fp16 a loss of `nan` makes the scale collapse, too. DeepSpeed
  ends the run when the scale is 1. Megatron-LM skips every step until a person stops the run.
- If the numbers do not heal, the next attempt loads a checkpoint from before the incident, and
  skips the batches that caused it.

## Rates

The rates below are incidents in a million GPU-hours. For kinds that only slow a run, and for what
people do (preemption, time limits, maintenance), the rates are our own estimates. `Caught by` names
rules of public tools that find the lines of a kind.
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
        ("layer", kind.layer), ("rate", rate), ("signs before it", kind.precursors),
        ("who prints it", kind.speaks), ("telemetry", kind.telemetry),
        ("what ends it", kind.recovery),
        ("exit status of the process", str(kind.exit_status).lower()),
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
