"""Take the pictures of docs/: boards, walls, and the poster after a run.

The text goes through a terminal emulator (pyte), its cells become an SVG, and a browser draws
that. Lines, blocks and braille are drawn as shapes, so that no font can misplace them.
"""

import argparse
import re
from collections.abc import Iterator
from datetime import datetime
from html import escape
from pathlib import Path

import pyte
from playwright.sync_api import sync_playwright
from pyte.screens import Char

from llmsim.options.given import parse_options
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.events import PhaseName
from llmsim.run.moment import struck
from llmsim.run.simulation import run_of
from llmsim.run.timeline import Run
from llmsim.show.live_region import LiveRegion
from llmsim.show.pace import pace_of
from llmsim.show.playback import Playback
from llmsim.show.player import beginning, play
from llmsim.text.screen import TRUECOLOR, Screen
from llmsim.typed import NamedTuple
from tools.browser import launch

DOCS = Path(__file__).parent.parent / "docs"
START = datetime(2026, 1, 30, 12)
RUN = Options(start=START, dialect="pytorch", recipe="pretrain")
BEFORE = 15.0  # show seconds that are played before the moment of a picture
CELL, LINE, SIZE = 8, 17, 13.3  # pixels: a cell's width and height, and the font's size
BASELINE = 12.8
MARGIN = 14
FONT = "'JetBrains Mono', 'DejaVu Sans Mono', 'Liberation Mono', monospace"
FAINT_OPACITY = 0.4
DARK = {"page": "#0c0f14", "default": "#c8d0da"}
LIGHT = {"page": "#fbfbf9", "default": "#2a2f36"}
# Themes of one colour are for a black screen.
GROUNDS = {
    "phosphor": {"page": "#040a05", "default": "#45c463"},
    "amber": {"page": "#0a0702", "default": "#c98a26"},
}
NAMES = {
    "black": "#1b222c", "red": "#e0616a", "green": "#5fb572", "brown": "#c99a3c",
    "blue": "#5a9ae0", "magenta": "#b584e0", "cyan": "#45b5ba", "white": "#c8d0da",
    "brightblack": "#7c8794", "brightred": "#ff6b74", "brightgreen": "#7fd692",
    "brightbrown": "#e8bd62", "brightblue": "#82b8f5", "brightmagenta": "#cfa6f2",
    "brightcyan": "#6bd3d8", "brightwhite": "#f2f5f8",
}  # fmt: skip
HEX = re.compile("[0-9a-f]{6}")
FAINT, STRUCK_OUT = 2, 9  # pyte knows no faint text; it is kept as struck out


class Terminal(pyte.Screen):
    """A terminal that keeps faint text apart."""

    def select_graphic_rendition(self, *attributes: int, **options: bool) -> None:
        """Note faint text as struck out, but leave the 2 of a colour: 38;2;90;90;90."""
        noted, rest = list[int](), [*attributes]
        while rest:
            size = {2: 5, 5: 3}.get(rest[1], 1) if rest[0] in (38, 48) and rest[1:] else 1
            noted += [STRUCK_OUT] if rest[0] == FAINT else rest[:size]
            rest = rest[size:]
        super().select_graphic_rendition(*noted, **options)


class Picture(NamedTuple):
    """A terminal's size, which run it shows at which second of its show, and how."""

    name: str
    width: int
    height: int
    options: Options
    moment: float | tuple[PhaseName, str]  # or the middle of a phase that an incident has caused
    scale: float  # pixels per pixel
    theme: str = "auto"


def scene(name: str, **more: str) -> Options:
    """The options of a scene, on the wall unless it asks for another view."""
    options, complaints = parse_options([("scene", name), ("view", "wall"), *more.items()], "--")
    assert not complaints
    return options


PICTURES = (
    Picture("board-80", 80, 24, RUN._replace(seed=3, gpus=8), 116.0, 2.0),
    Picture("board-120", 120, 40, RUN._replace(seed=24, gpus=8), 128.0, 1.5),
    Picture("board-200", 200, 50, RUN._replace(seed=1, gpus=1024, steps=3000), 122.0, 1.0),
    Picture("wall-160", 160, 45, scene("planet"), ("outage", "gpu-lost"), 1.25),
    Picture("wall-phosphor", 120, 36, scene("red"), ("failure", "gpu-lost"), 1.5, "phosphor"),
    Picture("poster-120", 120, 34, RUN._replace(seed=24, gpus=8), 190.0, 1.25),  # after its end
)


def second_of(picture: Picture, run: Run) -> float:
    """The show second of a picture: of an incident's phase the first after the scene has begun."""
    if isinstance(picture.moment, float):
        return picture.moment
    options, (phase, kind) = picture.options, picture.moment
    pace, begins = pace_of(run, options.duration), beginning(run, options)
    for segment in run.timeline:
        middle = pace.shown((segment.began + segment.ended) / 2)
        caused = segment.kind == phase and struck(run, segment.ended)[-1].kind == kind
        if caused and middle > begins:
            return middle
    raise ValueError(f"{picture.name}: no {phase} after {kind}")


