"""The parts of a fleet by a Dask cluster: one on this machine, or any whose scheduler is named.

A task is a part, under a key of its own. Dask may run a task again after it has finished, or twice
at once: a part that has its mark is left alone, and temporary names are unique. What comes back is
a few words, and an error comes back as a value. With a cluster that is lost nothing is lost but
what was being written, for the marks say where to go on.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

from llmsim import __version__
from llmsim.errors import OptionError
from llmsim.fleet.outcomes import Brief, Outcome, Problem, brief_of, problem_of
from llmsim.fleet.parts import members_of, play_alone, write_part
from llmsim.fleet.places import Places
from llmsim.fleet.spec import Spec
from llmsim.fleet.stores import FleetError, reason
from llmsim.typed import Any

WINDOW = 4  # tasks that a worker has before it: a scheduler needs no list of them all
# Workers of a cluster of ours that may die with a task or with one that waits behind it. A cluster
# that is named has a setting of its own: 10 and more where machines come and go.
ALLOWED_FAILURES = 3
TURNS = 3  # times that a part is given out again when no run of it is to blame

_REACHED = 5.0  # seconds within which a scheduler answers


def reached(scheduler: str) -> None:
    """Makes sure that a Dask scheduler answers at this address, before anything is begun.

    A Dask client that finds none leaves a thread behind, which ends twenty seconds later with an
    error. Raises OptionError where nobody is there, or somebody else; FleetError without Dask.
    """
    host, _, port = scheduler.rpartition("://")[2].rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_REACHED).close()
    except (OSError, UnicodeError) as error:
        raise OptionError(f"there is no scheduler at {scheduler}: {reason(error)}.") from None
    try:
        told = _identity(scheduler)
    except ImportError as error:
        raise _without(error) from None
    except Exception:  # noqa: BLE001  # whatever a server of another kind answers, or does not
        told = {}
    if told.get("type") != "Scheduler":
        raise OptionError(f"there is no scheduler at {scheduler}: the server there is not Dask's.")


def _identity(scheduler: str) -> dict[str, Any]:
    """What the server at an address says that it is."""
    from distributed.core import rpc
    from distributed.security import Security
    from distributed.utils import LoopRunner, sync

    _silence()
    ours = Security().get_connection_args("client")
    server, runner = rpc(scheduler, connection_args=ours), LoopRunner(asynchronous=False)
    runner.start()
    try:
        told: dict[str, Any] = sync(runner.loop, server.identity, callback_timeout=_REACHED)
    finally:
        sync(runner.loop, server.close_rpc)
        runner.stop()
    return told


def _without(error: ImportError) -> FleetError:
    name = error.name or "a package"
    return FleetError(f"a cluster needs {name}: pip install 'llmsim[fleet]'.")


def by_dask(
    spec: Spec, places: Places, size: int, todo: list[int], scheduler: str, workers: int
) -> Iterator[Outcome]:
    """Writes the parts by the cluster, and tells what happens.

    Raises FleetError where there is no Dask, or a worker with another version.
    """
    try:
        from distributed import as_completed
    except ImportError as error:
        raise _without(error) from None
    with _client(scheduler, workers) as client:
        _same_everywhere(client)
        window = WINDOW * max(1, len(client.nthreads()))
        waiting = [*reversed(todo)]
        at_work = {
            _submit(client, spec, places, size, waiting.pop(), {})
            for _ in range(min(window, len(waiting)))
        }
        coming: Any = as_completed(at_work, loop=client.loop, raise_errors=False)
        for future in coming:
            number = int(future.key.split("-")[1])
            outcome = _outcome_of(client, spec, places, size, number, future)
            yield outcome
            if isinstance(outcome, Problem) and outcome.hopeless:
                return
            if waiting:
                coming.add(_submit(client, spec, places, size, waiting.pop(), {}))


@contextmanager
def _client(scheduler: str, workers: int) -> Iterator[Any]:
    """A client of the named scheduler, or of a cluster on this machine: loopback, no dashboard."""
    import dask
    from distributed import Client, LocalCluster

    _silence()

    settings = {
        "distributed.scheduler.allowed-failures": ALLOWED_FAILURES,
        "distributed.worker.daemon": False,
        # A machine with much to do starts a worker anew in more than the 15 s after which a local
        # cluster gives it up for good: with no worker left a fleet would wait for ever.
        "distributed.deploy.lost-worker-timeout": "1h",
        "distributed.comm.timeouts.connect": "10s" if scheduler else "120s",
    }
    with dask.config.set(settings):
        if scheduler:
            with Client(scheduler, set_as_default=False) as client:
                yield client
            return
        with (
            LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address=None,
                silence_logs=50,
            ) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            yield client


def _silence() -> None:
    """Keeps Dask's own loggers quiet: what is lost is said in a sentence."""
    import logging

    for name in ("distributed", "distributed.client", "distributed.nanny", "distributed.worker"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _versions() -> tuple[str, ...]:
    """What the bytes of a data set depend on, as this process has it."""
    found = [f"llmsim {__version__}"]
    for name in ("numpy", "pyarrow"):
        try:
            found.append(f"{name} {__import__(name).__version__}")
        except ImportError:
            found.append(f"no {name}")
    return tuple(found)


def _same_everywhere(client: Any) -> None:
    """Raises FleetError if a worker would write other bytes than this process."""
    try:
        told = client.run(_versions)
    except Exception as error:  # noqa: BLE001  # whatever a worker lacks
        raise FleetError(f"a worker of the cluster has no llmsim: {error}.") from None
    for worker, theirs in sorted(told.items()):
        for here, there in zip(_versions(), theirs, strict=True):
            if here != there:
                raise FleetError(
                    f"{worker} has {there}, and this machine has {here}: bytes would differ."
                )


def _submit(
    client: Any,
    spec: Spec,
    places: Places,
    size: int,
    number: int,
    spoilt: dict[int, str],
    turn: int = 0,
) -> Any:
    """The future of a part. Its key is of this turn, so that no older result is taken for it."""
    where = sha256(places.root.encode()).hexdigest()[:8]  # the same SPEC may go to two places
    key = f"part-{number:05d}-{places.digest[:12]}-{where}-{turn}"
    return client.submit(_write, spec, places, size, number, spoilt, key=key, pure=False)


def _write(
    spec: Spec, places: Places, size: int, number: int, spoilt: dict[int, str]
) -> Brief | Problem:
    """The task of a part."""
    try:
        return brief_of(write_part(spec, places, size, number, spoilt, _nobody))
    except FleetError as error:
        return Problem(number, str(error))
    except OSError as error:
        return problem_of(number, error)


def _nobody(_run: int) -> None:
    """Nobody listens to which run begins."""


def _outcome_of(
    client: Any, spec: Spec, places: Places, size: int, number: int, future: Any
) -> Brief | Problem:
    """What a part has come to; if it killed its workers, the runs that did are left out."""
    outcome, killed = _came_to(number, future)
    for turn in range(1, TURNS + 1):
        if not killed:
            break
        spoilt = dict(_culprits(client, spec, size, number))
        again = _submit(client, spec, places, size, number, spoilt, turn)
        outcome, killed = _came_to(number, again)
    return outcome


def _came_to(number: int, future: Any) -> tuple[Brief | Problem, bool]:
    """What a task has given when it is over, and whether it killed its workers.

    A result that was lost with its worker is made again meanwhile. With the scheduler all
    futures are lost, and Dask has no way back to them.
    """
    from concurrent.futures import CancelledError

    try:
        error: BaseException | None = future.exception()
        if error is None:
            made: Brief | Problem = future.result()
            return made, False
    except (CancelledError, OSError, TimeoutError):
        return Problem(number, "the scheduler is gone", hopeless=True), False
    killed = type(error).__name__ == "KilledWorker"
    return Problem(number, f"{type(error).__name__}: {error}"), killed


def _culprits(client: Any, spec: Spec, size: int, number: int) -> Iterator[tuple[int, str]]:
    """The runs of a part with which workers die, each tried alone and one after another."""
    for each in members_of(spec, size, number):
        key = f"try-{number:05d}-{each.number}"
        alone = client.submit(play_alone, spec, each.number, key=key, pure=False)
        if _came_to(number, alone)[1]:
            yield each.number, f"{ALLOWED_FAILURES + 1} workers died while they played it"
