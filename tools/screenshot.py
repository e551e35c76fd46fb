"""Take docs/page.png: the page in the middle of a run, as the README shows it."""

import time
from pathlib import Path
from threading import Thread
from urllib.parse import urlencode

from playwright.sync_api import Page, sync_playwright

from tools.browser import launch
from tools.serve import server

TARGET = Path(__file__).parent.parent / "docs" / "page.png"
QUERY = {"dialect": "pytorch", "seed": 5, "start": "2026-01-30T12:00:00", "speed-factor": 6}
# The moment to take: well into the training, with all of these on the screen.
TITLE = "training 7"
SIGNS = ("Saved", "util 9", "eta")
PATIENCE = 120  # seconds


def screen_text(page: Page) -> str:
    """What stands on the page's terminal."""
    return str(page.evaluate("document.querySelector('.xterm-rows')?.textContent ?? ''"))


def wait_for_moment(page: Page) -> None:
    """Watch the run until the moment is there; raises TimeoutError when it does not come."""
    end = time.monotonic() + PATIENCE
    while not (TITLE in page.title() and all(sign in screen_text(page) for sign in SIGNS)):
        if time.monotonic() > end:
            raise TimeoutError(f"{SIGNS} were not on the screen together within {PATIENCE} s")
        page.wait_for_timeout(20)


def main() -> None:
    """Play the run, wait for the moment, take the picture."""
    TARGET.parent.mkdir(exist_ok=True)
    with server() as http, sync_playwright() as playwright:
        Thread(target=http.serve_forever).start()
        try:
            browser = launch(playwright.chromium)
            page = browser.new_page(viewport={"width": 1200, "height": 675})
            page.goto(f"http://127.0.0.1:{http.server_port}/?{urlencode(QUERY)}")
            wait_for_moment(page)
            page.screenshot(path=TARGET)
            browser.close()
        finally:
            http.shutdown()
    print(f"screenshot: {TARGET}")


if __name__ == "__main__":
    main()
