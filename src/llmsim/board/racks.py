"""Where the GPUs of a large cluster stand on its map: in cells, and these in racks."""

from functools import lru_cache
from itertools import chain, product

from llmsim.board.gauges import Cluster
from llmsim.typed import NamedTuple

MOST_CELLS = 2048  # read at once
NARROWEST_RACK, RACK, WIDEST_RACK = 4, 8, 12  # cells beside each other that have a gap after them
ODD = 100  # the part of the room that a rack may leave blank to be a cell nearer to RACK
ROUNDER = 1.25  # times the fewest GPUs of a cell: as many as it may have to be a whole of racks
SIZES = 1, 2, 3  # characters and lines that a cell may have


class Section(NamedTuple):
    """The GPUs that are shown: every `stride`-th one, in lines that racks of `rack` share."""

    shown: range  # GPUs
    stride: int
    rack: int  # cells beside each other
    racks: int  # beside each other
    wide: int = 1  # characters of a cell
    high: int = 1  # lines of a cell


def section(cluster: Cluster, width: int, lines: int) -> Section:
    """The cells of a cluster, as large as there is room for, in racks that fill the width."""
    return _section(cluster.gpus, cluster.per_node, cluster.joined, width, lines)


@lru_cache(maxsize=16)
def _section(gpus: int, node: int, joined: int, width: int, lines: int) -> Section:
    """One cell for each GPU if all fit, else one for some of a node's, or for some nodes."""
    stride, racks = _stride(gpus, node, joined, width, lines), list[Section]()
    shown = range(0, gpus, stride)
    for rack, wide, high in product(_widths(node, stride, width), SIZES, SIZES):
        most, deepest = (width + 1) // (rack * wide + 1), lines // high
        least = -(-len(shown) // (rack * deepest)) if deepest else most + 1
        racks += [Section(shown, stride, rack, n, wide, high) for n in range(least, most + 1)]
    odd = width * lines // ODD
    return max(racks, key=lambda part: _covered(part, width) - odd * abs(part.rack - RACK))


def _covered(part: Section, width: int) -> int:
    """The characters, in lines, that cells take, less the blank ones beside and below them."""
    count, lines = len(part.shown), -(-len(part.shown) // (part.rack * part.racks))
    taken = count * part.wide * part.high
    racks = -(-count // (part.rack * lines))
    return 2 * taken - (width + 1 - racks) * lines * part.high


def _widths(node: int, stride: int, width: int) -> list[int]:
    """Cells that a rack may have beside each other: no node begins in one line and ends in another,
    where a node has some cells.
    """
    unit = max(1, node // stride)
    most = WIDEST_RACK if unit == 1 else 2 * RACK  # two nodes of eight may stand side by side
    fitting = [rack for rack in range(unit, most + 1, unit) if NARROWEST_RACK <= rack <= width]
    return fitting or [unit if NARROWEST_RACK <= unit <= width else min(RACK, width)]


def _stride(gpus: int, node: int, joined: int, width: int, lines: int) -> int:
    """The fewest GPUs of a cell with which all have room: a part of a node, or some nodes. It is
    what one switch joins, such as a rack of 72 GPUs, or even parts or multiples of that, if the
    map has nearly as many cells then.
    """

    def fits(stride: int) -> bool:
        rooms = (rack * ((width + 1) // (rack + 1)) for rack in _widths(node, stride, width))
        return -(-gpus // stride) <= min(max(rooms) * lines, MOST_CELLS)

    parts = (part for part in range(1, node) if node % part == 0)
    whole = (node * count for count in range(max(1, gpus // node // MOST_CELLS), gpus + 1))
    least = next(stride for stride in chain(parts, whole) if fits(stride))
    more = range(least, int(least * ROUNDER) + 1)
    round_ = (each for each in more if each % joined == 0 or (joined % each == 0 == each % node))
    return next((each for each in round_ if fits(each)), least)
