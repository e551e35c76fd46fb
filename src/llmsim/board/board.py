"""The board: a live region below the log, laid out anew for every size of the screen.

    ── NotFound-404B · quiet-gradient-42 ──── training ──── util ───── mem ── temp ── power ──
     loss 0.9421  val 0.9020                            toaster-1  ▇▇▇▇  ▆▆▆▆  ▅▅▅▅  ▇▇▇▇
     1.42 ⢣                                             toaster-2  ▇▇▇▇  ▆▆▆▆  ▅▅▅▅  ▇▇▇▇
          ⠈⢢⡀                                           ...
     0.80    ⠉⠒⠒⠤⠤⠤⠤⣀⣀
     lr     1.96e-04  ▁▃▇███████▇▇▆▆▅▅▄▄▃▃▂▂▁▁
     tok/s     6,938  ▆▇▇▇▇▇▆▇▇▇▇
     step 1,045/1,520   epoch 2/2  ━━━━━━━━━━━━━━━━━━━━━━━╸────────   68%  eta 2:31:12

On a smaller screen the less important parts are left out; the lowest line stays longest.
"""

from collections.abc import Callable, Sequence

from llmsim.board import plots
from llmsim.board.curves import rule
from llmsim.board.gauges import Cluster
from llmsim.board.gpu_panel import MOST_GPUS, Panel, gpu_panel
from llmsim.board.letters import titled
from llmsim.board.sheet import in_columns, planned
from llmsim.board.training import Training
from llmsim.board.wall_content import Wall
from llmsim.text.progress_bar import blocks
from llmsim.text.screen import NARROWEST, Screen
from llmsim.text.style import Row, Span, clipped, length
from llmsim.typed import NamedTuple

SHORTEST = 5  # rows of a screen that has room for a board
SHARE = 0.4  # of the screen's rows
# A board of at least this size has the GPUs beside the curve.
WIDE, HIGH = 72, 6
LEAST_NAME = 17, 13  # cells of the name of the model, cut, on a narrow screen and on a wide one
LEAST_HARDWARE, HARDWARE = 8, 14  # cells of the GPUs' number and name, cut
FACTS_NEED = 30  # cells of a narrow board that has room for a fact
GAP = 3  # cells between the curve and the GPUs


class View(NamedTuple):
    """The content of the board at a moment. A function is called only if its value is shown."""

    titles: tuple[str, ...]  # model, run name ..., the most important first
    phase: str  # one of the roles of text/style.py
    phase_share: float  # how much of the phase is over, 0 .. 1; -1: nobody can say when it ends
    doing: str  # the bar's count: "step 1,045/1,520"
    also: str  # "epoch 2/2"
    share: float  # 0 .. 1; -1: of nothing
    left: str  # time to the end, if it is known
    training: Training
    cluster: Cluster
    pace: str = ""  # how the show goes, if not at speed 1: "paused 4x"
    titled: bool = False  # whether the name stands in big letters elsewhere
    told: int = 0  # how many of the first facts stand there, too
    wall: Callable[[], Wall] | None = None  # what the wall shows beside all this
    facts: Callable[[], tuple[tuple[str, str], ...]] = tuple  # names and values, for the opening
    band: str = ""  # the role of a heading that is a band across the screen, if something is wrong
    brief: str = ""  # the second title in short
    word: str = ""  # for the phase, where its own name would not be true


def rows_of(screen: Screen) -> int:
    """The largest number of rows of a board; 0 if the screen has no room for it."""
    if not screen.live or screen.height < SHORTEST or screen.width < NARROWEST:
        return 0
    return round(screen.height * SHARE)


def board(view: View, screen: Screen) -> list[Row]:
    """The rows from the top down; each leaves at least the last cell of the screen's width free."""
    rows, inner = rows_of(screen), screen.width - 2
    if rows == 0:
        return []
    if inner >= WIDE and rows >= HIGH:
        return _wide(view, inner, rows, screen)
    return _narrow(view, inner, rows, screen)


# --- lines ---------------------------------------------------------------------------------


def padded(row: Row, width: int) -> Row:
    """The row, filled up with blanks."""
    blanks = width - length(row)
    return (*row, ("", " " * blanks)) if blanks > 0 else row


def percent_of(share: float) -> int:
    """A share as the bars of a log round it; 100 is the end."""
    return min(round(share * 100), 100 if share >= 1.0 else 99)


