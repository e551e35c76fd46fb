"""Events as their source has them, and the JSON Schema of the lines that they are exported as.

Everything comes from the source of the records: docstrings, types, and the comments beside the
fields. tests/telemetry/test_jsonl.py holds real runs against the schema.
"""

import ast
import inspect
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

Schema = dict[str, Any]
PLAIN = {"int": "integer", "float": "number", "str": "string", "bool": "boolean", "None": "null"}


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
