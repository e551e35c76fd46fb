"""Build the page into web/dist: the same bytes for the same sources.

Each file stands in a folder that is named by its hash, so that what an address means never
changes and a cache may keep it for ever: web/dist/<hash>/main.js. The exceptions are those
whose addresses people and browsers keep: index.html and the service worker. web/dist/files.json
lists everything, but the pages of web/dist/docs, which a show does not need.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from math import log2
from pathlib import Path

from llmsim.catalog.scenes import scenes
from llmsim.hosts.keys import KEYS
from llmsim.options.choices import choices, closed
from llmsim.options.table import OPTIONS
from llmsim.show.playback import FASTEST, SKIP, SLOWEST
from llmsim.text.themes import THEMES
from tools import docs_site, engine, library
from tools.page_parameters import OWN
from tools.prelude import prelude
from tools.short_scripts import shortened

ROOT = library.ROOT
WEB = ROOT / "web"
DIST = WEB / "dist"
PACKAGES = WEB / "node_modules"
MADE = ROOT / "build" / "web"  # what is made rather than copied

VENDOR = (
    "@xterm/addon-fit/lib/addon-fit.mjs",
    "@xterm/addon-webgl/lib/addon-webgl.mjs",
    "@xterm/xterm/css/xterm.css",
    "@xterm/xterm/lib/xterm.mjs",
    "pyodide/pyodide.mjs",
    "pyodide/pyodide.asm.mjs",
    "pyodide/pyodide.asm.wasm",
    "pyodide/pyodide-lock.json",
    "pyodide/python_stdlib.zip",
)
# What the worker fetches in each of its ways to start Python: see web/worker.js.
PYODIDE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm")
LIBRARY = (*PYODIDE, "library.zip")
LATER = "later.bin"  # what the worker fetches when somebody asks for a file
STOCK = (*PYODIDE, "pyodide-lock.json", "python_stdlib.zip")  # and two wheels

TEXTS = (".css", ".html", ".js", ".webmanifest")  # the page's own files, which name each other
ADDRESS = re.compile(r'"\./(?:vendor/)?([\w.-]+\.\w+)"')  # "./main.js", "./vendor/xterm.mjs"
# What index.html has inside it, so that nothing that does not arrive can hold it up.
STYLE = re.compile(r'<link rel="stylesheet" href="\./(?:vendor/)?([\w.-]+)" />')
SCRIPT = re.compile(r'<script src="\./([\w.-]+)"></script>')
# A comment on lines of its own in what index.html has inside it, and in itself: it is not served.
COMMENT = re.compile(
    r"^ *(?://.*|/\*(?:(?!\*/)[\s\S])*\*/|<!--(?:(?!-->)[\s\S])*-->)\n", re.MULTILINE
)
POLICY = "script-src 'self'"
PICTURE = re.compile(r'(<meta property="og:image" content=")\./')
# Where the page is going to be, for those who draw a preview of it: they take whole addresses only.
SITE = os.environ.get("SITE", "")
# What a visit without a network does without.
NOT_KEPT = (".whl", "/preview.png", "/source.tar.gz")

# xterm.js gives text more contrast, but not to boxes and blocks, which are pictures; so is braille.
DRAWN = re.compile(rb"return 9472<=(\w)&&\1<=9631(?=})")
WITH_BRAILLE = rb"return 9472<=\1&&\1<=9631||10240<=\1&&\1<=10495"
TERMINALS = ("xterm.mjs", "addon-webgl.mjs")

# The speeds that the buttons lead to, and without a wait.
DOUBLINGS = range(round(log2(SLOWEST)), round(log2(FASTEST)) + 1)
SPEEDS = (*(f"{2.0**power:g}" for power in DOUBLINGS), "max")

# Options of a show that do not say what is seen of a run at a moment of it.
OF_MANY = ("runs", "exit-after-time", "scene")
# What most visitors choose: the settings have it first, and the rest in a fold.
FIRST = (
    "model", "gpu", "gpus", "recipe", "dialect", "duration", "view", "theme", "incident",
    "speed-factor",
)  # fmt: skip

PAGE_ACTIONS = {"quit": "stop"}  # a page has no shell to go back to
PAGE_KEYS = {"?": "help", "t": "theme"}  # a terminal shows its keys at the bottom


class Site:
    """The files to serve: `placed` has the content of each by its address."""

    def __init__(self, sources: dict[str, Path]) -> None:
        """Sources by name; nothing is placed yet."""
        self.sources = sources
        scripts = {name: file for name, file in sources.items() if file.parent == WEB}
        self._short = shortened(
            {
                name: file.read_text(encoding="utf-8")
                for name, file in scripts.items()
                if file.suffix == ".js"
            }
        )
        self.placed: dict[str, bytes] = {}

    def content(self, name: str) -> bytes:
        """A file as it is served: what it names is placed, and named by its address."""
        file = self.sources[name]
        if name in TERMINALS:
            return with_braille(file.read_bytes())
        if file.suffix not in TEXTS or PACKAGES in file.parents:
            return file.read_bytes()
        text = self._short.get(name) or self._text(name)
        return ADDRESS.sub(lambda found: f'"../{self.place(found[1])}"', text).encode()

    def page(self) -> bytes:
        """index.html, with its styles and its first script inside it."""
        text = self._text("index.html")
        text = STYLE.sub(lambda found: f"<style>\n{self._text(found[1])}</style>", text)
        if found := SCRIPT.search(text):
            script = f"\n{self._text(found[1])}"
            digest = _base64(sha256(script.encode()).digest())
            text = text.replace(found[0], f"<script>{script}</script>")
            text = text.replace(POLICY, f"{POLICY} 'sha256-{digest}'", 1)
        text = ADDRESS.sub(lambda found: f'"./{self.place(found[1])}"', text)
        return PICTURE.sub(rf"\g<1>{SITE.rstrip('/')}/" if SITE else r"\g<0>", text).encode()

    def _text(self, name: str) -> str:
        """What a file of text says, without its comments; other projects' files are left whole."""
        file = self.sources[name]
        text = file.read_text(encoding="utf-8")
        return text if PACKAGES in file.parents else COMMENT.sub("", text)

    def place(self, name: str) -> str:
        """Give a file its address."""
        content = self.content(name)
        address = f"{sha256(content).hexdigest()[:12]}/{name}"
        self.placed[address] = content
        return address

    def listing(self) -> dict[str, dict[str, str | int]]:
        """Every file's hash and size, by its address."""
        return {
            address: {"sha256": sha256(content).hexdigest(), "size": len(content)}
            for address, content in sorted(self.placed.items())
        }


