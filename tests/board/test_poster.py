"""The poster that a run leaves."""

from datetime import datetime

import pytest

from llmsim.board.poster import Closing, poster
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.simulation import run_of
from llmsim.run.timeline import run_ended
from llmsim.show.dashboard import Dashboard
from llmsim.text.screen import Screen

NUMBERS = (
    ("loss", "training loss", "2.0158"),
    ("number", "validation", "2.0002"),
    ("throughput", "tokens", "71.5B"),
    ("power", "GPU-hours", "18,630"),
)


@pytest.mark.parametrize(("width", "shown"), [(40, 3), (60, 4), (80, 4)])
def test_a_narrow_poster_has_short_names_for_more_numbers(width: int, shown: int) -> None:
    """At 40x15 the validation's loss had no room."""
    run = run_of(plan(Options(seed=9, start=datetime(2026, 1, 30, 12), gpus=64)))
    view = Dashboard(run).view(run_ended(run), 1.0)
    screen = Screen(width, 15, color=True, unicode=True, live=True)
    rows = poster(view, Closing(NUMBERS, "A joke.", "llmsim --seed 9"), screen)
    text = "\n".join("".join(piece for _, piece in row) for row in rows)
    found = [number for *_, number in NUMBERS if f"{number} " in text]
    assert found == [number for *_, number in NUMBERS[:shown]]
    assert ("training loss" in text) == (width == 80)