def progress(view: View, width: int, screen: Screen) -> Row:
    """The progress bar, with the texts around it that fit the width."""
    percent = f" {percent_of(view.share):3d}%" if view.share >= 0.0 else ""
    room = width - len(percent) - 1 - min(8, width // 4)
    left = f"eta {view.left}" if view.left else ""
    kept = []
    for text in (view.doing, left, view.also):
        if text and len(text) + 2 <= room:
            kept.append(text)
            room -= len(text) + 2
    row: list[Span] = []
    if view.doing in kept:
        row.append(("number", view.doing + "  "))
    if view.also in kept:
        row.append(("label", view.also + "  "))
    tail: list[Span] = [("number", percent)]
    if left in kept:
        tail.append(("label", f"  {left}"))
    filled, rest = rule(max(0.0, view.share), width - length(row) - length(tail), screen.unicode)
    return (*row, ("progress", filled), ("track", rest), *tail)


def _ruled(width: int, words: Sequence[tuple[int, Row]], screen: Screen) -> Row:
    """A horizontal line with words on it, each at its place."""
    dash = "─" if screen.unicode else "-"
    row: list[Span] = []
    for place, word in words:
        used = length(row)
        if place >= used and place + length(word) + 1 <= width:
            row += [("track", dash * (place - 1 - used)), ("", " " * (place > used))]
            row += [*word, ("", " ")]
    return (*row, ("track", dash * (width - length(row))))


def _titles(view: View, room: int, screen: Screen) -> Row:
    """The first titles, as far as they fit the room; the second one in short where it does not."""
    between = " · " if screen.unicode else " - "
    dots = "…" if screen.unicode else ">"
    if view.brief and len(between.join(view.titles[:2])) > room:
        view = view._replace(titles=(view.titles[0], view.brief, *view.titles[2:]))
    kept = len(between) + min(len(view.titles[1]), HARDWARE) if len(view.titles) > 1 else 0
    least = LEAST_NAME[screen.width > WIDE]
    first = room - kept if room - kept >= least else room
    row: list[Span] = [*clipped([("title", view.titles[0])], first, dots)]
    for number, title in enumerate(view.titles[1:]):
        left = room - length(row) - len(between)
        # What it runs on is always there; where it has no room, nothing stands in its place.
        if number == 0 and left < min(LEAST_HARDWARE, len(title)):
            break
        if number == 0 or len(title) <= left:
            row += [("track", between), *clipped([("label", title)], left, dots)]
    return tuple(row)


def heading(view: View, screen: Screen) -> Row:
    """The titles in a line across the screen, and the key of the curve's marks if it has room."""
    width = screen.width - 1
    titles = _titles(view, width - 6, screen)
    marked = view.training._replace(validated=())  # a number of the poster has their mark
    signs = plots.key(marked, width - length(titles) - 3 * GAP, screen)
    return _ruled(
        width, [(3, titles), (width - length(signs) - 3, signs)][: 1 + bool(signs)], screen
    )


def heading_of(view: View, width: int, screen: Screen) -> Row:
    """The titles at the left and the phase at the right of a line of this width."""
    return _banded(view, _ruled(width, _heading(view, width, screen), screen))


def _banded(view: View, heading: Row) -> Row:
    """A heading, or where something is wrong a band in one colour with its words."""
    if not view.band:
        return heading
    words = ((" " * len(text) if role == "track" else text) for role, text in heading)
    return ((view.band, "".join(words)),)


PACE_NEEDS = 32  # cells of a heading that has room for the pace
SHARE_NEEDS = 30  # the same for how much of a pause is over
# The pauses of a training, each with its short name, where only that leaves room for how much of
# it is over: in a long one nothing else may move. What other phases have done is on the lowest row.
SHORTER = {"validation": "valid.", "checkpoint": "saving"}
BARS = 8, 4, 3  # cells of the bar of a pause: the lowest row has the percentage, of the run


def _heading(view: View, width: int, screen: Screen) -> list[tuple[int, Row]]:
    """The titles at the left and the phase at the right of a line of this width.

    How much of a pause is over is told only where it takes no room from the first two titles.
    """
    name, first = view.word or view.phase, view._replace(titles=view.titles[:2])
    phase = _phase(view, name, width)
    usual = _before(first, phase, width, screen)[1]
    if len(phase) > 1 and not view.band and usual != _before(first, phase[-1:], width, screen)[1]:
        phase = phase[:1]  # the pace alone: what the run does is seen below
    elif view.phase in SHORTER and width >= SHARE_NEEDS and view.phase_share >= 0.0:
        words = (*((name, cells) for cells in BARS), (SHORTER[view.phase], BARS[-1]))
        for word, cells in words:
            bar = blocks(view.phase_share, cells, screen.unicode)  # it moves by eighths
            longer = (*_phase(view, word, width), ("", " "), (view.phase, bar))
            if _before(first, longer, width, screen)[1] == usual:
                phase = longer
                break
    place, titles = _before(view, phase, width, screen)
    return [(3, titles), (place, phase)] if titles else [(3, phase)]


def _phase(view: View, name: str, width: int) -> Row:
    """The name of the phase, after the pace where there is room for it."""
    phase: Row = ((view.phase, name.upper() if view.band else name),)
    if view.pace and width >= PACE_NEEDS:
        return (("warning", view.pace), ("track", " "), *phase)
    return phase


def _before(view: View, phase: Row, width: int, screen: Screen) -> tuple[int, Row]:
    """The place of a phase, and the titles that there is room for before it."""
    place = width - length(phase) - 3
    return place, _titles(view, place - 6, screen) if place > 10 else ()


# --- layouts -------------------------------------------------------------------------------


def _wide(view: View, inner: int, rows: int, screen: Screen) -> list[Row]:
    """The curve at the left, the GPUs at the right, a heading above and the bar below."""
    body = rows - 2
    panel = _panel(view, inner, body, screen)
    left = inner - panel.width - GAP
    high = body
    curves = _coming(view, left, high, screen) or plots.plots(view.training, left, high, screen)
    shift = 1 + left + GAP
    named = [(shift + place, (("label", word),)) for place, word in panel.words if word]
    words = [*_heading(view, named[0][0] if named else inner + 1, screen), *named]
    lines: list[Row] = [_banded(view, _ruled(inner + 1, words, screen))]
    for number in range(high):
        beside = panel.rows[number] if number < len(panel.rows) else ()
        gap = ("", " " * GAP)
        lines.append((("", " "), *padded(curves[number], left), gap, *beside))
    return [*lines, (("", " "), *progress(view, inner, screen))]


def _coming(view: View, width: int, rows: int, screen: Screen) -> list[Row]:
    """What there is to see as long as there is no curve yet: the name in big letters where it has
    room, and facts. Where the name stands elsewhere, the facts that do not, and the plan.
    """
    if view.training.step:
        return []
    letters = [] if view.titled else titled(view.titles[0], width, rows - 1, screen)
    shown: list[Row] = [(("title", line),) for line in letters]
    shown += [()] if letters else []
    shown += in_columns(view.facts()[view.told :], rows - len(shown), width, screen, wide=False)
    rate = planned(view.training, width, rows - len(shown), screen) if view.titled else []
    if rate:
        return [*shown, *rate]
    above = (rows - len(shown)) // 2
    return [*[()] * above, *shown, *[()] * (rows - above - len(shown))] if shown else []


def _panel(view: View, inner: int, body: int, screen: Screen) -> Panel:
    """The GPU panel in about half of the width; on a wide screen in more, if the GPUs need it."""
    return gpu_panel(view.cluster, (inner - GAP) * 52 // 100, body, screen)


def _narrow(view: View, inner: int, rows: int, screen: Screen) -> list[Row]:
    """One part below the other: heading, curve, numbers, GPUs, bar."""
    lines: list[Row] = []
    gpus = max((rows - 2) // 2, rows - 8) if rows >= 5 else 0
    if view.cluster.gpus == 1:  # a row says all of it, and a curve needs the others
        gpus = max((rows - 2) // 4, 1) if rows >= 5 else 0
    is_map = view.cluster.gpus > MOST_GPUS  # it has no words for a rule above it
    panel = gpu_panel(view.cluster, inner, gpus + is_map, screen) if gpus else None
    words = [(place, (("label", word),)) for place, word in panel.words if word] if panel else []
    room = rows - 2 - (len(panel.rows) + bool(words) if panel else 0)
    if view.pace and (rows < 3 or inner + 1 < PACE_NEEDS):  # no heading says so
        view = view._replace(doing=view.pace)
    bar, training = progress(view, inner, screen), view.training
    if training.numbers and not any(view.left in text for _, text in bar):
        first, *rest = training.numbers
        training = training._replace(numbers=(first, ("number", "eta", view.left), *rest))
    if rows >= 2:
        coming = _coming(view, inner, max(room, 1), screen) if inner >= FACTS_NEED else []
        lines += coming or plots.plots(training, inner, max(room, 1), screen)
    if panel:
        lines += [_ruled(inner, words, screen)] * bool(words)
        lines += panel.rows
    lines.append(bar)
    heading = heading_of(view, inner + 1, screen)
    return [heading] * (rows >= 3) + [(("", " "), *line) for line in lines]
