"""Which modules the page's library holds. It is made by tools/make_library.py, inside Pyodide."""

import ast
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
# What only a terminal, a fleet, a judge or an export needs, but for what follows: --job, too, whose
# files a page cannot open.
NATIVE = (
    "llmsim.__main__",
    "llmsim.cli",
    "llmsim.dialects.configurations",
    "llmsim.dialects.hf.configuration",
    "llmsim.dialects.megatron.batch",
    "llmsim.dialects.megatron.configuration",
    "llmsim.dialects.megatron.shell",
    "llmsim.dialects.plugins",
    "llmsim.dialects.torchtitan.configuration",
    "llmsim.fleet",
    "llmsim.grading",
    "llmsim.hosts",
    "llmsim.options.choices",
    "llmsim.options.grading",
    "llmsim.options.job_keys",
    "llmsim.options.job_values",
    "llmsim.options.serving",
    "llmsim.physics.hardware.activities",
    "llmsim.physics.hardware.links",
    "llmsim.planning.written",
    "llmsim.telemetry",
)
# What computes many GPUs at once with numpy, which a page has not: it asks for a few.
ARRAYS = ("array_noise", "gauge_arrays", "swing_arrays")
# Modules of a dialect that play nothing: tests and docs read the statements of its framework, and
# exports that a page has not read its scalars and its own log file.
UNPLAYED = (
    "statement", "statements", "occasions", "older_statements", "scalar", "scalars", "log_file",
)  # fmt: skip
# What makes files for visitors, beside the library: it is fetched when somebody asks for one.
LATER = (
    "llmsim.hosts.downloads",
    "llmsim.physics.hardware.gauges",
    "llmsim.physics.hardware.host",
    "llmsim.run.verdicts",
    "llmsim.telemetry.cast",
    "llmsim.telemetry.csv",
    "llmsim.telemetry.jsonl",
    "llmsim.telemetry.labels",
)
PAGE = (
    "llmsim.hosts",
    "llmsim.hosts.browser",
    "llmsim.hosts.messages",
    "llmsim.hosts.page",
    "llmsim.hosts.runs",
    "llmsim.hosts.status",
    "llmsim.telemetry",
    "llmsim.telemetry.kinds",
)


def _name(file: Path) -> str:
    return ".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


def _is_native(module: str) -> bool:
    native = any(module == name or module.startswith(f"{name}.") for name in NATIVE)
    unplayed = module.startswith("llmsim.dialects.") and module.rpartition(".")[2] in UNPLAYED
    arrays = module.rpartition(".")[2] in ARRAYS
    return (native or unplayed or arrays or module in LATER) and module not in PAGE


def modules() -> dict[str, Path]:
    """The package's modules that the page can import, and their files."""
    files = {_name(file): file for file in sorted(SOURCE.rglob("*.py"))}
    return {module: file for module, file in files.items() if not _is_native(module)}


def _imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """What a module imports: another module, and a name in it where one is asked for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)


def import_lines() -> list[str]:
    """Every import that the page can reach, a line of Python each: our modules, and theirs.

    A line of its own for each name, so that a library that lacks one name of a module is found.
    """
    wanted = {(module, "") for module in modules()}
    for file in modules().values():
        wanted.update(_imports(ast.parse(file.read_text(encoding="utf-8"))))
    return [
        f"from {module} import {name}" if name else f"import {module}"
        for module, name in sorted(wanted)
        if not _is_native(module) and not _is_native(f"{module}.{name}")
    ]


def make(target: Path, downloads: Path) -> None:
    """Write the library, and beside it what downloads need."""
    files = (str(file.relative_to(ROOT)) for file in (target, downloads))
    command = ["node", "tools/make_library.mjs", *files]
    contents = {"modules": list(modules()), "importing": import_lines(), "later": list(LATER)}
    subprocess.run(command, input=json.dumps(contents), text=True, check=True, cwd=ROOT)
