"""Where a data set is: a folder of this machine, or a URL that fsspec knows.

    DEST/runs, steps, samples, ...   Parquet files and nothing else
    DEST/files/KIND/                 exports of single runs
    DEST/_work/                      what is being written; nobody reads it
    DEST/_parts/part-00042.json      the mark of a part that is whole
    DEST/_parts/TABLE/               files of parts that wait to be joined (fleet/joining.py)
    DEST/_fleet.json                 what the data set was begun with; the answers have it, too

Here a file gets its place by a rename. An object store has none: there a file is put under its
name at once, on condition that nobody has put it before, and the mark follows.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from llmsim.fleet.stores import FleetError, is_url, opened
from llmsim.typed import Any, NamedTuple

BEGUN = "_fleet.json"
PARTS = "_parts"
WORK = "_work"
DONE = "_SUCCESS"
_MANY = 64  # files of a part, above which one wait for the whole disk is shorter
# Stores in which a put is whole or nothing, and a rename is a copy.
_OBJECTS = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "memory")


class Places(NamedTuple):
    """Where the parts of a data set are written; each worker has it."""

    root: str  # a path or a URL, without a slash at its end
    answers: str  # the same for what tells; "" leaves it in the data set
    digest: str  # the hash of the SPEC and of this version
    scratch: str = ""  # a folder of this machine, if the data set is at a URL

    @property
    def apart(self) -> bool:
        """Whether labels and what else tells go to a folder of their own."""
        return bool(self.answers)

    @property
    def work(self) -> Path:
        """The folder for what is being written: on the same file system, if there is one."""
        if is_url(self.root):
            return Path(self.scratch or tempfile.gettempdir()) / f"llmsim-{self.digest[:12]}"
        return Path(self.root) / WORK

    @property
    def marks(self) -> str:
        """Where the marks of the parts are: with the answers, since they name seeds."""
        return self.answers or self.root

    def mark(self, number: int, made: Callable[[dict[str, Any]], Any] = dict) -> Any:
        """What `made` makes of the mark of a part; None if the part is not whole yet.

        Raises FleetError for a mark that is damaged, or another fleet's.
        """
        name = mark_name(number)
        content = read(self.marks, name)
        if content is None:
            return None

        def ours(told: Any) -> Any:
            if table(told).get("digest") != self.digest:
                raise FleetError(f"{self.marks} has parts of another fleet: give an empty folder.")
            return made(told)

        return understood(content, name, self.marks, ours)

    def store(self, number: int, work: Path, mark: Any) -> None:
        """Moves a part's files to their places, and then sets its mark."""
        for folder, root in (("data", self.root), ("answers", self.answers)):
            made, written = work / folder, list[str]()
            for path in sorted(each for each in made.rglob("*") if each.is_file()):
                name = path.relative_to(made).as_posix()
                put(root, name, path)
                written.append(name)
            settle(root, written)  # the mark must not outlive the files in a power cut
        told = work / "mark.json"
        told.write_text(json.dumps(mark._asdict(), separators=(",", ":")), encoding="utf-8")
        put(self.marks, mark_name(number), told)


