"""Makes the page's library, inside Pyodide: tools/make_library.mjs calls used() and write().

The library is all the Python that a boot of the page needs: llmsim, its lists, and of
Python's own library the modules that are in use. They are found by using them, twice: with
Python's own archive, and then with a library in which tools/stand_ins replace what only drags
other modules along. All is compiled by the very Python that will run it, as .pyc files that it
takes without a question (PEP 552), at -O2, in a zip archive without compression: the server's is
better. Most is one member, from which tools/sitecustomize.py imports. Only our own code keeps the
numbers of its lines, for tracebacks; they are a fifth of all. Nothing keeps the types of arguments
and results: Python 3.14 makes a function of them for each function, a third of our code.
"""

import ast
import asyncio
import marshal
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from importlib.util import MAGIC_NUMBER
from math import fsum, log
from types import CodeType

STDLIB = "/lib/python314.zip/"  # where Pyodide puts the archive, be it its own or ours
PROJECT = "/project/"
WHOLE = "/pyodide/python_stdlib.zip"  # Python's own archive
CODE = "modules.marshal"  # as tools/sitecustomize.py calls it
# Of a .pyc that Python does not compare with a source (PEP 552).
HEADER = MAGIC_NUMBER + (1).to_bytes(4, "little") + bytes(8)
BEFORE = "encodings/"  # is imported before sitecustomize; with it, only what Python holds itself
LINE_ALONE, NOWHERE = 13, 15  # kinds of entries in a table of lines
# Tracebacks look for the place of each instruction, and would fail where no lines are kept.
CHANGES = {
    "traceback.py": (
        b"return next(itertools.islice(positions_gen, instruction_index // 2, None))",
        b"return next(itertools.islice(positions_gen, instruction_index // 2, None), (None,) * 4)",
    )
}
# Of a module of Python's own that is large, what is used here; its other names stay out.
KEPT = {
    "difflib.py": ("_calculate_ratio", "Match", "SequenceMatcher", "get_close_matches"),
    "heapq.py": ("merge", "nlargest"),  # it takes all else from its module in C
}
# Of others, what nobody here asks for: _check() sees to that.
UNUSED = {
    "ast.py": (
        "NodeTransformer", "_pad_whitespace", "_splitlines_no_ff", "compare", "dump",
        "get_docstring", "get_source_segment", "increment_lineno", "literal_eval", "main",
    ),
    "collections/__init__.py": ("UserDict", "UserList", "UserString"),
    "enum.py": ("_old_convert_", "_test_simple_enum", "verify"),
    "functools.py": (
        "_c3_merge", "_c3_mro", "_compose_mro", "_find_impl", "_singledispatchmethod_get",
        "singledispatch", "singledispatchmethod", "total_ordering",
    ),
}  # fmt: skip
# What a module takes from its module in C, too, and is then not the same in Python.
IN_C = {"functools.py": ("_lru_cache_wrapper", "cmp_to_key", "partial", "reduce")}
# asyncio and shutil do without these, and so does the page.
LEFT_OUT = ("_ssl", "ssl", "bz2", "lzma", "compression")
QUERIES: tuple[dict[str, str], ...] = (
    {"speed-factor": "max", "runs": "1"},
    {"speed-factor": "max", "runs": "2", "exit-after-time": "0.1s"},
    {"gpus": "x", "modle": "y", "model": "no", "duration": "1h5", "start": "?", "dialect": "pyt"},
)


async def _play_and_fail() -> None:
    """Go where a show can go."""
    from llmsim.hosts.browser import main
    from llmsim.hosts.page import Page

    for query in QUERIES:
        page = Page(lambda _text, size: page.drawn(size), 80, 24)  # noqa: B023  # called in this turn
        show = asyncio.ensure_future(main(query.items(), page))
        await asyncio.sleep(0.5)
        page.stop()
        await asyncio.wait([show])


def _names(archive: str = STDLIB) -> Iterator[str]:
    """The modules of the archive in use; the rest of Python's library is in the interpreter."""
    for name, module in list(sys.modules.items()):
        origin = getattr(getattr(module, "__spec__", None), "origin", None) or ""
        if origin.startswith(archive) and name.partition(".")[0] not in LEFT_OUT:
            yield origin.removeprefix(archive).removesuffix("c")  # .pyc, in the second pass


async def used(importing: Iterable[str]) -> list[str]:
    """Run these lines of import, play, and give the files of the archive that this took."""
    for line in importing:
        exec(line, {})
    await _play_and_fail()
    return sorted(set(_names()))


