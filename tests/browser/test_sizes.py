"""What is in the picture on screens of several sizes."""

from io import BytesIO

import pytest
from PIL import Image

from llmsim.board.board import SHORTEST
from llmsim.physics.noise import uniform
from tests.browser.visit import Visit, Visitor

pytestmark = pytest.mark.browser


PHONE, LAPTOP, DESKTOP = (390, 844), (1280, 800), (2560, 1440)
CURVE = "/[\u2801-\u28ff]/.test(document.querySelector('.xterm-rows')?.textContent)"
TRAINING = "/^training [1-9][0-9]%/.test(document.title)"
WALL = "document.querySelector('[data-action=wall]').ariaPressed"
ROWS = "[...document.querySelectorAll('.xterm-rows > div')]"
LINE = "document.getElementById('timeline').getBoundingClientRect()"
OPACITY = "getComputedStyle(document.getElementById('controls')).opacity"
FROM = {"from": "60%"}
BOXES = """[...document.querySelectorAll('.xterm-rows > div')].map((row) => {
    const { left, top, right, bottom } = row.getBoundingClientRect();
    return [left, top, right, bottom];
})"""


def in_training(visit: Visitor, size: tuple[int, int], greeted: bool = True) -> Visit:
    """A visit whose run stands still, well into its training; `greeted` were here before."""
    width, height = size
    shown = visit(width=width, height=height)
    if greeted:
        shown.page.add_init_script("localStorage.setItem('welcome', 'read')")
    shown.open(seed=4, start="2026-01-30T12:00:00", dialect="pytorch", speed_factor=8)
    shown.wait_for(TRAINING, seconds=90)
    shown.page.keyboard.press("Space")
    shown.wait_for("document.title.startsWith('paused')")
    shown.settle()
    return shown


def ink(picture: Image.Image, box: list[float]) -> int:
    """How many colours there are in a part of the picture."""
    left, top, right, bottom = map(round, box)
    return len(picture.crop((left, top, right, bottom)).getcolors(1 << 24) or ())


