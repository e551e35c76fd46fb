"""What visitors bring along: fingers, themes, a large zoom, and addresses that others have sent."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, Route

from llmsim.text.themes import THEMES
from tests.browser.visit import NOTICE, Visit, Visitor
from tools.build_web import WEB
from tools.prelude import RUN
from tools.serve import DIST

pytestmark = pytest.mark.browser


ASKED: dict[str, Any] = {"seed": 4, "start": "2026-01-30T12:00:00", "view": "log"}
DARK, LIGHT = "rgb(12, 15, 20)", "rgb(251, 250, 247)"
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
TERMINAL = "getComputedStyle(document.querySelector('.xterm-scrollable-element')).backgroundColor"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
FINGER = 44  # px: WCAG 2.5.5, and Apple's guidelines


@contextmanager
def guest(browser: Browser, origin: str, **kind: Any) -> Iterator[Visit]:
    """A visit with a device or taste of its own: what Playwright's new_context takes."""
    context = browser.new_context(**kind)
    yield Visit(context.new_page(), origin)
    context.close()


def wait_until(held: list[Route], shown: Visit) -> None:
    """A busy machine's worker asks for its files later than the page has begun."""
    while not held:
        shown.page.wait_for_timeout(25)


def seed_of(address: str) -> list[str]:
    return parse_qs(urlsplit(address).query)["seed"]


# --- addresses ---------------------------------------------------------------------------------


def test_address_names_the_run_that_plays(visit: Visitor) -> None:
    shown = visit()
    shown.open(speed_factor=4)
    shown.wait_for("location.search.includes('seed=')")
    first = shown.address
    seed = int(seed_of(first)[0])
    assert parse_qs(urlsplit(first).query)["speed-factor"] == ["4"]
    shown.page.keyboard.press("n")
    shown.wait_for(f"location.search.includes('seed={seed + 1}')")
    shown.page.reload()
    shown.wait_for("transcript.length > 200")
    assert seed_of(shown.address) == [str(seed + 1)]


def test_what_others_hang_on_an_address_is_nobodys_business(visit: Visitor) -> None:
    foreign = ("utm_source", "utm_campaign", "fbclid", "gclid", "msclkid", "ref", "mc_cid", "_gl")
    shown = visit()
    query = urlencode({**ASKED, **dict.fromkeys(foreign, "x1")})
    shown.page.goto(f"{shown.origin}/?{query}")
    shown.wait_for("transcript.length > 200")
    assert "no option" not in shown.plain
    assert not any(name in shown.rows[0] for name in foreign)
    assert not any(name in shown.address for name in foreign)


# --- keys --------------------------------------------------------------------------------------


# The page's clock stands still, but for what a test adds to it; `shut` follows a dialog's end.
CLOCK = """() => {
    window.clock = performance.now();
    performance.now = () => clock;
    document.addEventListener("close", () => (window.shut = true), { capture: true });
}"""


@pytest.mark.parametrize("dialog", ["settings", "help"])
def test_second_escape_does_not_stop_the_run(visit: Visitor, dialog: str) -> None:
    shown = visit()
    shown.open(**ASKED)
    shown.wait_for("transcript.length > 200")
    shown.press(dialog)
    shown.page.wait_for_selector("dialog[open]")
    shown.page.evaluate(CLOCK)  # for the machine may stand still between two keys
    shown.page.keyboard.press("Escape")
    shown.wait_for("window.shut && !document.querySelector('dialog[open]')")
    shown.page.evaluate("clock += 1900")
    shown.page.keyboard.press("Escape")
    shown.settle()
    assert not shown.page.evaluate("told.some(({ type }) => type === 'stop')")
    assert shown.page.evaluate("document.documentElement.dataset.state") == "playing"
    shown.page.evaluate("clock += 200")
    shown.page.keyboard.press("Escape")  # now it means the run
    shown.wait_for_state("ended")


@pytest.mark.parametrize("by", ["button", "key"])
def test_after_the_end_the_first_button_plays_again(visit: Visitor, by: str) -> None:
    shown = visit()
    shown.open(**ASKED)
    shown.wait_for("transcript.length > 200")
    shown.page.keyboard.press("q")
    shown.wait_for_state("ended")
    assert shown.page.text_content('[data-action="pause"]') == "again"
    opacity = "getComputedStyle(document.getElementById('controls')).opacity"
    shown.wait_for(f"{opacity} === '1'")  # what to do now is there to see
    if by == "button":
        shown.page.click('[data-action="pause"]')
    else:
        shown.page.keyboard.press("Space")
    shown.wait_for_state("playing")
    assert shown.page.text_content('[data-action="pause"]') == "pause"
    assert seed_of(shown.address) == ["4"]