def lacking(later: Iterable[str], modules: Iterable[str]) -> tuple[list[str], list[str]]:
    """What these of our modules need beside the library, which is in use here.

    Files of Python's archive, and names of our modules.
    """
    sys.path.append(WHOLE)
    for package in {name.rpartition(".")[0] for name in later}:
        path = import_module(package).__path__
        path.append(f"{PROJECT}src/{package.replace('.', '/')}")
    for name in later:
        import_module(name)
    known = set(modules)
    ours = [it for it in sys.modules if it.startswith("llmsim.") and it not in known]
    return sorted(set(_names(f"{WHOLE}/"))), sorted(ours)


def write_later(paths: Iterable[str], modules: Iterable[str], target: str) -> None:
    """Write what is lacking, as sitecustomize.add() takes it."""
    from pathlib import Path

    names = list(modules)
    for name in names:
        import_module(name)
    Path(target).write_bytes(marshal.dumps(_packed(_stdlib(paths), _ours(names)), 2))


def write(paths: Iterable[str], modules: Iterable[str], target: str) -> None:
    """Write the library with these files of Python's archive, and with our modules."""
    _write({**_stdlib(paths), **_stand_ins()}, _ours(modules), target)


def _stdlib(paths: Iterable[str]) -> dict[str, bytes]:
    """The sources of Python's own modules, by path."""
    from zipfile import ZipFile

    with ZipFile(STDLIB.rstrip("/")) as archive:
        there = set(archive.namelist())
        return {path: _changed(path, archive.read(path)) for path in paths if path in there}


def _changed(path: str, source: bytes) -> bytes:
    before, after = CHANGES.get(path, (b"", b""))
    if before not in source:
        raise ValueError(f"{path} is not what this Python was known to have")
    return source.replace(before, after) if before else source


def _stand_ins() -> dict[str, bytes]:
    """The sources of what takes the place of Python's own modules, by path."""
    from pathlib import Path

    folder = Path(f"{PROJECT}tools/stand_ins")
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*.py")}


def _ours(modules: Iterable[str]) -> dict[str, bytes]:
    """The sources of llmsim's modules, by path."""
    from pathlib import Path

    files = (Path(sys.modules[name].__file__ or "") for name in modules)
    return {str(file.relative_to(f"{PROJECT}src")): file.read_bytes() for file in files}


def _write(library: dict[str, bytes], ours: dict[str, bytes], target: str) -> None:
    """The archive: the same bytes for the same sources."""
    from pathlib import Path
    from zipfile import ZipFile, ZipInfo

    members = {
        f"llmsim/data/{file.name}": _rows(file.read_bytes())
        for file in Path(f"{PROJECT}data").glob("*.txt")
    }
    before = {path: source for path, source in library.items() if path.startswith(BEFORE)}
    for path, source in before.items():
        members[f"{path}c"] = HEADER + _marshalled(source, path, lines=False)
    later = {path: source for path, source in library.items() if path not in before}
    own = Path(f"{PROJECT}tools/sitecustomize.py").read_bytes()
    members["sitecustomize.pyc"] = HEADER + _marshalled(own, "sitecustomize.py")
    members[CODE] = marshal.dumps(_packed(later, ours), 2)  # later versions count references
    with ZipFile(target, "w") as archive:
        for path in sorted(members):
            archive.writestr(ZipInfo(path), members[path])


def _rows(text: bytes) -> bytes:
    """A list without its comments, which are for people who edit it: half of its bytes."""
    return b"".join(line for line in text.splitlines(True) if not line.startswith(b"#"))


def _lean(code: CodeType, lines: bool) -> CodeType:
    """The code with a short table of which line each instruction is of, or with none.

    Nobody asks for a function's name with that of its class, which is long.
    """
    inner = (_lean(it, lines) if isinstance(it, CodeType) else it for it in code.co_consts)
    return code.replace(
        co_consts=tuple(inner),
        co_firstlineno=code.co_firstlineno if lines else 1,
        co_linetable=_lines(code) if lines else b"",
        co_qualname=code.co_name,
    )