def screen_at(picture: Picture) -> Terminal:
    """The terminal at the picture's moment."""
    screen = Screen(
        picture.width, picture.height, color=True, unicode=True, live=True, colors=TRUECOLOR,
        theme=picture.theme,
    )  # fmt: skip
    options, run = picture.options, run_of(plan(picture.options))
    moment = second_of(picture, run)
    terminal = Terminal(screen.width, screen.height)
    terminal.set_mode(pyte.modes.LNM)
    stream, region = pyte.Stream(terminal), LiveRegion(lambda: screen, Playback(0.0))
    region.wall = options.view == "wall"
    since = max(0.0, moment - BEFORE)
    for frame in play(run, options, lambda: screen, since, region=region):
        if frame.shown > moment:
            break
        stream.feed(frame.text)
    return terminal


# --- cells as shapes -----------------------------------------------------------------------


def configs(glyph: str) -> Iterator[tuple[float, float, float, float]]:
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


def element(name: str, inside: str, /, **attributes: object) -> str:
    """An SVG element; an underscore in an attribute's name stands for a dash."""
    given = " ".join(f'{key.replace("_", "-")}="{value}"' for key, value in attributes.items())
    return f"<{name} {given}>{inside}</{name}>"


def rectangle(x: float, y: float, width: float, height: float, **attributes: object) -> str:
    """A filled rectangle; what is as wide as a cell overlaps with the next a little."""
    width += 0.3 if width == CELL else 0.0
    place = {"x": f"{x:.2f}", "y": f"{y:.2f}", "width": f"{width:.2f}", "height": f"{height:.2f}"}
    return element("rect", "", **place, **attributes)


def ink(color: str, otherwise: str) -> str:
    """A colour of pyte's as one of SVG's."""
    if color == "default":
        return otherwise
    return f"#{color}" if HEX.fullmatch(color) else NAMES[color]


def cell(char: Char, x: float, y: float, theme: dict[str, str]) -> Iterator[str]:
    """The SVG of one cell."""
    if char.reverse:  # on a screen without colours of its own the ground becomes the letter's
        front = ink(char.fg, theme["default"])
        char = char._replace(reverse=False, bg=front.removeprefix("#"), fg=theme["page"][1:])
    if char.bg != "default":
        yield rectangle(x, y, CELL, LINE, fill=ink(char.bg, ""))
    style = {
        "fill": ink(char.fg, theme["default"]),
        "opacity": FAINT_OPACITY if char.strikethrough else 1,
    }
    filled = list(configs(char.data)) if char.data else []  # of a wide glyph the second cell
    for left, top, width, height in filled:
        yield rectangle(x + left * CELL, y + top * LINE, width * CELL, height * LINE, **style)
    if not filled and char.data.strip():
        weight = "bold" if char.bold else "normal"
        letter = escape(char.data)
        yield element("text", letter, x=f"{x:.2f}", y=y + BASELINE, font_weight=weight, **style)


def svg(terminal: Terminal, theme: dict[str, str]) -> str:
    """The whole terminal."""
    width = round(terminal.columns * CELL + 2 * MARGIN)
    height = terminal.lines * LINE + 2 * MARGIN
    parts = [rectangle(0, 0, width, height, fill=theme["page"])]
    for row in range(terminal.lines):
        for column in range(terminal.columns):
            x, y = MARGIN + column * CELL, MARGIN + row * LINE
            parts += cell(terminal.buffer[row][column], x, y, theme)
    return element(
        "svg", "".join(parts), xmlns="http://www.w3.org/2000/svg", width=width, height=height,
        font_family=FONT, font_size=SIZE, style="display:block",
    )  # fmt: skip


def shoot(pictures: list[tuple[str, Path, float]]) -> None:
    """Let a browser draw each SVG to its file."""
    with sync_playwright() as playwright:
        browser = launch(playwright.chromium)
        for image, target, scale in pictures:
            page = browser.new_page(device_scale_factor=scale)
            page.set_content(f'<body style="margin:0">{image}</body>')
            page.locator("svg").screenshot(path=target)
            print(f"picture: {target}")
        browser.close()


def main() -> None:
    """Play the runs to their moments and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--light", action="store_true", help="on a light background")
    parser.add_argument("--folder", type=Path, default=DOCS)
    parser.add_argument("names", nargs="*", help="which pictures, if not all")
    given = parser.parse_args()
    pictures = []
    for picture in PICTURES:
        if given.names and picture.name not in given.names:
            continue
        ground = GROUNDS.get(picture.theme, LIGHT if given.light else DARK)
        image = svg(screen_at(picture), ground)
        pictures.append((image, given.folder / f"{picture.name}.png", picture.scale))
    shoot(pictures)


if __name__ == "__main__":
    main()
