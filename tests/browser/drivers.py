"""Firefox and WebKit: where they are, and how each is driven.

Firefox listens to WebDriver BiDi by itself; WebKit has Debian's WebKitWebDriver, which selenium
speaks to. Both are asked for the little that a visit needs.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

# selenium and websocket-client are imported where they are used: the other tests do without.

NO_FIREFOX = (
    "No Firefox: install it so that `firefox` or `firefox-esr` is on PATH "
    "(Debian: apt-get install firefox-esr)."
)
NO_WEBKIT = (
    "No WebKit: install WebKitGTK's MiniBrowser and WebKitWebDriver "
    "(Debian: apt-get install webkit2gtk-driver)."
)
NO_DISPLAY = "No display for WebKit: set DISPLAY, or install Xvfb (Debian: apt-get install xvfb)."

PATIENCE = 60.0  # seconds for an answer


class DriverMissingError(Exception):
    """A browser is not on this machine; the sentence says what to install."""


class Driver(Protocol):
    """A browser with one window."""

    def open(self, address: str) -> None:
        """Go there."""

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression."""

    def press(self, key: str) -> None:
        """Press a key and let it go."""


class Firefox:
    """Firefox, spoken to by WebDriver BiDi."""

    def __init__(self, socket: Any) -> None:
        """Begin a session."""
        self._socket, self._number = socket, 0
        self._send("session.new", capabilities={})
        self._context = self._send("browsingContext.getTree")["contexts"][0]["context"]

    def _send(self, method: str, **params: Any) -> Any:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while (answer := json.loads(self._socket.recv())).get("id") != self._number:
            pass  # news that nobody has asked for
        if answer["type"] != "success":
            raise RuntimeError(f"{method}: {answer['message']}")
        return answer["result"]

    def open(self, address: str) -> None:
        """Go there."""
        self._send("browsingContext.navigate", context=self._context, url=address, wait="complete")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, a string or a number."""
        target = {"context": self._context}
        told = self._send(
            "script.evaluate", expression=expression, target=target, awaitPromise=True
        )
        return told["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key and let it go."""
        strokes = [{"type": kind, "value": key} for kind in ("keyDown", "keyUp")]
        source = {"type": "key", "id": "keyboard", "actions": strokes}
        self._send("input.performActions", context=self._context, actions=[source])


@contextmanager
def firefox() -> Iterator[Driver]:
    """Firefox without a window, with a profile of its own."""
    program = shutil.which("firefox") or shutil.which("firefox-esr")
    if program is None:
        raise DriverMissingError(NO_FIREFOX)
    from websocket import create_connection

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        arguments = ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port=0"]
        with subprocess.Popen([program, *arguments], stderr=subprocess.PIPE, text=True) as process:
            try:
                said = iter(process.stderr or ())
                address = next(found[0] for line in said if (found := re.search(r"ws://\S+", line)))
                socket = create_connection(f"{address}/session", PATIENCE, suppress_origin=True)
                yield Firefox(socket)
                socket.close()
            finally:
                process.kill()


class WebKit:
    """WebKitGTK's MiniBrowser, spoken to by WebDriver."""

    def __init__(self, driver: Any) -> None:
        """A session that has begun."""
        self._driver = driver

    def open(self, address: str) -> None:
        """Go there."""
        self._driver.get(address)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        return self._driver.execute_script(f"return {expression}")

    def press(self, key: str) -> None:
        """Press a key and let it go."""
        from selenium.webdriver import ActionChains

        ActionChains(self._driver).send_keys(key).perform()


def _mini_browser() -> str:
    """The browser that WebKit's driver drives; it is in no PATH."""
    places = (
        place
        for pattern in ("*/webkit2gtk-4.?/MiniBrowser", "webkit*gtk*/MiniBrowser")
        for root in ("/usr/lib", "/usr/libexec", "/usr/lib64")
        for place in Path(root).glob(pattern)
    )
    if place := next(places, None):
        return str(place)
    raise DriverMissingError(NO_WEBKIT)


@contextmanager
def _display() -> Iterator[dict[str, str]]:
    """The environment of a program that has windows."""
    if "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ:
        yield dict(os.environ)
        return
    if not shutil.which("Xvfb"):
        raise DriverMissingError(NO_DISPLAY)
    read, write = os.pipe()
    arguments = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x800x24"]
    with subprocess.Popen(arguments, pass_fds=[write], stderr=subprocess.DEVNULL) as process:
        os.close(write)
        with open(read, encoding="ascii") as told:  # noqa: PTH123  # a descriptor
            number = told.readline().strip()
        try:
            yield {**os.environ, "DISPLAY": f":{number}"}
        finally:
            process.terminate()


@contextmanager
def webkit() -> Iterator[Driver]:
    """WebKit, on a display that nobody sees if there is no other."""
    program = shutil.which("WebKitWebDriver")
    if program is None:
        raise DriverMissingError(NO_WEBKIT)
    from selenium.webdriver import WebKitGTK
    from selenium.webdriver.webkitgtk.options import Options
    from selenium.webdriver.webkitgtk.service import Service

    options = Options()
    options.binary_location = _mini_browser()
    options.add_argument("--automation")
    with ExitStack() as stack:
        environment = stack.enter_context(_display())
        driver = WebKitGTK(options=options, service=Service(program, env=environment))
        stack.callback(driver.quit)
        yield WebKit(driver)
