"""The address, the link and the command name what is shown, and nothing that is wrong."""

from contextlib import closing
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from playwright.sync_api import Browser

from tests.browser.visit import NOTICE, PINNED, TRAINING, Visit, Visitor, in_training

pytestmark = pytest.mark.browser


ASKED = {**PINNED, "from": "60%"}
WALL = "document.querySelector('[data-action=wall]').ariaPressed"


def play(visit: Visitor, **query: object) -> Visit:
    return in_training(visit, **{**ASKED, **query})


def address(shown: Visit) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(shown.address).query))


def copied(shown: Visit, action: str, told: str) -> str:
    """What a button copies."""
    shown.page.evaluate("navigator.clipboard.writeText('')")
    shown.press(action)
    shown.wait_for(f"{NOTICE} === '{told}'")
    return str(shown.page.evaluate("navigator.clipboard.readText()"))


def test_wrong_values_are_said_and_leave_the_address(visit: Visitor) -> None:
    shown = play(visit, model="Prometheus-9", gpus=0)
    said = shown.page.inner_text("#refusal")
    assert "model 'Prometheus-9' is not listed and does not end in a size" in said
    assert "1 more parameter is wrong" in said
    assert {"model", "gpus"}.isdisjoint(address(shown))
    shown.page.click("#refused button")
    assert not shown.page.is_visible("#refused")


def test_a_theme_that_there_is_not_is_said_and_leaves_the_address(visit: Visitor) -> None:
    """As a wrong option of Python's is; the themes are the page's own."""
    shown = visit().open(theme="solarized", seed=7)
    shown.wait_for_state("playing")
    shown.wait_for("document.getElementById('refusal').textContent.includes('solarized')")
    said = shown.page.inner_text("#refusal")
    assert said == (
        "theme cannot be 'solarized': give auto, dark, light, contrast, phosphor or amber."
    )
    shown.wait_for("location.search.includes('start=') && !location.search.includes('theme')")


def test_the_address_says_whether_each_key_types_a_line(visit: Visitor) -> None:
    shown = visit().open(seed=7, type=1)
    shown.wait_for_state("playing")
    shown.wait_for("location.search.includes('start=')")  # it names the run
    assert "type=1" in shown.page.evaluate("location.search")
    shown.page.keyboard.press("Escape")
    shown.wait_for("!location.search.includes('type')")
    shown.press("type")
    shown.wait_for("location.search.includes('type=1')")


def test_wrong_value_of_the_address_is_said_until_another_run_plays(visit: Visitor) -> None:
    shown = play(visit, model="Prometheus-9")
    shown.wait_for("document.getElementById('refusal').textContent.includes('Prometheus-9')")
    shown.wait_for("!location.search.includes('Prometheus')")
    shown.page.keyboard.press("n")
    shown.wait_for("document.getElementById('refused').hidden")


def test_address_link_and_command_have_the_view_and_the_theme(visit: Visitor) -> None:
    shown = play(visit)
    shown.press("wall")
    shown.press("theme")  # the system's is light
    shown.wait_for(
        "location.search.includes('view=wall') && location.search.includes('theme=dark')"
    )
    link = parse_qs(urlsplit(copied(shown, "share", "link copied")).query)
    assert (link["view"], link["theme"]) == (["wall"], ["dark"])
    command = copied(shown, "command", "copied")
    assert command.startswith("uvx llmsim ")
    assert "--view wall" in command
    assert "--theme dark" in command
    assert "--from " in command
    other = visit()
    other.page.goto(f"{shown.origin}/?{urlsplit(shown.address).query}")
    other.wait_for(f"{WALL} === 'true'")
    assert other.page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_wall_that_was_closed_is_not_in_the_address(visit: Visitor) -> None:
    shown = play(visit, view="wall")
    shown.wait_for(f"{WALL} === 'true'")
    assert address(shown)["view"] == "wall"
    shown.press("wall")
    shown.wait_for("!location.search.includes('view')")
    shown.press("board")
    shown.wait_for("location.search.includes('view=log')")


