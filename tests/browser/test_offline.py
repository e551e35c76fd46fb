"""Later visits: without a network, and when the page has been built anew in between."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.browser.visit import Visit
from tools import build_web
from tools.serve import DIST, server

pytestmark = pytest.mark.browser

REGISTERED = "navigator.serviceWorker.getRegistration()"
QUERY: dict[str, object] = {
    "seed": 5,
    "start": "2026-01-30T12:00",
    "speed_factor": "max",
    "runs": 1,
}


class Host:
    """A host that serves what is deployed to it, until it is shut down."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.http = server(directory=folder)
        self.thread = Thread(target=self.http.serve_forever)
        self.thread.start()
        self.origin = f"http://127.0.0.1:{self.http.server_port}"

    def deploy(self, build: Path) -> None:
        """Replace everything."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(build, self.folder)

    def shut_down(self) -> None:
        if self.thread.is_alive():
            self.http.shutdown()
            self.thread.join()
            self.http.server_close()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A host with the page."""
    host = Host(tmp_path / "site")
    host.deploy(DIST)
    yield host
    host.shut_down()


@pytest.fixture(scope="module")
def second_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another build: its page says so."""
    folder = tmp_path_factory.mktemp("second")
    web = folder / "web"
    ignored = shutil.ignore_patterns("dist", "node_modules")
    shutil.copytree(build_web.WEB, web, ignore=ignored)
    with (web / "main.js").open("a", encoding="utf-8") as file:
        file.write('\nroot.dataset.build = "second";\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build_web, "WEB", web)
        build_web.assemble(folder / "dist")
    return folder / "dist"


@pytest.fixture
def return_to(browser: Browser, host: Host) -> Iterator[Callable[[], Visit]]:
    """A function that visits the host again, with what the browser has kept."""
    context = browser.new_context()
    yield lambda: _visit(context, host)
    context.close()


def _visit(context: BrowserContext, host: Host) -> Visit:
    for page in context.pages:
        page.close()
    return Visit(context.new_page(), host.origin)


Return = Callable[[], Visit]


def play(shown: Visit) -> str:
    """Play a run to its end; which build did that?"""
    shown.open(**QUERY)
    shown.wait_for_state("ended", seconds=120)
    assert shown.status == 0
    assert shown.complaints == []
    return str(shown.page.evaluate("document.documentElement.dataset.build ?? 'first'"))


def test_plays_after_the_server_is_gone(return_to: Return, host: Host) -> None:
    shown = return_to()
    play(shown)
    first = shown.transcript
    shown.wait_until_kept()
    host.shut_down()
    shown = return_to()
    play(shown)
    assert shown.transcript == first
    shown.page.reload()
    shown.wait_for_state("ended")
    assert shown.transcript == first


def test_new_build_comes_with_the_visit_after_next(
    return_to: Return, host: Host, second_build: Path
) -> None:
    shown = return_to()
    assert play(shown) == "first"
    shown.wait_until_kept()
    host.deploy(second_build)
    shown = return_to()
    assert play(shown) == "first"  # at once, and whole, though the host has it no more
    shown.wait_for("caches.keys().then(names => names.length === 2)")
    shown.wait_until_kept()
    host.shut_down()
    assert play(return_to()) == "second"


def test_build_that_is_not_whole_is_not_taken(
    return_to: Return, host: Host, second_build: Path
) -> None:
    shown = return_to()
    play(shown)
    shown.wait_until_kept()
    host.deploy(second_build)
    (main,) = host.folder.glob("*/main.js")
    main.write_bytes(main.read_bytes()[:-9])
    shown = return_to()
    assert play(shown) == "first"
    shown.wait_for("navigator.serviceWorker.getRegistration().then(it => !it.installing)")
    assert shown.page.evaluate("caches.keys().then(names => names.length)") == 1
    assert play(return_to()) == "first"


def test_page_of_one_build_and_files_of_another_are_not_mixed(
    return_to: Return, host: Host, second_build: Path
) -> None:
    """A host in the middle of a deployment: the new service worker, the old page."""
    host.deploy(second_build)
    shutil.copyfile(DIST / "index.html", host.folder / "index.html")
    for folder in DIST.glob("*/"):
        shutil.copytree(folder, host.folder / folder.name, dirs_exist_ok=True)
    shown = return_to()
    with shown.page.context.expect_event("request", lambda request: "/sw.js" in request.url):
        assert play(shown) == "first"
    shown.wait_for(f"{REGISTERED}.then(it => !it)")  # it was refused, and is gone
    assert shown.page.evaluate("caches.keys()") == []


def test_retry_forgets_what_is_kept(return_to: Return, host: Host) -> None:
    shown = return_to()
    play(shown)
    shown.wait_until_kept()
    shown.page.evaluate(
        """caches.keys().then(async ([name]) => {
          const cache = await caches.open(name);
          for (const { url } of await cache.keys())
            if (url.endsWith("library.zip")) await cache.put(url, new Response("rotten"));
        })"""
    )
    shown = return_to()
    shown.open(**QUERY)
    assert "library.zip" in shown.wait_for_failure()
    shown.retry()
    shown.wait_for_state("ended")


def test_page_can_be_installed(return_to: Return) -> None:
    shown = return_to()
    play(shown)
    shown.wait_for("document.head.querySelector('link[rel=manifest]')")  # comes after the start
    session = shown.page.context.new_cdp_session(shown.page)
    manifest = session.send("Page.getAppManifest")
    assert manifest["errors"] == []
    assert manifest["url"].endswith("/manifest.webmanifest")
    errors = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert [error["errorId"] for error in errors] == ["in-incognito"]  # as all contexts here
