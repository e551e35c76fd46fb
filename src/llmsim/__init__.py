"""llmsim plays a large language model's training run. Nothing is trained.

What stands here is public, and docs/api.md shows it in use; all else may change.
"""

TYPE_CHECKING = False  # the name that type checkers know; typing itself is slow to import
if TYPE_CHECKING:
    from llmsim.errors import CatalogError as CatalogError
    from llmsim.errors import ExportError as ExportError
    from llmsim.errors import LlmsimError as LlmsimError
    from llmsim.errors import OptionError as OptionError
    from llmsim.errors import PlanError as PlanError
    from llmsim.job.records import Job as Job
    from llmsim.options.table import Options as Options
    from llmsim.planning.plan import plan as plan
    from llmsim.run.moment import Moment as Moment
    from llmsim.run.moment import energy as energy
    from llmsim.run.moment import readings as readings
    from llmsim.run.moment import state as state
    from llmsim.run.simulation import events as events
    from llmsim.run.simulation import run_of as run_of
    from llmsim.run.simulation import simulate as simulate
    from llmsim.run.simulation import step as step
    from llmsim.run.timeline import Run as Run
    from llmsim.show.opening import Frame as Frame
    from llmsim.show.player import play as play
    from llmsim.telemetry.records import records as records
    from llmsim.telemetry.samples import samples as samples
    from llmsim.text.screen import Screen as Screen

__version__ = "0.1.0"

_PUBLIC = {
    "CatalogError": "errors",
    "ExportError": "errors",
    "Frame": "show.opening",
    "Job": "job.records",
    "LlmsimError": "errors",
    "Moment": "run.moment",
    "OptionError": "errors",
    "Options": "options.table",
    "PlanError": "errors",
    "Run": "run.timeline",
    "Screen": "text.screen",
    "energy": "run.moment",
    "events": "run.simulation",
    "plan": "planning.plan",
    "play": "show.player",
    "readings": "run.moment",
    "records": "telemetry.records",
    "run_of": "run.simulation",
    "samples": "telemetry.samples",
    "simulate": "run.simulation",
    "state": "run.moment",
    "step": "run.simulation",
}
__all__ = [
    "CatalogError",
    "ExportError",
    "Frame",
    "Job",
    "LlmsimError",
    "Moment",
    "OptionError",
    "Options",
    "PlanError",
    "Run",
    "Screen",
    "energy",
    "events",
    "plan",
    "play",
    "readings",
    "records",
    "run_of",
    "samples",
    "simulate",
    "state",
    "step",
]


def __getattr__(name: str) -> object:
    """A public name, imported when it is first used, so that the first line does not wait for
    it.
    """
    from importlib import import_module

    if name not in _PUBLIC:
        raise AttributeError(f"module 'llmsim' has no attribute {name!r}")
    return getattr(import_module(f"llmsim.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    """The public names, which an interactive prompt completes."""
    return [*__all__, "__version__"]
