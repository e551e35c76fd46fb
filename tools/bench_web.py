"""Measure the built page in Chromium: `make bench-web`. Fails when a figure is above its limit.

Times are medians of cold contexts, bare and ours in turn, so that both meet the same machine.
"bare" is a module worker that starts stock Pyodide and prints one line: see BARE.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from threading import Thread
from typing import NamedTuple

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tools.browser import launch
from tools.build_web import PACKAGES, STOCK
from tools.serve import DIST, compressed, server

ROUNDS = 9
PLAYING = 30  # seconds at speed 1 to look for long tasks in
RUNS = 30
SETTLING = 500  # ms in which a new window ends its own start, which is not the page's

BARE = {
    "index.html": """<!doctype html><title>bare</title><pre id="text"></pre>
        <script type="module">
          const worker = new Worker("worker.js", { type: "module" });
          worker.onmessage = ({ data }) => document.getElementById("text").append(data);
        </script>""",
    "worker.js": """import { loadPyodide } from "./pyodide.mjs";
        const pyodide = await loadPyodide();
        pyodide.setStdout({ batched: (text) => postMessage(text) });
        pyodide.runPython("print('one line')");""",
}
BARE_TEXT = "document.getElementById('text')?.textContent"
# The second row of the terminal: the first is the command, which is there from the start.
OUR_TEXT = "document.querySelectorAll('.xterm-rows > div')[1]?.textContent.trim()"
PRELUDE_TEXT = "document.querySelector('#prelude > div') && 1"
# Notes when the expression first has a value, in milliseconds since navigation.
STOPWATCH = """
    (function look() {
      if (%s) window.took = performance.now();
      else requestAnimationFrame(look);
    })();
"""
LONG_TASKS = """
    window.longTasks = [];
    new PerformanceObserver((list) => longTasks.push(...list.getEntries().map((it) => it.duration)))
      .observe({ type: "longtask" });
"""


class Figure(NamedTuple):
    """A measured value and the most it may be."""

    name: str
    value: float
    limit: float
    unit: str


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a folder, and give its address."""
    with server(directory=folder) as http:
        thread = Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}/"
        http.shutdown()
        thread.join()


def poll(page: Page, expression: str, seconds: float = 60) -> float:
    """Wait until an expression has a value; the policy of the page allows no other way."""
    for _ in range(int(seconds * 20)):
        if value := page.evaluate(expression):
            return float(value)
        page.wait_for_timeout(50)
    raise TimeoutError(f"{expression} had no value within {seconds} s")


def first_line(context: BrowserContext, address: str, text: str) -> float:
    """Milliseconds from navigation to the first line on the screen."""
    page = context.new_page()
    page.add_init_script(STOPWATCH % text)
    page.wait_for_timeout(SETTLING)
    page.goto(address)
    took = poll(page, "window.took")
    if address.endswith("?seed=1"):
        poll(page, "navigator.serviceWorker.getRegistration().then(it => it?.active && 1)")
    page.close()
    return took


def starts(browser: Browser, bare: str, ours: str) -> Iterator[Figure]:
    """First visits, second visits and the prelude's first line, against the bare worker."""
    times: dict[str, list[float]] = {"bare": [], "ours": [], "again": [], "prelude": []}
    for _ in range(ROUNDS):
        with browser.new_context() as context:
            times["bare"].append(first_line(context, bare, BARE_TEXT))
        with browser.new_context() as context:
            times["ours"].append(first_line(context, f"{ours}?seed=1", OUR_TEXT))
            times["again"].append(first_line(context, f"{ours}?seed=2", OUR_TEXT))
        with browser.new_context() as context:
            times["prelude"].append(first_line(context, ours, PRELUDE_TEXT))
    base = median(times["bare"])
    for name, each in times.items():
        print(f"{name}: {median(each):.0f} ms ({', '.join(f'{one:.0f}' for one in sorted(each))})")
    yield Figure("first visit against bare", median(times["ours"]) / base, 0.38, "")
    yield Figure("second visit against bare", median(times["again"]) / base, 0.34, "")
    yield Figure("prelude's first line against bare", median(times["prelude"]) / base, 0.15, "")


