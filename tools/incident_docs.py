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

## How to ask for them

`--incidents` says how much breaks:

| value | how much |
|---|---|
| `none` | nothing |
| `rare` (the default) | as much as such a cluster would really meet |
| `typical` | one or two incidents in a run; on a large cluster the real rate, if that is more |
| `chaos` | six incidents in a run, or three times the real rate if that is more |

The real rate is Llama 3 405B's, which was interrupted 419 times in 54 days of 16,384 H100
(arXiv 2407.21783, table 5). That is once in 50,700 GPU-hours, so most runs on a few nodes meet
nothing.

`--incident KIND@WHEN` asks for one. WHEN is a share of the steps (`40%`), a step (`step=500`), a
time since the launch (`2h10min`), or a phase (`launch`, `training`, `validation`, `checkpoint`).

`--stream launcher`, `kernel`, `slurm` or `all` shows the logs beside that of the training.
`--export labels=FILE` has the truth, with which a monitor can be graded: what broke and where; when
it began, was visible, was detected and was over; its cause, what to do, and the rules of public
tools that react to its lines. Gauges, pages and exports show what each kind says below under
"telemetry".

## What follows from a failure

1. The processes print their last words.
2. Slurm takes the job off its nodes and puts it into the queue again.
3. The next attempt loads a checkpoint: the last one that was on disk when the fault came. The steps
   after it are run again.

- Some frameworks handle SIGTERM: they finish the step and save before they exit, if there is time
  for it. A time limit leaves 30 s, a preemption 30 to 300 s.
- A person takes out a straggler, and half of the hot nodes.
- A spare machine takes the node's place after a lost GPU, a dead link, a dead node or silent
  corruption. From the next attempt on the node has another host name, address, UUIDs and serial
  numbers, in every log, page and export.
- Some nodes are lemons: they pass their tests after a boot, come back, and fail again.
- The summary of the run has its goodput. The board has it from the second attempt on.

## Incidents of the numbers

`loss-spike`, `nan`, `sdc` and `scale-collapse` change the loss and the gradient norm, in every log,
tracker and board.

- A `loss-spike` has a shape (`loss-spike@60%:shape=slow`): `fast` is over after 20 to 40 steps,
  `slow` after hundreds, `permanent` never. The norm rises 1 to 5 steps before the loss.
- At a `nan` Megatron-LM, NeMo, OLMo and MaxText end the run, as their checks do. The others go on
  and print `nan` until a person stops them.
- `scale-collapse` needs fp16's loss scale: `--precision fp16`, in the dialects `pytorch`,
  `deepspeed` and `megatron`. Losses that are `nan` make the scale collapse there, too. DeepSpeed
  ends the run at a scale of 1; Megatron-LM skips every step until a person stops it.
- After an incident that does not heal, the next attempt loads a checkpoint from before it and skips
  the batches that caused it.

## Rates

The rates below are per million GPU-hours. They are estimates for the kinds that only slow a run,
and for what people do.
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
