"""Makes the page's Python engine: Pyodide's, without what only a package with compiled code needs.

Pyodide is built to load such packages at any time, so it exports every function of Python and of
the C library, and brings JavaScript for graphics, sound and sockets. The page loads none. Here all
that nothing reaches is taken away, from both sides: binaryen's wasm-metadce follows the calls from
the exports that the JavaScript names, and terser drops the JavaScript that only lost imports used.

What is kept is found by name in the JavaScript, so nothing is taken that some line there speaks of.
"""

import json
import re
import shutil
import subprocess
from collections import Counter
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ROOT / "web" / "node_modules"
MADE = ROOT / "build" / "engine"  # one folder for each engine that was made: it takes a while
GLUE, CODE = "pyodide.asm.mjs", "pyodide.asm.wasm"

# `_malloc=Module["_malloc"]=wasmExports["malloc"];` and, for data, the same with `.value`.
EXPORT = re.compile(r'([\w$]+)=Module\["([\w$]+)"\]=wasmExports\["([^"]+)"\](?:\.value)?;')
NAMED = re.compile(r'wasmExports\["([^"]+)"\]')
WORD = re.compile(r"[\w$]+")
IMPORTS = ("var wasmImports={", "};")
# What Emscripten's loader looks for by names that it puts together, or by other objects.
ALWAYS = (
    "memory",
    "__indirect_function_table",
    "__wasm_call_ctors",
    "__wasm_apply_data_relocs",
    "__main_argc_argv",
    "__stack_pointer",
    "main",
)
# What this WebAssembly is written in; newer kinds would be used in the result, too.
FEATURES = (
    "bulk-memory",
    "bulk-memory-opt",
    "call-indirect-overlong",
    "exception-handling",
    "extended-const",
    "multivalue",
    "mutable-globals",
    "nontrapping-float-to-int",
    "reference-types",
    "sign-ext",
    "simd",
    "tail-call",
)
LIST = """
    const { Module } = WebAssembly;
    const module = new Module(require("fs").readFileSync(process.argv[1]));
    console.log(JSON.stringify([Module.imports(module), Module.exports(module)]));
"""
COMPRESS = "defaults=false,dead_code=true,passes=3,side_effects=true,unused=true"
MANGLE = "keep_classnames=true"  # errors tell theirs


def _run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _sides(code: Path) -> tuple[list[tuple[str, str]], list[str]]:
    """The imports (module and name) and the exports of some WebAssembly."""
    imports, exports = json.loads(_run("node", "-e", LIST, code))
    return [(it["module"], it["name"]) for it in imports], [it["name"] for it in exports]


def _without_exports(glue: str, linked: set[str]) -> str:
    """The JavaScript without its names for exports that it never speaks of again."""
    words = Counter(WORD.findall(glue))

    def unless_used(found: re.Match[str]) -> str:
        name, _, export = found.groups()
        here = 3 + (name == export)  # the declaration and this line
        used = words[name] > here or (name != export and words[export] > 1)
        return found[0] if used or export in linked else ""

    return EXPORT.sub(unless_used, glue)


def _without_imports(glue: str, wanted: set[str]) -> str:
    """The JavaScript without the imports that the WebAssembly does not want."""
    start = glue.index(IMPORTS[0]) + len(IMPORTS[0])
    end = glue.index(IMPORTS[1], start)
    entries = glue[start:end].split(",")
    kept = [entry for entry in entries if entry.partition(":")[0] in wanted]
    values = {entry.rpartition(":")[2] for entry in kept}
    lost = {entry.rpartition(":")[2] for entry in entries} - values
    glue = glue[:start] + ",".join(kept) + glue[end:]
    # Their signatures and second names would keep them.
    traits = re.compile(r'(?<![\w$.])([\w$]+)\.(?:sig|isAsync|stub)=(?:"[^"]*"|true|false);')
    glue = traits.sub(lambda found: "" if found[1] in lost else found[0], glue)
    names = re.compile(r'Module\["[\w$]+"\]=([\w$]+);')
    glue = names.sub(lambda found: "" if found[1] in lost else found[0], glue)
    # An eval could speak of anything here; those of Emscripten are for packages with compiled code.
    return re.sub(r"(?<![\w$.])eval\(", "(0,eval)(", glue)


def _graph(imports: list[tuple[str, str]], exports: list[str], kept: set[str]) -> str:
    """What reaches what, for wasm-metadce."""
    root = {"name": "page", "root": True, "reaches": [f"export {name}" for name in sorted(kept)]}
    inward = [{"name": f"export {name}", "export": name} for name in exports]
    outward = [
        {"name": f"import {module} {name}", "import": [module, name]} for module, name in imports
    ]
    return json.dumps([root, *inward, *outward])


def _make(folder: Path) -> None:
    """Write both files."""
    tools = PACKAGES / ".bin"
    source = PACKAGES / "pyodide"
    imports, exports = _sides(source / CODE)
    linked = {name for module, name in imports if module.startswith("GOT")}
    glue = _without_exports((source / GLUE).read_text(encoding="utf-8"), linked)
    spoken = set(WORD.findall(glue))
    unassigned = set(exports) - set(NAMED.findall((source / GLUE).read_text(encoding="utf-8")))
    kept = {*NAMED.findall(glue), *linked, *ALWAYS, *(unassigned & spoken)} & set(exports)
    graph = folder / "graph.json"
    graph.write_text(_graph(imports, exports, kept), encoding="utf-8")
    features = [f"--enable-{name}" for name in FEATURES]
    output = folder / CODE
    _run(tools / "wasm-metadce", source / CODE, "--graph-file", graph, *features, "-o", output)
    wanted, _ = _sides(output)
    whole = folder / f"whole-{GLUE}"
    whole.write_text(_without_imports(glue, {name for _, name in wanted}), encoding="utf-8")
    ways = ("--compress", COMPRESS, "--mangle", MANGLE)
    _run(tools / "terser", whole, "--module", *ways, "--output", folder / GLUE)
    graph.unlink()
    whole.unlink()


def make(target: Path) -> None:
    """Put the engine into a folder, made anew if what it is made of has changed."""
    sources = (*(PACKAGES / "pyodide" / name for name in (GLUE, CODE)), Path(__file__))
    lock = ROOT / "web" / "package-lock.json"
    digest = sha256(b"".join(file.read_bytes() for file in (*sources, lock))).hexdigest()[:12]
    folder = MADE / digest
    if not folder.exists():
        shutil.rmtree(MADE, ignore_errors=True)
        unfinished = MADE / "unfinished"
        unfinished.mkdir(parents=True)
        _make(unfinished)
        unfinished.rename(folder)
    for name in (GLUE, CODE):
        shutil.copyfile(folder / name, target / name)
