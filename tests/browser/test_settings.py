"""The settings: what cannot be played is said beside the form, and the show goes on meanwhile."""

import pytest

from tests.browser.visit import PINNED, Visit, Visitor

pytestmark = pytest.mark.browser

IMPOSSIBLE = {"model": "Grandma-900B", "gpus": "3"}  # on cards of 24 GB


def play(visit: Visitor, **query: object) -> Visit:
    shown = visit(width=1280, height=800)
    shown.open(**{**PINNED, **query})
    shown.wait_for("/^training/.test(document.title) && history.state?.run")
    return shown


@pytest.mark.parametrize(
    ("wrong", "told", "faulty"),
    [
        (IMPOSSIBLE, "Grandma-900B", []),
        ({"gpus": "lots"}, "gpus cannot be 'lots': give a whole number", ["gpus"]),
        ({"from": "900h"}, "900h", ["from"]),
    ],
)
def test_what_cannot_be_played_is_said_beside_the_form(
    visit: Visitor, wrong: dict[str, str], told: str, faulty: list[str]
) -> None:
    shown = play(visit, **{"from": "training"})
    before, run = shown.address, shown.page.evaluate("history.state.run")
    shown.press("settings")
    if wrong is IMPOSSIBLE:
        shown.page.select_option("[name=gpu]", "NVIDIA GeForce RTX 4090")
    shown.page.wait_for_selector("#settings details")  # the form is filled when it opens
    for name, value in wrong.items():
        shown.page.evaluate("document.querySelector('#settings details').open = true")
        shown.page.fill(f"[name={name}]", value)
    shown.page.click("#settings [value=play]")
    shown.wait_for("document.getElementById('wrong').textContent")
    assert told in shown.page.inner_text("#wrong")
    assert shown.page.get_attribute("#wrong", "role") == "alert"
    marked = "[...document.querySelectorAll('#fields [aria-invalid=true]')].map((it) => it.name)"
    assert shown.page.evaluate(marked) == faulty
    assert shown.page.is_visible("#settings")
    before_it = shown.page.evaluate("transcript.length")
    shown.wait_for(f"transcript.length > {before_it}")  # the show goes on, and is the same
    assert (shown.address, shown.page.evaluate("history.state.run")) == (before, run)
    assert not shown.page.evaluate("told.some((it) => it.type === 'stop')")
    assert shown.page.evaluate("told.filter((it) => it.type === 'start').length") == 1
    for name in wrong:
        shown.page.fill(f"[name={name}]", "")
    shown.page.click("#settings [value=play]")
    shown.wait_for("told.filter((it) => it.type === 'start').length === 2")
    assert not shown.page.is_visible("#settings")


def test_settings_have_what_the_scene_says(visit: Visitor) -> None:
    """They leave it open: another scene, or none, has values of its own."""
    shown = visit(width=1280, height=800)
    shown.open(scene="planet")
    shown.wait_for("history.state?.run")
    shown.press("settings")
    shown.page.wait_for_selector("#settings[open]")
    assert shown.page.get_attribute("[name=model]", "placeholder") == "Basalt-405B"
    assert shown.page.get_attribute("[name=gpus]", "placeholder") == "131072"
    first = "document.querySelector('#fields [name=gpu]').options[0].text"
    assert shown.page.evaluate(first) == "(NVIDIA GB300)"
    assert shown.page.input_value("[name=gpu]") == ""
    assert "11" not in str(shown.page.get_attribute("[name=seed]", "placeholder"))
    shown.page.keyboard.press("Escape")
    other = play(visit)
    other.press("settings")
    other.page.wait_for_selector("#settings[open]")
    assert other.page.get_attribute("[name=model]", "placeholder") == "auto"


def test_run_that_cannot_be_has_no_moments(visit: Visitor) -> None:
    """An address may ask for one after another run: the line below it is not that run's."""
    shown = play(visit)
    assert shown.page.evaluate("!document.getElementById('timeline').hidden")
    shown.page.evaluate(
        """history.pushState(null, "", "?model=Grandma-900B&gpus=3&gpu=NVIDIA+GeForce+RTX+4090");
        dispatchEvent(new PopStateEvent("popstate"))"""
    )
    shown.wait_for_state("ended")
    assert shown.status == 2
    assert shown.page.evaluate("document.getElementById('timeline').hidden")
    assert "choose a moment" not in shown.page.inner_text("#after").lower()
