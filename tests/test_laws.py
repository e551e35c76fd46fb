"""The laws of the house that a machine can hold: no I/O but at the edge, imports one way."""

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path

import pytest

import llmsim
from llmsim.dialects.registry import NAMES
from llmsim.job.recipes import RECIPES, Recipe
from llmsim.physics.learning.objectives import Objective
from tests.dialects.logs import PIPE, played

SOURCE = Path(llmsim.__file__).parent
MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(SOURCE.rglob("*.py"))
}


class Trees(dict[str, ast.Module]):
    """The syntax trees of the modules. Each is parsed when a test asks for it first."""

    def __missing__(self, name: str) -> ast.Module:
        self[name] = ast.parse(MODULES[name].read_text(encoding="utf-8"))
        return self[name]


TREES = Trees()


class Nodes(dict[str, list[ast.AST]]):
    """The nodes of the modules' trees, in no order: a dozen laws go through all of them.

    ast.walk() takes twice as long.
    """

    def __missing__(self, name: str) -> list[ast.AST]:
        self[name] = found = list[ast.AST]()
        left: list[object] = [TREES[name]]
        while left:
            each = left.pop()
            if isinstance(each, list):
                left += each
            elif isinstance(each, ast.AST) and not isinstance(each, ast.expr_context):
                found.append(each)
                left += vars(each).values()
        return found


NODES = Nodes()

# The edge of law 6: hosts do I/O and have a clock, sinks write files, the catalogue reads lists.
EDGE = ("hosts", "cli", "fleet", "__main__")
READER, WRITER = "catalog.records", "telemetry.sinks"
INNER = [
    name for name in MODULES if name.partition(".")[0] not in EDGE and name not in (READER, WRITER)
]


Law = Callable[[str], None]


def in_rooms(modules: Iterable[str]) -> Callable[[Law], Law]:
    """Makes one test a room of a law about modules: one a module took longer to run than to hold.

    A failure names the module.
    """
    rooms: dict[str, list[str]] = {}
    for name in modules:
        rooms.setdefault(name.partition(".")[0], []).append(name)

    def tested(law: Law) -> Law:
        @pytest.mark.parametrize("room", rooms)
        def test(room: str) -> None:
            for module in rooms[room]:
                try:
                    law(module)
                except AssertionError as error:
                    raise AssertionError(f"{module}: {error}") from None

        test.__name__ = law.__name__
        return test

    return tested


def is_in(module: str, room: str) -> bool:
    return module == room or module.startswith(f"{room}.")


