"""What a visitor can do: buttons, keys, settings, and the same without eyes or a pointer."""

import re
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from llmsim.catalog.records import gpus, models
from llmsim.catalog.scenes import scenes
from llmsim.options.table import OPTIONS
from llmsim.text.themes import THEMES
from tests.browser.visit import NOTICE, PATIENCE, PINNED, Visit, Visitor
from tools.build_web import FIRST, PACKAGES

pytestmark = pytest.mark.browser


ASKED = {**PINNED, "view": "log"}
AXE = PACKAGES / "axe-core" / "axe.min.js"


def clipboard(shown: Visit) -> str:
    return str(shown.page.evaluate("navigator.clipboard.readText()"))


def play(visit: Visitor, **query: object) -> Visit:
    shown = visit()
    shown.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    shown.open(**{**ASKED, **query})
    shown.wait_for("transcript.length > 200")
    return shown


def is_growing(shown: Visit, milliseconds: float = PATIENCE * 1000) -> bool:
    """Whether text comes within so long: a launch stands still for seconds now and then."""
    before = int(shown.page.evaluate("transcript.length"))
    for _ in range(int(milliseconds / 100)):
        if int(shown.page.evaluate("transcript.length")) > before:
            return True
        shown.page.wait_for_timeout(100)
    return False


def test_controls_come_with_movement_and_go(visit: Visitor) -> None:
    shown = play(visit)
    opacity = "getComputedStyle(document.getElementById('controls')).opacity"
    shown.wait_for(f"{opacity} === '0'")
    shown.stir_until(f"{opacity} === '1'")
    shown.wait_for(f"{opacity} === '0'")
    shown.press("pause")  # who has pressed a button does not keep them there
    shown.page.mouse.move(100, 500)
    shown.wait_for(f"{opacity} === '0'")
    shown.page.keyboard.press("Tab")
    shown.wait_for(f"{opacity} === '1'")


def test_all_controls_are_reached_by_tab_in_order(visit: Visitor) -> None:
    shown = play(visit)
    shown.wait_for_state("playing")  # from then on there are controls
    buttons = shown.page.locator("#controls button:visible").count()
    reached = []
    shown.page.keyboard.press("Tab")
    assert shown.page.evaluate("document.activeElement.id") == "position"  # the timeline
    for _ in range(buttons):
        shown.page.keyboard.press("Tab")
        focused = "document.activeElement"
        reached.append(shown.page.evaluate(f"{focused}.dataset.action"))
        assert shown.page.evaluate(f"{focused}.checkVisibility({{ checkOpacity: false }})")
    actions = [
        button.get_attribute("data-action")
        for button in shown.page.query_selector_all("#controls button:visible")
    ]
    assert reached == actions


# An export is over in less than a second: nobody need look at the right moment.
NOTE_TITLES = """() => {
    window.titles = [];
    new MutationObserver(() => titles.push(document.title)).observe(
      document.querySelector("title"), { childList: true });
}"""


def test_title_shows_phase_and_percentage(visit: Visitor) -> None:
    shown = play(visit, speed_factor=8, runs=1)
    shown.page.evaluate(NOTE_TITLES)
    shown.wait_for("/^training [1-9][0-9]?% · llmsim$/.test(document.title)")
    shown.press("pause")
    assert re.fullmatch(r"paused · [a-z]+ \d+% · llmsim", shown.page.title())
    shown.press("pause")
    shown.wait_for_state("ended", seconds=120)
    titles = shown.page.evaluate("titles")
    assert any(re.fullmatch(r"export \d+% · llmsim", title) for title in titles), titles
    assert shown.page.title() == "llmsim"


@pytest.mark.parametrize("by", ["button", "key"])
def test_pause_holds_the_show(visit: Visitor, by: str) -> None:
    def toggle() -> None:
        shown.press("pause") if by == "button" else shown.page.keyboard.press("Space")

    shown = play(visit, speed_factor=4)
    shown.wait_for_state("playing")  # its text may come sooner than it is drawn
    toggle()
    shown.settle()
    assert not is_growing(shown, 1500)
    assert shown.page.title().startswith("paused")
    toggle()
    assert is_growing(shown)
    assert not shown.page.title().startswith("paused")


CURVE = "/[\u2801-\u28ff]/.test(document.querySelector('.xterm-rows').textContent)"


