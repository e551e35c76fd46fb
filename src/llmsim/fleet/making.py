"""A fleet from its SPEC to a data set: begins or goes on, writes all parts, then completes it."""

import os
from collections.abc import Callable, Iterator
from pathlib import PurePath

from llmsim.fleet import estimate, places
from llmsim.fleet.beginning import begin, held
from llmsim.fleet.command import Arguments
from llmsim.fleet.finish import finish
from llmsim.fleet.outcomes import Brief, Outcome, Playing, Problem
from llmsim.fleet.parts import Failure, parts_of, size_of_part
from llmsim.fleet.places import Places
from llmsim.fleet.processes import by_processes, swept
from llmsim.fleet.spec import Spec, digest
from llmsim.fleet.stores import FleetError, is_url
from llmsim.hosts.status import ExitStatus

_SMALL = 100  # runs of a fleet whose room on the disk nobody asks for
_NAMED = 10  # runs that failed and are named

Show = Callable[[int, int, int], None]


def make(
    spec: Spec, asked: Arguments, workers: int, complain: Callable[[str], None], show: Show
) -> int:
    """Makes the data set, and returns the exit status.

    Raises FleetError, OptionError or OSError for what cannot be begun.
    """
    where = Places(
        root=places.place_of(asked.out),
        answers=places.place_of(asked.answers) if asked.answers else "",
        digest=digest(spec),
    )
    _apart(where)
    if asked.scheduler:
        from llmsim.fleet.dask_engine import reached

        reached(asked.scheduler)
    size = size_of_part(spec)
    begin(where, size)
    with held(where):
        return _go_on(spec, where, size, asked, workers, complain, show)


def _go_on(
    spec: Spec, where: Places, size: int, asked: Arguments, workers: int,
    complain: Callable[[str], None], show: Show,
) -> int:  # fmt: skip
    """Writes the parts that are not there yet, and completes the data set."""
    _room(spec, where)
    swept(where)
    total = parts_of(spec, size)
    todo = sorted({*range(total)} - {*places.marked(where)})
    if not todo and places.read(where.root, places.DONE) is not None:
        complain("the data set is whole already.")
        return ExitStatus.FINISHED
    failed, problems = list[Failure](), list[Problem]()
    done = already = spec.runs - _runs_in(spec, size, todo)
    playing: dict[int, int] = {}
    for outcome in _outcomes(spec, where, size, todo, asked, workers):
        if isinstance(outcome, Playing):
            playing[outcome.part] = outcome.number - outcome.part * size
        elif isinstance(outcome, Brief):
            playing.pop(outcome.part, None)
            done += _runs_in(spec, size, [outcome.part])
            failed += outcome.failed
        else:
            problems.append(outcome)
            if outcome.hopeless:
                break
        now = done + sum(playing.values())
        show(now, spec.runs, now - already)
    if problems:
        _say_problems(problems, complain)
        return ExitStatus.ERROR
    failed = finish(spec, where, size)
    for each in failed[:_NAMED]:
        complain(f"{each.run_id} (seed {each.seed}) was left out: {each.reason}")
    if len(failed) > _NAMED:
        complain(f"{len(failed)} runs were left out in all: manifest.json names them.")
    return ExitStatus.ERROR if failed else ExitStatus.FINISHED


def _outcomes(
    spec: Spec, where: Places, size: int, todo: list[int], asked: Arguments, workers: int
) -> Iterator[Outcome]:
    """What happens, by the engine that is asked for."""
    if not todo:
        return iter(())
    if asked.scheduler or asked.dask:
        from llmsim.fleet.dask_engine import by_dask

        return by_dask(spec, where, size, todo, asked.scheduler, workers)
    return by_processes(spec, where, size, todo, workers)


def _apart(where: Places) -> None:
    """Raises FleetError if the answers would lie in the evidence, or the other way round."""
    if not where.answers or is_url(where.root) != is_url(where.answers):
        return
    root, answers = map(_followed, (where.root, where.answers))
    if root == answers or root in answers.parents or answers in root.parents:
        raise FleetError("--answers is kept apart from --out: neither may be in the other.")


def _followed(place: str) -> PurePath:
    """A place without links, so that one is seen to lie in another."""
    return PurePath(place if is_url(place) else os.path.realpath(place))


def _room(spec: Spec, where: Places) -> None:
    """Raises FleetError if the data set does not fit on its disk."""
    free = places.free_bytes(where.root)
    small = spec.runs < _SMALL and spec.cluster is None
    if free is None or small or places.marked(where):
        return
    needed = estimate.room_for(estimate.plan_of(spec, played=4))
    if needed > free:
        raise FleetError(
            f"{where.root} has room for {estimate.bytes_text(free)}, and the fleet needs about"
            f" {estimate.bytes_text(needed)}: give another place, or ask for less."
        )


def _runs_in(spec: Spec, size: int, parts: list[int]) -> int:
    return sum(max(0, min(spec.runs, (part + 1) * size) - part * size) for part in parts)


def _say_problems(problems: list[Problem], complain: Callable[[str], None]) -> None:
    for each in problems[:_NAMED]:
        complain(f"part {each.part} could not be written: {each.sentence}.")
    complain("whole parts are kept: the same command goes on from here.")