def imports(module: str) -> Iterator[tuple[str, int]]:
    """Every name that a module imports, also late, as "package.module.name", and its line."""
    for node in NODES[module]:
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno} imports relatively"
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def dotted(node: ast.AST) -> str:
    """ "a.b.c" of the expression a.b.c; empty for other expressions."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := dotted(node.value)):
        return f"{before}.{node.attr}"
    return ""


# --- law 6: the edge is thin -------------------------------------------------------------------

FORBIDDEN_MODULES = (
    "asyncio", "fcntl", "glob", "http", "io", "locale", "logging", "multiprocessing", "os",
    "pathlib", "platform", "pty", "random", "secrets", "select", "shutil", "signal", "socket",
    "subprocess", "sys", "tempfile", "threading", "time", "urllib", "uuid",
)  # fmt: skip
FORBIDDEN_CALLS = ("print", "open", "input", "exec", "eval", "breakpoint", "hash", "id", "vars")
CLOCKS = ("now", "today", "utcnow", "fromtimestamp")


@in_rooms(INNER)
def test_inner_modules_do_no_io_and_know_no_clock_and_no_chance(module: str) -> None:
    found = [
        f"{module}:{line} imports {name}"
        for name, line in imports(module)
        if name.partition(".")[0] in FORBIDDEN_MODULES
    ]
    for node in NODES[module]:
        if isinstance(node, ast.Call) and dotted(node.func) in FORBIDDEN_CALLS:
            found.append(f"{module}:{node.lineno} calls {dotted(node.func)}()")
        if isinstance(node, ast.Attribute) and node.attr in CLOCKS:
            found.append(f"{module}:{node.lineno} asks for the time: {node.attr}")
    assert found == []


def test_the_catalogue_reads_its_lists_and_nothing_else() -> None:
    taken = {name for name, _ in imports(READER) if name.partition(".")[0] in FORBIDDEN_MODULES}
    assert taken <= {"os.sep"}
    calls = [dotted(node.func) for node in NODES[READER] if isinstance(node, ast.Call)]
    assert not set(calls) & set(FORBIDDEN_CALLS)
    assert calls.count("loader.get_data") == 1


def test_only_the_browsers_host_is_asynchronous() -> None:
    kinds = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)
    waiting = {
        module for module in MODULES if any(isinstance(node, kinds) for node in NODES[module])
    }
    assert waiting == {"hosts.browser", "hosts.page"}


# --- law 3: same input, same bytes -------------------------------------------------------------

# What makes a list of a set in the set's order, which differs from one process to the next.
ORDERING = ("list", "tuple", "enumerate", "iter", "next", "map", "zip", "reversed")


def is_set(node: ast.AST) -> bool:
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    return isinstance(node, ast.Call) and dotted(node.func) in ("set", "frozenset")


@in_rooms(INNER)
def test_nothing_depends_on_the_order_of_a_set(module: str) -> None:
    ordered: list[ast.AST] = []
    for node in NODES[module]:
        if isinstance(node, ast.For | ast.comprehension):
            ordered.append(node.iter)
        elif isinstance(node, ast.Starred):
            ordered.append(node.value)
        elif isinstance(node, ast.Call):
            joins = isinstance(node.func, ast.Attribute) and node.func.attr == "join"
            if joins or dotted(node.func) in ORDERING:
                ordered += node.args
    assert [ast.unparse(node) for node in ordered if is_set(node)] == []


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """A `sum` that adds whole numbers alone."""

    def checked(values: Iterable[object], start: int = 0) -> int:
        for value in values:
            assert isinstance(value, int), "math.fsum adds floats; sum changed in Python 3.12"
            start += value
        return start

    monkeypatch.setattr("builtins.sum", checked)


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("dialect", NAMES)
def test_floats_are_added_by_fsum(dialect: str) -> None:
    assert played(dialect, 4, PIPE)


# --- law 1: one latent state -------------------------------------------------------------------


@pytest.mark.parametrize(
    "room", ["dialects", "board", "telemetry", "show.dashboard", "show.live_region", "hosts", "cli"]
)
def test_what_shows_a_run_draws_nothing(room: str) -> None:
    found = [
        f"{module}:{line}"
        for module in MODULES
        if is_in(module, room)
        for name, line in imports(module)
        if is_in(name, "llmsim.physics.noise")
    ]
    assert found == []


# --- a GPU is a row ----------------------------------------------------------------------------


def names_a_framework(node: ast.AST) -> bool:
    """Whether a node is a framework's name, or compares one with anything."""
    if isinstance(node, ast.Compare):
        sides = [dotted(side).split(".") for side in (node.left, *node.comparators)]
        return any(side[-2:] == ["framework", "name"] or side == ["DEFAULT"] for side in sides)
    return isinstance(node, ast.Constant) and node.value in NAMES


# A kind of export is called after the framework whose file it is, whoever writes that file.
FILES = ("telemetry.kinds", "telemetry.lightning")
OTHERS = [name for name in MODULES if not is_in(name, "dialects") and name not in FILES]


@in_rooms(OTHERS)
def test_only_dialects_know_a_framework_by_its_name(module: str) -> None:
    """Everybody else asks for its traits, which are fields of job.framework."""
    found = [
        f"{module}:{node.lineno} {ast.unparse(node)}"
        for node in NODES[module]
        if isinstance(node, ast.expr) and names_a_framework(node)
    ]
    assert found == []


def test_a_framework_known_by_its_name_is_found() -> None:
    told = ("job.framework.name == name", "name in ('hf', 'trl')", "{'olmo': 1}", "f(x, 'nemo')")
    for source in (*told, "options.dialect != DEFAULT"):
        assert any(map(names_a_framework, ast.walk(ast.parse(source)))), source
    for source in ("options.dialect != 'auto'", "lines_of(job.framework.name)", "name == key"):
        assert not any(map(names_a_framework, ast.walk(ast.parse(source)))), source