@pytest.mark.parametrize("by", ["button", "key"])
def test_board_goes_and_comes(visit: Visitor, by: str) -> None:
    def toggle() -> None:
        shown.press("board") if by == "button" else shown.page.keyboard.press("g")

    shown = play(visit, view="auto", speed_factor=4)
    pressed = "document.querySelector('[data-action=board]').ariaPressed"
    shown.wait_for(CURVE)
    toggle()
    assert shown.page.evaluate(pressed) == "false"
    shown.wait_for(f"!({CURVE})")
    assert is_growing(shown)
    shown.page.keyboard.press("n")  # nor in the run after it
    shown.wait_for("history.state.run.some(([name, value]) => name === 'seed' && value === '5')")
    assert is_growing(shown)
    assert not shown.page.evaluate(CURVE)
    toggle()
    assert shown.page.evaluate(pressed) == "true"
    shown.wait_for(CURVE)


def test_speed_is_changed_by_keys_and_shown(visit: Visitor) -> None:
    shown = play(visit)
    for key, speed in ("+", "2×"), ("=", "4×"), ("_", "2×"), ("-", "1×"), ("-", "0.5×"):
        shown.page.keyboard.press(key)
        assert shown.page.text_content("#speed") == speed
    for _ in range(12):
        shown.press("faster")
    assert shown.page.text_content("#speed") == "1024×"
    shown.wait_for("transcript.length > 100_000", seconds=90)


def test_arrows_and_home_go_to_other_moments(visit: Visitor) -> None:
    shown = play(visit, **{"from": "40%"})
    percent = "Number(/^training ([0-9]+)%/.exec(document.title)?.[1] ?? -1)"
    shown.wait_for(f"{percent} >= 40")
    for _ in range(3):  # 30 of 180 seconds, of which two thirds are the training's
        shown.page.keyboard.press("ArrowRight")
    shown.wait_for(f"{percent} >= 50")
    for _ in range(6):
        shown.page.keyboard.press("ArrowLeft")
    shown.wait_for(f"{percent} >= 0 && {percent} < 40")
    shown.page.keyboard.press("Home")
    shown.wait_for("/^launch /.test(document.title)")
    assert is_growing(shown)


def test_speed_of_the_address_is_shown(visit: Visitor) -> None:
    assert play(visit, speed_factor="max").page.text_content("#speed") == "max"
    assert play(visit, speed_factor=2.5).page.text_content("#speed") == "2.5×"


def run_of(shown: Visit) -> dict[str, str]:
    return dict(shown.page.evaluate("history.state.run"))


def lines(shown: Visit) -> int:
    return int(shown.page.evaluate("transcript.split('\\n').length"))


@pytest.mark.parametrize("by", ["address", "button", "finger"])
def test_each_key_types_a_line(visit: Visitor, by: str) -> None:
    shown = play(visit, **({} if by == "button" else {"type": 1}))
    if by == "button":
        shown.press("type")
    shown.wait_for("document.querySelector('[data-action=type]').ariaPressed === 'true'")
    shown.settle()
    assert not is_growing(shown, 2000)
    for key in ("x", "q", "n", "Space", "Enter"):  # whatever they mean elsewhere
        before = lines(shown)
        shown.page.click(".xterm-screen") if by == "finger" else shown.page.keyboard.press(key)
        shown.wait_for(f"transcript.split('\\n').length > {before}")
    shown.settle()
    assert not is_growing(shown, 2000)
    shown.page.keyboard.press("Escape")
    assert is_growing(shown)  # by the clock again
    assert shown.page.evaluate("document.documentElement.dataset.state") == "playing"


def test_restart_plays_the_same_run_from_the_top(visit: Visitor) -> None:
    shown = play(visit, seed=6)
    run = run_of(shown)
    shown.wait_for("transcript.length > 1000")
    shown.page.evaluate("transcript = ''")
    shown.press("restart")
    first = "document.querySelector('.xterm-rows > div').textContent"
    row = shown.wait_for(f"transcript.length > 500 && {first}")
    assert row.startswith("$ python -m llmsim")
    assert run_of(shown) == run


def test_next_plays_the_next_seed(visit: Visitor) -> None:
    shown = play(visit, seed=2**64 - 1)
    shown.page.keyboard.press("n")
    shown.wait_for("history.state.run.some(([name, value]) => name === 'seed' && value === '0')")
    assert shown.page.evaluate("document.documentElement.dataset.state") == "playing"


