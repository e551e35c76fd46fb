"""The page in Firefox and in WebKit: `make test-browsers`."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from tests.browser.drivers import Driver, DriverMissingError, firefox, webkit

pytestmark = [
    pytest.mark.browser,
    pytest.mark.browsers,
    # selenium's own
    pytest.mark.filterwarnings("ignore:setting remote_server_addr:DeprecationWarning"),
]

STATE = "document.documentElement.dataset.state"
REASON = "document.getElementById('reason').textContent"


@pytest.fixture(params=[firefox, webkit])
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    """Each browser in turn. A machine without one fails the tests: it does not skip them."""
    open_browser: Callable[[], AbstractContextManager[Driver]] = request.param
    try:
        with open_browser() as driver:
            yield driver
    except DriverMissingError as error:
        pytest.fail(str(error), pytrace=False)


def wait_for(driver: Driver, expression: str, seconds: float = 120) -> None:
    """Poll until the expression is true; raises AssertionError when the page fails first."""
    end = time.monotonic() + seconds
    while not driver.evaluate(expression):
        assert driver.evaluate(STATE) != "failed", driver.evaluate(REASON)
        assert time.monotonic() < end, f"{expression} was not true within {seconds} s"
        time.sleep(0.1)  # another process is at work


POSITION = "Number(document.getElementById('position').value)"
WALL = "document.querySelector('[data-action=wall]').ariaPressed"
RIGHT = "\ue014"  # the arrow, for WebDriver


def test_run_seeks_and_has_a_wall(driver: Driver, origin: str) -> None:
    """By what the page says: where the graphics card draws, the document has no rows."""
    driver.open(f"{origin}/?seed=4&dialect=pytorch&from=20%25")
    wait_for(driver, f"{STATE} === 'playing' && {POSITION} > 0")
    driver.press(" ")
    wait_for(driver, "document.title.startsWith('paused')")
    before = driver.evaluate(POSITION)
    for _ in range(3):
        driver.press(RIGHT)
    wait_for(driver, f"{POSITION} > {before + 25}")  # ten show seconds each
    driver.press("w")
    wait_for(driver, f"{WALL} === 'true'")
    driver.press(" ")
    wait_for(driver, f"{POSITION} > {before + 32}")  # it goes on there
    driver.press("w")
    wait_for(driver, f"{WALL} === 'false'")
    assert driver.evaluate(STATE) == "playing"


def test_run_plays_and_stops(driver: Driver, origin: str) -> None:
    driver.open(f"{origin}/?seed=4&dialect=pytorch&duration=30s")
    wait_for(driver, "/^training [1-9][0-9]?% · llmsim$/.test(document.title)")
    driver.press(" ")
    wait_for(driver, "document.title.startsWith('paused')")
    driver.press(" ")
    wait_for(driver, "!document.title.startsWith('paused')")
    driver.press("q")
    wait_for(driver, f"{STATE} === 'ended'")
    assert driver.evaluate("document.documentElement.dataset.status") == "130"
    assert driver.evaluate("document.title") == "llmsim"


def test_whole_run_ends(driver: Driver, origin: str) -> None:
    driver.open(f"{origin}/?seed=4&speed-factor=max&runs=1&view=log")
    wait_for(driver, f"{STATE} === 'ended'")
    assert driver.evaluate("document.documentElement.dataset.status") == "0"
