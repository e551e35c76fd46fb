"""Mouse and fingers: clicks on the picture and on buttons, hovering, the line, small windows."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from playwright.sync_api import Browser, FloatRect

from tests.browser.visit import NOTICE, PINNED, TRAINING, Visit, Visitor, in_training

pytestmark = pytest.mark.browser

ASKED = {**PINNED, "from": "training"}
PAUSED = "document.title.startsWith('paused')"
FOCUSED = "document.activeElement"
# Holds back what waits for more than `least` and at most `most` ms, until the test has it pass: a
# machine that stands still does not come between two clicks, and what is said can be looked at.
HOLD = """([least, most]) => {
    const { setTimeout, clearTimeout } = window;
    const held = new Map();
    window.setTimeout = (call, delay, ...rest) => {
      const stays = delay >= least && delay <= most;
      const timer = setTimeout(stays ? () => {} : call, delay, ...rest);
      if (stays) held.set(timer, call);
      return timer;
    };
    window.clearTimeout = (timer) => held.delete(timer) || clearTimeout(timer);
    window.pass = () => {
      const calls = [...held.values()];
      held.clear();
      for (const call of calls) call();
    };
}"""
PAIR = 200  # ms in which a second click may follow: web/terminal.js


def play(visit: Visitor, **query: object) -> Visit:
    return in_training(visit, **{**ASKED, **query})


@contextmanager
def phone(browser: Browser, origin: str) -> Iterator[Visit]:
    with closing(
        browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    ) as context:
        shown = Visit(context.new_page(), origin).open(**ASKED)
        shown.wait_for(TRAINING)
        yield shown


def box(shown: Visit, selector: str) -> FloatRect:
    found = shown.page.locator(selector).bounding_box()
    assert found, selector
    return found


# --- the picture -------------------------------------------------------------------------------


def test_click_on_the_picture_pauses_and_goes_on(visit: Visitor) -> None:
    shown = play(visit)
    shown.page.mouse.click(300, 300)
    shown.wait_for(PAUSED)
    shown.wait_for(f"{NOTICE} === 'paused'")
    shown.page.mouse.click(300, 300)
    shown.wait_for(f"!{PAUSED}")


def test_selecting_text_does_not_pause(visit: Visitor) -> None:
    shown = play(visit, view="log")
    pauses = "told.filter((it) => it.type === 'pause' && it.paused).length"
    selection = "document.querySelectorAll('.xterm-selection div').length"
    shown.page.evaluate(HOLD, [PAIR, PAIR])
    mouse = shown.page.mouse
    mouse.move(100, 100)
    mouse.down()
    mouse.move(300, 100, steps=4)
    mouse.move(400, 160, steps=4)
    mouse.up()
    shown.wait_for(f"{selection} > 0")
    mouse.click(300, 300)  # ends the selection, and no more
    shown.wait_for(f"{selection} === 0")
    mouse.dblclick(300, 100)  # selects a word
    shown.page.evaluate("pass()")
    assert shown.page.evaluate(pauses) == 0
    mouse.click(310, 310)
    mouse.click(300, 300)
    shown.page.evaluate("pass()")
    assert shown.page.evaluate(pauses) == 1


def test_click_after_the_end_plays_nothing_again(visit: Visitor) -> None:
    shown = play(visit)
    shown.page.keyboard.press("q")
    shown.wait_for_state("ended")
    shown.page.mouse.click(300, 300)
    shown.page.wait_for_timeout(400)
    assert shown.page.evaluate("told.filter((it) => it.type === 'start').length") == 1


def test_tap_pauses_and_a_drag_does_not(browser: Browser, origin: str) -> None:
    with phone(browser, origin) as shown:
        session = shown.page.context.new_cdp_session(shown.page)

        def touch(kind: str, *heights: float) -> None:
            points = [{"x": 200, "y": height} for height in heights]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        touch("touchStart", 200)
        for height in range(220, 420, 20):
            touch("touchMove", height)
        touch("touchEnd")
        shown.page.wait_for_timeout(400)
        pauses = "told.filter((it) => it.type === 'pause' && it.paused).length"
        assert shown.page.evaluate(pauses) == 0
        shown.wait_for("!('gliding' in document.getElementById('terminal').dataset)")
        shown.page.touchscreen.tap(200, 200)
        shown.wait_for(PAUSED)
        assert shown.page.evaluate("document.querySelector('[data-action=pause]').textContent") == (
            "resume"
        )


def test_first_tap_beside_a_mouse_shows_the_controls(visit: Visitor) -> None:
    """A screen that has a mouse, too: there the controls go away, and a finger brings them."""
    shown = play(visit)
    tap = """() => {
        const place = { clientX: 300, clientY: 300, pointerType: "touch", detail: 1 };
        const given = { ...place, bubbles: true };
        const screen = document.querySelector(".xterm-screen");
        screen.dispatchEvent(new PointerEvent("pointerdown", given));
        screen.dispatchEvent(new PointerEvent("click", given));
        return "active" in document.documentElement.dataset;
    }"""
    active = "'active' in document.documentElement.dataset"
    shown.wait_for(f"!({active})")
    shown.page.evaluate(HOLD, [PAIR, 3000])  # and they stay
    assert shown.page.evaluate(tap)
    shown.page.evaluate("document.documentElement.dataset.active = ''; pass()")
    assert not shown.page.evaluate(PAUSED)
    shown.page.evaluate("document.documentElement.dataset.active = ''")
    shown.page.evaluate(tap)
    shown.page.evaluate("pass()")
    shown.wait_for(PAUSED)


# --- buttons -----------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["board", "share"])
def test_space_after_a_click_on_a_button_pauses(visit: Visitor, action: str) -> None:
    shown = play(visit)
    shown.press(action)
    pressed = "document.querySelector('[data-action=board]').ariaPressed"
    before = shown.page.evaluate(pressed)
    shown.wait_for(f"{FOCUSED}.closest('#terminal')")
    shown.page.keyboard.press("Space")
    shown.wait_for(PAUSED)
    assert shown.page.evaluate(pressed) == before


def test_button_that_the_keyboard_presses_keeps_the_focus(visit: Visitor) -> None:
    shown = play(visit)
    shown.page.focus("[data-action=board]")
    shown.page.keyboard.press("Enter")
    pressed = "document.querySelector('[data-action=board]').ariaPressed"
    shown.wait_for(f"{pressed} === 'false'")
    shown.page.keyboard.press("Space")
    shown.wait_for(f"{pressed} === 'true'")
    assert shown.page.evaluate(f"{FOCUSED}.dataset.action") == "board"


LOOK = """(name) => {
    const { color, backgroundImage, borderTopColor } =
        getComputedStyle(document.querySelector(`[data-action=${name}]`));
    return [color, backgroundImage, borderTopColor].join();
}"""


def test_finger_leaves_nothing_pressed_behind(browser: Browser, origin: str) -> None:
    with phone(browser, origin) as shown:
        shown.page.tap("[data-action=more]")
        before = shown.page.evaluate(LOOK, "wall")
        shown.page.tap("[data-action=wall]")
        pressed = "document.querySelector('[data-action=wall]').ariaPressed"
        shown.wait_for(f"{pressed} === 'true'")
        assert shown.page.evaluate(LOOK, "wall") != before
        shown.page.tap("[data-action=wall]")
        shown.wait_for(f"{pressed} === 'false'")
        assert shown.page.evaluate(LOOK, "wall") == before


@pytest.mark.parametrize("theme", ["light", "phosphor"])
def test_pressed_and_hovered_look_different(visit: Visitor, theme: str) -> None:
    shown = play(visit, theme=theme)
    resting, pressed = (shown.page.evaluate(LOOK, name) for name in ("wall", "board"))
    there = box(shown, "[data-action=wall]")
    shown.page.mouse.move(there["x"] + 5, there["y"] - 100)
    shown.page.mouse.move(there["x"] + 5, there["y"] + 5)
    shown.wait_for("document.querySelector('[data-action=wall]').matches(':hover')")
    hovered = shown.page.evaluate(LOOK, "wall")
    assert len({resting, pressed, hovered}) == 3


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_notice_covers_nothing(visit: Visitor, size: tuple[int, int]) -> None:
    """It has the line's own end, below the log and above the buttons, and no row moves."""
    shown = play(visit)
    width, height = size
    shown.page.set_viewport_size({"width": width, "height": height})
    shown.settle()
    sizes = "told.filter(({ type }) => type === 'resize').length"
    before = shown.page.evaluate(sizes)
    shown.page.evaluate(HOLD, [2000, 5000])  # it stays
    shown.press("share")
    shown.wait_for(f"{NOTICE} === 'link copied'")
    said, line = box(shown, "#notice"), box(shown, "#line")
    assert line["x"] + line["width"] <= said["x"]
    assert said["x"] + said["width"] <= width
    assert box(shown, "#terminal")["y"] + box(shown, "#terminal")["height"] <= said["y"]
    assert said["y"] + said["height"] <= box(shown, "#controls")["y"]
    assert shown.page.evaluate(sizes) == before


