"""Writes docs/print-config.md: the keys of --print-config --json, with their units.

python -m tools.config_docs            writes docs/print-config.md
python -m tools.config_docs --check    fails when it is out of date

Everything comes from the source of the answer: its keys, and the comments beside them. Where a key
has the value of another function or record, the keys come from there.
"""

import ast
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import NamedTuple

from llmsim.cli import configuration, listing
from llmsim.job.records import Software
from llmsim.physics.hardware.memory import Memory
from tools.event_docs import USUAL
from tools.event_schema import fields_of, source
from tools.generated import ROOT, written

PAGE = ROOT / "docs" / "print-config.md"

PAGE_TEXT = """\
# The plan of a run as JSON

This page is made by `make docs` from the comments in
[src/llmsim/cli/configuration.py](../src/llmsim/cli/configuration.py).

```sh
llmsim --seed 7 --gpus 64 --print-config           # the plan, for a person
llmsim --seed 7 --gpus 64 --print-config --json    # the plan, for a program: this page
llmsim --seed 7 --gpus 64 --print-config --toml    # a job file that plays the run: jobs.md
```

`--print-config` plays nothing. The answer is one JSON object, with an object for each heading of
this page. The functions that compute its numbers also compute the numbers of the log. GB are 1e9
bytes, GiB are 2^30 bytes, and a tera is 1e12. OPERATION stands for the name of a collective, such
as `all-gather`.

{tables}"""

# The unit of a key, by the end of its name; the first end that fits counts.
UNITS = (
    ("tokens_per_second", "tokens/s"), ("tokens_per_second_per_gpu", "tokens/s"),
    ("bytes_per_step", "bytes"), ("seconds_per_step", "s"), ("tflop_per_s", "TFLOP/s"),
    ("tflops_per_gpu", "TFLOP/s"), ("tb_per_s", "TB/s"), ("gb_per_s", "GB/s"),
    ("flops_per_token", "FLOPs"), ("mfu_per_cent", "%"), ("mfu", "share, 0 to 1"),
    ("_seconds", "s"), ("gpu_hours", "hours"), ("hours", "hours"), ("_bytes", "bytes"),
    ("_gib", "GiB"), ("_mib", "MiB"), ("_watts", "W"), ("_mhz", "MHz"),
    ("parameters", "weights"), ("tokens", "tokens"), ("sequences", "sequences"),
)  # fmt: skip


class Key(NamedTuple):
    """A key of the answer: its path below the heading, and what it means."""

    path: str
    meaning: str


def unit_of(path: str) -> str:
    """The unit of a key's value; "" for names, counts and answers of yes or no."""
    return next((unit for end, unit in UNITS if path.endswith(end)), "")


def subjects() -> Iterator[tuple[str, list[Key]]]:
    """The headings of the answer in its order, each with its keys."""
    answer = _returned(configuration, "facts")
    for name, value in _pairs(answer):
        yield name, [*_keys(configuration, value, "")]


def _returned(module: ModuleType, function: str) -> ast.Dict:
    """The dict that a function returns, as it is written: of several keys, or of each operation."""
    (found,) = [
        node
        for node in source(module)[0].body
        if isinstance(node, ast.FunctionDef) and node.name == function
    ]
    (value,) = [node.value for node in ast.walk(found) if isinstance(node, ast.Return)]
    if isinstance(value, ast.DictComp):
        return ast.Dict([ast.Constant("OPERATION")], [value.value])
    assert isinstance(value, ast.Dict), f"{function} returns something else than a dict"
    return value


def _pairs(answer: ast.Dict) -> Iterator[tuple[str, ast.expr]]:
    for key, value in zip(answer.keys, answer.values, strict=True):
        if isinstance(key, ast.Constant):
            yield str(key.value), value


def _keys(module: ModuleType, value: ast.expr, before: str) -> Iterator[Key]:
    """The keys below a value."""
    text = ast.unparse(value)
    if text == "job.software._asdict()":
        yield from (Key(before + field.name, field.comment) for field in fields_of(Software))
    elif text == "gpu_record(job.gpu)":
        yield from _keys(listing, _returned(listing, "gpu_record"), before)
    elif isinstance(value, ast.Call):
        yield from _keys(module, _returned(module, ast.unparse(value.func)), before)
    elif isinstance(value, ast.Dict):
        if None in value.keys:  # **parts: the purposes of the memory
            for field in fields_of(Memory):
                name = f"{field.own}_bytes"
                yield Key(before + name, field.comment or USUAL[name])
        for key, each in zip(value.keys, value.values, strict=True):
            if isinstance(key, ast.Constant):
                yield from _of_key(module, key, each, before)


def _of_key(module: ModuleType, key: ast.Constant, value: ast.expr, before: str) -> Iterator[Key]:
    name = before + str(key.value)
    nested = isinstance(value, ast.Dict) or ast.unparse(value).startswith("gpu_record")
    if nested:
        yield from _keys(module, value, f"{name}.")
    else:
        yield Key(name, _comment(module, key.lineno))


def _comment(module: ModuleType, line: int) -> str:
    """The comment at the end of a line, or in the line before it."""
    lines = source(module)[1]
    here = lines[line - 1].partition("  # ")[2]
    above = lines[line - 2].strip()
    return here or (above.removeprefix("# ") if above.startswith("# ") else "")


def page() -> str:
    """The page's text."""
    tables = []
    for name, keys in subjects():
        rows = [f"| `{key.path}` | {unit_of(key.path)} | {key.meaning} |" for key in keys]
        head = f"## {name}\n\n| key | unit | meaning |\n|---|---|---|\n"
        tables.append(head + "".join(row + "\n" for row in rows))
    return PAGE_TEXT.format(tables="\n".join(tables))


if __name__ == "__main__":
    sys.exit(written(PAGE, page()))
