"""Writes docs/incidents.md: what breaks a run, with excerpts of every stream.

python -m tools.incident_docs            writes the page
python -m tools.incident_docs --check    fails when it is out of date

The rows are those of the catalogue, the excerpts those of one job, and the detectors those that
the tests hold against each kind's lines.
"""

import re
import sys
from collections.abc import Iterable, Iterator

from llmsim.run.incident_kinds import KINDS, Kind, per_million_gpu_hours
from tests.dialects.logs import log_of
from tests.incidents.detectors import DETECTORS
from tests.incidents.told import lines
from tools.generated import ROOT, written

PAGE = ROOT / "docs" / "incidents.md"
SEED, RANK = 3, 13
BEGUN = 2_000  # the step of an incident of the numbers
LAST_WORDS = r"^\[rank\d+\]: Traceback|Received Signals.SIGTERM"
MOST_LINES, WIDEST = 7, 150  # of an excerpt
LAYERS = {"fabric": "fabric (NVLink and NVSwitch)", "network": "network (InfiniBand or Ethernet)"}
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
| `typical` | one or two incidents in a run, or as many as `rare` if `rare` brings more |
| `chaos` | about six incidents in a run; on a large cluster three times as many as `rare` |

The rates of most failures come from Llama 3 405B, whose training was interrupted 419 times in 54
days on 16,384 H100 (arXiv 2407.21783, table 5). That is once in 50,700 GPU-hours. To these rates
llmsim adds estimates of its own, above all for incidents that only slow a run. Most runs on a few
nodes have no incident.

`--incident KIND@WHEN` asks for one incident. WHEN is a share of the steps (`40%`), a step
(`step=500`), a time since the launch (`2h10min`), or a phase (`launch`, `training`, `validation`,
`checkpoint`). You can add `:rank=3`, which names the rank whose GPU or node breaks. For a
`loss-spike` you can add `:shape=fast`, `:shape=slow` or `:shape=permanent`. Some incidents cannot
happen in every phase. For example, no GPU can be lost in a launch. Then the incident happens as
soon as it can. llmsim refuses an incident that can never happen.

`--stream` shows another log of the same run: `launcher`, `kernel` or `slurm`. `--stream all` shows
all logs together, the training log too.

`--export labels=FILE` writes a file with the truth about each incident. You can compare the alarms
of your monitor with this file. The file says

- what broke, and where;
- when the incident began, was visible, was detected and was over;
- the cause of the incident, and what to do;
- which rules of public tools match the lines of the incident.

