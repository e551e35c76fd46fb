"""The map of a large cluster: a cell for each GPU, or for some of them, by temperature.

Nodes stand above each other in racks, with a gap between two racks. With colours a character is
two cells, one above the other; without them it is one. The colours go from the coolest to the
hottest GPU that is shown.
"""

from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, zip_longest

from llmsim.board.curves import SHADES, level
from llmsim.board.gauges import GONE, Cluster
from llmsim.board.racks import Section, section
from llmsim.text.screen import Screen
from llmsim.text.style import HEAT_16, Row, Span, ash, has_shades, heat, merged
from llmsim.text.themes import has_own_colours
from llmsim.typed import NamedTuple

Role = Callable[[float], str]  # of a cell this far, 0 .. 1, on the way from cool to hot

SCALE = 8  # cells of the legend's scale
FULL, UPPER_HALF, LOWER_HALF = "█", "▀", "▄"
PAIRS = len(HEAT_16) - 1  # of a colour and the next hotter one, where there are sixteen
BELOW = 7  # degrees C from the lower end of a short scale to the mean, which is green there
LEAST_RANGE = 20  # degrees C of the scale
ROUND = 5  # degrees C: the ends of the scale are multiples of it
DENSER = 0.31, 0.39, 0.55  # the shares from which on a cell has the next of four shades
UNKNOWN = -1  # in the place of a cell that there is not
FAULTY = -2  # the same of a GPU that is to blame or gone


class Warmth(NamedTuple):
    """A scale of temperatures, degrees C."""

    low: int
    high: int

    def share(self, celsius: float) -> float:
        """The position of a temperature on the scale, 0 .. 1."""
        return min(max((celsius - self.low) / (self.high - self.low), 0.0), 1.0)