def test_closed_wall_of_a_scene_stays_closed_for_others(visit: Visitor) -> None:
    """The scene asks for a wall, so the address has to say that there is none."""
    shown = visit(width=1280, height=800)
    shown.open(scene="planet")
    shown.wait_for(f"{WALL} === 'true'")
    shown.press("wall")
    shown.wait_for("location.search.includes('view=auto')")


def test_pointer_that_rests_on_the_controls_leaves_the_wall_uncovered(visit: Visitor) -> None:
    shown = play(visit, view="wall")
    opacity = "getComputedStyle(document.getElementById('controls')).opacity"
    shown.press("pause")
    shown.wait_for("document.title.startsWith('paused')")
    shown.wait_for(f"{opacity} === '0'")
    shown.page.mouse.down()  # who presses there again presses the same button
    shown.page.mouse.up()
    shown.wait_for("document.title.startsWith('training')")


def test_controls_of_the_keyboard_stand_below_the_show(visit: Visitor) -> None:
    shown = play(visit, view="wall")
    shown.page.keyboard.press("Tab")
    bottom = "document.getElementById('terminal').getBoundingClientRect().bottom"
    shown.wait_for(f"{bottom} <= document.getElementById('timeline').getBoundingClientRect().top")


def test_stopped_run_is_seen_and_there_is_a_way_on(visit: Visitor) -> None:
    """The log stands where the wall was; its moments and the next run can be played."""
    shown = play(visit, view="wall")
    shown.wait_for(f"{WALL} === 'true'")
    shown.press("stop")
    shown.wait_for_state("ended")
    shown.wait_for("document.querySelector('.xterm-rows').textContent.includes('loss')")
    assert sum(bool(row.strip()) for row in shown.rows) > len(shown.rows) / 2
    assert shown.page.locator("#after button").all_inner_texts() == [
        "play it again", "play the next run", "choose a scene",
    ]  # fmt: skip
    line = shown.page.locator("#position")
    box = line.bounding_box()
    assert box
    line.click(position={"x": box["width"] * 0.1, "y": box["height"] / 2})
    shown.wait_for_state("playing")
    shown.wait_for("(({ value, max }) => value / max < 0.3)(document.getElementById('position'))")
    shown.press("stop")
    shown.wait_for_state("ended")
    shown.page.click("#after [data-then=next]")
    shown.wait_for("history.state.run.some(([name, value]) => name === 'seed' && value === '5')")
    shown.wait_for_state("playing")
    assert not shown.page.is_visible("#after")


def test_button_says_what_is_being_made(visit: Visitor) -> None:
    shown = play(visit)
    shown.press("save")
    with shown.page.expect_download(timeout=120_000):
        shown.page.click("#save [value=cast]")
        label = "document.querySelector('[data-action=save]').textContent"
        shown.wait_for(f"{label} === 'making cast ...'")
    shown.wait_for(f"{label} === 'save'")


def test_phone_has_all_controls_behind_a_button_that_is_seen(browser: Browser, origin: str) -> None:
    with closing(
        browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    ) as context:
        shown = Visit(context.new_page(), origin).open(**ASKED)
        shown.wait_for(TRAINING)
        edges = "document.querySelector(`[data-action=${name}]`).getBoundingClientRect()"
        right = f"(name) => {edges}.right"
        assert shown.page.evaluate(right, "more") <= 390
        assert shown.page.evaluate(right, "share") > 390
        shown.page.tap("[data-action=more]")
        for name in ("share", "wall", "settings", "help"):
            assert shown.page.evaluate(right, name) <= 390


def test_run_that_began_as_a_log_gets_its_wall(visit: Visitor) -> None:
    shown = play(visit, view="log")
    shown.press("wall")
    shown.wait_for(f"{WALL} === 'true' && {TRAINING}")  # at the same moment
    shown.wait_for("document.querySelector('.xterm-rows').textContent.includes('kettles boiled')")
    assert address(shown)["view"] == "wall"
