"""A visit to the page, and everything that was said on the way."""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

from playwright.sync_api import Page

from llmsim.hosts.page import Page as Host
from llmsim.text.screen import Screen

# Notes what page and worker say to each other; runs before the page's own code.
LISTEN = """
    window.transcript = "";
    window.told = [];
    window.notices = []; // all that has been said beside the line, if only for two seconds
    addEventListener("DOMContentLoaded", () => {
      const notice = document.getElementById("notice");
      const note = () => notice.textContent && notices.push(notice.textContent);
      if (notice) new MutationObserver(note).observe(notice, { childList: true });
    });
    window.Worker = class extends Worker {
      constructor(...given) {
        super(...given);
        this.addEventListener("message", ({ data }) => {
          if (data.type === "text") window.transcript += data.text;
        });
      }
      postMessage(message) {
        told.push(message);
        super.postMessage(message);
      }
    };
"""

# The parameters of a run that is the same each time.
PINNED: dict[str, Any] = {"dialect": "pytorch", "seed": 4, "start": "2026-01-30T12:00:00"}

# Seconds until something that a machine does in one or two has surely failed, and not met a crowd.
PATIENCE = 60.0

NOTICE = "notices.at(-1)"
TRAINING = "/^training/.test(document.title)"

PLAIN = r"transcript.replace(/\x1b\[[0-9;?]*[A-Za-z]/g, '')"
SIZE = "told.findLast(({ columns }) => columns)"
# Waits for whatever waits already; web/drawing.js gathers what is drawn for half a second at most.
TURN = "new Promise((then) => setTimeout(then, %d))"
PAINT = "new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)))"


class Visit:
    """One window. `complaints` and `origins` are kept from its first request on."""

    def __init__(self, page: Page, origin: str) -> None:
        """Listen to the page; open() goes there."""
        self.page = page
        self.origin = origin
        self.complaints: list[str] = []  # errors and warnings of the console
        self.origins: set[str] = set()
        page.set_default_timeout(PATIENCE * 1000)
        page.add_init_script(LISTEN)
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self._note("error", str(error)))
        # The context hears the worker's requests too.
        page.context.on("request", lambda request: self.origins.add(_origin(request.url)))

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)

    def press(self, action: str) -> None:
        """Press a button of the controls, which are hidden until somebody looks for them.

        The pointer goes to the button at once: there it keeps them, however slow the machine is.
        """
        button = self.page.locator(f'[data-action="{action}"]')
        button.scroll_into_view_if_needed()
        box = button.bounding_box()
        assert box, f"there is no button {action}"
        self.page.mouse.move(box["x"] + 4, box["y"] + 4)
        self.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        button.click()

    def open(self, **query: object) -> "Visit":
        """Go to the page; an underscore in a parameter's name stands for a dash."""
        pairs = {name.replace("_", "-"): value for name, value in query.items()}
        self.page.goto(f"{self.origin}/?{urlencode(pairs)}")
        return self

    def settle(self) -> None:
        """Wait until Python has heard what it was told, and what it sent until then is drawn."""
        self.page.workers[-1].evaluate(TURN % 100)
        self.page.evaluate(TURN % 600)
        self.page.evaluate(PAINT)

    def wait_for(self, expression: str, seconds: float = PATIENCE) -> Any:
        """Poll until the JavaScript expression is true and return its value.

        Raises AssertionError when the page fails, or after so many seconds. Playwright's
        wait_for_function needs eval, which the page's policy forbids.
        """
        end = time.monotonic() + seconds
        while not (value := self.page.evaluate(expression)):
            if self.page.is_visible("#failure"):
                raise AssertionError(f"the page failed: {self.page.inner_text('#reason')}")
            if time.monotonic() > end:
                raise AssertionError(f"{expression} was not true within {seconds} s")
            self.page.wait_for_timeout(25)
        return value

    def stir_until(self, expression: str, seconds: float = PATIENCE) -> None:
        """Move the mouse over the log until the JavaScript expression is true."""
        end = time.monotonic() + seconds
        left = 100
        while not self.page.evaluate(expression):
            assert time.monotonic() < end, f"{expression} was not true within {seconds} s"
            left = 220 - left
            self.page.mouse.move(left, 200)

    def wait_for_state(self, state: str, seconds: float = PATIENCE) -> None:
        """Poll until the page is loading, playing or ended."""
        self.wait_for(f"document.documentElement.dataset.state === '{state}'", seconds)

    def wait_for_failure(self) -> str:
        """Wait until the page says that it failed, and return its reason."""
        self.page.wait_for_selector("#failure", state="visible")
        return self.page.inner_text("#reason")

    def wait_for_text(self, text: str, seconds: float = PATIENCE) -> None:
        """Poll until the worker has sent the text, in whatever colours."""
        self.wait_for(f"{PLAIN}.includes({text!r})", seconds)

    def retry(self) -> None:
        """Press the button of a page that failed."""
        with self.page.expect_navigation():
            self.page.click("#retry")

    def wait_until_kept(self) -> None:
        """Wait until a service worker has installed the page, and no newer one is about to."""
        self.wait_for(
            """navigator.serviceWorker.getRegistration().then(
              (it) => it && !it.installing && !it.waiting && it.active?.state === "activated")"""
        )

    @property
    def address(self) -> str:
        """What the page has made of its address; the browser tells Playwright of it later."""
        return str(self.page.evaluate("location.href"))

    @property
    def status(self) -> int:
        """The exit status of a show that has ended."""
        return int(self.page.evaluate("document.documentElement.dataset.status"))

    @property
    def transcript(self) -> str:
        """All text that the worker has sent."""
        return str(self.page.evaluate("transcript"))

    @property
    def plain(self) -> str:
        """The transcript without its colours."""
        return str(self.page.evaluate(PLAIN))

    @property
    def screen(self) -> Screen:
        """The screen as the page told it last."""
        size = self.page.evaluate(SIZE)
        return Host(lambda _text, _size: None, size["columns"], size["rows"]).screen()

    @property
    def rows(self) -> list[str]:
        """The rows that stand on the screen, the empty ones too."""
        script = "[...document.querySelectorAll('.xterm-rows > div')].map(row => row.textContent)"
        return [str(row) for row in self.page.evaluate(script)]


# What a test calls for a visit.
Visitor = Callable[..., Visit]


def in_training(visit: Visitor, **query: object) -> Visit:
    """A large window that plays a training, and may use the clipboard."""
    shown = visit(width=1280, height=800)
    shown.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    shown.open(**query)
    shown.wait_for(TRAINING)
    return shown


def _origin(url: str) -> str:
    scheme, host, *_ = urlsplit(url)
    return f"{scheme}://{host}"
