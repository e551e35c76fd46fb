"""The names that an option takes, for proposals in a form and completions in a shell."""

from collections.abc import Sequence

from llmsim.catalog import records
from llmsim.catalog.scenes import scenes
from llmsim.dialects import registry
from llmsim.job import recipes
from llmsim.options.parsing import PHASES
from llmsim.options.table import COLORS, LISTS, SHELLS, VIEWS
from llmsim.text.themes import THEMES


def choices(name: str, *, installed: bool = False) -> Sequence[str]:
    """The proposals for the option of this name; none if it takes any text.

    An option may also take other values: its default, and model names that end in a size.
    With `installed` the proposals include dialects of other packages, which a page does not have.
    """
    found: dict[str, Sequence[str]] = {
        "dialect": ("any", *(registry.names() if installed else registry.NAMES)),
        "recipe": recipes.NAMES,
        "model": [model.name for model in records.models()],
        "dataset": [dataset.name for dataset in records.datasets()],
        "gpu": [gpu.name for gpu in records.gpus()],
        "duration": ("real",),
        "speed-factor": ("max",),
        "from": PHASES,
        "view": VIEWS,
        "color": COLORS,
        "list": LISTS,
        "theme": THEMES,
        "scene": [scene.name for scene in scenes()],
        "print-completions": SHELLS,
    }
    return found.get(name, ())