@pytest.mark.parametrize("key", ["q", "Q", "Escape"])
def test_stop_and_play_again(visit: Visitor, key: str) -> None:
    shown = play(visit)
    shown.page.keyboard.press(key)
    shown.wait_for_state("ended")
    assert shown.status == 130
    shown.press("restart")
    shown.wait_for_state("playing")
    assert is_growing(shown)


def test_hasty_visitor_gets_one_show(visit: Visitor) -> None:
    shown = play(visit)
    for _ in range(5):
        shown.page.keyboard.press("n")
    shown.wait_for("history.state.run.some(([name, value]) => name === 'seed' && value !== '4')")
    shown.settle()
    sent = len(shown.transcript)
    shown.wait_for(f"transcript.length > {sent + 500}")  # more than another's farewell: the last
    shown.page.keyboard.press("q")
    shown.wait_for_state("ended")
    assert not is_growing(shown, 1500)


def test_stop_right_after_next_stops_the_next(visit: Visitor) -> None:
    """The stop comes while the first show is ending; the second does not begin then."""
    shown = play(visit)
    press = "document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }))"
    shown.page.evaluate(f"for (const key of ['n', 'q']) {press}")
    shown.wait_for_state("ended")
    assert shown.status == 130
    assert not is_growing(shown, 3000)
    assert shown.page.evaluate("document.documentElement.dataset.state") == "ended"
    shown.page.keyboard.press("n")  # whoever wants it after all gets it
    shown.wait_for("history.state.run.some(([name, value]) => name === 'seed' && value === '5')")
    assert is_growing(shown)


def test_link_reproduces_the_run(visit: Visitor) -> None:
    shown = play(visit, model="BenchmaxxedLM-7B")
    shown.press("share")
    shown.wait_for(f"{NOTICE} === 'link copied'")
    link = urlsplit(clipboard(shown))
    assert f"{link.scheme}://{link.netloc}" == shown.origin
    query = parse_qs(link.query)
    assert query["seed"] == ["4"]
    assert query["start"] == ["2026-01-30T12:00:00"]
    assert query["model"] == ["BenchmaxxedLM-7B"]


def test_command_reproduces_the_run(visit: Visitor) -> None:
    shown = play(visit)
    shown.press("command")
    shown.wait_for(f"{NOTICE} === 'copied'")
    assert clipboard(shown).startswith("uvx llmsim ")  # for somebody who has nothing installed
    assert "--seed 4 --start 2026-01-30T12:00:00" in clipboard(shown)


def test_settings_are_the_table_of_options(visit: Visitor) -> None:
    shown = play(visit)
    shown.press("settings")
    shown.page.wait_for_selector("dialog[open]")
    names = shown.page.evaluate(
        "[...document.querySelectorAll('#fields :is(input, select)')].map(it => it.name)"
    )
    asked = [option.name for option in OPTIONS if option.in_url or option.name == "theme"]
    assert names[: len(FIRST)] == list(FIRST)
    assert names[len(FIRST) :] == [name for name in asked if name not in FIRST]
    assert not shown.page.is_visible("[name=sharding]")  # in the fold
    assert shown.page.input_value("[name=seed]") == "4"
    assert shown.page.input_value("[name=view]") == "log"
    offered = shown.page.evaluate(
        "[...document.querySelector('select[name=gpu]').options].map(it => it.value)"
    )
    assert offered == ["", *(gpu.name for gpu in gpus())]
    proposed = shown.page.evaluate("document.querySelector('[name=model]').list.options.length")
    assert proposed == len(models())


def test_what_is_chosen_in_the_settings_is_played(visit: Visitor) -> None:
    shown = play(visit, speed_factor="3")
    shown.press("settings")
    assert shown.page.input_value("[name=speed-factor]") == "3"  # which no button leads to
    shown.page.select_option("[name=dialect]", "megatron")
    shown.page.select_option("[name=speed-factor]", "16")
    shown.page.select_option("[name=view]", "")
    shown.page.select_option("[name=theme]", "phosphor")
    shown.page.click("#settings [value=play]")
    shown.wait_for("history.state?.run.some((it) => it.join() === 'dialect,megatron')")
    query = dict(parse_qsl(urlsplit(shown.address).query))
    assert query["speed-factor"] == "16"
    assert "view" not in query
    assert shown.page.evaluate("document.documentElement.dataset.theme") == "phosphor"


