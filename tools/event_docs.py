"""Writes docs/events.md and docs/events.schema.json: every event with its fields and units.

python -m tools.event_docs            writes both
python -m tools.event_docs --check    fails when one is out of date

Everything comes from the source of the records, as tools/event_schema.py reads it.
"""

import inspect
import json
import re
import sys
from types import ModuleType

from llmsim.telemetry.records import SCHEMA_VERSION, event_name
from tools.event_schema import (
    PLAIN,
    Field,
    event_kinds,
    fields_of,
    module_of,
    named,
    properties,
    run_shapes,
    schema,
)
from tools.generated import ROOT, written

PAGE = ROOT / "docs" / "events.md"
SCHEMA = ROOT / "docs" / "events.schema.json"

PAGE_TEXT = """\
# Events

This page is made by `make docs` from the records in
[src/llmsim/run/events/](../src/llmsim/run/events/).

`--export jsonl=run.jsonl` writes one JSON object in each line: first the record of the run, then
every event in the order of time. [events.schema.json](events.schema.json) is the JSON Schema. This
is version {version} of the schema. Within a version, llmsim may add names, but no name changes its
meaning.

Every object has two fields: `event` is the kind of the event, and `simulated` is always `true`.
Every event has two times: `time` is the date and time of the simulated clock, and `at_seconds` is
the number of simulated seconds since the first launch. `at_seconds` never goes back. Units:
durations are simulated seconds, sizes are bytes, and GB are 1e9 bytes. Losses are nats per token;
in DPO nats per pair, and in GRPO the value of GRPO's own objective.
Shares and MFU lie between 0 and 1. A number that is not finite is `null`.

```python
from datetime import datetime
from llmsim import Options, plan, records, run_of

for record in records(run_of(plan(Options(seed=7, start=datetime(2026, 1, 30, 12))))):
    if record["event"] == "step":
        print(record["step"], record["loss"])
```

## What a printed loss is

An event `step` has the loss of this step, over the whole global batch. A log has the number that
the framework prints. This number may differ from the loss of the step:

| the log of | prints |
|---|---|
| `megatron`, `nemo`, `hf`, `trl` | the mean loss of the steps since the last logged step |
| `nanogpt` | the loss of one micro-batch of one rank. This loss has more noise |
| `deepspeed` | the loss of one micro-batch; with pipeline stages the loss of the step |
| all others | the loss of the step itself |

llmsim draws the noise of a printed mean separately. So the printed mean differs by about 0.01 nats
from the mean of the losses in the events.

In most frameworks the printed rates and step times are means since the last printed step. In the
events the fields `step_seconds`, `tokens_per_second` and `mfu` are means since
the step whose number is in the field `previous`.
The mean in a line of the log and the mean in the event of the same step may cover different steps.
An example is a run that logs every 100 steps. The first line of `megatron` comes at step 100, and
its mean covers the steps 1 to 100. But step 1 has an event of its own. So the event of step 100 has
`previous` = 1, and its mean covers the steps 2 to 100, without the slow step 1.

## run

The first line says which run it is, and which command plays it again.

{run}

{events}
## Records inside events

{records}"""


