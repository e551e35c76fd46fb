"""Files that do not arrive, and hosts that keep the page from running: it plays, or says why not.

A visitor must never look at an empty page, whatever a host does to it.
"""

import gzip
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping

import pytest
from playwright.sync_api import Browser, BrowserContext, Frame, Page, Route

from tests.browser.visit import Visitor
from tools.serve import DIST

pytestmark = pytest.mark.browser


FILES = (
    "loading.js",
    "main.js",
    "address.js",
    "controls.js",
    "themes.js",
    "offline.js",
    "terminal.js",
    "touch.js",
    "drawing.js",
    "prelude.js",
    "show.js",
    "timeline.js",
    "tables.js",
    "view.js",
    "xterm.mjs",
    "addon-fit.mjs",
    "worker.js",
    "fetching.js",
    "files.js",
    "pyodide.mjs",
    "pyodide.asm.mjs",
    "pyodide.asm.wasm",
    "library.zip",
)
FIRST = "loading.js"  # whose absence no script can report
SECONDS = 10.0  # in which there is something to see, on a machine that has the time
BUSY = 2  # times as long while other tests run, and longer where more does
TOGETHER = 4  # pages

# What stands on the page in the end. With `late`, what it says of a file that it waits for counts.
VERDICT = """(late) => {
    const text = (id) => {
      const it = document.getElementById(id);
      const { visibility } = it ? getComputedStyle(it) : {};
      return it?.checkVisibility() && visibility !== "hidden" ? it.innerText.trim() : "";
    };
    const playing = document.documentElement.dataset.state === "playing" && "plays";
    return text("reason") || playing || (late && text("hint")) || text("silence");
}"""
SILENCE = "The program of this page has not arrived."


def _status(code: int) -> Callable[[Route], None]:
    return lambda route: route.fulfill(status=code, body="<h1>Sorry</h1>", content_type="text/html")


