"""The names that an option takes, for proposals in a form and completions in a shell."""

from collections.abc import Sequence

from llmsim.catalog import records
from llmsim.catalog.scenes import scenes
from llmsim.dialects import registry
from llmsim.job import recipes
from llmsim.job.framework import CAPTURES
from llmsim.job.layout import PRECISIONS, RECOMPUTES
from llmsim.options.job_options import ASKED_SHARDINGS
from llmsim.options.parsing import PHASES
from llmsim.options.table import COLORS, LEVELS, LISTS, SHELLS, STREAMS, VIEWS
from llmsim.text.themes import THEMES

# Options that take other values beside their proposals.
OPEN = ("model", "duration", "speed-factor", "from")


def closed(name: str) -> bool:
    """Whether an option takes its proposals and its default alone."""
    return bool(choices(name)) and name not in OPEN


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
        "sharding": ASKED_SHARDINGS,
        "recompute": RECOMPUTES,
        "precision": PRECISIONS,
        "capture": ("auto", *CAPTURES),
        "jokes": ("no", "yes"),
        "incidents": LEVELS,
        "duration": ("real",),
        "speed-factor": ("max",),
        "from": PHASES,
        "view": VIEWS,
        "stream": STREAMS,
        "color": COLORS,
        "list": LISTS,
        "theme": THEMES,
        "scene": [scene.name for scene in scenes()],
        "print-completions": SHELLS,
    }
    return found.get(name, ())