# What a field means wherever its own record says nothing more about it.
USUAL: dict[str, str] = {
    "at_seconds": "simulated seconds since the first launch",
    "seconds": "duration, simulated seconds",
    "step_seconds": "as in `step`",
    "step": "optimizer step, counted from 1",
    "steps": "how many optimizer steps",
    "epoch": "pass over the data, counted from 1",
    "attempt": "number of the attempt, counted from 1; each relaunch begins the next attempt",
    "path": "file or folder",
    "rank": "rank, counted from 0",
    "local_rank": "number of the rank on its node, counted from 0",
    "ranks": "how many ranks",
    "slowest": "the rank that came last",
    "process": "process id",
    "hostname": "name of the node",
    "node": "number of the node, counted from 0",
    "nodes": "how many nodes",
    "gpus": "how many GPUs",
    "master": "name of the node to which the other nodes connect",
    "port": "port of the master",
    "phase": "name of the phase",
    "after": "sequences of a global batch from this step on",
    "name": "name",
    "label": "text of the bar",
    "kind": "kind of the incident",
    "task": "name of the task",
    "reason": "why the status is shown, in words",
    "stream": "the stream that has the line",
    "shards": "how many files",
    "shard": "the file",
    "writers": "how many ranks write",
    "tokens": "how many tokens",
    "sequences": "how many sequences",
    "questions": "how many questions",
    "calls": "how many calls",
    "channels": "how many channels of NCCL",
    "checkpoints": "how many checkpoints were saved",
    "summarized": "how many nodes or ranks have no event of their own",
    "done": "units that are done",
    "total": "units of the whole task",
    "parameters": "all weights of the model",
    "active_parameters": "weights that a token passes through",
    "embedding_parameters": "weights of the embeddings",
    "parameters_per_gpu": "weights on a GPU",
    "vocabulary": "how many tokens the vocabulary has",
    "flops_per_token": "FLOPs that the training needs for one token, without recompute",
    "mfu": "model FLOPs utilization, 0..1",
    "gpu_hours": "GPUs x hours",
    "loss": "loss on the validation set",
    "first_loss": "loss of the first step",
    "final_validation": "loss of the last validation",
    "best_validation": "loss of the best validation",
    "perplexity": "e to the power of the loss",
    "metric": "name of the metric",
    "value": "value of the metric",
    "stderr": "standard error of the value",
    "scores": "one score for each metric",
    "operation": "name of the collective",
    "transfer": "size and rate of the transfer",
    "transfers": "one transfer for each kind of collective in a step",
    "dimensions": "ranks of each dimension, by name: dp, tp, pp ...",
    "expected": "memory by purpose",
    "temperature_c": "temperature, degrees Celsius",
    "temperature_min_c": "temperature of the coolest GPU, degrees Celsius",
    "temperature_max_c": "temperature of the hottest GPU, degrees Celsius",
    "utilization_min_percent": "utilization of the least busy GPU, 0..100",
    "power_watts": "power, watts",
    "sm_clock_mhz": "clock of the SMs, MHz",
    "memory_mib": "memory in use, MiB",
    "size_bytes": "size in bytes",
    "allocated_bytes": "bytes that torch has allocated on the fullest GPU",
    "reserved_bytes": "bytes that torch has reserved on the fullest GPU",
    "capacity_bytes": "bytes of a GPU's memory, as torch counts them",
    "weights_bytes": "bytes of weights",
    "gradients_bytes": "bytes of gradients",
    "optimizer_bytes": "bytes of the optimizer's states",
    "activations_bytes": "bytes of activations",
    "logits_bytes": "bytes of logits",
    "context_bytes": "bytes of CUDA's context and NCCL's buffers",
    "exported_bytes": "bytes of all exported files",
}


def about(kind: type) -> str:
    """The docstring of a record, as one paragraph."""
    return " ".join((inspect.getdoc(kind) or "").split())


def table(kind: type) -> str:
    """A row for each field."""
    rows = [
        f"| `{field.name}` | {shown(field, module_of(kind))} | {meaning(field)} |"
        for field in fields_of(kind)
    ]
    return "\n".join(["| field | type | meaning |", "|---|---|---|", *rows])


def meaning(field: Field) -> str:
    """What a field means, with its unit. Raises KeyError for a field that nothing is said of."""
    return field.comment or USUAL[field.name]


def shown(field: Field, module: ModuleType) -> str:
    """A field's type in the words of JSON."""
    if field.annotation.isidentifier() and field.annotation not in PLAIN:
        meaning = named(field.annotation, module)
        if isinstance(meaning, tuple):
            return " or ".join(f"`{value}`" for value in meaning)
    text = field.annotation.replace("tuple[tuple[str, float], ...]", "object of numbers")
    text = text.replace("tuple[tuple[str, int], ...]", "object of integers")
    text = text.replace("tuple[tuple[int, int], ...]", "array of pairs of integers")
    text = text.replace("tuple[tuple[int, float], ...]", "array of pairs: integer, number")
    text = re.sub(r"tuple\[(\w+), \.\.\.\]", r"array of \1", text)
    for name, word in PLAIN.items():
        text = re.sub(rf"\b{name}\b", word, text)
    return text.replace(" | ", " or ")


def page() -> str:
    """The whole page."""
    used: dict[str, type] = {}
    sections = []
    for kind in event_kinds():
        properties(kind, used)
        sections.append(f"## {event_name(kind)}\n\n{about(kind)}\n\n{table(kind)}\n")
    for kind in [*used.values()]:
        properties(kind, used)
    inner = [f"### {kind.__name__}\n\n{about(kind)}\n\n{table(kind)}\n" for kind in used.values()]
    run = ", ".join(f"`{name}`" for name in run_shapes())
    return PAGE_TEXT.format(
        version=SCHEMA_VERSION, run=run + ".", events="\n".join(sections), records="\n".join(inner)
    )


def main() -> int:
    """Writes the page and the schema, or with --check says whether they are up to date."""
    text = json.dumps(schema(), indent=1) + "\n"
    return max(written(PAGE, page()), written(SCHEMA, text))


if __name__ == "__main__":
    sys.exit(main())
