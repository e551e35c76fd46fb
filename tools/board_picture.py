"""Take docs/board-80.png, -120 and -200: a run with the board, as terminals of these widths show it.

The text goes through a terminal emulator (pyte), its cells become an SVG, and a browser draws
that. Lines, blocks and braille are drawn as shapes, so that no font can misplace them.
"""

import argparse
from collections.abc import Iterator
from datetime import datetime
from html import escape
from pathlib import Path

import pyte
from playwright.sync_api import sync_playwright
from pyte.screens import Char

from llmsim.live import with_board
from llmsim.options import Options
from llmsim.planning import plan
from llmsim.player import paced
from llmsim.simulation import simulate
from llmsim.terminal.screen import TRUECOLOR, Screen
from tools.browser import launch

DOCS = Path(__file__).parent.parent / "docs"
START = datetime(2026, 1, 30, 12)
# Width, height, and which run at which second of its show.
PICTURES = (
    (80, 24, Options(seed=7, start=START, dialect="pytorch"), 95.0),
    (120, 40, Options(seed=3, start=START, gpus=8, dialect="pytorch"), 110.0),
    (200, 50, Options(seed=4, start=START, gpus=1024, dialect="pytorch"), 120.0),
)
CELL, LINE, SIZE = 8.4, 18, 14  # pixels: a cell's width and height, and the font's size
MARGIN = 14
FONT = "'JetBrains Mono', 'DejaVu Sans Mono', 'Liberation Mono', monospace"
DARK = {"page": "#0c0f14", "default": "#c8d0da", "faint": "0.4"}
LIGHT = {"page": "#fbfbf9", "default": "#2a2f36", "faint": "0.4"}
NAMES = {
    "black": "#1b222c", "red": "#e0616a", "green": "#5fb572", "brown": "#c99a3c",
    "blue": "#5a9ae0", "magenta": "#b584e0", "cyan": "#45b5ba", "white": "#c8d0da",
    "brightblack": "#7c8794",
}  # fmt: skip
FAINT = "9"  # pyte knows no faint text; it is kept as struck out


class Terminal(pyte.Screen):
    """A terminal that keeps faint text apart."""

    def select_graphic_rendition(self, *attributes: int, **options: bool) -> None:
        """Note faint text as struck out."""
        codes = list(attributes)
        if codes[:1] == [2]:
            codes[0] = int(FAINT)
        super().select_graphic_rendition(*codes, **options)


def screen_at(screen: Screen, options: Options, moment: float) -> Terminal:
    """The terminal at this second of a show."""
    terminal = Terminal(screen.width, screen.height)
    terminal.set_mode(pyte.modes.LNM)
    stream, clock = pyte.Stream(terminal), 0.0
    job = plan(options)
    timed = paced(simulate(job), job, options.duration)
    for delay, text in with_board(timed, job, lambda: screen, 1.0, 0):
        clock += delay
        if clock > moment:
            break
        stream.feed(text)
    return terminal


# --- cells as shapes -----------------------------------------------------------------------


def shapes(glyph: str) -> Iterator[tuple[float, float, float, float]]:
    """What to fill of a cell: left, top, width and height as parts of it."""
    code = ord(glyph)
    if "▁" <= glyph <= "█":
        part = (code - 0x2580) / 8
        yield 0, 1 - part, 1, part
    elif "▉" <= glyph <= "▏":
        yield 0, 0, (0x2590 - code) / 8, 1
    elif glyph == "▀":
        yield 0, 0, 1, 0.5
    elif glyph == "▬":
        yield 0, 0.3, 1, 0.45
    elif glyph in "─━╸":
        high = 0.055 if glyph == "─" else 0.2
        yield 0, 0.54 - high / 2, 0.5 if glyph == "╸" else 1, high
    elif 0x2800 < code <= 0x28FF:
        for bit, (column, row) in enumerate(
            ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
        ):
            if (code - 0x2800) >> bit & 1:
                yield 0.12 + 0.5 * column, 0.045 + 0.25 * row, 0.3, 0.15


def ink(color: str, otherwise: str) -> str:
    """A colour of pyte's as one of SVG's."""
    if color == "default":
        return otherwise
    return NAMES.get(color) or f"#{color}"


def cell(char: Char, x: float, y: float, theme: dict[str, str]) -> Iterator[str]:
    """The SVG of one cell."""
    color = ink(char.fg, theme["default"])
    faint = f' opacity="{theme["faint"]}"' if char.strikethrough else ""
    if char.bg != "default":
        yield f'<rect x="{x:.2f}" y="{y}" width="{CELL + 0.3}" height="{LINE}" fill="{ink(char.bg, "")}"/>'
    drawn = False
    for left, top, width, height in shapes(char.data):
        drawn = True
        wide = width * CELL + (0.3 if width == 1 else 0)
        yield (
            f'<rect x="{x + left * CELL:.2f}" y="{y + top * LINE:.2f}" width="{wide:.2f}" '
            f'height="{height * LINE:.2f}" fill="{color}"{faint}/>'
        )
    if not drawn and char.data.strip():
        bold = ' font-weight="bold"' if char.bold else ""
        yield f'<text x="{x:.2f}" y="{y + 13.5}" fill="{color}"{bold}{faint}>{escape(char.data)}</text>'


def svg(terminal: Terminal, theme: dict[str, str]) -> str:
    """The whole terminal."""
    width, height = terminal.columns * CELL + 2 * MARGIN, terminal.lines * LINE + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" '
        f'font-family="{FONT}" font-size="{SIZE}" style="display:block">',
        f'<rect width="100%" height="100%" fill="{theme["page"]}"/>',
    ]
    for row in range(terminal.lines):
        for column in range(terminal.columns):
            x, y = MARGIN + column * CELL, MARGIN + row * LINE
            parts += cell(terminal.buffer[row][column], x, y, theme)
    return "".join([*parts, "</svg>"])


def shoot(pictures: list[tuple[str, Path]]) -> None:
    """Let a browser draw each SVG to its file."""
    with sync_playwright() as playwright:
        browser = launch(playwright.chromium)
        page = browser.new_page(device_scale_factor=2)
        for image, target in pictures:
            page.set_content(f'<body style="margin:0">{image}</body>')
            page.locator("svg").screenshot(path=target)
            print(f"picture: {target}")
        browser.close()


def main() -> None:
    """Play the runs to their moments and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--light", action="store_true", help="on a light background")
    parser.add_argument("--folder", type=Path, default=DOCS)
    given = parser.parse_args()
    theme = LIGHT if given.light else DARK
    pictures = []
    for width, height, options, moment in PICTURES:
        screen = Screen(width, height, color=True, unicode=True, live=True, colors=TRUECOLOR)
        terminal = screen_at(screen, options, moment)
        pictures.append((svg(terminal, theme), given.folder / f"board-{width}.png"))
    shoot(pictures)


if __name__ == "__main__":
    main()
