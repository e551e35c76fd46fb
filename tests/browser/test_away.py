"""A visitor who looks elsewhere: the tab is hidden, or the machine sleeps."""

import pytest

from llmsim.hosts.browser import WINDOW
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
PERCENT = "Number(/^training ([0-9]+)%/.exec(document.title)?.[1] ?? 0)"


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
    """An hour later a run of a minute goes on from where it was."""
    shown = visit()
    shown.open(seed=4, duration="60s", runs=1, view="log", dialect="pytorch")
    before = shown.wait_for(PERCENT)
    shown.page.workers[0].evaluate(SLEEP)
    shown.wait_for(f"{PERCENT} > {before}")
    after = shown.page.evaluate(PERCENT)
    assert shown.page.evaluate("document.documentElement.dataset.state") == "playing"
    assert after - before < 100 * (ARREARS + 10) / 60
