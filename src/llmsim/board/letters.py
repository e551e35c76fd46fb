"""Big letters: a word in three rows of half blocks, as large print on a terminal.

Each letter is five dots high, and a comma has one more, below the line: from afar it must not look
like a point. A cell shows two dots, one above the other. There are capitals, digits and the few
signs that names of models and numbers have. B, D, K and O are wider than the digits: with three
dots they look like an 8, an O, an H and a diamond.
"""

from collections.abc import Sequence
from functools import lru_cache

from llmsim.text.screen import Screen

ROWS = 3  # of cells; only a comma has dots in the sixth row
GAP = 1  # cells between two letters
LARGE = 12  # times the rows of larger letters have to be on a screen

# Rows of dots from the top down; "#" is a dot.
_DOTS = {
    "A": ".#. #.# ### #.# #.#", "B": "###. #..# ###. #..# ###.", "C": ".## #.. #.. #.. .##",
    "D": "###. #..# #..# #..# ###.", "E": "### #.. ##. #.. ###", "F": "### #.. ##. #.. #..",
    "G": ".## #.. #.# #.# .##", "H": "#.# #.# ### #.# #.#", "I": "# # # # #",
    "J": "..# ..# ..# #.# .#.", "K": "#..# #.#. ##.. #.#. #..#", "L": "#.. #.. #.. #.. ###",
    "M": "#...# ##.## #.#.# #...# #...#", "N": "#..# ##.# #.## #..# #..#",
    "O": ".##. #..# #..# #..# .##.", "P": "##. #.# ##. #.. #..", "Q": ".##. #..# #..# #.#. .#.#",
    "R": "##. #.# ##. #.# #.#", "S": ".## #.. .#. ..# ##.", "T": "### .#. .#. .#. .#.",
    "U": "#.# #.# #.# #.# ###", "V": "#.# #.# #.# #.# .#.", "W": "#...# #...# #.#.# ##.## #...#",
    "X": "#.# #.# .#. #.# #.#", "Y": "#.# #.# .#. .#. .#.", "Z": "### ..# .#. #.. ###",
    "0": "### #.# #.# #.# ###", "1": ".#. ##. .#. .#. ###", "2": "### ..# ### #.. ###",
    "3": "### ..# .## ..# ###", "4": "#.# #.# ### ..# ..#", "5": "### #.. ### ..# ###",
    "6": "### #.. ### #.# ###", "7": "### ..# ..# .#. .#.", "8": "### #.# ### #.# ###",
    "9": "### #.# ### ..# ###", "-": ".. .. ## .. ..", ".": ". . . . #", ",": ".. .. .. .. .# #.",
    " ": ".. .. .. .. ..", "_": "... ... ... ... ###", "+": "... .#. ### .#. ...",
    ":": ". # . # .", "%": "##..# ##.#. ..#.. .#.## #..##", "/": "..# ..# .#. #.. #..",
}  # fmt: skip
_HALVES = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def _dots(letter: str) -> list[str]:
    """The rows of a letter's dots; a letter that there is not is a blank."""
    rows = _DOTS.get(letter.upper(), _DOTS[" "]).split()
    return [*rows, *["." * len(rows[0])] * (2 * ROWS - len(rows))]


@lru_cache(maxsize=64)
def width(text: str) -> int:
    """Cells that a word takes in big letters."""
    return sum(len(_dots(letter)[0]) + GAP for letter in text) - GAP if text else 0


@lru_cache(maxsize=64)
def big(text: str) -> tuple[str, ...]:
    """The word in three rows of equal length."""
    dots = [(" " * GAP).join(_dots(letter)[row] for letter in text) for row in range(2 * ROWS)]
    pairs = zip(dots[::2], dots[1::2], strict=True)
    return tuple(
        "".join(_HALVES[above == "#", below == "#"] for above, below in zip(*pair, strict=True))
        for pair in pairs
    )


def _pieces(name: str) -> list[str]:
    """The parts of a name between which a line may end: at dashes, and at capitals in a word."""
    pieces = [""]
    for before, letter in zip(" " + name, name, strict=False):
        if letter == "-" or (letter.isupper() and before.islower()):
            pieces.append("")
        pieces[-1] += letter
    return [piece for piece in pieces if piece]


def broken(name: str, room: int) -> list[str]:
    """A name in as few lines as fit a width in big letters; none where a part of it does not."""
    lines = [""]
    for piece in _pieces(name):
        if lines[-1] and width(lines[-1] + piece) > room:
            lines.append(piece.lstrip("-"))
        else:
            lines[-1] += piece
    return lines if all(width(line) <= room for line in lines) else []


def largest(screen: Screen) -> int:
    """How many times as large as usual letters may be: a high screen is seen from afar."""
    return max(1, screen.height // (LARGE * ROWS))


def enlarged(rows: Sequence[str], times: int) -> Sequence[str]:
    """Rows of half blocks, each dot `times` as wide and as high."""
    if times == 1:
        return rows
    dots = [
        [cell in "█▀" if upper else cell in "█▄" for cell in row]
        for row in rows
        for upper in (True, False)
    ]
    wide = [[dot for dot in row for _ in range(times)] for row in dots for _ in range(times)]
    pairs = zip(wide[::2], wide[1::2], strict=True)
    return ["".join(_HALVES[pair] for pair in zip(*both, strict=True)) for both in pairs]


def titled(name: str, room: int, rows: int, screen: Screen, most: int = 1) -> list[str]:
    """A name in big letters, in at most `room` cells and `rows` rows; none if it does not fit. If
    there is room for it in one line, letters are up to `most` times as large.
    """
    lines = broken(name, room) if screen.unicode else []
    if not lines or len(lines) * ROWS > rows:
        return []
    if most > 1 and len(lines) == 1:
        times = max(1, min(most, room // width(name), rows // ROWS))
        return [*enlarged(big(name), times)]
    return [row for line in lines for row in big(line)]
