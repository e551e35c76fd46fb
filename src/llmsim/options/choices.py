"""The names that an option takes, to be proposed in a form or completed by a shell."""

from collections.abc import Sequence

from llmsim.catalog import records
from llmsim.dialects import registry
from llmsim.job import recipes
from llmsim.options.table import COLORS, LISTS, SHELLS, VIEWS


def choices(name: str, *, installed: bool = False) -> Sequence[str]:
    """What to propose for the option of this name; none where any text may be right.

    An option may take others, too: what its default is, and any name that ends in a size.
    With `installed`, dialects of other packages are among them, which a page does not have.
    """
    found: dict[str, Sequence[str]] = {
        "dialect": registry.names() if installed else registry.NAMES,
        "recipe": recipes.NAMES,
        "model": [model.name for model in records.models()],
        "dataset": [dataset.name for dataset in records.datasets()],
        "gpu": [gpu.name for gpu in records.gpus()],
        "duration": ("real",),
        "speed-factor": ("max",),
        "view": VIEWS,
        "color": COLORS,
        "list": LISTS,
        "print-completions": SHELLS,
    }
    return found.get(name, ())