def test_settings_change_the_run_and_back_brings_it_back(visit: Visitor) -> None:
    shown = play(visit)
    before = shown.address
    shown.press("settings")
    shown.page.click("#settings summary")
    shown.page.fill("[name=seed]", "9")
    shown.page.fill("[name=duration]", " 10m ")
    shown.page.keyboard.press("Enter")
    shown.wait_for("history.state?.run.some(([name, value]) => name === 'seed' && value === '9')")
    asked = dict(parse_qsl(urlsplit(shown.address).query))
    assert asked == {**ASKED, "seed": "9", "duration": "10m"}
    shown.page.go_back()
    shown.wait_for("history.state?.run.some(([name, value]) => name === 'seed' && value === '4')")
    assert shown.address == before


def test_scene_is_chosen_from_the_list_and_back_leads_back(visit: Visitor) -> None:
    """`planet` asks for the wall, and the button knows it; names are those of --list scenes."""
    shown = play(visit)
    before = shown.address
    shown.press("scenes")
    shown.page.wait_for_selector("#scenes[open]")
    offered = shown.page.eval_on_selector_all(
        "#scene-list button", "all => all.map(({ value, textContent }) => [value, textContent])"
    )
    assert offered == [[it.name, f"{it.name} {it.sentence}"] for it in scenes()]
    shown.page.click("#scene-list [value=planet]")
    shown.wait_for("history.state?.run.some(([name, value]) => name === 'gpus' && value > 100000)")
    asked = dict(parse_qsl(urlsplit(shown.address).query))
    assert (asked["scene"], asked["seed"]) == ("planet", "11")
    wall = "document.querySelector('[data-action=wall]').ariaPressed"
    shown.wait_for(f"{wall} === 'true'")
    shown.page.go_back()
    shown.wait_for("history.state?.run.some(([name, value]) => name === 'seed' && value === '4')")
    shown.wait_for(f"{wall} === 'false'")
    assert shown.address == before


def test_die_throws_another_scene_each_time(visit: Visitor) -> None:
    shown = play(visit, scene="hang")
    names = {scene.name for scene in scenes()}
    before = "hang"
    for _ in range(3):
        shown.press("scenes")
        shown.page.wait_for_selector("#scenes[open]")
        playing = "#scene-list [data-playing]"
        assert shown.page.get_attribute(playing, "value") == before
        shown.page.click("#scenes [value='*']")
        here = "new URLSearchParams(location.search).get('scene')"
        shown.wait_for(f"{here} !== '{before}'")
        before = str(shown.page.evaluate(here))
        assert before in names


def test_cancelled_settings_change_nothing(visit: Visitor) -> None:
    shown = play(visit)
    before = shown.address
    shown.press("settings")
    shown.page.click("#settings summary")
    shown.page.fill("[name=seed]", "9 q n")  # keys of the show, but not here
    shown.page.keyboard.press("Escape")
    assert is_growing(shown)
    assert shown.address == before
    assert run_of(shown)["seed"] == "4"


def test_back_from_elsewhere_keeps_the_run(visit: Visitor) -> None:
    shown = visit()
    shown.open(view="log")
    shown.wait_for("history.state?.run")
    run = run_of(shown)
    shown.page.goto("about:blank")
    shown.page.go_back()
    shown.wait_for("document.documentElement.dataset.state === 'playing' && history.state?.run")
    assert run_of(shown) == run


def test_theme_is_kept(visit: Visitor) -> None:
    shown = play(visit)
    shown.press("theme")
    background = "getComputedStyle(document.body).backgroundColor"
    assert shown.page.evaluate(background) == "rgb(12, 15, 20)"  # the system's is light
    shown.page.reload()
    shown.wait_for_state("playing")
    assert shown.page.evaluate(background) == "rgb(12, 15, 20)"


def test_kiosk_shows_nothing_but_the_terminal(visit: Visitor) -> None:
    shown = play(visit, kiosk=1)
    shown.page.mouse.move(100, 100)
    shown.page.mouse.move(200, 100)
    assert not shown.page.is_visible("#controls")
    assert (
        shown.page.evaluate("getComputedStyle(document.querySelector('.xterm')).cursor") == "none"
    )
    assert "kiosk" not in shown.transcript