Below, each kind of incident has a table. The row "telemetry" says what you see in the gauges of the
GPUs and nodes: in `llmsim serve`, in `llmsim smi` and in the exports. After the error Xid 119, DCGM
no longer calls the driver. So dcgm-exporter shows no GPU of the node, while nvidia-smi still shows
them ([serve.md](serve.md#dcgm-exporter-by-release)). The exports `openmetrics` and `promtest` have
what dcgm-exporter shows. All other exports have what nvidia-smi shows.

The training log has the output of the first node. After a failure it also has lines of the node at
fault. For all other nodes srun prints one line, with their names in short form (`srun: error:
raclette-[03-04]: tasks 2-3: ...`). With `--capture all` the log has the lines of every node, if the
cluster has at most eight nodes.

## What follows from a failure

1. The processes print their errors and end.
2. Slurm takes the job off its nodes and puts the job into the queue again. Slurm's controller
   prints lines about the job, and `--stream slurm` shows these lines. The lines say which node is
   drained (gets no new job), why the job waits, and on which nodes the job starts again.
3. A new attempt loads the last checkpoint that was on disk before the fault. The attempt repeats
   the steps after that checkpoint.

Details:

- In the incidents `time-limit` and `preempt`, Slurm sends the signal SIGTERM. At this signal some
  frameworks finish the step and save, if there is time for a save. `time-limit` leaves 30 s, and
  `preempt` leaves 30 to 300 s. Then Slurm starts the job again.
- A time limit can also be planned. Then it is no incident. The key `time_limit` of a job file
  sets a planned limit, and if a run is a part of a long pretraining, llmsim chooses a planned
  limit. At this limit the run is over, and nothing is started again. Slurm sends the signal early
  enough for a save. This end has no label, and it also comes with `--incidents none`.
- A person, not Slurm, removes a slow node (`straggler`) from the job. A person removes a hot node
  (`thermal`) in half of the cases. In the other half the node cools down, and the job goes on.
- After a lost GPU, a dead link, a dead node or silent corruption, a spare machine takes the place
  of the node, and the node is repaired. From the next attempt on, every log, gauge and export shows
  the spare's host name, address, UUIDs and serial numbers.
- `hbm-ecc` needs NVIDIA GPUs whose ECC is switched on. GeForce and workstation cards have no ECC,
  or are sold with ECC switched off. `nvlink` needs GPUs with NVLink.
- `init-fail` ends a launch before any rank is up. In half of the cases another program has the
  port of rank 0, and rank 0 ends at once. In the other half a rank tries to reach rank 0, and
  nothing is printed before the timeout of the framework: 5 minutes in torchtitan and MaxText, 30
  minutes in transformers and OLMo, and 10 minutes in all other frameworks. A job with one process
  needs no port. In a job of this kind the cause of `init-fail` is a GPU that another program holds.
- Some nodes are lemons: they pass their tests after a boot, come back, and fail again.
- The summary of the run gives the goodput: the time of all steps whose results were kept, as a
  share of the whole time. The board below the log shows the goodput from the second attempt on.

## Incidents of the numbers

`loss-spike`, `nan`, `sdc` and `scale-collapse` change the loss and the gradient norm. Every log
and export shows the changed numbers.

- A `loss-spike` has one of three shapes. A `fast` spike ends after 20 to 40 steps, and a `slow`
  spike ends after hundreds of steps. A `permanent` spike ends only when the run goes back to a
  checkpoint. The gradient norm begins to rise 1 to 5 steps earlier than the loss.
- NeMo, OLMo, MaxText and (except in fp16) Megatron-LM check the loss, and their processes end
  when the loss is `nan`. All other frameworks go on and print `nan` until a person stops the
  attempt. (With fp16 it is different: see the next point.)
- `scale-collapse` needs the loss scale of fp16 (`--precision fp16`, in the dialects `pytorch`,
  `deepspeed` and `megatron`). With fp16 the incident `nan` makes the scale fall in the same way.
  `pytorch` and DeepSpeed end when the scale is 1. Megatron-LM skips every step until a person stops
  the attempt.
- When one of the four incidents ends an attempt, a new attempt begins. It loads a checkpoint from
  before the incident. After a `loss-spike` or a `nan` it skips the batches that caused the
  incident.

## Rates

The rates below count incidents in a million GPU-hours. Some rates are our own estimates: the rates
of loss spikes, preemptions and time limits, the larger part of the rate of `init-fail`, and the
rates of `link-flap`, `straggler`, `data-stall` and `slow-fs`, which only slow a run.

Public monitors search logs for known lines. For each incident, `Caught by` names the rules that
find its lines. An example: `gpud xid` is the rule `xid` of the monitor gpud. The monitors are gpud,
azure (azurehpc-health-checks), imbue (cluster-health), oci (oci-hpc), aws
(awsome-distributed-training), npd (node-problem-detector) and nvrx (NVIDIA's resiliency extension).
"""


def numbers(kind: Kind) -> tuple[list[str], list[str]]:
    """A log's lines about the steps around an incident of the numbers, and its lines from the end
    of the attempt on, where the incident ends it.
    """
    precision = {"precision": "fp16"} if kind.needs == "fp16" else {}
    shape = ":shape=fast" if kind.name == "loss-spike" else ""
    log = log_of(
        "pytorch", SEED, gpu="NVIDIA H100 80GB HBM3", gpus=32, recipe="pretrain", steps=4000,
        log_every=1, incidents="none", incident=(f"{kind.name}@step={BEGUN}{shape}",), **precision,
    )  # fmt: skip
    begun = next(number for number, line in enumerate(log) if f" step {BEGUN - 1:,}/" in line)
    told = [line for line in log[begun:] if re.search(r" step [\d,]+(/| skipped)", line)]
    ends = [number for number, line in enumerate(log) if re.search(LAST_WORDS, line)]
    return told[:MOST_LINES], list(log[ends[0] : ends[0] + MOST_LINES]) if ends else []


def excerpt(texts: list[str]) -> Iterator[str]:
    """Some lines of a stream, cut to a width."""
    for text in texts[:MOST_LINES]:
        yield text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"
    if len(texts) > MOST_LINES:
        yield f"... {len(texts) - MOST_LINES} more lines"


def status(kind: Kind) -> str:
    """The exit status of the first process that ends by itself."""
    if kind.consequence == "numbers" and kind.exit_status is not None:
        return f"{kind.exit_status} where the framework ends the attempt; else a person ends it"
    if kind.consequence == "stop":
        return f"{kind.exit_status} if the framework saves at SIGTERM; else SIGTERM (15) ends it"
    if kind.exit_status == -6:
        return (
            "-6 (the signal SIGABRT), as torchrun prints it; Slurm shows torchrun's own status, 1"
        )
    return "none: no process ends by itself" if kind.exit_status is None else str(kind.exit_status)


def section(kind: Kind) -> Iterator[str]:
    """What the catalogue says of a kind, what each stream says, and who catches it."""
    yield f"## {kind.name}\n"
    yield f"{kind.meaning[0].upper()}{kind.meaning[1:]}.\n"
    often = per_million_gpu_hours(kind.name)
    rate = f"{often:.2f} per million GPU-hours" if often else "none: only `--incident` brings it"
    rows = [
        ("layer", LAYERS.get(kind.layer, kind.layer)), ("rate", rate),
        ("signs before it", kind.precursors),
        ("who prints it in the training log", kind.speaks), ("telemetry", kind.telemetry),
        ("what ends it", kind.recovery),
        ("exit status of the process", status(kind)),
    ]  # fmt: skip
    yield "| | |\n|---|---|"
    yield from (f"| {name} | {text} |" for name, text in rows)
    yield ""
    if kind.consequence == "numbers":
        begun, ended = numbers(kind)
        yield from block("training log, when it begins", [*excerpt(begun), "..."])
        if ended:
            yield from block("training log, when the attempt ends", [*excerpt(ended), "..."])
    else:
        yield from streams(kind)
    if caught := [detector.tool for detector in DETECTORS if kind.name in detector.catches]:
        yield f"Caught by: {', '.join(caught)}.\n"


def streams(kind: Kind) -> Iterator[str]:
    """What each stream says of an incident."""
    told = lines(SEED, kind.name, RANK)
    for stream, name in NAMES.items():
        if own := [line.text for line in told if line.stream == stream]:
            yield from block(name, excerpt(own))


def block(title: str, texts: Iterable[str]) -> Iterator[str]:
    """Lines of a log below a title."""
    yield f"{title}:\n\n```"
    yield from texts
    yield "```\n"


def page() -> str:
    """The whole page."""
    return HEAD + "\n" + "\n".join(line for kind in KINDS for line in section(kind)).rstrip() + "\n"


def main() -> int:
    """Writes the page, or with --check says whether it is up to date."""
    return written(PAGE, page())


if __name__ == "__main__":
    sys.exit(main())