def test_type_and_reader_say_what_they_change(visit: Visitor) -> None:
    shown = play(visit)
    shown.press("type")
    shown.wait_for(f"{NOTICE}?.includes('prints the next line')")
    shown.page.keyboard.press("Escape")
    shown.wait_for(f"{NOTICE}.includes('by themselves')")
    shown.press("reader")
    shown.wait_for(f"{NOTICE} === 'Screen readers now read new lines aloud.'")
    shown.press("reader")
    shown.wait_for(f"{NOTICE} === 'Screen readers no longer read new lines.'")


# --- small windows -----------------------------------------------------------------------------


def test_all_controls_can_be_reached_at_a_zoom_of_400_per_cent(visit: Visitor) -> None:
    """1280 by 1024 at 400 %: WCAG 1.4.10. A mouse has no wheel that scrolls sideways."""
    shown = visit(width=320, height=256)
    shown.open(**ASKED)
    shown.wait_for(TRAINING)
    assert box(shown, "[data-action=more]")["x"] < 320
    shown.press("more")
    for button in shown.page.query_selector_all("#controls button"):
        button.scroll_into_view_if_needed()  # up and down, as a wheel does
        found = button.bounding_box()
        assert found
        assert found["x"] >= 0
        assert found["x"] + found["width"] <= 320
        assert found["y"] + found["height"] <= 257
    shown.press("help")
    shown.page.wait_for_selector("#help[open]")
    assert shown.page.evaluate("document.getElementById('help').scrollTop") == 0
    assert box(shown, "#help-title")["y"] >= 0