def with_braille(program: bytes) -> bytes:
    """A program of xterm.js that draws curves of braille in the colours that they are given."""
    changed, count = DRAWN.subn(WITH_BRAILLE, program)
    if count != 1:
        raise ValueError("xterm.js has changed: see DRAWN in tools/build_web.py")
    return changed


def build_wheels() -> None:
    """The package's wheel, and micropip's: what `?boot=micropip` needs."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    # The build backend is in the extra `web` already: no environment of its own, no download.
    options = ["--no-deps", "--no-build-isolation", "--wheel-dir", str(MADE)]
    subprocess.run([*pip, "wheel", str(ROOT), *options], check=True)
    options = ["--no-deps", "--only-binary=:all:", "--python-version=3.14", "--dest", str(MADE)]
    subprocess.run([*pip, "download", *options, "-r", str(WEB / "micropip.txt")], check=True)


def build_source() -> None:
    """All of the project's source, for those who ask for it."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory"]
    folder = MADE / "source"
    subprocess.run([*command, str(folder)], check=True, cwd=ROOT, capture_output=True)
    (made,) = folder.iterdir()
    made.rename(MADE / "source.tar.gz")
    folder.rmdir()


def sources() -> dict[str, Path]:
    """Every file that may be served, by its name."""
    own = [file for file in WEB.glob("*.*") if file.suffix in (*TEXTS, ".svg", ".png")]
    vendor = [PACKAGES / name for name in VENDOR]
    return {file.name: file for file in (*own, *vendor, *MADE.iterdir())}


def module(constants: Mapping[str, object]) -> str:
    """A JavaScript module that exports these constants."""
    lines = [f"export const {name} = {json.dumps(value)};\n" for name, value in constants.items()]
    return "".join(lines)