def test_help_shows_the_keys_and_leads_to_the_source(visit: Visitor) -> None:
    shown = visit()
    shown.open(**ASKED)
    shown.wait_for("transcript.length > 200")
    shown.page.keyboard.press("?")
    shown.page.wait_for_selector("#help[open]")
    keys = shown.page.eval_on_selector_all("#keys dt", "all => all.map(it => it.textContent)")
    assert {"Space", "+", "-", "n", "g", "q Esc", "?"} <= set(keys)
    source = shown.page.get_attribute("#help a[download]", "href")
    assert shown.page.request.get(f"{shown.origin}/{source}").body()[:2] == b"\x1f\x8b"


def test_first_visit_says_what_this_is_once(visit: Visitor) -> None:
    shown = visit()
    shown.open(**ASKED)
    shown.wait_for("transcript.length > 200")
    assert "nothing is trained" in shown.page.inner_text("#welcome")
    rows = shown.screen.height
    shown.page.click("#welcome button")
    shown.wait_for(f"told.findLast(({{ rows }}) => rows).rows > {rows}")  # the room is the log's
    shown.page.reload()
    shown.wait_for("transcript.length > 200")
    assert not shown.page.is_visible("#welcome")


# --- themes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scheme", "colour"), [("dark", DARK), ("light", LIGHT)])
def test_theme_is_the_systems_from_the_first_paint_on(
    browser: Browser, origin: str, scheme: str, colour: str
) -> None:
    with guest(browser, origin, color_scheme=scheme) as shown:
        shown.page.context.route("**/loading.js", lambda _: None)  # no script at all
        shown.page.goto(origin, wait_until="commit")
        shown.page.wait_for_selector("#loading")
        assert shown.page.evaluate(BACKGROUND) == colour
    with guest(browser, origin, color_scheme=scheme) as shown:
        shown.open(**ASKED)
        shown.wait_for("transcript.length > 200")
        assert shown.page.evaluate(TERMINAL) == colour
        other = {DARK: ("light", LIGHT), LIGHT: ("dark", DARK)}[colour]
        shown.page.emulate_media(color_scheme=other[0])  # type: ignore[arg-type]
        shown.wait_for(f"{TERMINAL} === '{other[1]}'")


@pytest.mark.parametrize("way", ["kept", "asked"])
def test_chosen_theme_does_not_flash(browser: Browser, origin: str, way: str) -> None:
    """Chosen against the system: it holds before any of the page's modules has come."""
    with guest(browser, origin, color_scheme="dark") as shown:
        if way == "kept":
            shown.open(**ASKED)
            shown.wait_for("transcript.length > 200")
            shown.press("theme")
        shown.page.context.route("**/loading.js", lambda _: None)
        search = "?theme=light" if way == "asked" else ""
        shown.page.goto(f"{origin}/{search}", wait_until="commit")
        shown.page.wait_for_selector("#loading")
        assert shown.page.evaluate(BACKGROUND) == LIGHT


@pytest.mark.parametrize("theme", ["contrast", "phosphor", "amber"])
def test_theme_of_the_address_is_there_from_the_first_paint_on(
    browser: Browser, origin: str, theme: str
) -> None:
    with guest(browser, origin, color_scheme="light") as shown:
        shown.page.context.route("**/loading.js", lambda _: None)  # no script but the first
        shown.page.goto(f"{origin}/?theme={theme}", wait_until="commit")
        shown.page.wait_for_selector("#loading")
        ground = shown.page.evaluate(BACKGROUND)
        assert ground not in (DARK, LIGHT)
    with guest(browser, origin, color_scheme="light") as shown:
        shown.open(**ASKED, theme=theme)
        shown.wait_for("transcript.length > 200")
        assert shown.page.evaluate(TERMINAL) == ground
        assert {"type": "theme", "name": theme} in shown.page.evaluate("told")  # Python's, too


def test_all_themes_come_by_a_key_and_the_address_follows(visit: Visitor) -> None:
    shown = visit()
    shown.open(**ASKED, theme="dark")
    shown.wait_for("transcript.length > 200")
    seen = []
    for _ in THEMES[1:]:
        shown.page.keyboard.press("t")
        seen.append(parse_qs(urlsplit(shown.address).query)["theme"][0])
    assert sorted(seen) == sorted(THEMES[1:])
    assert seen[-1] == "dark"


def test_theme_that_there_is_not_is_the_systems(browser: Browser, origin: str) -> None:
    with guest(browser, origin, color_scheme="dark") as shown:
        shown.open(**ASKED, theme="mauve")
        shown.wait_for("transcript.length > 200")
        assert shown.page.evaluate(TERMINAL) == shown.page.evaluate(BACKGROUND) == DARK


