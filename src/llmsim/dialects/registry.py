"""The frameworks whose logs a run can have: each by its name, and which of them suit a job.

A framework is a folder here: its framework.py has FRAMEWORK, its traits, and its lines.py has
LINES, what it prints. A framework is imported only when it is needed. Other
packages bring theirs along: see plugins.py. "any" draws from ours alone, so that a seed names
the same run wherever it is played.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from llmsim.catalog.gpus import is_a
from llmsim.catalog.lists import quoted
from llmsim.catalog.records import Gpu, Model
from llmsim.dialects.line import Render
from llmsim.errors import OptionError, Setting
from llmsim.job.framework import Framework
from llmsim.job.recipes import AUTO
from llmsim.job.records import Job
from llmsim.text.wording import one_of
from llmsim.typed import NamedTuple

TYPE_CHECKING = False  # the name that type checkers know; typing itself is slow to import
if TYPE_CHECKING:
    from llmsim.dialects.line import Line
    from llmsim.dialects.plugins import Plugin
    from llmsim.dialects.scalar import Table
    from llmsim.text.screen import Screen

# The order of lists, and of the names that "any" draws from.
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
DRAWN = ("any", "auto")  # names that leave the choice to the seed


class LogFile(NamedTuple):
    """A file that a framework writes beside what it prints: its path, and its lines."""

    path: Callable[[Job], str]
    lines: Mapping[type, Render]


def names() -> tuple[str, ...]:
    """The names of all frameworks: of this package, then of other packages in alphabetical
    order.
    """
    from llmsim.dialects.plugins import plugins

    return (*NAMES, *(name for name in plugins() if name not in NAMES))


def plugin(name: str) -> "Plugin":
    """The framework that another package brings along under this name, and its lines.

    Raises OptionError, a sentence that goes on after the option's name, where no package has the
    name, and where the package that has it is wrong.
    """
    from llmsim.dialects.plugins import loaded

    if name not in names():
        raise OptionError(f"cannot be {quoted(name)}: {one_of(('any', *names()), name)}")
    return loaded(name)


def _theirs(name: str) -> "Plugin":
    """The plugin of this name, for callers that have read no option. Raises OptionError."""
    try:
        return plugin(name)
    except OptionError as error:
        raise OptionError(Setting("dialect"), " ", *error.args) from None


def lines_of(name: str) -> Mapping[type, Render]:
    """What a framework prints: for each type of event a function that gives its lines.

    Raises OptionError for a name that there is not.
    """
    if name not in NAMES:
        return _theirs(name).lines
    ours: Mapping[type, Render] = import_module(f"llmsim.dialects.{name}.lines").LINES
    return ours


def command_of(name: str) -> "Callable[[Job, Screen], Iterable[Line]] | None":
    """What a framework's log has of the typed command where it begins with that; None elsewhere.

    The lines follow from the job alone: they can be shown before the run's timeline is drawn.
    """
    try:
        module = import_module(f"llmsim.dialects.{name}.command")
    except ModuleNotFoundError:
        return None
    typed: Callable[[Job, Screen], Iterable[Line]] = module.typed
    return typed


def scalars_of(name: str, tracker: str) -> "Table | None":
    """What a framework logs to a tracker: tensorboard, wandb, csv or history; None if nothing."""
    table: Table | None = getattr(_scalars(name), tracker.upper(), None)
    return table


def scalars_folder(name: str, job: Job, at: float) -> str:
    """The folder below its output in which a framework keeps what it logs; "" if it has none."""
    made = getattr(_scalars(name), "folder", None)
    return made(job, at) if made else ""


def file_of(name: str) -> LogFile | None:
    """The file that a framework writes beside what it prints, or None if there is none."""
    if name not in NAMES or not find_spec(f"llmsim.dialects.{name}.log_file"):
        return None
    module = import_module(f"llmsim.dialects.{name}.log_file")
    return LogFile(module.path, module.LINES)


def _scalars(name: str) -> ModuleType | None:
    """The framework's module of scalars; a framework without trackers has none."""
    try:
        return import_module(f"llmsim.dialects.{name}.scalars")
    except ModuleNotFoundError:
        return None


@cache
def framework_of(name: str) -> Framework:
    """The framework of this name, ours or another package's.

    Raises OptionError for a name that there is not.
    """
    if name not in NAMES:
        return _theirs(name).framework
    ours: Framework = import_module(f"llmsim.dialects.{name}.framework").FRAMEWORK
    return ours


def frameworks() -> tuple[Framework, ...]:
    """All frameworks of this package, in the order of NAMES."""
    return tuple(map(framework_of, NAMES))


def says_command(name: str) -> bool:
    """Whether a log ends with the command that plays its run again, which no real one does."""
    return name == DEFAULT


def runs_on(framework: Framework, gpu: Gpu) -> bool:
    """Whether a framework works on a catalogue's entry."""
    return is_a(gpu, framework.device)


def is_usual(framework: Framework, gpu: Gpu) -> bool:
    """Whether people use this GPU with a framework; some frameworks have a list of known GPUs."""
    known = not framework.known_gpus or gpu.name in framework.known_gpus
    return known and runs_on(framework, gpu)


def suits(framework: Framework, model: Model, scale: float = 1.0) -> bool:
    """Whether people train models like this one with a framework. The largest of them can be
    `scale` times as large.
    """
    most = framework.max_parameters * scale
    small = not most or model.parameters <= most
    return small and not (framework.dense_only and model.experts > 1)


def suiting(recipe: str, gpu: Gpu | None, model: Model | None = None) -> dict[str, int]:
    """The frameworks that suit a recipe, a GPU and a model; "auto" and None are content with any.

    By name: how often "any" takes it, against the others.
    """
    recipes = set(AUTO) if recipe == "auto" else {recipe}
    return {
        framework.name: framework.weight
        for framework in frameworks()
        if recipes.intersection(framework.recipes)
        and (gpu is None or is_usual(framework, gpu))
        and (model is None or suits(framework, model))
    }