@pytest.mark.parametrize("size", [PHONE, LAPTOP, DESKTOP])
def test_picture_is_full(visit: Visitor, size: tuple[int, int]) -> None:
    shown = in_training(visit, size)
    width, height = size
    rows, boxes = shown.rows, shown.page.evaluate(BOXES)
    assert len(rows) == shown.screen.height

    # The rows fill the window, but for its margins and the controls' place, and nothing is wider.
    left, top = boxes[0][:2]
    right, bottom = boxes[-1][2:]
    assert left < 12
    assert top < 12
    assert width - 36 < right <= width
    place = shown.page.evaluate(f"{LINE}.top")
    assert height - 60 <= place
    assert place - 36 < bottom <= place
    assert shown.page.evaluate("document.documentElement.scrollWidth") == width
    assert max(len(row.rstrip()) for row in rows) <= shown.screen.width

    # What stands in a row is painted there, and few rows are empty.
    picture = Image.open(BytesIO(shown.page.screenshot())).convert("RGB")
    assert picture.size == size
    filled = [row.strip() != "" for row in rows]
    painted = [ink(picture, box) > 1 for box in boxes]
    assert painted == filled
    assert sum(filled) > 0.9 * len(rows)

    # The log above, in many colours, and the board below.
    assert ink(picture, [0, 0, width, height / 2]) > 16
    board = "".join(rows[len(rows) // 2 :])
    assert any("\u2801" <= sign <= "\u28ff" for sign in board)
    assert "step" in rows[-1]
    assert "eta" in rows[-1]


@pytest.mark.parametrize("greeted", [False, True])
def test_low_window_has_the_log_alone(visit: Visitor, greeted: bool) -> None:
    """Whoever is here for the first time sees a log there, too, and no greeting in its place."""
    shown = in_training(visit, (800, 80), greeted=greeted)
    assert shown.screen.height < SHORTEST
    assert not shown.page.evaluate(CURVE)
    shown.page.keyboard.press("Space")
    shown.wait_for(f"{ROWS}.some((row) => row.textContent.includes('loss'))")
    assert not shown.page.evaluate(CURVE)


def test_wall_fills_the_window(visit: Visitor) -> None:
    width, height = LAPTOP
    shown = visit(width=width, height=height)
    shown.page.add_init_script("localStorage.setItem('welcome', 'read')")
    shown.open(seed=4, start="2026-01-30T12:00:00", dialect="pytorch", view="wall", **FROM)
    shown.wait_for(f"{CURVE} && {WALL} === 'true'")
    shown.page.keyboard.press("Space")
    shown.wait_for("document.title.startsWith('paused')")
    shown.wait_for(f"{ROWS}[0].textContent.includes('paused')")
    rows = shown.rows
    assert len(rows) == shown.screen.height
    filled = [row for row in rows if row.strip()]
    assert len(filled) > 0.9 * len(rows)  # a row between two parts may be empty
    assert "eta" in rows[-1]
    assert "kettles boiled" in "\n".join(rows)  # what the wall has, and the board has not


@pytest.mark.parametrize("by", ["button", "key"])
def test_wall_comes_and_goes(visit: Visitor, by: str) -> None:
    def toggle() -> None:
        shown.press("wall") if by == "button" else shown.page.keyboard.press("w")

    shown = visit(width=1280, height=800)
    shown.open(seed=4, start="2026-01-30T12:00:00", dialect="pytorch", **FROM)
    shown.wait_for(CURVE)
    assert shown.page.evaluate(WALL) == "false"
    kettles = f"{ROWS}.some((row) => row.textContent.includes('kettles boiled'))"
    assert not shown.page.evaluate(kettles)
    toggle()
    assert shown.page.evaluate(WALL) == "true"
    shown.wait_for(kettles)
    toggle()
    assert shown.page.evaluate(WALL) == "false"
    shown.wait_for(f"!{kettles}")
    shown.wait_for(CURVE)


@pytest.mark.parametrize("size", [LAPTOP, (1000, 600), (600, 500), (320, 256)])
def test_controls_cover_nothing(visit: Visitor, size: tuple[int, int]) -> None:
    """They have a place of their own; a low window, as at a zoom of 400 %, gives them one."""
    width, height = size
    shown = visit(width=width, height=height)
    shown.page.add_init_script("localStorage.setItem('welcome', 'read')")
    shown.open(seed=4, start="2026-01-30T12:00:00", dialect="pytorch", **FROM)
    shown.wait_for(TRAINING)
    shown.wait_for(f"{OPACITY} === '0'")
    told = "told.filter(({ type }) => type === 'resize').length"
    before = shown.page.evaluate(told)
    below = f"{ROWS}.at(-1).getBoundingClientRect().bottom <= {LINE}.top"
    shown.stir_until(f"{OPACITY} === '1' && {below}")  # a low window takes its rows back soon
    assert shown.page.evaluate(f"{LINE}.bottom") < height
    if height > 400:
        assert shown.page.evaluate(told) == before  # nothing moved when they came


HEADINGS = f"{ROWS}.map((row) => row.textContent).map((text) => text.startsWith('\u2500\u2500 '))"
# One board, over the whole width but for a column or two, down to the last row.
WHOLE = f"""(() => {{
    const heads = {HEADINGS};
    const last = {ROWS}.at(-1).textContent;
    const columns = told.findLast(({{ columns }}) => columns).columns;
    const free = columns - {ROWS}[heads.indexOf(true)]?.textContent.trimEnd().length;
    const ended = /^ ?step .*eta /.test(last);
    return heads.filter(Boolean).length === 1 && ended && free >= 0 && free < 4;
}})()"""


@pytest.mark.parametrize("paused", [True, False])
def test_hundred_sizes_leave_nothing_behind(visit: Visitor, paused: bool) -> None:
    """Turns and drags by chance: the board is whole and alone, and what is above it is the log."""
    shown = visit(width=1000, height=700)
    shown.page.add_init_script("localStorage.setItem('welcome', 'read')")
    shown.open(seed=4, start="2026-01-30T12:00:00", dialect="pytorch", **FROM)
    shown.wait_for(f"{CURVE} && {WHOLE}")
    if paused:
        shown.page.keyboard.press("Space")
        shown.wait_for("document.title.startsWith('paused')")
    width, height = 1000, 700
    for number in range(50):
        if number % 5 == 4:
            width, height = height, width
        else:
            width = int(uniform(1, "width", number) * 1200) + 640
            height = int(uniform(1, "height", number) * 700) + 420
        shown.page.set_viewport_size({"width": width, "height": height})
        try:
            shown.wait_for(WHOLE)
        except AssertionError:
            pytest.fail(f"{width}x{height}, number {number}:\n" + "\n".join(shown.rows))


@pytest.mark.parametrize("size", [PHONE, DESKTOP])
def test_text_is_legible(visit: Visitor, size: tuple[int, int]) -> None:
    """Columns enough for a log on a phone; on a large screen no more than lines are long."""
    width, height = size
    shown = visit(width=width, height=height)
    shown.open(seed=4)
    shown.wait_for("transcript.length > 200")
    assert 60 <= shown.screen.width <= 260