def settle(root: str, names: list[str]) -> None:
    """Waits until files and their names are on the disk: of many, until all that there is is."""
    if is_url(root):
        return
    files = [Path(root) / name for name in names]
    if len(files) > _MANY:
        os.sync()
        return
    for path in (*files, *sorted({file.parent for file in files})):
        number = os.open(path, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def mark_name(number: int) -> str:
    """The path of a part's mark in its data set."""
    return f"{PARTS}/part-{number:05d}.json"


def place_of(text: str) -> str:
    """A place as it is kept: a URL without a slash at its end, or a whole path."""
    text = text.removeprefix("file://")
    return text.rstrip("/") if is_url(text) else str(Path(text).absolute())


def read(root: str, name: str) -> bytes | None:
    """The bytes of a file of a data set; None if it is not there."""
    try:
        if is_url(root):
            with opened(root) as (system, path):
                content: bytes = system.cat_file(f"{path}/{name}")
            return content
        return (Path(root) / name).read_bytes()
    except FileNotFoundError:
        return None


def put(root: str, name: str, source: Path) -> None:
    """Gives a file its place in a data set; a second writer of the same file changes nothing."""
    if not is_url(root):
        target = Path(root) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        renamed(source, target)
        return
    with opened(root) as (system, path):
        target_path = f"{path}/{name}"
        if _is_object_store(system):
            with suppress(FileExistsError):  # another worker has put the same bytes there
                system.pipe_file(target_path, source.read_bytes(), mode="create")
            return
        waiting = f"{path}/{WORK}/{source.parent.name}-{source.name}"
        system.makedirs(waiting.rpartition("/")[0], exist_ok=True)
        system.makedirs(target_path.rpartition("/")[0], exist_ok=True)
        system.put_file(str(source), waiting)
        system.mv(waiting, target_path)


def _is_object_store(system: Any) -> bool:
    protocol = system.protocol if isinstance(system.protocol, str) else system.protocol[0]
    return protocol in _OBJECTS


def moved(root: str, name: str, to: str) -> bool:
    """Gives a file of a data set another name. False where there is no rename, or no file."""
    if is_url(root) or not (Path(root) / name).exists():
        return False
    target = Path(root) / to
    target.parent.mkdir(parents=True, exist_ok=True)
    (Path(root) / name).replace(target)
    return True


def remove(root: str, name: str) -> None:
    """Removes a file of a data set, if it is there."""
    if not is_url(root):
        (Path(root) / name).unlink(missing_ok=True)
        return
    with suppress(FileNotFoundError), opened(root) as (system, path):
        system.rm_file(f"{path}/{name}")


def remove_folder(root: str, name: str) -> None:
    """Removes a folder of a data set with all that is in it, if it is there."""
    if not is_url(root):
        shutil.rmtree(Path(root) / name, ignore_errors=True)
        return
    with suppress(FileNotFoundError), opened(root) as (system, path):
        system.rm(f"{path}/{name}", recursive=True)


def renamed(source: Path, target: Path) -> None:
    """Moves a file; from another file system it is copied beside its place first."""
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != 18:  # EXDEV: answers may be on another disk
            raise
        beside = target.with_name(f".{source.parent.parent.name}-{target.name}")
        shutil.copyfile(source, beside)
        beside.replace(target)


def put_text(places: Places, root: str, name: str, text: str | bytes) -> None:
    """Writes a small file of a data set at once; it takes the place of an older one."""
    content = text.encode() if isinstance(text, str) else text
    if is_url(root):
        with opened(root) as (system, path):
            system.pipe_file(f"{path}/{name}", content)
        return
    places.work.mkdir(parents=True, exist_ok=True)
    waiting = places.work / f"{os.getpid()}-{name.replace('/', '-')}"
    waiting.write_bytes(content)
    target = Path(root) / name
    target.parent.mkdir(parents=True, exist_ok=True)
    renamed(waiting, target)


def table(told: Any) -> dict[str, Any]:
    """A JSON object as it was read. Raises TypeError for anything else."""
    if not isinstance(told, dict):
        raise TypeError
    return told


def understood(content: bytes, name: str, root: str, made: Callable[[Any], Any]) -> Any:
    """What `made` makes of the JSON in a file of a fleet's own.

    Raises FleetError where the file is damaged, so that `made` cannot use it.
    """
    try:
        return made(json.loads(content))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise FleetError(
            f"{name} in {root} is not as llmsim fleet writes it: remove that file, and its part"
            " is made anew, or give an empty folder."
        ) from None


def marked(places: Places) -> list[int]:
    """The numbers of the parts that are whole, by one look at the folder of marks."""
    if is_url(places.marks):
        names = list[str]()
        with suppress(FileNotFoundError), opened(places.marks) as (system, path):
            names = [str(each).rpartition("/")[2] for each in system.ls(f"{path}/{PARTS}", False)]
    else:
        folder = Path(places.marks) / PARTS
        names = [each.name for each in folder.iterdir()] if folder.is_dir() else []
    marks = [name for name in names if name.startswith("part-") and name.endswith(".json")]
    return sorted(int(name[5:-5]) for name in marks if name[5:-5].isdigit())


def sweep(places: Places) -> None:
    """Removes the folder for unfinished work; of a URL another fleet may still have it here."""
    if is_url(places.root):
        with suppress(OSError):
            places.work.rmdir()
    else:
        shutil.rmtree(places.work, ignore_errors=True)


def free_bytes(root: str) -> int | None:
    """The room on the disk of a path; None for a URL."""
    if is_url(root):
        return None
    folder = Path(root).absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
