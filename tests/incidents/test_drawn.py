"""The board and the wall draw every moment of an incident."""

from itertools import islice

import pytest

from llmsim.board.board import board
from llmsim.board.wall import wall
from llmsim.physics.hardware.telemetry import ACTIVITIES
from llmsim.run import events
from llmsim.run.moment import loads as loads_of
from llmsim.show.dashboard import Dashboard
from llmsim.show.wall_view import DOING
from llmsim.text.screen import Screen
from tests.incidents.test_runs import DEADLY, NUMBERS, SLOW, all_of, run_with

SCREEN = Screen(120, 40, color=True, unicode=True, live=True, colors=256)
MOMENTS = 25


def test_the_wall_has_a_word_for_each_activity() -> None:
    assert set(DOING) == set(ACTIVITIES)


@pytest.mark.long
@pytest.mark.parametrize("kind", sorted({*DEADLY, *SLOW, *NUMBERS}))
def test_board_and_wall_draw_all_moments_of_an_incident(kind: str) -> None:
    """From a minute before it strikes until it is over, at even times and at changes of load."""
    run, told = run_with(0, kind)
    shown, read = Dashboard(run), 0.0
    for label in all_of(events.Incident, told):
        assert isinstance(label, events.Incident)
        began, ended = label.at - 60.0, max(label.over, label.at + 60.0)
        even = [began + (ended - began) * part / (MOMENTS - 1) for part in range(MOMENTS)]
        loads = islice(loads_of(run, ended), MOMENTS)
        changes = [load.began + 1e-3 for load in loads if load.began > began]
        for part, at in enumerate(sorted(even + changes)):
            view = shown.view(at, 1.0 + part)
            assert view.wall is not None
            content = view.wall()
            assert len(wall(view, content, [], SCREEN)) == SCREEN.height, (kind, at)
            assert board(view, SCREEN), (kind, at)
            novels = [number for number, unit in content.odometers if unit == "novels read"]
            now = float(novels[0].replace(",", "")) if novels else read
            assert now >= read, (kind, at)
            read = now
