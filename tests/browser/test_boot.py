"""What the page is made of, and that Python starts from it, in either way."""

import gzip
import json
import re
import shlex
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import pytest

from llmsim.cli.flags import pairs
from llmsim.options.table import OPTIONS
from tests.browser.visit import Visit, Visitor
from tools import build_web, library
from tools.serve import DIST

pytestmark = pytest.mark.browser


START = datetime(2026, 1, 30, 12).isoformat()


def contents(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def in_python(shown: Visit, code: str) -> object:
    """The value of the code's last line in the page's Python."""
    return shown.page.workers[0].evaluate("code => self.pyodide.runPython(code)", code)


def test_same_sources_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Built beside the page, which other tests read meanwhile."""
    monkeypatch.setattr(build_web, "MADE", build_web.ROOT / "build" / "web-again")
    builds = []
    for name in ("one", "other"):
        build_web.prepare()
        build_web.assemble(tmp_path / name)
        builds.append(contents(tmp_path / name))
    assert builds[0] == builds[1]


def test_each_file_is_named_by_its_hash_and_listed() -> None:
    listing = json.loads((DIST / "files.json").read_text(encoding="utf-8"))["files"]
    built = contents(DIST)
    pages = {address for address in built if address.startswith("docs/")}  # of tools/docs_site.py
    assert set(built) - set(listing) - pages == {"files.json"}
    for address, file in listing.items():
        assert file == {"sha256": sha256(built[address]).hexdigest(), "size": len(built[address])}
        if address not in ("index.html", "sw.js"):
            assert address.startswith(file["sha256"][:12])


def test_library_holds_compiled_code_alone_and_is_small() -> None:
    (file,) = DIST.glob("*/library.zip")
    with ZipFile(file) as archive:
        members = archive.infolist()
    assert {member.compress_type for member in members} == {ZIP_STORED}
    assert {Path(member.filename).suffix for member in members} == {".pyc", ".txt", ".marshal"}
    # What travels, as most servers send it: of 4.6 MB for all of the page the engine takes 3.4.
    assert len(gzip.compress(file.read_bytes())) < 1.0e6


def test_engine_has_what_the_page_reaches_alone() -> None:
    """Pyodide's own is 9.6 and 1.25 MB."""
    sizes = {"pyodide.asm.wasm": 8.8e6, "pyodide.asm.mjs": 0.4e6}
    for name, size in sizes.items():
        (file,) = DIST.glob(f"*/{name}")
        assert file.stat().st_size < size


def test_tracebacks_of_our_own_code_have_lines(visit: Visitor) -> None:
    shown = visit()
    shown.open(seed=1)
    shown.wait_for_state("playing")
    told = in_python(
        shown,
        """
        import traceback
        from llmsim.planning.plan import plan
        try:
            plan(None)
        except Exception:
            told = traceback.format_exc()
        told
        """,
    )
    assert re.search(r'llmsim/planning/plan\.py", line [1-9]', str(told))


def test_everything_that_the_package_can_import_is_there(visit: Visitor) -> None:
    shown = visit()
    shown.open(seed=1)
    shown.wait_for_state("playing")
    failed = in_python(
        shown,
        f"""
        failed = []
        for line in {library.import_lines()!r}:
            try:
                exec(line, {{}})
            except ImportError as error:
                failed.append(f"{{line}}: {{error}}")
        "; ".join(failed)
        """,
    )
    assert failed == ""


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("1/0", "ZeroDivisionError"),
        ("asyncioo", "NameError"),
        ("if", "SyntaxError"),
        ("import asyncio; raise asyncio.CancelledError", "CancelledError"),
        ("raise ExceptionGroup('a', [ValueError('b')])", "ExceptionGroup"),
        ("'\\udcff'.encode()", "UnicodeEncodeError"),
        ("b'\\xff'.decode('ascii')", "UnicodeDecodeError"),
    ],
)
def test_errors_are_told_as_python_tells_them(visit: Visitor, code: str, told: str) -> None:
    shown = visit()
    shown.open(seed=1)
    shown.wait_for_state("playing")
    script = "code => { try { self.pyodide.runPython(code) } catch (error) { return `${error}` } }"
    text = shown.page.workers[0].evaluate(script, code)
    assert told in text
    assert "Traceback" in text
    assert "No module named" not in text


@pytest.mark.parametrize("boot", ["library", "micropip"])
def test_both_boots_play_the_same(visit: Visitor, boot: str) -> None:
    shown = visit()
    asked = {"seed": 5, "start": START, "speed_factor": "max", "runs": 1}
    shown.open(**asked, boot=boot)
    shown.wait_for_state("ended", seconds=120)
    other = visit()
    other.open(**asked)
    other.wait_for_state("ended")
    assert shown.transcript == other.transcript
    assert shown.complaints == []
    assert shown.origins == {shown.origin}
    origin = in_python(shown, "import llmsim; llmsim.__file__")
    assert ("site-packages" in str(origin)) == (boot == "micropip")


def test_command_is_typed_and_stays(visit: Visitor) -> None:
    """Above the log, where no board takes the whole window, and the window holds the launch."""
    shown = visit(height=2000)
    shown.open(seed=5, start=START, model="ButtGPT-7B", view="log")
    shown.wait_for_state("playing")
    typed = shown.page.text_content("#loading .command")
    assert typed == f"python -m llmsim --seed 5 --start {START} --model ButtGPT-7B --view log"
    shown.wait_for_state("playing")
    shown.wait_for("document.querySelectorAll('.xterm-rows > div')[1].textContent.trim()")
    assert shown.rows[0].rstrip() == f"$ {typed}"


def test_typed_command_means_the_same_in_a_shell(visit: Visitor) -> None:
    switches = {option.name: "yes" for option in OPTIONS if option.in_url and not option.metavar}
    query: dict[str, object] = {"model": "it's 7B", "gpus": 8, "seed": 5, **switches}
    shown = visit()
    shown.open(**query)
    shown.wait_for_state("playing")
    typed = shown.page.text_content("#loading .command") or ""
    program, module, name, *words = shlex.split(typed)
    assert [program, module, name] == ["python", "-m", "llmsim"]
    assert dict(pairs(words)) == {name: str(value) for name, value in query.items()}


def test_command_cannot_speak_to_the_terminal_or_the_page(visit: Visitor) -> None:
    shown = visit()
    shown.open(model="\x1b]0;owned\x07\x1b[2J<img src=x onerror=fail()>'; rm -rf /", seed=1)
    shown.wait_for_state("playing")
    typed = shown.page.text_content("#loading .command") or ""
    assert typed.isprintable()
    assert typed.startswith(
        "python -m llmsim --model ']0;owned[2J<img src=x onerror=fail()>'\\''; "
    )
    shown.wait_for_state("playing")
    assert "\x1b]" not in shown.transcript
    assert shown.page.query_selector_all("img") == []
    assert re.fullmatch(r"([a-z]+ \d+% · )?llmsim", shown.page.title())
