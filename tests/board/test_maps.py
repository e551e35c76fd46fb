"""The map of racks, and the rows of nodes: they fill their place."""

import re
from datetime import datetime
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsim.board.board import board
from llmsim.board.gauges import Cluster
from llmsim.board.gpu_panel import gpu_panel, kilowatts
from llmsim.board.heat_map import halves, heat_map
from llmsim.board.plots import loss_curve, plots
from llmsim.board.racks import MOST_CELLS, section
from llmsim.board.region import redrawn
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.moment import celsius
from llmsim.run.simulation import run_of
from llmsim.run.timeline import run_ended
from llmsim.show.dashboard import Dashboard
from llmsim.show.pace import Pace
from llmsim.text.painting import painted
from llmsim.text.screen import Screen
from llmsim.text.style import Row, code, length
from tests.board.stage import still

START = datetime(2026, 1, 30, 12)
# The width and the lines of a map on a wall of 80x24, 120x40, 160x45, 200x50 and 400x100, and on a
# board of 40x15, 80x24 and 200x50.
ROOMS = [(34, 10), (45, 22), (60, 26), (75, 32), (151, 80), (38, 4), (37, 8), (101, 22)]


def screen_of(width: int, height: int) -> Screen:
    return Screen(width, height, color=True, unicode=True, live=True)


def text_of(row: Row) -> str:
    return "".join(text for _, text in row)


