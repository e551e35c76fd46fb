"""Settings of all tests."""

import os
import signal
from collections.abc import Callable, Iterator
from importlib import metadata
from types import FrameType, TracebackType

import pytest
from hypothesis import settings

from llmsim.dialects import plugins

# Nobody's own defaults: neither the config file nor variables.
for name in [name for name in os.environ if name.startswith("LLMSIM_")]:
    del os.environ[name]
os.environ["LLMSIM_CONFIG"] = os.devnull

# Speed is measured by `make bench`, never by a test: a busy machine makes no test fail. And the
# same examples every time, so that a failure belongs to the change that is tested;
# `pytest --hypothesis-profile=curious` looks further, and `make check` takes fewer.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.register_profile("curious", deadline=None)
settings.register_profile("quick", deadline=None, derandomize=True, max_examples=25)
settings.load_profile("steady")


def excluded(expression: str) -> set[str]:
    """The marks whose tests an expression of `-m` leaves out, if it is made of "and" alone."""
    parts = [part.strip() for part in expression.split(" and ")]
    plain = not any(" or " in part or "(" in part for part in parts)
    return {part.removeprefix("not ") for part in parts if plain and part.startswith("not ")}


def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class, name: str, obj: object
) -> list[pytest.Item] | None:
    """Makes no items of functions that `-m` leaves out: two thirds of `make check`'s start."""
    without = excluded(collector.config.option.markexpr)
    if not (without and name.startswith("test_")):
        return None
    marks = [*collector.iter_markers(), *getattr(obj, "pytestmark", ())]
    return [] if any(mark.name in without for mark in marks) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what needs programs that a plain machine lacks, unless it is asked for."""
    names = [name for name in ("fleets", "readers") if name not in config.option.markexpr]
    left_out = [item for item in items if any(map(item.get_closest_marker, names))]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(autouse=True, scope="session")
def nobodys_plugins() -> Iterator[None]:
    """Leaves out the dialects of packages that are installed on this machine.

    Tests count the dialects, and install packages of their own in folders of their own.
    """

    def place(entry: metadata.EntryPoint) -> str:
        return str(entry.dist.locate_file("")) if entry.dist else ""

    there = metadata.entry_points
    installed = {place(each) for each in there(group=plugins.GROUP)}

    def found(**asked: str) -> object:
        if asked != {"group": plugins.GROUP}:
            return there(**asked)
        kept = there(group=plugins.GROUP)
        return metadata.EntryPoints(each for each in kept if place(each) not in installed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metadata, "entry_points", found)
        plugins.plugins.cache_clear()
        yield
    plugins.plugins.cache_clear()


# A job in the background and nohup ignore these, and what a test starts would inherit it.
INHERITED: dict[signal.Signals, Callable[[int, FrameType | None], object] | int] = {
    signal.SIGHUP: signal.SIG_DFL,
    signal.SIGINT: signal.default_int_handler,
    signal.SIGQUIT: signal.SIG_DFL,
}


@pytest.fixture(autouse=True, scope="session")
def usual_signals() -> Iterator[None]:
    """Signals that do what they do in a terminal, whatever the tests were started by."""
    ignored = [number for number in INHERITED if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, INHERITED[number])
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


# What says which case of a loop has failed, by the names that tests give it.
TELLING = ("seed", "dialect", "name", "recipe", "width", "step", "event", "line", "text")


def named(traceback: TracebackType | None) -> list[str]:
    """What the frames of the tests were about when one failed: seed, dialect, step."""
    told: dict[str, str] = {}
    while traceback is not None:
        frame = traceback.tb_frame
        if f"{os.sep}tests{os.sep}" in frame.f_code.co_filename:
            for name, value in frame.f_locals.items():
                job = getattr(value, "job", value)  # of a run
                if hasattr(job, "framework") and hasattr(job, "seed"):
                    told[name] = f"seed {job.seed}, dialect {job.framework.name}: {job.command}"
                elif name in TELLING:
                    told[name] = repr(value)[:200]
        traceback = traceback.tb_next
    return [f"{name}: {text}" for name, text in told.items()]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Names the seed, the dialect and the step in the report of a failure inside a loop."""
    report: pytest.TestReport = yield  # type: ignore[assignment]  # pluggy sends it
    if call.excinfo and report.failed:
        report.sections.append(("what it was about", "\n".join(named(call.excinfo.tb))))
    return report  # type: ignore[return-value]
