"""The stages of a launch on the wall: each is a bar from its beginning to its end."""

from collections.abc import Sequence

from llmsim.board.wall_content import Stage
from llmsim.text.screen import Screen
from llmsim.text.style import Row, shade

NAME, TIME = 14, 8  # cells of a name, and of the seconds behind the bars
DONE = shade("blue", 0.6)  # the role of a bar that is done


def launched(stages: Sequence[Stage], width: int, rows: int, screen: Screen) -> list[Row]:
    """A row for each stage on the launch's axis of time; where not all have room, the latest."""
    begun = sum(stage.done for stage in stages) + 1
    last = max(min(begun, len(stages)), rows)
    return [_row(stage, width, screen) for stage in stages[max(0, last - rows) : last]]


def _row(stage: Stage, width: int, screen: Screen) -> Row:
    room = width - NAME - TIME
    if not stage.done and not stage.seconds:  # it has not begun
        return (("track", f"{stage.name:>{NAME - 1}}"),)
    first = min(round(stage.begun * room), room - 1)
    cells = max(1, round(stage.ended * room) - first)
    bar = ("━" if screen.unicode else "=") * cells
    took = f"{stage.seconds:.{1 if stage.seconds < 99.95 else 0}f} s"
    return (
        ("label" if stage.done else "number", f"{stage.name:>{NAME - 1}} "),
        ("", " " * first),
        (DONE if stage.done else "launch", bar),
        ("", " " * (room - first - cells)),
        ("label" if stage.done else "number", f"{took:>{TIME}}"),
    )