def test_background_can_be_transparent(visit: Visitor) -> None:
    shown = visit()
    shown.open(**ASKED, background="transparent")
    shown.wait_for("transcript.length > 200")
    for place in (BACKGROUND, TERMINAL):
        assert shown.page.evaluate(place) == "rgba(0, 0, 0, 0)"
    assert "background" in shown.address


def test_pressed_buttons_show_in_forced_colours(browser: Browser, origin: str) -> None:
    with guest(browser, origin, forced_colors="active") as shown:
        shown.open(**{**ASKED, "view": "board"})
        shown.wait_for_state("playing")  # from then on the buttons are there
        colours = [
            shown.page.eval_on_selector(
                f"[data-action={name}]", "it => getComputedStyle(it).backgroundColor"
            )
            for name in ("board", "reader")
        ]
        assert colours[0] != colours[1]


# --- sizes -------------------------------------------------------------------------------------


def test_controls_leave_the_page_alone_at_a_zoom_of_400_per_cent(visit: Visitor) -> None:
    """1280 by 800 at 400 %: WCAG 1.4.10."""
    shown = visit(width=320, height=200)
    shown.open(**ASKED)
    shown.wait_for_state("playing")  # before that there are no controls
    shown.page.mouse.move(100, 50)
    height = shown.page.evaluate("document.getElementById('controls').offsetHeight")
    assert height < 200 / 4
    shown.page.focus("[data-action=help]")  # the row scrolls: all of it can be reached
    box = shown.page.locator("[data-action=help]").bounding_box()
    assert box
    assert 0 <= box["x"] < 321 - box["width"]


def test_text_stands_still_while_loading(visit: Visitor) -> None:
    """The command stands where the terminal will have it, and nothing moves it."""
    shown = visit()
    shown.page.add_init_script(
        """window.shift = 0;
        const add = (list) => list.getEntries().forEach((it) => (shift += it.value));
        new PerformanceObserver(add).observe({ type: "layout-shift", buffered: true });"""
    )
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    shown.page.context.route("**/library.zip", hold)
    shown.open(**ASKED)
    box = "(it => [it.left, it.top, it.height])({}.getBoundingClientRect())"
    shown.wait_for("document.querySelector('.xterm-rows > div')")
    shown.page.wait_for_timeout(500)
    wait_until(held, shown)
    before = shown.page.evaluate(box.format("document.querySelector('#loading .prompt')"))
    held[0].continue_()
    shown.wait_for("transcript.length > 200")
    after = shown.page.evaluate(box.format("document.querySelector('.xterm-rows > div')"))
    assert before == pytest.approx(after, abs=1.5)
    assert shown.page.evaluate("shift") < 0.01


# --- fingers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("turned", [False, True])
def test_phone_has_one_row_of_controls_that_fingers_hit(
    browser: Browser, origin: str, turned: bool
) -> None:
    width, height = (844, 390) if turned else (390, 844)
    with guest(
        browser, origin, **{**PHONE, "viewport": {"width": width, "height": height}}
    ) as shown:
        shown.open(**ASKED)
        shown.wait_for("transcript.length > 200")
        boxes = [
            button.bounding_box() for button in shown.page.query_selector_all("#controls button")
        ]
        assert all(box and box["height"] >= FINGER and box["width"] >= FINGER for box in boxes)
        assert len({box["y"] for box in boxes if box}) == 1
        bar = shown.page.locator("#controls").bounding_box()
        terminal = shown.page.locator("#terminal").bounding_box()
        assert bar
        assert terminal
        assert bar["y"] + bar["height"] == height
        assert terminal["y"] + terminal["height"] <= bar["y"]  # nothing of the log is under it
        style = "getComputedStyle(document.documentElement).overscrollBehaviorY"
        assert shown.page.evaluate(style) == "none"


def test_drag_scrolls_and_a_tap_brings_no_keyboard(browser: Browser, origin: str) -> None:
    with guest(browser, origin, **PHONE) as shown:
        shown.open(**ASKED, dialect="pytorch", speed_factor="max", runs=1)
        shown.wait_for_state("ended")
        session = shown.page.context.new_cdp_session(shown.page)

        def touch(kind: str, *heights: float) -> None:
            points = [{"x": 200, "y": height} for height in heights]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        shown.wait_for("document.querySelector('.xterm-rows').textContent.includes('Same run')")
        before = shown.rows
        touch("touchStart", 200)
        for height in range(220, 620, 20):
            touch("touchMove", height)
        shown.page.wait_for_timeout(100)
        touch("touchEnd")
        row = shown.page.evaluate("document.querySelector('.xterm-rows > div').offsetHeight")
        shown.settle()
        scrolled = shown.rows
        moved = next(
            count
            for count in range(len(before))
            if scrolled[count:] == before[: len(before) - count]
        )
        assert moved == pytest.approx(400 / row, abs=4)
        shown.page.tap("#terminal")
        focused = "document.activeElement"
        assert shown.page.evaluate(
            f"{focused} === document.body || {focused}.readOnly && {focused}.inputMode === 'none'"
        )


