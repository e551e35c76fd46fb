"""Take the pictures of the page anew: the README's, and the one that links are shown with."""

import time
from pathlib import Path
from threading import Thread
from typing import NamedTuple
from urllib.parse import urlencode

from playwright.sync_api import Browser, Page, sync_playwright

from tools.browser import launch
from tools.serve import server

ROOT = Path(__file__).parent.parent
PATIENCE = 240  # seconds


class Picture(NamedTuple):
    """A moment of a run: when the tab's title and the terminal have these texts."""

    target: Path
    size: tuple[int, int]
    query: dict[str, str]
    title: str
    signs: tuple[str, ...]


PICTURES = (
    # A pretraining, after a save.
    Picture(
        ROOT / "docs" / "page.png",
        (1200, 675),
        {
            "dialect": "pytorch", "recipe": "pretrain", "model": "Pebble-160M", "seed": "43",
            "start": "2026-01-30T12:00:00", "theme": "dark", "from": "57%",
        },
        "training 6",
        ("Saved", "eta"),
    ),
    # One of 131,072 GPUs is lost.
    Picture(
        ROOT / "web" / "preview.png",
        (1200, 630),
        {"scene": "planet", "theme": "dark", "kiosk": "1", "from": "step=6500"},
        "failure",
        ("131,071 idle", "1 lost"),
    ),
)  # fmt: skip


def screen_text(page: Page) -> str:
    """What stands on the page's terminal."""
    return str(page.evaluate("document.querySelector('.xterm-rows')?.textContent ?? ''"))


def wait_for_moment(page: Page, picture: Picture) -> None:
    """Watch the run until the moment is there; raises TimeoutError when it does not come."""
    end = time.monotonic() + PATIENCE
    while picture.title not in page.title() or not all(
        sign in screen_text(page) for sign in picture.signs
    ):
        if time.monotonic() > end:
            raise TimeoutError(f"{picture.signs} were not on the screen within {PATIENCE} s")
        page.wait_for_timeout(20)


def take(browser: Browser, address: str, picture: Picture) -> None:
    """Play the run, wait for the moment, take the picture."""
    width, height = picture.size
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="dark")
    page.add_init_script("localStorage.setItem('welcome', 'read')")
    page.goto(f"{address}/?{urlencode(picture.query)}")
    wait_for_moment(page, picture)
    if "kiosk" not in picture.query:
        page.mouse.move(width / 2, height / 3)  # the controls come
        page.wait_for_timeout(500)
    page.screenshot(path=picture.target)
    page.close()
    print(f"screenshot: {picture.target}")


def main() -> None:
    """Take all of them."""
    with server() as http, sync_playwright() as playwright:
        Thread(target=http.serve_forever).start()
        try:
            browser = launch(playwright.chromium)
            for picture in PICTURES:
                take(browser, f"http://127.0.0.1:{http.server_port}", picture)
            browser.close()
        finally:
            http.shutdown()


if __name__ == "__main__":
    main()