def _cut(route: Route) -> None:
    response = route.fetch()
    body = response.body()
    kind = response.headers["content-type"]
    route.fulfill(status=200, content_type=kind, body=body[: len(body) * 2 // 3])


def _as_text(route: Route) -> None:
    body = route.fetch().body()[:300_000]  # of the engine its type alone is looked at
    route.fulfill(status=200, content_type="text/plain", body=body)


def _fallback(route: Route) -> None:
    """A host of single-page programs sends its page for whatever it does not have."""
    page = (DIST / "index.html").read_bytes()
    route.fulfill(status=200, content_type="text/html; charset=utf-8", body=page)


def _compressed_twice(route: Route) -> None:
    """What is left when the browser has undone one compression."""
    response = route.fetch()
    kind = response.headers["content-type"]
    route.fulfill(status=200, content_type=kind, body=gzip.compress(response.body()))


FAILURES: dict[str, Callable[[Route], None]] = {
    "404": _status(404),
    "500": _status(500),
    "cut": _cut,
    "wrong type": _as_text,
    "fallback": _fallback,
    "compressed twice": _compressed_twice,
    "connection gone": lambda route: route.abort(),
    "no answer": lambda _: None,
}


def verdicts(
    pages: Mapping[str, Page | Frame], late: bool = False, silent: Collection[str] = ()
) -> dict[str, str]:
    """What each page says in the end, or "plays", by the file that it misses. They are asked in
    turns, since a page that has waited for long says something else.

    With `late` it is what a page says of this file while it waits: on a busy machine it waits for
    others first, and says so. The silence is there until a script comes, but in those that are
    `silent` none can come.
    """
    said = dict.fromkeys(pages, "")
    asked = set(pages)
    busy = max(BUSY, 2 * os.getloadavg()[0] / (os.cpu_count() or 1))
    for _ in range(int(SECONDS * busy * 10)):
        for file in sorted(asked):
            said[file] = str(pages[file].evaluate(VERDICT, late))
            if said[file].startswith(SILENCE):
                ended = file in silent
            else:
                ended = bool(said[file]) and (not late or file in said[file])
            asked -= {file} if ended else set()
        if not asked:
            break
        next(iter(pages.values())).wait_for_timeout(100)
    return said


def verdict(page: Page | Frame, late: str = "", silent: bool = False) -> str:
    """What the page says in the end, or "plays"; with `late`, of this file while it waits."""
    return verdicts({late: page}, bool(late), {late} if silent else ())[late]


@pytest.fixture
def contexts(browser: Browser) -> Iterator[Callable[[], BrowserContext]]:
    """A function that makes windows without anything cached, a few of them at a time."""
    made: list[BrowserContext] = []

    def make() -> BrowserContext:
        if len(made) == TOGETHER:
            while made:
                made.pop().close()
        made.append(browser.new_context())
        return made[-1]

    yield make
    while made:
        made.pop().close()


def in_groups(names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield from (names[start : start + TOGETHER] for start in range(0, len(names), TOGETHER))


@pytest.mark.parametrize("failure", FAILURES)
def test_each_file_may_fail_in_each_way(
    contexts: Callable[[], BrowserContext], origin: str, failure: str
) -> None:
    said: dict[str, str] = {}
    for group in in_groups(FILES):
        pages = {}
        for file in group:
            context = contexts()
            context.route(f"**/{file}", FAILURES[failure])
            pages[file] = context.new_page()
            pages[file].goto(f"{origin}/?seed=1", wait_until="commit")
        said |= verdicts(pages, late=failure == "no answer", silent={FIRST})
    wrong = {}
    for file, sentence in said.items():
        named = file in sentence and sentence.endswith(".")
        if not (sentence.startswith(SILENCE) if file == FIRST else named):
            wrong[file] = sentence
    assert wrong == {}


# A host's own policy, which holds beside the page's, and what the page says to it.
POLICIES = {
    "default-src 'none'": SILENCE,
    "script-src 'none'": SILENCE,
    "sandbox allow-scripts": SILENCE,
    "default-src 'self'": "it needs style-src 'unsafe-inline'",
    "style-src 'self'": "it needs style-src 'unsafe-inline'",
    "script-src 'self'": "its script-src needs 'wasm-unsafe-eval'",
    "worker-src 'none'": "may not start a worker here",
    "connect-src 'none'": "or a policy forbids it",
    "default-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'": "plays",
}


@pytest.mark.parametrize("policy", POLICIES)
def test_policy_of_the_host(visit: Visitor, policy: str) -> None:
    def add(route: Route) -> None:
        response = route.fetch()
        headers = {**response.headers, "content-security-policy": policy}
        route.fulfill(response=response, headers=headers)

    shown = visit()
    for pattern in (re.compile(r"/\?seed"), "**/worker.js"):
        shown.page.context.route(pattern, add)
    shown.page.goto(f"{shown.origin}/?seed=1", wait_until="commit")
    told = POLICIES[policy]
    assert told in verdict(shown.page, silent=told == SILENCE)


def test_page_from_disk_says_what_it_needs(visit: Visitor) -> None:
    shown = visit()
    shown.page.goto((DIST / "index.html").as_uri(), wait_until="commit")
    said = verdict(shown.page, silent=True)
    assert said.startswith(SILENCE)
    assert "not file://" in said


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_sandboxed_frame_says_what_it_needs(visit: Visitor, motion: str) -> None:
    """Less motion must not take away what comes by an animation."""
    shown = visit()
    shown.page.emulate_media(reduced_motion=motion)  # type: ignore[arg-type]  # one of its literals
    shown.page.goto(f"{shown.origin}/icon.svg", wait_until="commit")
    shown.page.set_content('<iframe src="/?seed=4" sandbox="allow-scripts"></iframe>')
    shown.page.wait_for_selector("iframe")
    assert verdict(shown.page.frames[1], silent=True).startswith(SILENCE)


def test_page_needs_no_style_sheet_that_could_hold_it_up(visit: Visitor) -> None:
    """The page itself has all its styles: nothing that never answers can block it."""
    shown = visit()
    shown.page.context.route("**/*.css", lambda _: None)
    shown.page.goto(f"{shown.origin}/?seed=1", wait_until="commit")
    assert verdict(shown.page) == "plays"
    text = (DIST / "index.html").read_text(encoding="ascii")
    assert 'rel="stylesheet"' not in text


def test_file_that_comes_late_is_waited_for(visit: Visitor) -> None:
    shown = visit()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    shown.page.context.route("**/library.zip", hold)
    shown.page.goto(f"{shown.origin}/?seed=1", wait_until="commit")
    assert "still waiting for library.zip" in verdict(shown.page, late="library.zip")
    held[0].continue_()
    shown.wait_for_state("playing")