def scale_of(seen: Sequence[int]) -> Warmth:
    """A scale that holds all temperatures, with round ends.

    Where they are close together, the mean has the colour of what is well: an end at the coolest
    of a thousand GPUs would jump with a single degree, and with it the colours of all.
    """
    low = min(seen, default=ROUND) // ROUND * ROUND
    high = -(-max(seen, default=low) // ROUND) * ROUND
    if not seen or high - low > LEAST_RANGE:
        return Warmth(low, max(high, low + LEAST_RANGE))
    usual = round(sum(seen) / len(seen)) - BELOW
    low = min(*seen, max(*seen, usual + LEAST_RANGE) - LEAST_RANGE)
    return Warmth(low, low + LEAST_RANGE)


def heat_map(cluster: Cluster, width: int, rows: int, screen: Screen) -> tuple[Row, ...]:
    """A map of at most `rows` rows; the last one is its legend."""
    double = screen.unicode and has_shades(screen)
    part = section(cluster, width, max(1, rows - 1) * (2 if double else 1))
    shown = seen = [*cluster.celsius(tuple(part.shown))]
    if cluster.faulty:
        gone = frozenset(cluster.gone)
        seen = [each for gpu, each in zip(part.shown, shown, strict=True) if gpu not in gone]
        seen += cluster.celsius(tuple([gpu for gpu in cluster.faulty if gpu not in gone]))
        shown = [*shown]
        for gpu in cluster.faulty:  # a cell is that of its first GPU, or of one that is at fault
            shown[gpu // part.stride] = FAULTY
    warmth = scale_of(seen)
    drawn = _map(tuple(shown), part, warmth, bool(cluster.faulty), screen)
    scale = _scale(warmth, ash if cluster.faulty else heat, screen)
    return (*drawn, _legend(cluster, part, seen, scale, width, screen)) if rows > 1 else drawn


@lru_cache(maxsize=2)
def _map(
    shown: tuple[int, ...], part: Section, warmth: Warmth, is_dark: bool, screen: Screen
) -> tuple[Row, ...]:
    """The map without its legend; on most beats of a show nothing of it has changed."""
    lines, role = _lines(shown, part), ash if is_dark else heat
    if screen.unicode and has_shades(screen):
        return tuple(_doubled(lines, warmth, role))
    return tuple(_single(line, warmth, role, screen) for line in lines)


def _lines(shown: Sequence[int], part: Section) -> list[list[int]]:
    """The cells line by line: racks are filled one after the other, each from its top."""
    high = -(-len(shown) // (part.rack * part.racks))  # lines
    lines: list[list[int]] = [[] for _ in range(high)]
    across = range(part.wide)
    for number in range(-(-len(shown) // (part.rack * high))):
        for line in range(high):
            first = (number * high + line) * part.rack
            cells = list(shown[first : first + part.rack])
            cells += [UNKNOWN] * (part.rack - len(cells))
            gap = [UNKNOWN] if number else []
            lines[line] += gap + [each for each in cells for _ in across]
    return [line for line in lines for _ in range(part.high)]


def degrees(seen: Sequence[int], screen: Screen) -> str:
    """The lowest and the highest temperature; one number where they are equal."""
    low, high = min(seen, default=0), max(seen, default=0)
    if low == high:
        return f"{low} °C" if screen.unicode else f"{low} C"
    return f"{low}–{high} °C" if screen.unicode else f"{low}-{high} C"


def _doubled(lines: Sequence[Sequence[int]], warmth: Warmth, role: Role) -> Iterator[Row]:
    """Two lines a row: a character is the upper and the lower cell."""
    cells = dict.fromkeys(chain(*lines))
    roles = {each: role(warmth.share(each)) for each in cells}
    roles |= {UNKNOWN: "", FAULTY: "glow"}
    for upper, lower in zip_longest(lines[::2], lines[1::2], fillvalue=()):
        pairs = zip_longest(upper, lower, fillvalue=UNKNOWN)
        yield tuple(halves([(roles[above], roles[below]) for above, below in pairs]))


Pair = tuple[str, str]  # the roles of the upper and of the lower half of a character


def halves(pairs: Sequence[Pair]) -> Iterator[Span]:
    """Characters of two halves. Two colours draw all pairs of them, so that they stay until there
    is a third one: to say for each character which two it has would be most of a show's bytes.
    """
    done, kinds = list[Pair](), frozenset[str]()
    role, glyphs = "", dict[Pair, str]()
    for pair in pairs:
        if pair not in glyphs:
            more = kinds.union(pair)
            if len(more) > 2:
                yield role, "".join([glyphs[each] for each in done])
                done, more = [], frozenset(pair)
            kinds, (role, glyphs) = more, _brush(more)
        done.append(pair)
    yield role, "".join([glyphs[each] for each in done])


@lru_cache(maxsize=512)
def _brush(kinds: frozenset[str]) -> tuple[str, dict[Pair, str]]:
    """The role of characters of one colour or two, and the glyph of each pair of them."""
    back, *others = sorted(kinds)
    if not others:
        return back, {(back, back): FULL if back else " "}
    front = others[0]
    role = f"{front} on {back}" if back else front
    glyphs = {(front, front): FULL, (back, back): " "}
    return role, glyphs | {(front, back): UPPER_HALF, (back, front): LOWER_HALF}


def _single(line: Sequence[int], warmth: Warmth, role: Role, screen: Screen) -> Row:
    glyphs = SHADES[not screen.unicode]
    shares = [warmth.share(each) for each in line]
    odd: dict[int, Span] = {UNKNOWN: ("", " "), FAULTY: ("down", GONE[not screen.unicode])}
    drawn = _drawn(role, screen)
    cells = [
        odd.get(each) or drawn(share, role, glyphs)
        for each, share in zip(line, shares, strict=True)
    ]
    return tuple(merged(cells))


def _drawn(role: Role, screen: Screen) -> Callable[[float, Role, str], Span]:
    """How cells are drawn that have a character each: of sixteen colours as mixtures of two, since
    what is well has but two, which alone would make its map flat.
    """
    if not screen.unicode:
        return _leveled
    if role is ash:
        return _faint
    return _dithered if screen.color and has_own_colours(screen.theme) else _shaded


def _leveled(share: float, role: Role, glyphs: str) -> Span:
    """A cell of one colour, the denser the hotter."""
    return role(share), level(share, glyphs)


def _shaded(share: float, role: Role, glyphs: str) -> Span:
    """The same of few shades, most of which are for cells that are about as warm as usual."""
    return role(share), glyphs[bisect(DENSER, share)]


def _faint(share: float, role: Role, glyphs: str) -> Span:
    """A cell through which the ground shines, since another one is the one to look at."""
    return role(share), level(share, glyphs[:2])


def _dithered(share: float, role: Role, glyphs: str) -> Span:
    """A cell between two of the few colours: a shade of the hotter one on the cooler one."""
    place = share * PAIRS
    low = min(int(place), PAIRS - 1)
    cooler, hotter = role(low / PAIRS), role((low + 1) / PAIRS)
    return f"{hotter} on {cooler}", level(place - low, f" {glyphs}")


def _scale(warmth: Warmth, role: Role, screen: Screen) -> Row:
    glyphs = SHADES[not screen.unicode]
    full = LOWER_HALF if screen.unicode and has_shades(screen) else ""
    steps = [step / (SCALE - 1) for step in range(SCALE)]
    drawn = _drawn(role, screen)
    cells: list[Span] = [
        (role(share), full) if full else drawn(share, role, glyphs) for share in steps
    ]
    unit = " °C" if screen.unicode else " C"
    return (("label", f"{warmth.low} "), *merged(cells), ("label", f" {warmth.high}{unit}"))


def _legend(
    cluster: Cluster, part: Section, seen: Sequence[int], scale: Row, width: int, screen: Screen
) -> Row:
    """What a cell is and how the colours are meant, as much as there is room for."""
    texts: list[tuple[str, ...]] = [
        (f"{cluster.gpus:,} {cluster.device}s",),
        (degrees(seen, screen),),
    ]
    if part.stride > 1:
        stands = _stands_for(cluster, part.stride)
        texts.append((f"1 cell = {stands}", f"cell = {stands}"))
    used = sum(len(text) for _, text in scale)
    row: list[Span] = []
    for ways in texts:
        for text in [text for text in ways if used + len(text) + 2 <= width][:1]:
            row += [("label", text), ("", "  ")]
            used += len(text) + 2
    return (*row, *scale)


def _stands_for(cluster: Cluster, gpus: int) -> str:
    """What this number of GPUs is: racks, nodes, or a part of a node."""
    units = [(cluster.joined, "rack")] if cluster.linked > 1 else []
    units += [(cluster.per_node, "node"), (1, cluster.device)]
    size, name = next(unit for unit in units if gpus % unit[0] == 0)
    count = gpus // size
    return f"{count:,} {name}{'s' * (count > 1)}"
