"""llmsim plays a large language model's training run. Nothing is trained."""

TYPE_CHECKING = False  # of typing, which is slow to import
if TYPE_CHECKING:
    from llmsim.job import Job as Job
    from llmsim.options import Options as Options
    from llmsim.planning import plan as plan
    from llmsim.player import Frame as Frame
    from llmsim.player import play as play
    from llmsim.simulation import simulate as simulate

__version__ = "0.1.0"

_PUBLIC = {
    "Job": "job",
    "Options": "options",
    "plan": "planning",
    "Frame": "player",
    "play": "player",
    "simulate": "simulation",
}
__all__ = ["Frame", "Job", "Options", "plan", "play", "simulate"]


def __getattr__(name: str) -> object:
    """The public names, imported when they are first asked for: the first line is not to wait."""
    from importlib import import_module

    if name not in _PUBLIC:
        raise AttributeError(f"module 'llmsim' has no attribute {name!r}")
    return getattr(import_module(f"llmsim.{_PUBLIC[name]}"), name)