# --- text --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "file", sorted(file.name for file in WEB.glob("*.*") if file.suffix in (".js", ".html", ".css"))
)
def test_own_text_is_ascii(file: str) -> None:
    """A host may send it as Latin-1, whatever it is: what is not ASCII is written as an escape."""
    text = (WEB / file).read_text(encoding="utf-8")
    assert re.findall(r"[^\x00-\x7f]", text) == []


def test_previews_have_a_title_a_text_and_a_picture() -> None:
    text = (DIST / "index.html").read_text(encoding="ascii")
    tags = dict(re.findall(r'<meta property="og:([a-z:]+)" content="([^"]+)"', text))
    assert {"type", "title", "description", "image", "image:alt"} <= set(tags)
    assert (DIST / tags["image"]).stat().st_size < 5_000_000


# --- the prelude and the timeline --------------------------------------------------------------


def test_prelude_plays_while_python_loads_and_python_goes_on_from_there(visit: Visitor) -> None:
    """What stood there stands there still: the first lines of the page's own run, in its width."""
    shown = visit(width=1280, height=800)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    shown.page.context.route("**/library.zip", hold)
    shown.open()
    shown.wait_for("document.querySelectorAll('#prelude > div').length > 6")
    prelude = shown.page.inner_text("#prelude").split("\n")
    wait_until(held, shown)
    held[0].continue_()
    shown.wait_for_state("playing")
    # The screen may be too low for all of it, and Python quick: its last line has been written, in
    # this screen's width.
    shown.wait_for_text(prelude[-1][:40].rstrip())
    assert "--from" not in shown.rows[0]  # nobody has asked for it
    assert "no option" not in shown.plain
    assert seed_of(shown.address) == [str(RUN.seed)]
    assert "from=" not in shown.address


def test_prelude_is_for_those_who_ask_for_no_run(visit: Visitor) -> None:
    shown = visit()
    shown.open(seed=4)
    shown.wait_for_state("playing")
    assert shown.page.text_content("#prelude") == ""


@pytest.mark.parametrize("by", ["mouse", "keys"])
def test_timeline_shows_and_seeks(visit: Visitor, by: str) -> None:
    shown = visit(width=1280, height=800)
    shown.open(**{**ASKED, "view": "auto"}, dialect="pytorch")
    shown.wait_for("document.querySelectorAll('#marks .validation').length > 0")
    shown.wait_for("Number(document.getElementById('position').value) > 0")
    if by == "mouse":
        box = shown.page.locator("#position").bounding_box()
        assert box
        left, top = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        shown.page.mouse.move(left - 50, top)  # which brings it
        shown.page.mouse.click(left, top)
    else:
        shown.page.focus("#position")
        shown.page.keyboard.press("End")
        for _ in range(3):
            shown.page.keyboard.press("PageUp")
        for _ in range(6):
            shown.page.keyboard.press("PageDown")
    shown.wait_for("/^training [1-9]/.test(document.title)")
    value = shown.page.get_attribute("#position", "aria-valuetext") or ""
    assert value.startswith("training")


def test_timeline_marks_trouble_in_a_colour_of_its_own(visit: Visitor) -> None:
    shown = visit(width=1280, height=800)
    shown.open(scene="fallen")
    shown.wait_for("document.querySelectorAll('#marks .failure').length > 0")
    ink = "(kind) => getComputedStyle(document.querySelector(`#marks .${kind}`)).backgroundColor"
    kinds = ("validation", "checkpoint", "failure")
    colours = [shown.page.evaluate(ink, kind) for kind in kinds]
    assert len(set(colours)) == len(kinds)
    left = shown.page.eval_on_selector("#marks .failure", "it => parseFloat(it.style.left)")
    assert 20 < left < 60  # at 35 per cent of the training


def test_share_names_the_moment(visit: Visitor) -> None:
    shown = visit()
    shown.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    shown.open(**ASKED, **{"from": "45%"})
    shown.wait_for("/^training [1-9]/.test(document.title)")
    shown.press("share")
    shown.wait_for(f"{NOTICE} === 'link copied'")
    link = str(shown.page.evaluate("navigator.clipboard.readText()"))
    other = visit()
    other.page.goto(link)
    other.wait_for("/^training [1-9]/.test(document.title)")
    query = parse_qs(urlsplit(link).query)
    assert query["at"][0].endswith("s")
    assert query["from"] == ["45%"]
    other.wait_for("location.search.includes('start=')")
    assert "at=" not in urlsplit(other.address).query.replace("start=", "")  # the first run's alone
