"""The browser, the server of the built page, and visits to it."""

from collections.abc import Callable, Iterator
from threading import Thread

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.visit import Visit
from tools.browser import BrowserMissingError, launch
from tools.serve import DIST, server


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium or Chrome. A machine without one fails the tests: it does not skip them."""
    with sync_playwright() as playwright:
        try:
            browser = launch(playwright.chromium)
        except BrowserMissingError as error:
            pytest.fail(str(error), pytrace=False)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def origin() -> Iterator[str]:
    """Where web/dist is served."""
    if not (DIST / "index.html").exists():
        pytest.fail("The page is not built: run `make web`.", pytrace=False)
    with server() as http:
        thread = Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


@pytest.fixture
def visit(browser: Browser, origin: str) -> Iterator[Callable[..., Visit]]:
    """A function that makes visits: each a window of its own without anything cached."""
    contexts = []

    def make(width: int = 1000, height: int = 600) -> Visit:
        context = browser.new_context(viewport={"width": width, "height": height})
        contexts.append(context)
        return Visit(context.new_page(), origin)

    yield make
    for context in contexts:
        context.close()