# Words that only one kind of GPU, or one vendor, has in its name. Nobody but catalog/gpus.py
# decides by them; a framework that knows GPUs by name keeps its own table, which is a fact about
# the framework.
GPU_WORDS = re.compile(
    r"\b(AMD|TPU|GeForce|Instinct|NVL\b|G?B[23]00|G?H[128]00|H20|[AV]\d00|[34]090|5090|A6000|MI\d+)"
)
THEIR_OWN_TABLES = {
    "catalog.gpus": "the room that owns the names",
    "catalog.boards": "what stands on the boards of NVIDIA",
    "catalog.lists": "an example in a sentence that refuses a name",
    "dialects.registry": "frameworks that know GPUs by name",
    "dialects.lightning.lines": "a line that Lightning prints",
    "dialects.torchtitan.launch": "a line that torchtitan prints",
    "dialects.torchtitan.model": "torchtitan's table of peaks",
    "dialects.maxtext.launch": "JAX's names of TPUs",
    "dialects.maxtext.training": "JAX's names of TPUs",
}


def may_know_gpus(module: str) -> bool:
    """Whether a module has a table by GPUs' names that nobody else can have."""
    traits = is_in(module, "dialects") and module.endswith((".framework", ".statements"))
    return traits or module in THEIR_OWN_TABLES


NAME_ALONE = ("startswith", "endswith", "removeprefix", "removesuffix", "find", "index", "count")


def is_gpus_name(node: ast.AST) -> bool:
    """Whether an expression is the name of a GPU, or its form."""
    *before, last = dotted(node).split(".")
    owner = before[-1] if before else ""
    return last == "form" or (last == "name" and owner in ("gpu", "card", "device"))


def decides_by_name(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare):
        return any(map(is_gpus_name, (node.left, *node.comparators)))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in NAME_ALONE and is_gpus_name(node.func.value)
    return False


def said(module: str) -> Iterator[ast.Constant]:
    """The texts of a module that are no docstrings."""
    documents = {
        id(node.body[0].value)
        for node in NODES[module]
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for text in (node for node in NODES[module] if isinstance(node, ast.Constant)):
        if isinstance(text.value, str) and id(text) not in documents:
            yield text


@in_rooms([name for name in MODULES if not may_know_gpus(name)])
def test_only_one_room_looks_at_a_gpus_name(module: str) -> None:
    found = [
        f"{module}:{node.lineno} {ast.unparse(node)}"
        for node in NODES[module]
        if isinstance(node, ast.Compare | ast.Call) and decides_by_name(node)
    ]
    found += [
        f"{module}:{text.lineno} {text.value!r}"
        for text in said(module)
        if GPU_WORDS.search(str(text.value))
    ]
    assert found == []


# --- a recipe is a row --------------------------------------------------------------------------


def is_recipes_name(node: ast.AST | None) -> bool:
    """Whether an expression is the name of a recipe, or a row of names with one in it."""
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return any(map(is_recipes_name, node.elts))
    return isinstance(node, ast.Constant) and node.value in (*RECIPES,)


def decides_by_recipe(node: ast.AST) -> bool:
    """Whether a recipe's name is compared, or is the key of a table."""
    if isinstance(node, ast.Compare):
        return any(map(is_recipes_name, (node.left, *node.comparators)))
    if isinstance(node, ast.Dict):
        return any(map(is_recipes_name, node.keys))
    if isinstance(node, ast.Call):
        return dotted(node.func).endswith("fromkeys") and any(map(is_recipes_name, node.args))
    return isinstance(node, ast.MatchValue) and is_recipes_name(node.value)


@in_rooms([name for name in MODULES if name != "job.recipes"])
def test_only_one_room_looks_at_a_recipes_name(module: str) -> None:
    """A framework's folder says which recipes it does; whatever else differs is a trait."""
    found = [
        f"{module}:{node.lineno} {ast.unparse(node)}"
        for node in NODES[module]
        if isinstance(node, ast.expr | ast.pattern) and decides_by_recipe(node)
    ]
    assert found == []


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=lambda recipe: recipe.name)
def test_a_recipes_objective_has_all_doors(recipe: Recipe) -> None:
    module = f"physics.learning.{recipe.objective}"
    assert module in MODULES
    assert isinstance(import_module(f"llmsim.{module}").OBJECTIVE, Objective)


