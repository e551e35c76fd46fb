"""Writes docs/events.md and docs/events.schema.json: every event with its fields and units.

python -m tools.event_docs            writes both
python -m tools.event_docs --check    fails when one is out of date

Everything comes from the source of the records: docstrings, types, and the comments beside the
fields. tests/telemetry/test_jsonl.py holds real runs against the schema.
"""

import ast
import inspect
import json
import re
import sys
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple, get_args

from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run import events
from llmsim.telemetry.records import PAIRS, SCHEMA_VERSION, event_name, field_name, run_record
from tools.generated import ROOT, written

PAGE = ROOT / "docs" / "events.md"
SCHEMA = ROOT / "docs" / "events.schema.json"

Schema = dict[str, Any]
PLAIN = {"int": "integer", "float": "number", "str": "string", "bool": "boolean", "None": "null"}

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
A printed mean may cover other steps than the event of the same step. An example is a run that logs
every 100 steps. The first line of `megatron` comes at step 100, and its mean covers the
steps 1 to 100 with the slow step 1. But step 1 has an event of its own. So the event of step 100
has `previous` = 1, and its mean covers the steps 2 to 100.

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


class Field(NamedTuple):
    """A field of a record: its exported name, its annotation and the comment beside it."""

    name: str
    own: str  # its name in the source
    annotation: str
    comment: str
    optional: bool  # it has a default, which tells nothing about the record


@cache
def source(module: ModuleType) -> tuple[ast.Module, list[str]]:
    """A module's tree and its lines."""
    text = inspect.getsource(module)
    return ast.parse(text), text.splitlines()


def module_of(kind: type) -> ModuleType:
    """The module that a record is written in."""
    return sys.modules[kind.__module__]


def fields_of(kind: type) -> Iterator[Field]:
    """The fields of a record, from its source."""
    tree, lines = source(module_of(kind))
    (found,) = [
        node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == kind.__name__
    ]
    for node in found.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            own, comment = node.target.id, lines[node.lineno - 1].partition("# ")[2]
            comment = re.sub(r"type: ignore\S*\s*(# )?", "", comment)
            name, annotation = field_name(kind, own), ast.unparse(node.annotation)
            yield Field(name, own, annotation, comment.strip(), node.value is not None)


def named(name: str, module: ModuleType) -> Any:
    """What a name of a module means: a record, or the values of its Literal."""
    for node in source(module)[0].body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            literal = ast.unparse(node.value).removeprefix("Literal")
            return ast.literal_eval(f"({literal.strip('[]()')},)")
    for each in ast.walk(source(module)[0]):  # also what only a type checker imports
        if isinstance(each, ast.ImportFrom) and name in [alias.name for alias in each.names]:
            other = import_module(str(each.module))
            found = getattr(other, name)
            return found if hasattr(found, "_fields") else named(name, other)
    found = getattr(module, name)
    # What later_type gives is the text of an expression, since nothing imports its module early.
    return eval(found) if isinstance(found, str) else found


def schema_of(
    annotation: ast.expr, field: str, module: ModuleType, used: dict[str, type]
) -> Schema:
    """The JSON Schema of an annotation; records that it names are put into `used`."""
    if isinstance(annotation, ast.BinOp):  # a | None
        sides = (annotation.left, annotation.right)
        return {"anyOf": [schema_of(side, field, module, used) for side in sides]}
    if isinstance(annotation, ast.Subscript):  # tuple[X, ...]
        if field in PAIRS:
            return {"type": "object", "additionalProperties": {"type": ["number", "null"]}}
        item = annotation.slice
        assert isinstance(item, ast.Tuple), ast.unparse(annotation)
        first, *others = (each for each in item.elts if ast.unparse(each) != "...")
        if others:  # tuple[X, Y]
            places = [schema_of(each, field, module, used) for each in (first, *others)]
            return {"type": "array", "prefixItems": places, "items": False}
        return {"type": "array", "items": schema_of(first, field, module, used)}
    name = ast.unparse(annotation)
    if name in PLAIN:
        kind = PLAIN[name]
        return {"type": ["number", "null"]} if kind == "number" else {"type": kind}
    meaning = named(name, module)
    if isinstance(meaning, tuple):
        return {"enum": [*meaning]}
    used[name] = meaning
    return {"$ref": f"#/$defs/{event_name(meaning)}"}


def parsed(annotation: str) -> ast.expr:
    """The annotation as an expression."""
    return ast.parse(annotation, mode="eval").body


def properties(kind: type, used: dict[str, type]) -> Schema:
    """The schema of each field of a record."""
    return {
        field.name: schema_of(parsed(field.annotation), field.own, module_of(kind), used)
        for field in fields_of(kind)
    }


def closed(shapes: Schema) -> Schema:
    """An object with exactly these members."""
    return {
        "type": "object",
        "properties": shapes,
        "required": [*shapes],
        "additionalProperties": False,
    }


def event_kinds() -> list[type]:
    """Every kind of event, in the order of the vocabulary."""
    return [*get_args(events.Event)]


def heading(name: str) -> Schema:
    """What every object of a kind begins with."""
    return {"event": {"const": name}, "simulated": {"const": True}}


def run_shapes() -> Schema:
    """The members of the run's own record, by their values in a run."""
    made = run_record(plan(Options(seed=1, start=datetime(2026, 1, 30, 12))))
    names = {str: "string", int: "integer"}
    shapes: Schema = {name: {"type": names[type(value)]} for name, value in made.items()
                      if name not in ("event", "simulated")}  # fmt: skip
    return heading("run") | shapes


def schema() -> Schema:
    """The JSON Schema of one line."""
    used: dict[str, type] = {}
    shapes: Schema = {"run": closed(run_shapes())}
    for kind in event_kinds():
        time: Schema = {"time": {"type": "string"}}
        shapes[event_name(kind)] = closed(heading(event_name(kind)) | time | properties(kind, used))
    seen: dict[str, type] = {}
    while used.keys() - seen.keys():
        for name, kind in [*used.items()]:
            if name not in seen:
                seen[name] = kind
                shapes[event_name(kind)] = closed(properties(kind, used))
    choices = ["run", *(event_name(kind) for kind in event_kinds())]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A line of llmsim's JSON lines, version {SCHEMA_VERSION}",
        "type": "object",
        "required": ["event", "simulated"],
        "properties": {"event": {"enum": choices}},
        "allOf": [
            {"if": {"properties": {"event": {"const": name}}}, "then": {"$ref": f"#/$defs/{name}"}}
            for name in choices
        ],
        "$defs": shapes,
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
