"""What a framework says of its jobs: its release, whose output a log holds, how a rate can fall."""

from llmsim.errors import PlanError, Setting
from llmsim.job.framework import CAPTURES, Capture, Framework
from llmsim.job.layout import Layout
from llmsim.job.schedule import Decay
from llmsim.text.wording import either, one_of
from llmsim.typed import Any


def release_of(framework: Framework, asked: str | None) -> str:
    """The name of the release: the given one, or the dialect's usual one.

    Raises PlanError for a release that the dialect does not speak.
    """
    known = tuple(filter(None, (framework.release, *(name for name, _ in framework.older))))
    if asked is None or asked == "auto":
        return framework.release
    if asked in known:
        return asked
    speaker = Setting("dialect", framework.name)
    if not known:
        raise PlanError(
            speaker, " has no releases to choose from: leave ", Setting("release"), " out."
        )
    raise PlanError(speaker, f" does not speak release {asked}: {one_of(known, asked)}")


def framework_of_release(framework: Framework, asked: str | None) -> Framework:
    """The framework as the given release of it is: an older one has some traits of its own."""
    if asked not in [name for name, _ in framework.older]:
        return framework
    traits: dict[str, Any] = dict(framework.older_traits)
    return framework._replace(**traits)


def decay_of(framework: Framework, asked: Decay | None, drawn: Decay) -> Decay:
    """How the learning rate falls: as asked, or as drawn if the framework's schedules can do it.

    Raises PlanError for what is asked for and cannot be.
    """
    if asked and asked not in framework.decays:
        reason = f" has no learning rate that falls as {asked}: give {either(framework.decays)}."
        raise PlanError(Setting("dialect", framework.name), reason)
    return asked or (drawn if drawn in framework.decays else framework.decays[0])


def capture_of(framework: Framework, layout: Layout, asked: str | None) -> Capture:
    """What the log holds: the given output; or one node's, which is all that a small job has; or
    of several nodes what people of this framework keep.
    """
    for capture in CAPTURES:
        if asked == capture:
            return capture
    most = framework.streams_nodes or layout.nodes
    return "node" if layout.nodes == 1 or layout.nodes > most else framework.capture