def _lines(code: CodeType) -> bytes:
    """The table with an entry for each run of instructions of a line, not for each of them.

    CPython's notes about code objects have the format: a byte with the kind of the entry and its
    length in pairs of bytes, eight at most; of the kind without columns, then the lines since the
    last entry.
    """
    table, last = bytearray(), code.co_firstlineno
    for start, end, line in code.co_lines():
        for left in range((end - start) // 2, 0, -8):
            length = min(left, 8) - 1
            if line is None:
                table.append(0x80 | NOWHERE << 3 | length)
            else:
                table.append(0x80 | LINE_ALONE << 3 | length)
                table += _signed(line - last)
                last = line
    return bytes(table)


def _signed(number: int) -> bytes:
    """A number in groups of six bits, the lowest first; its sign is the lowest bit."""
    rest, made = (-number << 1 | 1) if number < 0 else number << 1, bytearray()
    while rest >= 64:
        made.append(64 | rest & 63)
        rest >>= 6
    return bytes([*made, rest])


def _untype(tree: ast.AST) -> None:
    """Take the types from functions and variables; those of a class are the fields of a record."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
        if not isinstance(node, ast.ClassDef):
            for block in ("body", "orelse", "finalbody"):
                if isinstance(lines := getattr(node, block, None), list):
                    lines[:] = map(_plain, lines)


def _plain(line: ast.stmt) -> ast.stmt:
    """A statement without its type, if it has one."""
    if not isinstance(line, ast.AnnAssign):
        return line
    plain = ast.Assign([line.target], line.value) if line.value else ast.Pass()
    return ast.copy_location(plain, line)


def _packed(library: dict[str, bytes], ours: dict[str, bytes]) -> dict[str, tuple[bool, bytes]]:
    """Whether each module is a package, and its code, by its name; from sources by path."""
    made = {
        path: _marshalled(source, path, lines=path in ours)
        for path, source in sorted({**library, **ours}.items())
    }
    code: dict[str, tuple[bool, bytes]] = {}
    for path in [*sorted(library), *_side_by_side({path: made[path] for path in sorted(ours)})]:
        name = path.removesuffix(".py").replace("/", ".")
        code[name.removesuffix(".__init__")] = (name.endswith(".__init__"), made[path])
    return code


def _side_by_side(code: dict[str, bytes]) -> list[str]:
    """Paths of modules, each after the three modules with which it has the most names in common.

    gzip looks back by 32 kB, which are about three modules. A name that few modules have weighs
    more, by the logarithm of their share; a large module has more names, so its sum counts by the
    power of 0.7. Ours then take 2.3 % less than in the order of their paths.
    """
    names = {path: frozenset(re.findall(rb"[A-Za-z_]{5,}", made)) for path, made in code.items()}
    users = Counter(name for each in names.values() for name in each)
    weights = {name: log(len(code) / count) for name, count in users.items()}
    order, left = list(code)[:1], list(code)[1:]

    def common(path: str) -> float:
        known = frozenset().union(*(names[other] for other in order[-3:]))
        whole = 1.0 + _weight(names[path], weights)
        return float(_weight(names[path] & known, weights) / whole**0.7)

    while left:
        order.append(max(left, key=common))
        left.remove(order[-1])
    return order


def _weight(names: Iterable[bytes], weights: dict[bytes, float]) -> float:
    """The sum of the names' weights, which does not depend on their order."""
    return fsum(weights[name] for name in names)


def _named(line: ast.stmt) -> set[str]:
    """The names that a function, a class or an assignment gives."""
    if isinstance(line, ast.FunctionDef | ast.ClassDef):
        return {line.name}
    targets = line.targets if isinstance(line, ast.Assign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _check(tree: ast.Module, path: str) -> None:
    """Raise ValueError if a module asks for a name that UNUSED leaves out of another or of it."""
    gone = {
        (path.removesuffix(".py").removesuffix("/__init__"), name)
        for path, names in UNUSED.items()
        for name in names
    }
    for module, name in _asked(tree, path.removesuffix(".py")):
        if (module, name) in gone:
            raise ValueError(f"{path} asks for {module}.{name}, which the library leaves out")


def _asked(tree: ast.Module, own: str) -> Iterator[tuple[str, str]]:
    """The names that code asks for: of its own module, and of others by their names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield own.removesuffix("/__init__"), node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield node.value.id.lstrip("_"), node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


@cache  # the second library has most of what is in the first
def _marshalled(source: bytes, path: str, *, lines: bool = True) -> bytes:
    return marshal.dumps(_lean(_code(source, path), lines))


def _code(source: bytes, path: str) -> CodeType:
    tree = _kept(source, path)
    _check(tree, path)
    _untype(tree)
    return compile(tree, f"{STDLIB}{path}", "exec", dont_inherit=True, optimize=2)


def _kept(source: bytes, path: str) -> ast.Module:
    """A module without what is not used of it, and without what it does as a program."""
    tree = ast.parse(source)
    kept, gone = {*KEPT.get(path, ())}, {*UNUSED.get(path, ()), *IN_C.get(path, ())}
    tree.body = [
        line
        for line in tree.body
        if not (names := _named(line)) or (names & kept if kept else not names & gone)
    ]
    tree.body = [line for line in tree.body if not _is_program(line)]
    return tree


def _is_program(line: ast.stmt) -> bool:
    return isinstance(line, ast.If) and ast.unparse(line.test) == "__name__ == '__main__'"
