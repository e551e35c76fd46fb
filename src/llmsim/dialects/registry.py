"""The frameworks whose logs a run can have: each by its name, and which of them suit a job.

A framework is a folder here: its framework.py has FRAMEWORK, its traits, and its lines.py has
LINES, what it prints. A framework is imported when somebody asks for it, and not before.
"""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import ModuleType

from llmsim.catalog.gpus import is_a
from llmsim.catalog.records import Gpu, Model
from llmsim.dialects.line import Tell
from llmsim.job.framework import Framework
from llmsim.job.recipes import AUTO

# The order of lists, and of the names that "auto" draws from.
NAMES = (
    "pytorch",
    "torchtitan",
    "megatron",
    "nanotron",
    "olmo",
    "deepspeed",
    "maxtext",
    "mlperf",
    "hf",
    "trl",
    "nanogpt",
    "llmc",
    "lightning",
    "nemo",
)
DEFAULT = "pytorch"  # it prints every event

# A package of somebody else adds a framework by an entry point of this group: a name, and a
# module that has both FRAMEWORK and LINES.
PLUGINS = "llmsim.dialects"


def plugin(name: str) -> ModuleType | None:
    """The module of a dialect that another package brings along; None if there is none."""
    from importlib.metadata import entry_points  # slow: only for a name that is not ours

    for entry in entry_points(group=PLUGINS, name=name):
        module: ModuleType = entry.load()
        return module
    return None


def lines_of(name: str) -> Mapping[type, Tell]:
    """What a framework prints: for each type of event a function that gives its lines."""
    module = import_module(f"llmsim.dialects.{name}.lines") if name in NAMES else plugin(name)
    if module is None:
        raise KeyError(f"there is no dialect {name!r}")
    table: Mapping[type, Tell] = module.LINES
    return table


@cache
def framework_of(name: str) -> Framework:
    """The framework of this name, ours or another package's.

    An unknown name, and a package without a framework, get the default one.
    """
    if name in NAMES:
        module = import_module(f"llmsim.dialects.{name}.framework")
        ours: Framework = module.FRAMEWORK
        return ours
    theirs: Framework | None = getattr(plugin(name), "FRAMEWORK", None)
    return theirs or framework_of(DEFAULT)


def frameworks() -> tuple[Framework, ...]:
    """All frameworks of this package, in the order of NAMES."""
    return tuple(map(framework_of, NAMES))


def runs_on(framework: Framework, gpu: Gpu) -> bool:
    """Whether a framework works on a catalogue's entry."""
    return is_a(gpu, framework.device)


def is_usual(framework: Framework, gpu: Gpu) -> bool:
    """Whether people use this GPU with a framework: one of those that it knows, if it knows any."""
    known = not framework.known_gpus or gpu.name in framework.known_gpus
    return known and runs_on(framework, gpu)


def suits(framework: Framework, model: Model) -> bool:
    """Whether people train models like this one with a framework."""
    small = not framework.max_parameters or model.parameters <= framework.max_parameters
    return small and not (framework.dense_only and model.experts > 1)


def suiting(recipe: str, gpu: Gpu | None, model: Model | None = None) -> tuple[str, ...]:
    """The frameworks that suit a recipe, a GPU and a model; "auto" and None are content with any.

    A name stands there as many times as "auto" should take it against the others.
    """
    recipes = set(AUTO) if recipe == "auto" else {recipe}
    return tuple(
        framework.name
        for framework in frameworks()
        if recipes.intersection(framework.recipes)
        and (gpu is None or is_usual(framework, gpu))
        and (model is None or suits(framework, model))
        for _ in range(framework.weight)
    )