@pytest.mark.parametrize(("width", "lines"), ROOMS)
@pytest.mark.parametrize("gpus", [1024, 4096, 16_384, 131_072])
def test_the_racks_of_a_large_cluster_fill_the_width(gpus: int, width: int, lines: int) -> None:
    """Less than a sixth of it is blank beside them: a node of eight is not cut into halves."""
    part = section(still(7, gpus, 0.4).cluster, width, lines)
    cells = len(part.shown)
    deep = -(-cells // (part.rack * part.racks))
    racks = -(-cells // (part.rack * deep))
    used = racks * part.rack * part.wide + racks - 1
    assert cells <= MOST_CELLS
    assert deep * part.high <= lines
    assert 0.85 * width < used <= width
    assert part.stride * cells >= gpus > part.stride * (cells - 1)
    assert 4 <= part.rack <= 16


@pytest.mark.parametrize(("width", "lines"), ROOMS)
def test_a_cell_is_some_racks_of_72_where_that_costs_few_cells(width: int, lines: int) -> None:
    """Nodes of four GPUs, 18 of them in a rack."""
    cluster = still(7, 131_072, 0.4).cluster._replace(per_node=4)
    trays = section(cluster, width, lines)
    racks = section(cluster._replace(linked=18), width, lines)
    assert racks.stride % 72 == 0 or (
        racks == trays and 1.25 * trays.stride < 72 * -(-trays.stride // 72)
    )
    assert len(racks.shown) >= len(trays.shown) / 1.26


def legend_of(cluster: Cluster, width: int, rows: int) -> str:
    """The key below a map."""
    return text_of(heat_map(cluster, width, rows, screen_of(width, rows))[-1])


def test_the_key_says_what_a_cell_is() -> None:
    large, small = still(7, 131_072, 0.4).cluster, still(7, 1024, 0.4).cluster
    assert "  1 cell = 17 nodes  " in legend_of(large, 60, 10)
    assert "  1 cell = 2 racks  " in legend_of(large._replace(per_node=4, linked=18), 60, 10)
    assert "  1 cell = 2 GPUs  " in legend_of(small, 60, 10)
    assert "cell" not in legend_of(small, 101, 23)


ROLES = st.sampled_from(["", "heat1", "heat2", "heat3", "glow"])


@given(st.lists(st.tuples(ROLES, ROLES), min_size=1, max_size=30))
def test_halves_of_characters_have_the_colours_of_their_cells(pairs: list[tuple[str, str]]) -> None:
    """Each character is read as a terminal draws it. Two spans side by side have three colours."""
    seen, spans = list[tuple[str, str]](), [*halves(pairs)]
    for role, text in spans:
        front, _, back = role.partition(" on ")
        both = {"█": (front, front), "▀": (front, back), "▄": (back, front), " ": (back, back)}
        seen += [both[glyph] if role else ("", "") for glyph in text]
    assert seen == pairs
    sizes = [len(text) for _, text in spans]
    ends = [sum(sizes[: count + 1]) for count in range(len(sizes))]
    for first, last in zip([0, *ends], ends[:-1], strict=False):
        assert len({role for pair in pairs[first : last + 1] for role in pair}) > 2


def test_a_map_whose_cells_all_change_is_a_few_kilobytes() -> None:
    """A failure turns all of them dark. For each character its two colours alone are 33 bytes."""
    view, screen = still(7, 131_072, 0.4), screen_of(120, 40)
    before, after = (
        [painted(row, screen) for row in heat_map(each, 59, 10, screen)]
        for each in (view.cluster, view.cluster._replace(faulty=(131_070,)))
    )
    text = redrawn(before, (), after)
    cells = sum(length(row) for row in heat_map(view.cluster, 59, 10, screen)[:-1])
    assert cells > 500
    assert len(text.encode()) < 16 * cells


def test_a_small_board_gives_its_map_the_row_of_an_empty_rule() -> None:
    screen = screen_of(40, 15)
    rows = board(still(7, 1024, 0.4), screen)
    assert len(rows) == 6
    assert sum("▀" in text_of(row) for row in rows) == 2
    assert not any(re.fullmatch(r" [─ ]+", text_of(row)) for row in rows)


@pytest.mark.parametrize(("width", "means"), [(38, False), (45, False), (67, True), (90, True)])
def test_a_row_of_a_node_has_means_where_they_fit(width: int, means: bool) -> None:
    """Of 64 GPUs in eight nodes; a number alone is said to be a node's."""
    cluster = still(7, 64, 0.4).cluster
    panel = gpu_panel(cluster, width, 8, screen_of(200, 50), whole=False)
    assert len(panel.rows) == cluster.nodes == 8
    assert {length(row) for row in panel.rows} == {panel.width}
    words = [word for _, word in panel.words]
    for node, row in enumerate(map(text_of, panel.rows)):
        gauges = [cluster.read(node * 8 + local) for local in range(8)]
        mean = sum(gauge.watts for gauge in gauges) / 8
        assert row.rstrip().endswith(f" {mean:.0f}") == means, row
        assert (cluster.label(node) in row) == (width >= 60)
    assert ("node" in words) == (width == 45)


def test_numbers_without_room_in_the_first_row_stand_in_the_second() -> None:
    run = run_of(plan(Options(seed=9, start=START, gpus=1024, recipe="pretrain", incidents="none")))
    training = Dashboard(run).view(0.4 * run_ended(run), 1.0).training
    names = [name for _, name, _ in training.numbers]
    assert {"loss", "mfu", "gnorm"} <= set(names)
    for width in range(40, 90):
        rows = [text_of(row) for row in plots(training, width, 9, screen_of(120, 40))[:2]]
        assert all(len(row) <= width for row in rows)
        left = [each for each in training.numbers if f"{each[1]} {each[2]}" not in " ".join(rows)]
        room = width - len(rows[1])
        assert all(len(f"  {name} {number}") > room for _, name, number in left), rows


def test_all_racks_of_a_map_are_of_one_moment() -> None:
    """Also when a training goes on: hot racks beside ones that are still cold would look broken."""
    run = run_of(plan(Options(seed=4, start=START, gpus=131_072)))
    pace, gpus = Pace(run, 180.0), tuple(range(0, 131_072, 997))
    dashboard, fresh, moments = Dashboard(run, pace.simulated), 0, set[float]()
    went_on = [each.began for each in run.timeline if each.fresh and each.kind == "training"][:4]
    for first in (int(pace.shown(began)) for began in went_on):
        for shown in map(float, range(first + 1, first + 7)):
            at = pace.simulated(shown)
            seen = [*dashboard.view(at, shown).cluster.celsius(gpus)]
            read = [
                moment
                for moment in (pace.simulated(shown - back) for back in range(6))
                if seen == celsius(run, moment, gpus)
            ]
            assert read, shown
            moments.add(read[0])
            segment = run.timeline[run.timeline.number_at(at)]
            if segment.fresh and segment.kind == "training":
                fresh += 1
                assert read[0] >= segment.began or pace.shown(segment.began) > int(shown), shown
    assert fresh > 3
    assert len(moments) > 4


@pytest.mark.parametrize("count", [1, 6, 7, 40])
def test_many_incidents_leave_the_curve_whole(count: int) -> None:
    """A few stand on it; more stand in the highest row, where the curve is seldom."""
    run = run_of(plan(Options(seed=9, start=START, gpus=1024, recipe="pretrain", incidents="none")))
    training = Dashboard(run).view(0.9 * run_ended(run), 1.0).training
    broken = tuple(training.step * (place + 1) // 42 for place in range(count))
    screen = screen_of(120, 40)
    plain, marked = (
        [text_of(row) for row in loss_curve(each, 80, 12, screen)]
        for each in (training, training._replace(broken=broken))
    )
    assert "".join(marked).count("×") == count
    assert (marked[0].count("×") == count) == (count > 6)
    if count > 6:
        assert marked[1:] == plain[1:]


def test_power_and_links_fall_with_the_job() -> None:
    """Also where a failure or an outage lasts for less than the second of a large map's beat."""
    run = run_of(plan(Options(seed=4, start=START, gpus=131_072)))
    pace, checked = Pace(run, 180.0), 0
    dashboard = Dashboard(run, pace.simulated)
    usual = 0.0
    outages = [each for each in run.timeline if each.kind == "outage"]
    for outage in outages[:12]:
        before = max(0.0, pace.shown(outage.began) - 4.0)
        for quarter in range(int(4 * before), int(4 * pace.shown(outage.ended)) + 1):
            shown = quarter / 4
            view = dashboard.view(pace.simulated(shown), shown)
            power, links = view.cluster.power(40)[-1], view.cluster.links(40)[-1]
            usual = max(usual, power)
            if view.phase == "outage":
                assert power < 0.6 * usual, shown
                assert links == 0.0, shown
                checked += 1
    assert checked > 5


def test_the_power_below_a_map_falls_with_the_job_too() -> None:
    """The panel is drawn anew where the reading is newer than the beat: it is the wall's number."""
    run = run_of(plan(Options(seed=4, start=START, gpus=131_072)))
    pace, screen, checked = Pace(run, 180.0), screen_of(120, 40), 0
    dashboard = Dashboard(run, pace.simulated)
    outages = [each for each in run.timeline if each.kind == "outage"]
    for outage in outages[:12]:
        before = max(0.0, pace.shown(outage.began) - 1.0)
        for quarter in range(int(4 * before), int(4 * pace.shown(outage.ended)) + 1):
            view = dashboard.view(pace.simulated(quarter / 4), quarter / 4)
            panel = gpu_panel(view.cluster, 60, 14, screen)
            if view.phase == "outage":
                shown = next(text_of(row) for row in panel.rows if "power" in text_of(row))
                assert shown.split()[1:] == kilowatts(view.cluster.power(40)[-1]).split()
                checked += 1
    assert checked > 5


@pytest.mark.parametrize("theme", ["auto", "light", "contrast"])
def test_of_sixteen_colours_a_map_has_more_shades_than_colours(theme: str) -> None:
    """What is well has two of the five: cells and the scale below them have mixtures."""
    screen = screen_of(120, 40)._replace(colors=16, theme=theme)
    rows = heat_map(still(7, 1024, 0.4).cluster, 60, 10, screen)
    *shown, scale = [
        [(code(role, 16, theme), glyph) for role, text in row if "heat" in role for glyph in text]
        for row in rows
    ]
    assert len(set(scale)) == len(scale) > 5
    assert len(set(chain(*shown))) > 10


@pytest.mark.parametrize("gpus", [1024, 131_072])
def test_without_colours_what_is_well_has_several_shades(gpus: int) -> None:
    """Of four, most are for cells that are about as warm as usual."""
    run = run_of(plan(Options(seed=6, start=START, gpus=gpus, recipe="pretrain", incidents="none")))
    cluster = Dashboard(run).view(0.4 * run_ended(run), 1.0).cluster
    rows = heat_map(cluster, 60, 20, screen_of(120, 40)._replace(color=False))[:-1]
    cells = "".join(map(text_of, rows)).replace(" ", "")
    assert len(set(cells)) >= 3
    assert max(map(cells.count, cells)) < 0.6 * len(cells)


@pytest.mark.parametrize("color", [False, True])
def test_among_few_colours_cells_around_a_lost_one_are_faint(color: bool) -> None:
    """Where a cell is as bright as before, nobody finds the lost one."""
    cluster = still(7, 1024, 0.4).cluster._replace(faulty=(477,), gone=(477,))
    rows = heat_map(cluster, 60, 10, screen_of(120, 40)._replace(color=color, colors=16))
    cells = "".join(map(text_of, rows[:-1])).replace(" ", "")
    assert set(cells) - {"×"} <= {"░", "▒"}
    assert cells.count("×") >= 1


def test_what_lies_beyond_the_axis_has_no_mark() -> None:
    """After a launch from an earlier checkpoint a failure may lie ahead of its steps."""
    training = still(7, 1024, 0.4).training
    screen, beyond = screen_of(120, 40), training.steps + 1
    plain, marked = (
        [text_of(row) for row in loss_curve(training._replace(broken=broken), 60, 12, screen)]
        for broken in ((), (beyond,))
    )
    assert plain == marked


@pytest.mark.parametrize("above", [0.024, 0.03, 0.5])
def test_validations_a_little_above_a_flat_curve_are_on_its_axis(above: float) -> None:
    """A part of a long run hardly falls; a loss far above it would leave no rows to it."""
    training = still(7, 1024, 0.4).training
    training = training._replace(
        loss=lambda first, last: 2.05 - 0.01 * last / training.steps + 0.001 * (first % 7),
        validated=tuple((training.step * part // 10, 2.05 + above) for part in range(1, 10)),
    )
    rows = [text_of(row) for row in loss_curve(training, 90, 20, screen_of(120, 40))]
    assert sum(row.count("◆") for row in rows) == (9 if above < 0.1 else 0)
    assert sum("⣿" in row for row in rows) >= 5


@pytest.mark.parametrize("gpus", [1024, 131_072])
def test_gpus_do_what_the_heading_says(gpus: int) -> None:
    """At the moment at which a save begins, and in the half second after one: power and links, too.

    A quarter of a second may pass until something is read again.
    """
    run = run_of(
        plan(Options(seed=32, start=START, gpus=gpus, recipe="pretrain", incidents="none"))
    )
    pace, checked = Pace(run, 180.0), 0
    dashboard = Dashboard(run, pace.simulated)
    words = {"checkpoint": "saving", "validation": "validating", "training": "computing"}
    for segment in [each for each in run.timeline if each.kind in words][:60]:
        began, ended = pace.shown(segment.began), pace.shown(segment.ended)
        for shown in (
            began,
            *(quarter / 4 for quarter in range(int(4 * began) + 2, int(4 * ended))),
        ):
            if shown > began + 2.0:
                break
            view = dashboard.view(segment.began if shown == began else pace.simulated(shown), shown)
            assert view.wall
            assert view.wall().doing[0][1] == f"{gpus:,} {words[segment.kind]}"
            if shown > began:
                assert (view.cluster.links(40)[-1] > 0.0) == (segment.kind != "checkpoint"), shown
                checked += 1
    assert checked > 20


@pytest.mark.parametrize("width", [45, 46, 58, 61, 70, 72, 90])
def test_rows_of_nodes_use_the_width(width: int) -> None:
    """A sixth of it was blank at the right, beside graphs that had all of it."""
    screen = Screen(200, 50, color=True, unicode=True, live=True)
    cluster = still(7, 64, 0.4).cluster
    panel = gpu_panel(cluster, width, 8, screen, whole=False)
    assert panel.width <= width
    drawn = ["".join(text for _, text in row).rstrip() for row in panel.rows]
    assert len(drawn) == 8
    assert max(map(len, drawn)) >= min(width, 70) - 4
    if panel.words:
        ends = [place + len(word) for place, word in panel.words]
        assert max(ends) <= panel.width
        assert sorted(place for place, _ in panel.words) == [place for place, _ in panel.words]


@pytest.mark.parametrize("gpus", [1024, 131_072])
def test_in_an_outage_the_map_is_no_older_than_a_second(gpus: int) -> None:
    """In a show's second an hour may pass: cells were hot beside 70 W for each GPU."""
    wanted = Options(seed=3, start=START, gpus=gpus, recipe="pretrain", incidents="none")
    run = run_of(plan(wanted._replace(incident=("gpu-lost@50%",))))
    pace, chosen, checked = Pace(run, 180.0), tuple(range(0, gpus, gpus // 64)), 0
    dashboard = Dashboard(run, pace.simulated)
    outage = next(each for each in run.timeline if each.kind == "outage")
    began, ended = pace.shown(outage.began), pace.shown(outage.ended)
    for quarter in range(int(4 * began) - 8, int(4 * ended)):
        shown = dashboard.view(pace.simulated(quarter / 4), quarter / 4).cluster.celsius(chosen)
        if quarter > 4 * began + 1:
            late = [pace.simulated((quarter - each) / 4) for each in range(5)]
            known = [celsius(run, at, chosen) for at in late if at >= outage.began]
            assert list(shown) in known, quarter / 4
            checked += 1
    assert checked > 1
