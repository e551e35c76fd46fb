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


def _used() -> list[str]:
    """The files of Python's own archive in use; the rest of its library is in the interpreter."""
    specs = (getattr(module, "__spec__", None) for module in sys.modules.values())
    files = (spec.origin or "" for spec in specs if spec)
    return [file.removeprefix(STDLIB) for file in files if file.startswith(STDLIB)]


async def main(modules: Iterable[str], importable: Iterable[str], target: str) -> None:
    """Import all that is importable, play, and write what that took to the target."""
    for name in importable:
        import_module(name)
    await _play_and_fail()
    _write(_used(), modules, target)


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
    import py_compile
    from pathlib import Path

    file, target = Path("/tmp/module.py"), Path("/tmp/module.pyc")
    file.write_bytes(source)
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    place = f"{STDLIB}{path}"  # for tracebacks
    py_compile.compile(
        str(file), str(target), place, doraise=True, optimize=2, invalidation_mode=unchecked
    )
    return target.read_bytes()