def bytes_over_the_wire(browser: Browser, ours: str) -> Figure:
    """What a first visit fetches, compressed as the server sends it."""
    fetched: set[str] = set()
    with browser.new_context() as context:
        context.on("request", lambda request: fetched.add(request.url))
        first_line(context, f"{ours}?seed=3", OUR_TEXT)
    paths = {url.removeprefix(ours).partition("?")[0] or "index.html" for url in fetched}
    files = [DIST / path for path in paths]
    size = sum(len(compressed(file, file.stat().st_mtime_ns)) for file in files)
    return Figure(f"bytes of {len(files)} files, gzip", size / 1e6, 4.6, " MB")


def smoothness(browser: Browser, ours: str) -> Figure:
    """The longest task of the main thread while a run plays at speed 1."""
    with browser.new_context() as context:
        page = context.new_page()
        page.add_init_script(LONG_TASKS)
        page.goto(f"{ours}?seed=1")
        poll(page, OUR_TEXT + " && 1")
        page.wait_for_timeout(2000)  # the start is over
        page.evaluate("void (longTasks.length = 0)")
        page.wait_for_timeout(PLAYING * 1000)
        return Figure(
            "longest task at speed 1", page.evaluate("Math.max(0, ...longTasks)"), 50, " ms"
        )


def effort(browser: Browser, ours: str) -> Figure:
    """What the main thread takes of a core at speed 1, drawing without a graphics card."""
    with browser.new_context(viewport={"width": 1280, "height": 800}) as context:
        page = context.new_page()
        page.goto(f"{ours}?seed=1&dialect=pytorch")
        poll(page, OUR_TEXT + " && 1")
        page.wait_for_timeout(4000)  # the start is over
        session = context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})

        def busy() -> float:
            metrics = session.send("Performance.getMetrics")["metrics"]
            return float(next(it["value"] for it in metrics if it["name"] == "TaskDuration"))

        before = busy()
        page.wait_for_timeout(PLAYING * 1000)
        return Figure(
            "main thread at speed 1", 100 * (busy() - before) / PLAYING, 8, " % of a core"
        )


def heaps(browser: Browser, ours: str, runs: int) -> tuple[float, float]:
    """Megabytes of the page's heap, swept, and of Python's memory, after this number of runs."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{ours}?seed=1&speed-factor=max&runs={runs}")
        poll(page, "['ended', 'failed'].includes(document.documentElement.dataset.state)", 300)
        if page.evaluate("document.documentElement.dataset.state") == "failed":
            raise RuntimeError(f"the page failed at {page.url}: {page.inner_text('#failure')}")
        session = context.new_cdp_session(page)
        session.send("HeapProfiler.collectGarbage")
        page_heap = session.send("Runtime.getHeapUsage")["usedSize"]
        python = page.workers[0].evaluate("self.pyodide._module.HEAP8.length")
        return page_heap / 1e6, python / 1e6


def memory(browser: Browser, ours: str) -> Iterator[Figure]:
    """What more runs add to memory, once the scrollback and the caches are full."""
    some, many = heaps(browser, ours, 2 * RUNS), heaps(browser, ours, 3 * RUNS)
    for name, before, after in zip(("page", "Python"), some, many, strict=True):
        print(f"{name}: {before:.1f} MB after {2 * RUNS} runs, {after:.1f} MB after {3 * RUNS}")
        yield Figure(f"{name}'s memory after {RUNS} runs more", after / before, 1.05, "")


def make_bare(folder: Path) -> None:
    """The page to compare with."""
    for name, text in BARE.items():
        (folder / name).write_text(text, encoding="utf-8")
    for name in STOCK:
        shutil.copyfile(PACKAGES / "pyodide" / name, folder / name)


def main() -> int:
    """Measure, print, and return 1 when something is above its limit."""
    figures: list[Figure] = []
    print(f"{os.getloadavg()[0]:.1f} other programs at work on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        make_bare(Path(folder))
        with serving(Path(folder)) as bare, serving(DIST) as ours:
            browser = launch(playwright.chromium)
            figures += starts(browser, bare, ours)
            figures.append(bytes_over_the_wire(browser, ours))
            figures.append(smoothness(browser, ours))
            figures.append(effort(browser, ours))
            figures += memory(browser, ours)
            browser.close()
    for name, value, limit, unit in figures:
        verdict = "ok" if value <= limit else "ABOVE"
        print(f"{verdict:5} {name}: {value:.2f}{unit}, at most {limit:.2f}{unit}")
    return int(any(figure.value > figure.limit for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
