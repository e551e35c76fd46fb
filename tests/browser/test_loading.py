"""What the page shows before there is anything to play, and when there never will be."""

import re

import pytest
from playwright.sync_api import Route

from tests.browser.visit import Visit, Visitor

pytestmark = pytest.mark.browser


def test_first_paint_says_what_is_loading(visit: Visitor) -> None:
    shown = visit()
    shown.page.route("**/worker.js", lambda _: None)  # never answers
    shown.page.goto(shown.origin, wait_until="domcontentloaded")
    assert shown.page.inner_text("#loading").startswith("$ python -m llmsim")


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("terminal.js", "terminal.js"),
        ("xterm.mjs", "xterm.mjs"),
        ("worker.js", "worker.js"),
        ("fetching.js", "fetching.js"),
        ("files.js", "files.js"),
        ("pyodide.mjs", "pyodide.mjs"),
        ("pyodide.asm.mjs", "pyodide.asm.mjs"),
        ("pyodide.asm.wasm", "pyodide.asm.wasm"),
        ("library.zip", "library.zip"),
    ],
)
def test_missing_file_is_told(visit: Visitor, file: str, named: str) -> None:
    shown = visit()
    shown.page.context.route(f"**/{file}", lambda route: route.fulfill(status=404))
    shown.open()
    assert named in shown.wait_for_failure()


@pytest.mark.parametrize("file", ["worker.js", "library.zip", "pyodide.asm.wasm"])
def test_retry_plays_what_could_not_be_loaded_before(visit: Visitor, file: str) -> None:
    shown = visit()
    shown.page.context.route(f"**/{file}", lambda route: route.fulfill(status=404), times=1)
    shown.open(seed=1)
    shown.wait_for_failure()
    shown.retry()
    shown.wait_for_state("playing")
    assert not shown.page.is_visible("#failure")


def test_dropped_connection_is_told(visit: Visitor) -> None:
    shown = visit()
    shown.page.context.route("**/library.zip", lambda route: route.abort())
    shown.open()
    assert "library.zip could not be fetched" in shown.wait_for_failure()


def test_engine_that_cannot_start_is_told(visit: Visitor) -> None:
    """A rotten one, here; one for which there is no memory takes the same way."""

    def spoil(route: Route) -> None:
        size = len(route.fetch().body())
        route.fulfill(status=200, content_type="application/wasm", body=b"\0" * size)

    shown = visit()
    shown.page.context.route("**/pyodide.asm.wasm", spoil)
    shown.open()
    assert "Python could not be started" in shown.wait_for_failure()


# Before the worker's own code: no memory is given once `starve` is set.
STARVE = """
    const give = WebAssembly.Memory.prototype.grow;
    WebAssembly.Memory.prototype.grow = function (pages) {
      if (self.starve) throw new RangeError("WebAssembly.Memory.grow(): no more");
      return give.call(this, pages);
    };
"""
NO_MEMORY_AT_ALL = """
    WebAssembly.Memory = class extends WebAssembly.Memory {
      constructor() { throw new RangeError("could not allocate memory"); }
    };
"""
# Takes all the memory that Python has, so that the show is left with none.
HOARD = """() => {
    self.starve = true;
    try {
      self.pyodide.runPython(`
    hoard, size = [], 2**24
    while size > 64:
        try:
            hoard.append(bytearray(size))
        except MemoryError:
            size //= 2
    `);
    } catch {}
}"""


def before_worker(shown: Visit, script: str) -> None:
    """Run the script before fetching.js, the worker's first, in this visit's first try."""

    def prefix(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, body=script + response.text())

    shown.page.context.route("**/fetching.js", prefix, times=1)


def test_memory_that_runs_out_is_told_and_retry_plays(visit: Visitor) -> None:
    shown = visit()
    before_worker(shown, STARVE)
    shown.open(seed=1)
    shown.wait_for("transcript.length > 500")
    shown.page.workers[0].evaluate(HOARD)
    assert "no more memory" in shown.wait_for_failure()
    shown.retry()
    shown.wait_for("transcript.length > 500")
    assert not shown.page.is_visible("#failure")


def test_memory_that_is_never_given_is_told_and_retry_plays(visit: Visitor) -> None:
    shown = visit()
    before_worker(shown, NO_MEMORY_AT_ALL)
    shown.open(seed=1)
    assert "no more memory" in shown.wait_for_failure()
    shown.retry()
    shown.wait_for_state("playing")
    assert not shown.page.is_visible("#failure")


def test_blocked_worker_is_told(visit: Visitor) -> None:
    shown = visit()
    shown.page.add_init_script("window.Worker = class { constructor() { throw Error('no'); } }")
    shown.open()
    assert "may not start a worker" in shown.wait_for_failure()


@pytest.mark.parametrize("file", ["library.zip", "pyodide.asm.wasm"])
def test_truncated_file_is_told(visit: Visitor, file: str) -> None:
    def halve(route: Route) -> None:
        response = route.fetch()
        body = response.body()
        kind = response.headers["content-type"]
        route.fulfill(status=200, content_type=kind, body=body[: len(body) // 2])

    shown = visit()
    shown.page.context.route(f"**/{file}", halve)
    shown.open()
    assert f"{file} broke off" in shown.wait_for_failure()


def test_wrong_type_of_wasm_is_told(visit: Visitor) -> None:
    def as_text(route: Route) -> None:
        route.fulfill(status=200, content_type="text/plain", body="\0asm")

    shown = visit()
    shown.page.context.route("**/pyodide.asm.wasm", as_text)
    shown.open()
    assert "served as text/plain" in shown.wait_for_failure()


def test_silence_is_told(visit: Visitor) -> None:
    shown = visit()
    shown.page.clock.install()
    shown.page.context.route("**/pyodide.asm.wasm", lambda _: None)  # never answers
    shown.open()
    shown.wait_for("document.getElementById('progress').textContent.includes('/')")
    shown.page.clock.fast_forward(61_000)
    assert "Nothing has arrived for 60 seconds" in shown.wait_for_failure()


def test_browser_without_webassembly_is_told(visit: Visitor) -> None:
    shown = visit()
    shown.page.add_init_script("delete window.WebAssembly")
    shown.open()
    assert "WebAssembly" in shown.wait_for_failure()


def test_progress_counts_what_is_fetched(visit: Visitor) -> None:
    shown = visit()
    shown.open(seed=1, speed_factor="max", runs=1)
    counted = shown.wait_for("document.getElementById('progress').textContent.includes('Starting')")
    assert counted
    text = shown.page.text_content("#progress") or ""
    assert re.fullmatch(r"Starting Python █{24} \d+\.\d MB", text)
