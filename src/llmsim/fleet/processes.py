"""The parts of a fleet by processes of this machine.

Each worker says which run it begins. When one dies, its part is given out anew; a run with which
workers died three times is left out and named, and the rest of its part is written.
"""

import multiprocessing
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from multiprocessing.connection import wait

from llmsim.fleet.outcomes import Outcome, Playing, Problem, brief_of, problem_of
from llmsim.fleet.parts import write_part
from llmsim.fleet.places import Places
from llmsim.fleet.spec import Spec
from llmsim.fleet.stores import FleetError
from llmsim.typed import Any, NamedTuple

STRIKES = 3  # workers that may die with a run before it is left out
_LOOK = 0.5  # seconds between two looks at the workers


class Task(NamedTuple):
    """A part to be written, without some of its runs."""

    part: int
    spoilt: dict[int, str]


class _WithoutPandas:
    """A finder that finds no pandas."""

    @staticmethod
    def find_spec(name: str, *_about: object) -> None:
        """Raises ModuleNotFoundError for pandas."""
        if name == "pandas":
            raise ModuleNotFoundError(name)


def lightened() -> None:
    """Keeps pandas out of a worker. pyarrow imports it where it can, to know its objects, which
    takes a second and 50 MB, and a worker has none of them.
    """
    sys.meta_path.insert(0, _WithoutPandas)  # a class is a finder, too


def _work(connection: Any, spec: Spec, places: Places, size: int) -> None:
    """A worker: it writes the parts that it is sent until nobody sends any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the process that waits
    lightened()
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            number, spoilt = connection.recv()

            def said(run: int, part: int = number) -> None:
                connection.send(Playing(part, run))

            connection.send(_outcome(spec, places, size, number, spoilt, said))


def _outcome(
    spec: Spec, places: Places, size: int, number: int, spoilt: dict[int, str], said: Any
) -> Outcome:
    try:
        return brief_of(write_part(spec, places, size, number, spoilt, said))
    except (BrokenPipeError, ConnectionResetError):
        raise  # nobody waits for the part any more
    except FleetError as error:
        return Problem(number, str(error))
    except OSError as error:
        return problem_of(number, error)


class _Worker:
    """A process, and the part that it has."""

    def __init__(self, spec: Spec, places: Places, size: int) -> None:
        """Starts the process, which waits for a part."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self.connection = ours
        self.process = context.Process(target=_work, args=(theirs, spec, places, size), daemon=True)
        self.process.start()
        theirs.close()
        self.task: Task | None = None
        self.run: int | None = None

    def give(self, task: Task) -> None:
        """Sends a part to the worker."""
        self.task, self.run = task, None
        with suppress(OSError):  # it has died: its sentinel says so
            self.connection.send(tuple(task))

    def end(self, places: Places) -> None:
        """Ends the process, and removes what it has not finished."""
        self.process.kill()
        self.process.join()
        self.connection.close()
        if self.process.pid:
            for folder in places.work.glob(f"part-*-{self.process.pid}-*"):
                shutil.rmtree(folder, ignore_errors=True)


class Pool:
    """Some workers, and what they have still to do."""

    def __init__(
        self, spec: Spec, places: Places, size: int, todo: list[int], workers: int
    ) -> None:
        """Starts no more workers than there are parts."""
        self.places = places
        self._start = partial(_Worker, spec, places, size)
        self._todo = [Task(part, {}) for part in reversed(todo)]
        self._deaths: dict[tuple[int, int | None], int] = {}
        self._workers = [self._start() for _ in range(min(workers, len(todo)))]

    def outcomes(self) -> Iterator[Outcome]:
        """What happens, until every part is whole or has failed."""
        while self._todo or any(worker.task for worker in self._workers):
            for worker in self._workers:
                if not worker.task and self._todo:
                    worker.give(self._todo.pop())
            ready: list[Any] = [worker.connection for worker in self._workers]
            ready += [worker.process.sentinel for worker in self._workers]
            wait(ready, _LOOK)
            for worker in [*self._workers]:
                yield from self._heard(worker)

    def _heard(self, worker: _Worker) -> Iterator[Outcome]:
        try:
            while worker.connection.poll():
                outcome = worker.connection.recv()
                if isinstance(outcome, Playing):
                    worker.run = outcome.number
                else:
                    worker.task = None
                yield outcome
        except (EOFError, OSError):
            worker.process.join()
        if not worker.process.is_alive():
            yield from self._buried(worker)

    def _buried(self, worker: _Worker) -> Iterator[Outcome]:
        """Puts a new worker in a dead one's place; the next free worker gets its part."""
        status = worker.process.exitcode
        worker.end(self.places)
        self._workers[self._workers.index(worker)] = self._start()
        if not worker.task:
            return
        part, spoilt = worker.task
        culprit = (part, worker.run)
        self._deaths[culprit] = died = self._deaths.get(culprit, 0) + 1
        if died < STRIKES:
            self._todo.append(worker.task)
        elif worker.run is None:
            yield Problem(part, f"{died} workers died before its first run ({_end(status)})")
        else:
            reason = f"{died} workers died while they played it ({_end(status)})"
            self._todo.append(Task(part, spoilt | {worker.run: reason}))

    def end(self) -> None:
        """Ends all workers, whatever they do."""
        for worker in self._workers:
            worker.end(self.places)


def _end(status: int | None) -> str:
    """How a process ended."""
    if status is not None and status < 0:
        return signal.Signals(-status).name
    return f"exit status {status}"


def swept(places: Places) -> None:
    """Removes the unfinished work of processes of this machine that are no more."""
    if not places.work.is_dir():
        return
    for folder in places.work.iterdir():
        words = folder.name.split("-")
        if len(words) == 4 and words[2].isdigit() and not _lives(int(words[2])):
            shutil.rmtree(folder, ignore_errors=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def by_processes(
    spec: Spec, places: Places, size: int, todo: list[int], workers: int
) -> Iterator[Outcome]:
    """Writes the parts by this many processes, and tells what happens."""
    pool = Pool(spec, places, size, todo, workers)
    try:
        yield from pool.outcomes()
    finally:
        pool.end()
