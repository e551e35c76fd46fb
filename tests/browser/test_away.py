"""A visitor who looks elsewhere: the tab is hidden, or the machine sleeps."""

import pytest

from llmsim.hosts.page import WINDOW
from llmsim.show.playback import ARREARS
from tests.browser.visit import Visitor

pytestmark = pytest.mark.browser


# What a browser does to a hidden tab: a timer fires once a second, and nothing is painted.
HIDE = """
    let hidden = true;
    const { setTimeout, requestAnimationFrame } = window;
    Object.defineProperty(Document.prototype, "hidden", { get: () => hidden });
    window.setTimeout = (call, delay, ...rest) =>
      setTimeout(call, hidden ? Math.max(delay ?? 0, 1000) : delay, ...rest);
    window.requestAnimationFrame = (call) =>
      requestAnimationFrame((now) => (hidden ? window.requestAnimationFrame(call) : call(now)));
    window.comeBack = () => (hidden = false);
    window.most = 0;
    setInterval(() => (most = Math.max(most, pending())), 20);
    const pending = () =>
      transcript.length -
      told.reduce((sum, { type, size }) => sum + (type === "drawn" ? size : 0), 0);
"""
# The clock of the worker, which goes on while the machine sleeps.
SLEEP = """() => {
    const now = performance.now.bind(performance);
    performance.now = () => now() + 3_600_000;
}"""
# The show second, and the page's own clock, in seconds.
PLACE = "[Number(document.getElementById('position').value), performance.now() / 1000]"
STANDS = 10  # seconds that a log may stand still: its place is that of its last line


def test_hidden_tab_piles_nothing_up(visit: Visitor) -> None:
    shown = visit()
    shown.page.add_init_script(HIDE)
    shown.open(seed=1, speed_factor="max", view="log")
    shown.wait_for(f"transcript.length > {WINDOW}")
    shown.page.wait_for_timeout(3000)  # time for what nobody holds back to come
    assert shown.page.evaluate("most") < 2 * WINDOW
    assert shown.page.evaluate("document.documentElement.dataset.state") == "playing"
    shown.page.evaluate("comeBack()")
    sent = len(shown.transcript)
    shown.wait_for(f"transcript.length > {sent + 4 * WINDOW}")


def test_sleep_is_not_made_up_for(visit: Visitor) -> None:
    """An hour later a run of three minutes goes on from where it was."""
    shown = visit()
    shown.open(seed=4, runs=1, view="log", dialect="pytorch")
    shown.wait_for(f"{PLACE}[0] > 0")
    before, then = shown.page.evaluate(PLACE)
    shown.page.workers[0].evaluate(SLEEP)
    shown.wait_for(f"{PLACE}[0] > {before}")
    after, now = shown.page.evaluate(PLACE)
    assert shown.page.evaluate("document.documentElement.dataset.state") == "playing"
    assert after - before <= now - then + ARREARS + STANDS
