"""Whose folder it is: a data set is begun in an empty one, and one fleet is at work in it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from llmsim import __version__
from llmsim.fleet.places import BEGUN, WORK, Places, put, read, renamed, table, understood
from llmsim.fleet.rows import json_text
from llmsim.fleet.stores import FleetError, is_url


def begin(places: Places, size: int) -> None:
    """Makes the folders of the data set and of its answers, or takes them up where they were left.

    Raises FleetError if another fleet is there, or something else; then nothing is written.
    """
    told = {"digest": places.digest, "llmsim": __version__, "runs_a_part": size}
    told |= {"answers_apart": places.apart}
    roots = (places.root, places.answers) if places.apart else (places.root,)
    missing = [root for root in roots if not _begun(root, told)]
    if places.root in missing and len(missing) < len(roots):  # the answers are begun second
        raise FleetError(
            f"{places.answers} has the answers of another data set: give an empty folder."
        )
    for root in missing:
        _put_first(places, root, BEGUN, json_text(told))
        _begun(root, told)


def _begun(root: str, told: dict[str, object]) -> bool:
    """Whether a folder was begun for this fleet, and not if it is still empty.

    Raises FleetError if it was begun for another one, or has other things in it.
    """
    content = read(root, BEGUN)
    if content is None:
        if not is_url(root) and any(_strangers(Path(root))):
            raise FleetError(f"{root} is not empty: give an empty folder, or a new name.")
        return False
    found = understood(content, BEGUN, root, table)
    if found != told and found | {"answers_apart": told["answers_apart"]} == told:
        how = "without" if told["answers_apart"] else "with"
        raise FleetError(
            f"{root} was begun {how} --answers: give the first command again, or an empty folder."
        )
    if found != told:
        raise FleetError(
            f"{root} was begun with another SPEC or another version of llmsim: give an empty"
            " folder, or use the first SPEC and version again."
        )
    return True


def _put_first(places: Places, root: str, name: str, text: str) -> None:
    """Writes a small file of a data set, unless another fleet has been quicker."""
    places.work.mkdir(parents=True, exist_ok=True)
    waiting = places.work / f"{os.getpid()}-{uuid4().hex[:8]}-{name}"
    waiting.write_text(text, encoding="utf-8")
    target = Path(root) / name
    try:
        if is_url(root):
            put(root, name, waiting)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(waiting, target)
    except FileExistsError:
        pass  # the file of the quicker one counts
    except OSError:  # a disk without links, or another disk
        renamed(waiting, target)
    finally:
        waiting.unlink(missing_ok=True)


@contextmanager
def held(places: Places) -> Iterator[None]:
    """Keeps other fleets of this machine out of a data set while this lasts.

    A lock goes with its process, however that ends. Raises FleetError if another fleet has it. At
    a URL there is no lock: there two fleets write the same files, each once.
    """
    if is_url(places.root):
        yield
        return
    with (Path(places.root) / BEGUN).open("rb") as file:
        if not _locked(file.fileno()):
            raise FleetError(
                f"another llmsim fleet is at work in {places.root}: wait until it has ended, stop"
                " it, or give another folder."
            )
        yield


def _locked(number: int) -> bool:
    """Whether an open file is locked for this process; a disk that knows no locks says yes."""
    try:
        import fcntl
    except ImportError:  # as on Windows
        return True
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _strangers(folder: Path) -> list[str]:
    """What is in a folder already, but for what a fleet begins with."""
    try:
        return [each.name for each in folder.iterdir() if each.name not in (WORK, BEGUN)]
    except FileNotFoundError:
        return []