# --- imports run one way -----------------------------------------------------------------------

# The rooms from the ground up, and what each may import: rooms above it in this list.
ROOMS = {
    "typed": "",
    "errors": "typed",
    "catalog": "errors typed",
    "model": "typed",
    "job": "catalog errors model typed",
    "physics": "catalog job model typed",
    "run": "catalog job model physics typed",
    "text": "typed",
    "dialects": "catalog errors job model physics run text typed",
    "board": "text typed",
    "telemetry": "catalog dialects errors job model physics run text typed",
    "options": "catalog dialects errors job model run telemetry text typed",
    "planning": "catalog dialects errors job model options physics run text typed",
    "grading": "catalog errors job options physics planning run telemetry text typed",
    "show": "board catalog dialects errors job options physics run text typed",
    "hosts": "board dialects errors job options planning run show telemetry text typed",
    "cli": "catalog dialects errors grading hosts job model options physics planning run show "
    "telemetry text typed",
    "fleet": "catalog cli dialects errors hosts job model options physics planning run telemetry "
    "text typed",
}
FACE = {
    "__init__": "errors job options planning run show telemetry text",
    "__main__": "cli fleet hosts",
}


def test_every_module_is_in_a_room() -> None:
    assert {module.partition(".")[0] for module in MODULES} == {*ROOMS, *FACE}


def test_no_room_may_import_one_that_stands_on_it() -> None:
    seen: set[str] = set()
    for room, below in ROOMS.items():
        assert set(below.split()) <= seen, room
        seen.add(room)


@pytest.mark.parametrize("room", [*ROOMS, *FACE])
def test_imports_run_one_way(room: str) -> None:
    may = {room, *(ROOMS | FACE)[room].split()}
    found = []
    for module in (name for name in MODULES if is_in(name, room)):
        for name, line in imports(module):
            package, _, rest = name.partition(".")
            if package == "llmsim" and rest != "__version__" and rest.partition(".")[0] not in may:
                found.append(f"{module}:{line} imports {name}")
    assert found == []


# --- the shape of the code ---------------------------------------------------------------------

MOST_LINES = 300  # that have something on them


@in_rooms(MODULES)
def test_a_file_can_be_read_in_one_go(module: str) -> None:
    lines = MODULES[module].read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line.strip()]) <= MOST_LINES


def public(tree: ast.Module | ast.ClassDef) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node)


@in_rooms(MODULES)
def test_whatever_is_public_says_what_it_is(module: str) -> None:
    tree = TREES[module]
    assert ast.get_docstring(tree), "a module says in a docstring what it is for"
    assert [node.name for node in public(tree) if not ast.get_docstring(node)] == []


# --- plain English -----------------------------------------------------------------------------

# Words whose meaning stands in another sentence, so that a reader has to search for it: a count
# has a name ("at most `width` cells"), and a noun says what "such" or "those" mean.
RIDDLES = re.compile(
    r"\bso (?:many|much)\b|\bsuch\b(?! as\b)|\bthose\b|\buntold\b|\bwhoever\b"
    r"|\bwhat (?:is|was|are|were) told\b|\bhouse dialect\b",
    re.IGNORECASE,
)


def prose(module: str) -> Iterator[tuple[int, str]]:
    """The lines of a module's docstrings and comments, with their numbers."""
    text = MODULES[module].read_text(encoding="utf-8")
    lines = text.splitlines()
    for node in NODES[module]:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            docstring = node.body[0]
            for number in range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1):
                yield number, lines[number - 1]
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


@in_rooms(MODULES)
def test_sentences_name_what_they_mean(module: str) -> None:
    found = [f"{module}:{number} {line.strip()}" for number, line in prose(module)
             if RIDDLES.search(line)]  # fmt: skip
    assert found == []
