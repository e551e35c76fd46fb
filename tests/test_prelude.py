"""The prelude shows what Python prints, byte for byte, and has something to show at once."""

import json
import re
from itertools import pairwise
from math import inf

import pytest

from llmsim.options.given import from_query
from llmsim.planning.plan import plan
from llmsim.show.player import play
from llmsim.text.screen import TRUECOLOR, Screen
from tools.prelude import RUN, WIDTHS, prelude

BAR = re.compile(r": +\d+%")  # a line again and again: the prelude has it when it is full


def printed(width: int) -> list[str]:
    """The run's lines as a log has them, without its bars."""
    screen = Screen(width, 50, color=True, unicode=True, live=False, colors=TRUECOLOR)
    options = RUN._replace(speed_factor=inf, view="log")
    text = "".join(frame.text for frame in play(plan(options), options, lambda: screen))
    return [line for line in text.split("\n") if not BAR.search(line)]


@pytest.mark.long
@pytest.mark.parametrize("width", WIDTHS)
def test_lines_are_those_that_python_prints(width: int) -> None:
    lines = json.loads(prelude())["widths"][str(width)]
    texts = [line for _, _, text in lines for line in text.split("\n") if not BAR.search(line)]
    assert len(texts) > 20
    assert texts == printed(width)[: len(texts)]


def test_options_name_the_run() -> None:
    options, complaints = from_query(json.loads(prelude())["run"])
    assert complaints == []
    assert options == RUN._replace(runs=0)


def test_something_moves_within_two_seconds_and_never_stands_still_for_long() -> None:
    for lines in json.loads(prelude())["widths"].values():
        moments = [shown for shown, _, _ in lines]
        assert sum(moment < 2.0 for moment in moments) >= 3
        assert max(b - a for a, b in pairwise(moments)) < 8.0
