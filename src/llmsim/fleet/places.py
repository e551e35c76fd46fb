"""Where a data set is: a folder of this machine, or a URL that fsspec knows.

    DEST/runs, steps, samples, ...   Parquet files and nothing else
    DEST/files/KIND/                 exports of single runs
    DEST/_work/                      what is being written; nobody reads it
    DEST/_parts/part-00042.json      the mark of a part that is whole
    DEST/_parts/TABLE/               files of parts that wait to be joined (fleet/joining.py)
    DEST/_fleet.json                 what the data set was begun with

Here a file gets its place by a rename. An object store has none: there a file is put under its
name at once, on condition that nobody has put it before, and the mark follows.
"""

import json
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from llmsim import __version__
from llmsim.errors import LlmsimError
from llmsim.fleet.rows import json_text
from llmsim.typed import Any, NamedTuple

BEGUN = "_fleet.json"
PARTS = "_parts"
WORK = "_work"
DONE = "_SUCCESS"
_MANY = 64  # files of a part, above which one wait for the whole disk is shorter
# Stores in which a put is whole or nothing, and a rename is a copy.
_OBJECTS = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "memory")


class FleetError(LlmsimError):
    """A fleet cannot be made here; one sentence for a person."""


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

    def mark(self, number: int) -> dict[str, Any] | None:
        """The mark of a part, or None if it is not whole yet. Raises FleetError for another's."""
        content = read(self.marks, mark_name(number))
        if content is None:
            return None
        told = table_in(content, mark_name(number), self.marks)
        if told.get("digest") != self.digest:
            raise FleetError(f"{self.marks} has parts of another fleet: give an empty folder.")
        return told

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


def is_url(root: str) -> bool:
    """Whether a place is a URL, and not a path."""
    return "://" in root


def place_of(text: str) -> str:
    """A place as it is kept: a URL without a slash at its end, or a whole path."""
    text = text.removeprefix("file://")
    return text.rstrip("/") if is_url(text) else str(Path(text).absolute())


def _file_system(root: str) -> tuple[Any, str]:
    """fsspec's file system for a URL, and the path in it."""
    try:
        from fsspec.core import url_to_fs

        found: tuple[Any, str] = url_to_fs(root)
    except ImportError as error:
        raise FleetError(
            f"{root} needs {error.name or 'a package'}: pip install 'llmsim[fleet]'"
            " and what that kind of URL needs."
        ) from None
    except ValueError as error:
        raise FleetError(f"{root} cannot be used: {error}.") from None
    return found


def read(root: str, name: str) -> bytes | None:
    """The bytes of a file of a data set; None if it is not there."""
    try:
        if is_url(root):
            system, path = _file_system(root)
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
        _renamed(source, target)
        return
    system, path = _file_system(root)
    target_path = f"{path}/{name}"
    protocol = system.protocol if isinstance(system.protocol, str) else system.protocol[0]
    if protocol in _OBJECTS:
        with suppress(FileExistsError):  # another worker has put the same bytes there
            system.pipe_file(target_path, source.read_bytes(), mode="create")
        return
    waiting = f"{path}/{WORK}/{source.parent.name}-{source.name}"
    system.makedirs(waiting.rpartition("/")[0], exist_ok=True)
    system.makedirs(target_path.rpartition("/")[0], exist_ok=True)
    system.put_file(str(source), waiting)
    system.mv(waiting, target_path)


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
    system, path = _file_system(root)
    with suppress(FileNotFoundError):
        system.rm_file(f"{path}/{name}")


def remove_folder(root: str, name: str) -> None:
    """Removes a folder of a data set with all that is in it, if it is there."""
    if not is_url(root):
        shutil.rmtree(Path(root) / name, ignore_errors=True)
        return
    system, path = _file_system(root)
    with suppress(FileNotFoundError):
        system.rm(f"{path}/{name}", recursive=True)


def _renamed(source: Path, target: Path) -> None:
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
        system, path = _file_system(root)
        system.pipe_file(f"{path}/{name}", content)
        return
    places.work.mkdir(parents=True, exist_ok=True)
    waiting = places.work / f"{os.getpid()}-{name.replace('/', '-')}"
    waiting.write_bytes(content)
    target = Path(root) / name
    target.parent.mkdir(parents=True, exist_ok=True)
    _renamed(waiting, target)


def table_in(content: bytes, name: str, root: str) -> dict[str, Any]:
    """The JSON object in a file of a fleet's own. Raises FleetError if the file has another."""
    try:
        told = json.loads(content)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise FleetError(
            f"{name} in {root} is not as llmsim fleet writes it: remove that file, and what it"
            " speaks of is made anew, or give an empty folder."
        )
    return told


def begin(places: Places, size: int) -> None:
    """Makes the data set's folder, or takes it up again where it was left.

    Raises FleetError if another fleet is there, or something else.
    """
    told = {"digest": places.digest, "llmsim": __version__, "runs_a_part": size}
    told |= {"answers_apart": places.apart}
    if (content := read(places.root, BEGUN)) is not None:
        if table_in(content, BEGUN, places.root) != told:
            raise FleetError(
                f"{places.root} was begun with another SPEC or another version of llmsim: give"
                " an empty folder, or the SPEC it was begun with."
            )
        return
    if not is_url(places.root) and any(_strangers(Path(places.root))):
        raise FleetError(f"{places.root} is not empty: give a folder that is, or a new name.")
    put_text(places, places.root, BEGUN, json_text(told))


def _strangers(folder: Path) -> list[str]:
    """What is in a folder already, but for our own scratch."""
    try:
        return [each.name for each in folder.iterdir() if each.name != WORK]
    except FileNotFoundError:
        return []


def marked(places: Places) -> list[int]:
    """The numbers of the parts that are whole, by one look at the folder of marks."""
    if is_url(places.marks):
        system, path = _file_system(places.marks)
        try:
            names = [str(each).rpartition("/")[2] for each in system.ls(f"{path}/{PARTS}", False)]
        except FileNotFoundError:
            names = []
    else:
        folder = Path(places.marks) / PARTS
        names = [each.name for each in folder.iterdir()] if folder.is_dir() else []
    marks = [name for name in names if name.startswith("part-") and name.endswith(".json")]
    return sorted(int(name[5:-5]) for name in marks)


def sweep(places: Places) -> None:
    """Removes what a killed fleet has left in the folder for unfinished work."""
    shutil.rmtree(places.work, ignore_errors=True)


def free_bytes(root: str) -> int | None:
    """The room on the disk of a path; None for a URL."""
    if is_url(root):
        return None
    folder = Path(root).absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
