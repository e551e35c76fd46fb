"""llmsim plays a large language model's training run. Nothing is trained."""

TYPE_CHECKING = False  # of typing, which is slow to import
if TYPE_CHECKING:
    from llmsim.job.records import Job as Job
    from llmsim.options.table import Options as Options
    from llmsim.planning.plan import plan as plan
    from llmsim.run.simulation import simulate as simulate
    from llmsim.show.player import Frame as Frame
    from llmsim.show.player import play as play

__version__ = "0.1.0"

_PUBLIC = {
    "Job": "job.records",
    "Options": "options.table",
    "plan": "planning.plan",
    "Frame": "show.player",
    "play": "show.player",
    "simulate": "run.simulation",
}
__all__ = ["Frame", "Job", "Options", "plan", "play", "simulate"]


def __getattr__(name: str) -> object:
    """The public names, imported when they are first asked for: the first line is not to wait."""
    from importlib import import_module

    if name not in _PUBLIC:
        raise AttributeError(f"module 'llmsim' has no attribute {name!r}")
    return getattr(import_module(f"llmsim.{_PUBLIC[name]}"), name)
