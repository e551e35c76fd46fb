"""Makes the page's library, inside Pyodide: tools/make_library.mjs calls main().

The library is all the Python that a boot of the page needs: llmsim, its lists, and of
Python's own library the modules that are in use. They are found by using them. All is
compiled by the very Python that will run it, as .pyc files that it takes without a question
(PEP 552), at -O2, in a zip archive without compression: the server's is better.
"""

import asyncio
import sys
from collections.abc import Iterable
from importlib import import_module

STDLIB = "/lib/python314.zip/"  # where Pyodide puts the archive, be it its own or ours
PROJECT = "/project/"
QUERIES: tuple[dict[str, str], ...] = (
    {"speed-factor": "max", "runs": "1"},
    {"speed-factor": "max", "runs": "2", "exit-after-time": "0.1s"},
    {"gpus": "x", "modle": "y", "model": "no", "duration": "1h5", "start": "?", "dialect": "pyt"},
)


async def _play_and_fail() -> None:
    """Go where a show can go."""
    from llmsim.hosts.browser import Page, main

    for query in QUERIES:
        page = Page(lambda _text, size: page.drawn(size), 80, 24)  # noqa: B023  # called in this turn
        show = asyncio.ensure_future(main(query.items(), page))
        await asyncio.sleep(0.5)
        page.stop()
        await asyncio.wait([show])
        show.cancelled() or show.exception()


def _used() -> list[tuple[str, str]]:
    """Of the modules that have been imported, those that are in Python's own archive."""
    found = set()
    for name, module in [*sys.modules.items()]:
        origin = getattr(getattr(module, "__spec__", None), "origin", None) or ""
        if origin.startswith(STDLIB) and name not in ("__main__", __name__):
            found.add((origin.removeprefix(STDLIB), "stdlib"))
    return sorted(found)


async def main(modules: Iterable[str], importable: Iterable[str], target: str) -> None:
    """Import all that is importable, play, and write what that took to the target."""
    for name in importable:
        import_module(name)
    await _play_and_fail()
    stdlib = [path for path, _ in _used()]
    _write(stdlib, [*modules], target)


def _write(stdlib: Iterable[str], modules: Iterable[str], target: str) -> None:
    """The archive: the same bytes for the same sources."""
    from pathlib import Path
    from zipfile import ZipFile, ZipInfo

    members: dict[str, bytes] = {}
    with ZipFile(STDLIB.rstrip("/")) as archive:
        for path in stdlib:
            members[f"{path}c"] = _compiled(archive.read(path), path)
    for name in modules:
        file = Path(sys.modules[name].__file__ or "")
        path = str(file.relative_to(f"{PROJECT}src"))
        members[f"{path}c"] = _compiled(file.read_bytes(), path)
    for file in Path(f"{PROJECT}data").glob("*.txt"):
        members[f"llmsim/data/{file.name}"] = file.read_bytes()
    with ZipFile(target, "w") as archive:
        for path in sorted(members):
            archive.writestr(ZipInfo(path), members[path])


def _compiled(source: bytes, path: str) -> bytes:
    from pathlib import Path
    from py_compile import PycInvalidationMode, compile

    file = Path("/tmp/module.py")
    file.write_bytes(source)
    mode = PycInvalidationMode.UNCHECKED_HASH
    compiled = compile(file, f"{file}c", f"{STDLIB}{path}", True, 2, mode)
    return Path(compiled or "").read_bytes()
