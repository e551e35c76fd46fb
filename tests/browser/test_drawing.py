"""How the terminal is drawn: what has changed, and nothing else."""

import re

import pytest

from llmsim.physics import noise
from llmsim.show.player import FAREWELLS
from tests.browser.visit import Visit, Visitor

pytestmark = pytest.mark.browser


ROWS = "[...document.querySelectorAll('.xterm-rows > div')].map(row => row.innerHTML)"
# Where the hidden cursor rested xterm.js begins another stretch, of the same looks.
SAME_LOOKS = re.compile(r"(<span[^>]*>)([^<]*)</span>\1")
# Notes after each drawing how many rows were made anew; a row that has scrolled is not.
COUNT = """
    (() => {
      window.counts = [];
      const container = document.querySelector('.xterm-rows');
      new MutationObserver((changes) => {
        const rows = new Set(changes.map((it) => it.target).filter((it) => it !== container));
        if (rows.size) counts.push(rows.size);
      }).observe(container, { childList: true, subtree: true });
      return true;
    })()
"""


# After the end the terminal makes room for what there is to do then.
ABOVE = """document.querySelector('.xterm-rows').getBoundingClientRect().bottom <=
    document.getElementById('after').getBoundingClientRect().top"""


def test_rows_that_have_not_changed_are_left_alone(visit: Visitor) -> None:
    window = visit().open(**{"seed": 7, "dialect": "pytorch", "from": "50%"})
    window.wait_for_state("playing")
    assert window.page.evaluate(COUNT)
    window.wait_for("counts.length >= 12")
    counts = sorted(window.page.evaluate("counts"))
    assert counts[len(counts) // 2] < len(window.rows) / 2, counts


def looks(window: Visit) -> list[str]:
    """The rows on the screen, with one stretch for neighbours of the same looks."""
    rows = [str(row) for row in window.page.evaluate(ROWS)]
    while any(map(SAME_LOOKS.search, rows)):
        rows = [SAME_LOOKS.sub(r"\1\2", row) for row in rows]
    return rows


def test_drawn_rows_are_what_a_whole_drawing_shows(visit: Visitor) -> None:
    window = visit().open(seed=7, dialect="pytorch", speed_factor=8)
    window.wait_for_state("playing")
    window.wait_for_text("step")
    window.page.keyboard.press("g")
    window.page.keyboard.press("g")
    window.page.set_viewport_size({"width": 900, "height": 560})
    window.page.keyboard.press("q")
    last = noise.pick(7, "farewell", FAREWELLS)
    window.wait_for(f"document.querySelector('.xterm-rows').textContent.includes({last!r})")
    window.wait_for_state("ended")
    window.wait_for(ABOVE)
    before = looks(window)
    # A selection has all rows drawn, and so has its end.
    window.page.mouse.move(100, 100)
    window.page.mouse.down()
    window.page.mouse.move(400, 200)
    window.page.mouse.up()
    window.wait_for("document.querySelector('.xterm-selection').childElementCount > 0")
    window.page.mouse.click(300, 300)
    window.wait_for("document.querySelector('.xterm-selection').childElementCount === 0")
    assert looks(window) == before


def test_a_stop_leaves_the_board_as_it_stands_on_a_slow_machine(visit: Visitor) -> None:
    """What has been sent is drawn before what comes after the end takes rows from the terminal."""
    window = visit().open(**{"seed": 7, "dialect": "pytorch", "from": "50%", "speed-factor": 8})
    window.wait_for_state("playing")
    window.wait_for_text("step")
    session = window.page.context.new_cdp_session(window.page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": 8})
    window.page.wait_for_timeout(3000)  # until it knows how long a drawing takes
    window.page.keyboard.press("q")
    window.wait_for_state("ended")
    last = noise.pick(7, "farewell", FAREWELLS)
    window.wait_for(f"document.querySelector('.xterm-rows').textContent.includes({last!r})")
    rows = [row.rstrip() for row in window.rows]
    end = next(number for number, row in enumerate(rows) if last in row)
    begin = next(number for number, row in enumerate(rows) if row.startswith("── "))
    assert rows[end - 1].startswith(" step "), rows
    assert "eta" in rows[end - 1], rows
    assert not [row for row in rows[begin : end - 1] if "eta" in row], rows


# How far each stretch of text is from where its cells are, in cells, of all rows on the screen.
ASTRAY = """
    (() => {
      const screen = document.querySelector('.xterm-screen').getBoundingClientRect();
      const rows = [...document.querySelectorAll('.xterm-rows > div')];
      const cell = screen.width / %d;
      return Math.max(...rows.flatMap((row) => {
        let before = 0;
        return [...row.children].map((span) => {
          const left = span.getBoundingClientRect().left - screen.left - before * cell;
          before += span.textContent.length;
          return Math.abs(left) / cell;
        });
      }));
    })()
"""


def test_glyphs_that_a_canvas_measures_stand_in_their_cells(visit: Visitor) -> None:
    """Letters, blocks and braille, in bold too: a wrong width would shift what is right of them."""
    window = visit().open(**{"seed": 7, "dialect": "pytorch", "from": "50%"})
    window.wait_for_state("playing")
    window.wait_for("document.querySelector('.xterm-rows').textContent.match(/[\\u2801-\\u28ff]/)")
    assert window.page.evaluate(ASTRAY % window.screen.width) < 0.2