def tables() -> dict[str, object]:
    """What the page's code needs of Python's tables; web/tables.d.ts has the types."""
    named = {sign.lower(): key for key in KEYS for sign in key.characters if sign.isprintable()}
    named |= {key.browser: key for key in KEYS if key.browser}
    return {
        "KEYS": PAGE_KEYS
        | {sign: PAGE_ACTIONS.get(key.name, key.name) for sign, key in named.items()},
        "SLOWEST": SLOWEST,
        "FASTEST": FASTEST,
        "OPTIONS": [option.name for option in OPTIONS if option.in_url],
        "OWN": [name for name, _, _ in OWN],
        "SHOWN": [
            option.name
            for option in OPTIONS
            if option.in_url and not option.names_job and option.name not in OF_MANY
        ],
        "SKIP": SKIP,
        "THEMES": THEMES[1:],
        "SWITCHES": [option.name for option in OPTIONS if option.in_url and not option.metavar],
    }


def write_files_module(site: Site) -> None:
    """web/dist's files.js tells the worker where its files are, and how long."""
    wheels = sorted(name for name in site.sources if name.endswith(".whl"))
    boots = {"library": LIBRARY, "micropip": (*STOCK, *wheels)}
    names = sorted({LATER, *(name for boot in boots.values() for name in boot)})
    files = {
        name: {"url": f"../{site.place(name)}", "size": site.sources[name].stat().st_size}
        for name in names
    }
    info = json.loads(site.content("pyodide-lock.json"))["info"]
    lock = json.dumps({"info": info, "packages": {}})
    constants = {"files": files, "boots": boots, "lock": lock}
    (MADE / "files.js").write_text(module(constants), encoding="utf-8")
    site.sources["files.js"] = MADE / "files.js"


def service_worker(site: Site) -> bytes:
    """The service worker, with the list of all that a visit needs: what only STOCK has is not."""
    files = {
        "./" if address == "index.html" else address: f"sha256-{_base64(sha256(content).digest())}"
        for address, content in sorted(site.placed.items())
        if not address.endswith((*NOT_KEPT, *STOCK[len(PYODIDE) :]))
    }
    digest = sha256(json.dumps(files).encode() + site.content("sw.js")).hexdigest()
    build = {"id": digest[:12], "page": "./", "files": files}
    return f"const build = {json.dumps(build, indent=1)};\n\n".encode() + site.content("sw.js")


def _base64(digest: bytes) -> str:
    return b64encode(digest).decode()


def options_of_the_page() -> Iterator[dict[str, object]]:
    """The rows of the settings, those of FIRST first; web/settings.js has their types. The theme is
    the page's own.
    """
    order = {name: place for place, name in enumerate(FIRST)}
    for option in sorted(OPTIONS, key=lambda option: order.get(option.name, len(FIRST))):
        if option.in_url or option.name == "theme":
            names = choices(option.name) if option.metavar else ("no", "yes")
            yield {
                "name": option.name,
                "meaning": option.meaning.partition(", from --list")[0],  # a page has no --list
                "preset": option.page_default or option.default,
                "choices": SPEEDS if option.name == "speed-factor" else names,
                "closed": option.name == "speed-factor"
                or not option.metavar
                or closed(option.name),
                "first": option.name in FIRST,
            }


def write_options() -> None:
    """The table of options, for the form of the settings."""
    rows = list(options_of_the_page())
    (MADE / "options.json").write_text(json.dumps(rows), encoding="utf-8")


def write_scenes() -> None:
    """The list of scenes, for the dialog in which one is chosen."""
    rows = [{"name": scene.name, "sentence": scene.sentence} for scene in scenes()]
    (MADE / "scenes.json").write_text(json.dumps(rows), encoding="utf-8")


def prepare() -> None:
    """Make what is not in the sources."""
    shutil.rmtree(MADE, ignore_errors=True)
    MADE.mkdir(parents=True)
    engine.make(MADE)
    library.make(MADE / "library.zip", MADE / LATER)
    write_options()
    write_scenes()
    (MADE / "tables.js").write_text(module(tables()), encoding="utf-8")
    (MADE / "prelude.json").write_text(prelude(), encoding="ascii")
    build_wheels()
    build_source()


def assemble(target: Path) -> None:
    """Put everything where it is to be served."""
    site = Site(sources())
    write_files_module(site)
    site.placed["index.html"] = site.page()
    site.placed["sw.js"] = service_worker(site)
    site.placed["files.json"] = json.dumps({"files": site.listing()}, indent=1).encode()
    shutil.rmtree(target, ignore_errors=True)
    for address, content in site.placed.items():
        (target / address).parent.mkdir(parents=True, exist_ok=True)
        (target / address).write_bytes(content)
    size = sum(map(len, site.placed.values()))
    print(f"page: {target}, {len(site.placed)} files, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    prepare()
    assemble(DIST)
    docs_site.build(DIST / "docs")