def test_screen_reader_hears_a_few_lines_of_the_log_at_a_time(visit: Visitor) -> None:
    """Words of the log, no curves and bars, and nothing like xterm's "Too much output"."""
    shown = play(visit, view="auto", speed_factor=2, **{"from": "training"})
    shown.wait_for("/^training/.test(document.title)")
    shown.press("reader")
    button = "document.querySelector('[data-action=reader]')"
    shown.wait_for(f"{button}.getAttribute('aria-pressed') === 'true'")
    spoken = "[...document.querySelectorAll('#spoken p')].map(it => it.textContent)"
    spoken_at = f"[{spoken}.length, performance.now() / 1000]"
    shown.wait_for(f"{spoken}.length > 0")
    before, then = shown.page.evaluate(spoken_at)
    shown.wait_for(f"{spoken}.length > {before + 3}")
    after, now = shown.page.evaluate(spoken_at)
    assert after - before <= 3 * (1 + (now - then) / 5)  # three lines each five seconds
    shown.wait_for(f"{spoken}.some((line) => line.includes('loss'))", seconds=60)
    lines = shown.page.evaluate(spoken)
    steps = [line for line in lines if line.startswith("step")]
    assert steps, lines
    for step in steps:  # a sentence: no stamp, clauses with commas, a full stop; soon said
        assert re.fullmatch(r"step [\d,]+/[\d,]+, .*loss [\d.]+.*\.", step), step
        assert "INFO" not in step
        assert "  " not in step
        assert len(step) <= 120, step
    assert not any(re.search(r"[\u2500-\u259f\u2800-\u28ff]|Too much output", it) for it in lines)
    assert shown.page.get_attribute("#spoken", "aria-live") == "polite"
    shown.press("reader")
    shown.wait_for(f"{spoken}.length === 0")


def test_less_motion_is_honoured(visit: Visitor) -> None:
    shown = visit()
    shown.page.emulate_media(reduced_motion="reduce")
    shown.open(**ASKED)
    moving = "document.getAnimations().length"
    assert shown.page.evaluate(moving) == 0
    shown.wait_for_state("playing")
    shown.page.mouse.move(100, 100)
    assert shown.page.evaluate(moving) == 0


STATES = ("playing", "ended", "failed", "settings", "scenes", "save", "help", "reader", "wall")


@pytest.mark.parametrize("scene", [*STATES, *THEMES[1:]])
def test_axe_finds_no_violation(visit: Visitor, scene: str) -> None:
    shown = visit()
    if scene == "failed":
        shown.page.context.route("**/library.zip", lambda route: route.fulfill(status=404))
        shown.open()
        shown.wait_for_failure()
    else:
        shown.open(**ASKED, **({"theme": scene} if scene in THEMES else {}))
        shown.wait_for("transcript.length > 1000")
        shown.press("stop" if scene == "ended" else "pause")
        if scene == "ended":
            shown.wait_for_state("ended")
        elif scene in STATES and scene != "playing":
            shown.press(scene)
            if scene not in ("reader", "wall"):
                shown.page.wait_for_selector(f"#{scene}[open]")
    shown.page.evaluate(Path(AXE).read_text(encoding="utf-8"))
    found = shown.page.evaluate("axe.run().then(({ violations }) => violations)")
    told = [(it["id"], node["html"]) for it in found for node in it["nodes"]]
    assert [it for it in told if not is_picture(*it)][:5] == []


def is_picture(rule: str, html: str) -> bool:
    """Whether a contrast is that of a curve's dots or of a line, which are no text to be read."""
    return rule == "color-contrast" and not re.search(r"[^\W_]", re.sub(r"<[^>]*>", "", html))


@pytest.mark.parametrize("size", [(320, 480), (200, 120), (60, 40), (1600, 200)])
def test_frame_of_any_size_plays_and_leaves_the_focus_alone(
    visit: Visitor, size: tuple[int, int]
) -> None:
    shown = visit()
    width, height = size
    shown.page.goto(f"{shown.origin}/icon.svg", wait_until="commit")  # any page of this origin
    shown.page.set_content(
        f'<input autofocus><iframe src="/?seed=4" width="{width}" height="{height}"></iframe>'
    )
    shown.page.wait_for_selector("iframe")
    frame = shown.page.frames[1]
    state = "document.documentElement.dataset.state"
    for _ in range(int(PATIENCE * 20)):
        if frame.evaluate(state) == "playing":
            break
        shown.page.wait_for_timeout(50)
    assert frame.evaluate(state) == "playing"
    assert shown.page.evaluate("document.activeElement.tagName") == "INPUT"


def test_phone_holds_many_columns(visit: Visitor) -> None:
    shown = visit(width=390, height=844)
    shown.open(**ASKED)
    shown.wait_for("transcript.length > 500")
    assert shown.screen.width >= 60
    assert shown.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
