"""Writes docs/exports.md: what --export can write, and who reads it.

python -m tools.export_docs            writes docs/exports.md
python -m tools.export_docs --check    fails when it is out of date
"""

import sys

from llmsim.telemetry.kinds import KINDS, Kind
from llmsim.telemetry.logs import FILES
from tools.generated import ROOT, written

PAGE = ROOT / "docs" / "exports.md"

PAGE_TEXT = """\
# Exports

This page is made by `make docs` from
[src/llmsim/telemetry/kinds.py](../src/llmsim/telemetry/kinds.py).

```sh
llmsim --seed 7 --export jsonl=run.jsonl              # beside the show
llmsim --seed 7 --quiet --export jsonl=run.jsonl      # without the show, as fast as possible
llmsim --seed 7 --quiet --export jsonl=- | head       # to standard output
llmsim --runs 3 --quiet --export jsonl={{seed}}.jsonl   # a file for each seed
```

You may give `--export KIND=PATH` several times. The same `--seed` and `--start` give the same bytes
at every speed, with the show and without the show. With `--from` the events of an export begin at
this moment, but the samples of GPUs always cover the whole run.

{kinds}

## Files

While the run plays, an export is written to `PATH.part`, where you can watch it (`tail -F`). The
file gets the name `PATH` at the end of the run, or when you stop the run. If the process is killed,
the file keeps the name `PATH.part`. So in a file with the name `PATH` no line is cut off. But if
you stop the run, the file has only the part of the run up to the stop. If `PATH` exists already,
llmsim refuses the export. If `PATH` is a pipe or a device, llmsim writes directly to `PATH`.

If an export fails, one sentence names the export and says what went wrong. If the export fails at
its beginning, the show ends before the first line. If the export fails later, the show goes on, and
the sentence comes at the end. In both cases the exit status is 1.

## Samples

`csv`, `parquet`, `openmetrics`, `promtest`, `nvsmi` and `otlp` have samples of the GPUs: one sample
every 15 simulated seconds, or as often as `--sample` says. Of a large cluster the exports have the
first 512 GPUs. All gauges agree with each other: energy is the integral of power; used, free and
reserved memory add up to the total; tensor activity follows from MFU and clock. During an incident
the gauges show what real gauges show. After a GPU has fallen off the bus, its samples end. A GPU
that waits in a hung collective has a utilization of 100 %, while its tensor cores are idle. Energy,
the time of throttling and the counters of nodes count from the launch of the run, or from a later
boot of the node. A spare machine has its own counters.

These files become large. At the default `--sample`, one GPU fills 1.7 MB of `openmetrics` in a
simulated hour, or 1 MB of `otlp`, 0.08 MB of `nvsmi` or 0.08 MB of `csv`. So 64 GPUs fill 2.6 GB of
`openmetrics` in a simulated day, or 1.5 GB of `otlp` or 0.12 GB of `nvsmi`. To write these files
takes minutes. For a smaller file give a longer `--sample` (`--sample 5min` makes the file twenty
times smaller), fewer `--gpus` or fewer `--steps`.

## The folder of logs

`logs` writes these files. The files of the first node's processes exist from the launch on, as with
`torchrun --log-dir --redirects 3`. All other files are made when they get their first line.

{files}

In RUN_SUFFIX, RUN is the name of the run, and SUFFIX is what the launcher adds, such as `tu2b8bv3`.
N is the number of the attempt, counted from 0. (Events and labels count attempts from 1.)
LOCAL_RANK is the number of the process on its node, counted from 0. HOST is the name of a node. JOB
is Slurm's number of the job, which stays the same after a requeue. [incidents.md](incidents.md)
says which nodes of a large cluster print lines in a failure.

## What each kind is for

`tensorboard`, `wandb`, `lightning` and `trainer_state` have what the real framework writes, with
its tags and steps. llmsim refuses a kind that the framework does not write.

This program sends an export of the kind `wandb` to a Weights & Biases project of yours:

```python
import json

import wandb

with open("run.wandb.jsonl") as file:
    head, *rows = map(json.loads, file)
with wandb.init(project="simulated", name=head["name"], config=head["config"]) as run:
    for row in rows:
        step = row.pop("_step")
        run.log(row, step=step)
```

`openmetrics` puts a run into a real Prometheus. `promtest` tests alert rules without a Prometheus:

```sh
llmsim --seed 7 --quiet --export openmetrics=run.om --sample 1min --gpu H100-80GB-HBM3
promtool tsdb create-blocks-from openmetrics run.om data
prometheus --storage.tsdb.path=data --storage.tsdb.retention.time=100y

llmsim --seed 7 --quiet --export promtest=test.yml --sample 15s --gpu H100-80GB-HBM3
promtool test rules test.yml        # after filling in rule_files and adding alert_rule_test
```

In OpenMetrics the name of a counter has to end in `_total`, but the names of dcgm-exporter's
counters do not end in `_total`. So these counters have the type `unknown` in the files. `rate`
works all the same.

A sample of `openmetrics` and `promtest` has what dcgm-exporter would answer to Prometheus at the
simulated moment of the sample ([serve.md](serve.md) says more). After a GPU is lost, one last
sample of its metric XID_ERRORS has the code of the error. After an Xid 119 no GPU of the node has a
sample until the next attempt.

`labels` has the truth about the incidents of a run, which you can compare with the alarms of a
detector.

Records and files say that they are simulated, if the format has room for a mark.

## In tests

`records` and `samples` give your own tests the records of a run and the samples of its GPUs,
without a file. Put your own functions in the place of `my_curve` and `my_alarm`:

```python
from datetime import datetime
import pytest
from llmsim import Options, plan, records, run_of, samples


@pytest.fixture(scope="session")
def run_records():
    options = Options(seed=7, dialect="torchtitan", start=datetime(2026, 1, 30))
    return list(records(run_of(plan(options))))


@pytest.fixture(scope="session")
def gpu_samples():
    options = Options(seed=7, gpu="H200", gpus=8, start=datetime(2026, 1, 30))
    return list(samples(run_of(plan(options)), every=60))


def test_my_curve_ends_with_the_last_loss(run_records):
    losses = [each["loss"] for each in run_records if each["event"] == "step"]
    assert my_curve(run_records)[-1] == losses[-1]


def test_my_alarm_is_silent_while_nothing_is_wrong(gpu_samples):
    assert not any(my_alarm(each) for each in gpu_samples)
```
"""


def _row(kind: Kind) -> str:
    place = "folder" if kind.folder else "file"
    return f"| `{kind.name}` | {place} | {kind.meaning} |"


def kind_table() -> str:
    """A row for each kind."""
    return "\n".join(["| kind | PATH is a | what it has |", "|---|---|---|", *map(_row, KINDS)])


def file_table() -> str:
    """A row for each file of the folder of logs."""
    rows = [f"| `{path}` | {meaning} |" for path, meaning in FILES]
    return "\n".join(["| file | what it has |", "|---|---|", *rows])


def page() -> str:
    """The whole page."""
    return PAGE_TEXT.format(kinds=kind_table(), files=file_table())


def main() -> int:
    """Writes the page, or with --check says whether it is up to date."""
    return written(PAGE, page())


if __name__ == "__main__":
    sys.exit(main())