def test_help_names_the_buttons_for_fingers(browser: Browser, origin: str) -> None:
    with phone(browser, origin) as shown:
        shown.page.tap("[data-action=more]")
        shown.page.tap("[data-action=help]")
        shown.page.wait_for_selector("#help[open]")
        rows = shown.page.eval_on_selector_all("#keys dt", "all => all.map(it => it.textContent)")
        assert {"pause", "wall", "share", "scenes", "settings", "save"} <= set(rows)
        assert "Space" not in rows
        assert "A click or a tap on the picture pauses" in shown.page.inner_text("#help")


# --- the line ----------------------------------------------------------------------------------


def test_line_says_the_time_and_the_mark(visit: Visitor) -> None:
    shown = play(visit, scene="fallen")
    label = "document.getElementById('place')"
    mark = box(shown, "#marks .failure")
    line = box(shown, "#position")
    height = line["y"] + line["height"] / 2
    shown.page.mouse.move(mark["x"] - 60, height)
    shown.page.mouse.move(mark["x"] + 1, mark["y"] + 2)  # it is no obstacle
    shown.wait_for(f"/^\\d+:\\d\\d (failure|outage)$/.test({label}.textContent)")
    assert box(shown, "#place")["y"] < line["y"]
    shown.page.mouse.move(line["x"] + 9, height)  # the beginning
    shown.wait_for(f"{label}.textContent === '0:00'")
    assert box(shown, "#place")["x"] >= 0
    shown.page.mouse.move(300, 300)
    shown.wait_for(f"{label}.hidden")
    shown.page.keyboard.press("Tab")
    assert shown.page.evaluate(f"{FOCUSED}.id") == "position"
    shown.wait_for(f"!{label}.hidden && /^\\d+:\\d\\d/.test({label}.textContent)")


def test_help_explains_the_marks(visit: Visitor) -> None:
    shown = play(visit, scene="fallen")
    shown.page.keyboard.press("?")
    shown.page.wait_for_selector("#help[open]")
    for kind in ("validation", "checkpoint", "failure", "outage"):
        ink = f"getComputedStyle(document.querySelector('#help .{kind}')).backgroundColor"
        on_line = f"getComputedStyle(document.querySelector('#marks .{kind}')).backgroundColor"
        assert shown.page.evaluate(ink) == shown.page.evaluate(on_line), kind
        assert kind in shown.page.inner_text("#help")


# --- a link ------------------------------------------------------------------------------------


def test_link_of_a_paused_show_opens_paused_at_that_moment(visit: Visitor) -> None:
    shown = play(visit, **{"from": "60%"})
    shown.press("pause")
    shown.wait_for(PAUSED)
    shown.press("share")
    shown.wait_for(f"{NOTICE} === 'link copied'")
    link = str(shown.page.evaluate("navigator.clipboard.readText()"))
    assert "paused=1" in link
    assert "paused" not in shown.address
    other = visit(width=1280, height=800)
    other.page.goto(link)
    other.wait_for(PAUSED)
    there = r"document.title.match(/training (\d+)%/)?.[1]"
    other.wait_for(there)
    other.settle()
    assert re.search(r"loss", "".join(other.rows))
    at = other.page.evaluate(there)
    assert abs(int(at) - int(shown.page.evaluate(there))) <= 1
    size = other.page.evaluate("transcript.length")
    other.page.wait_for_timeout(1000)
    assert other.page.evaluate("transcript.length") == size
    assert "paused" not in other.address
    other.page.keyboard.press("Space")
    other.wait_for(f"transcript.length > {size}")
