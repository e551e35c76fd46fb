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

`--incidents` says how much breaks in a run:

| value | how much breaks |
|---|---|
| `none` | nothing |
| `rare` (the default) | as much as on a real cluster of this size |
| `typical` | one or two incidents in a run; on a large cluster as much as `rare` |
| `chaos` | six incidents in a run; on a large cluster three times as much as `rare` |

The rate of `rare` is the rate of Llama 3 405B: its training was interrupted 419 times in 54 days on
16,384 H100 (arXiv 2407.21783, table 5). That is once in 50,700 GPU-hours. Most runs on a few nodes
have no incident.

`--incident KIND@WHEN` asks for one incident. WHEN is a share of the steps (`40%`), a step
(`step=500`), a time since the launch (`2h10min`), or a phase (`launch`, `training`, `validation`,
`checkpoint`).

`--stream` shows another log of the same run: `launcher`, `kernel` or `slurm`. `--stream all` shows
all logs together, the training log too.

`--export labels=FILE` writes a file with the truth about each incident. You can compare the alarms
of your monitor with this file. The file says

- what broke, and where;
- when the incident began, was visible, was detected and was over;
- the cause of the incident, and what to do;
- which rules of public tools match the lines of the incident.

Below, each kind of incident has a table. The row "telemetry" says what you see in the gauges of
`llmsim serve`, of `llmsim smi` and of the exports.

After a failure the log has lines of two nodes: of the node at fault, and of the node whose output
the log shows. srun prints one line for the remaining nodes, with their names in short form
(`srun: error: raclette-[03-04]: tasks 2-3: ...`). With `--capture all` a cluster of up to eight
nodes prints the lines of every node.

## What follows from a failure

1. The processes print their errors and end.
2. Slurm takes the job off its nodes and puts the job into the queue again. Slurm's controller
   prints lines about the job, and `--stream slurm` shows these lines. They say which node is
   drained (gets no new job), why the job waits, and on which nodes the job starts again.
3. A new attempt loads the last checkpoint that was on disk before the fault. The attempt repeats
   the steps after that checkpoint.

Details:

- At a time limit or a preemption, Slurm sends the signal SIGTERM. At this signal some
  frameworks finish the step and save, if there is time for a save. A time limit leaves 30 s, and a
  preemption leaves 30 to 300 s.
- A person, not Slurm, removes a slow node (`straggler`) from the job. A person removes a hot node
  (`thermal`) in half of the cases. In the other half the node cools down, and the job goes on.
- After a lost GPU, a dead link, a dead node or silent corruption, a spare machine takes the place
  of the node. From the next attempt on, every log, gauge and export shows the spare's host name,
  address, UUIDs and serial numbers.
- Some nodes are lemons: they pass their tests after a boot, come back, and fail again.
- The summary of the run gives the goodput: the time of all steps whose results were kept, as a
  share of the whole time. The board shows the goodput from the second attempt on.

## Incidents of the numbers

`loss-spike`, `nan`, `sdc` and `scale-collapse` change the loss and the gradient norm. Every log,
export and board shows the changed numbers.

- A `loss-spike` has a shape (`loss-spike@60%:shape=slow`). A `fast` spike ends after 20 to 40
  steps, and a `slow` spike ends after hundreds of steps. A `permanent` spike does not end. The
  gradient norm begins to rise 1 to 5 steps earlier than the loss.
- NeMo, OLMo, MaxText and (except in fp16) Megatron-LM check the loss, and end the run when the loss
  is `nan`. All other frameworks go on and print `nan` until a person stops the run.
- `scale-collapse` needs the loss scale of fp16 (`--precision fp16`, in the dialects `pytorch`,
  `deepspeed` and `megatron`). With fp16 a loss of `nan` makes the scale collapse, too. DeepSpeed
  ends the run when the scale is 1. Megatron-LM skips every step until a person stops the run.
- If the loss stays wrong, the attempt ends. The next attempt loads a checkpoint from before
  the incident, and skips the batches that caused the incident.

## Rates

The rates below count incidents in a million GPU-hours. Some rates are our own estimates: the rates
of incidents that only slow a run, and of what people do (preemption, time limits, maintenance).

Public monitors search logs for known lines. For each incident, `Caught by` names the rules of
public monitors that find the lines of this incident.
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
