"""The page in a browser: what it plays, and how it answers."""

import re
from datetime import datetime
from math import inf
from typing import Any

import pytest

from llmsim.dialects.registry import NAMES
from llmsim.hosts.messages import timeline
from llmsim.hosts.page import WINDOW
from llmsim.hosts.runs import runs_of
from llmsim.options.given import from_query
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.simulation import run_of
from llmsim.run.timeline import Run
from llmsim.show.pace import Pace
from llmsim.show.player import play
from llmsim.text.screen import Screen, blank_row, emptied
from tests.browser.visit import PLAIN, SIZE, Visitor

pytestmark = pytest.mark.browser


START = datetime(2026, 1, 30, 12)


def native_transcript(seed: int, screen: Screen, dialect: str = "pytorch", runs: int = 1) -> str:
    """The same runs, played here."""
    given = Options(
        dialect=dialect, seed=seed, start=START, speed_factor=inf, runs=runs, view="log"
    )
    screen = screen._replace(theme="light")  # the page follows the system, which is light here
    return "".join(
        frame.text
        for shown in runs_of(given)
        for frame in play(shown.run, shown.options, lambda: screen)
    )


@pytest.mark.parametrize("dialect", NAMES[:3])
def test_twenty_transcripts_equal_the_native_ones(visit: Visitor, dialect: str) -> None:
    shown = visit()
    asked = {"seed": 3, "start": START.isoformat(), "dialect": dialect, "view": "log"}
    shown.open(**asked, speed_factor="max", runs=20)
    shown.wait_for_state("ended", seconds=600)
    assert shown.status == 0
    same = shown.transcript == native_transcript(3, shown.screen, dialect, runs=20)
    assert same  # a difference of megabytes takes pytest hours to show
    assert shown.complaints == []
    assert shown.origins == {shown.origin}


SEEK = """(moment) => {
    const line = document.getElementById("position");
    line.value = moment;
    line.dispatchEvent(new Event("input"));
    return Number(line.value);
}"""


def native_text(run: Run, options: Options, screen: Screen, since: float) -> str:
    """The run from a show second on, as a terminal of this size has it."""
    return "".join(frame.text for frame in play(run, options, lambda: screen, since))


@pytest.mark.parametrize("incident", ["nccl-timeout@50%", "gpu-lost@50%"])
def test_moments_around_an_incident_are_the_native_ones(visit: Visitor, incident: str) -> None:
    """Before it, in it and after it: from each of them on the page has a terminal's bytes."""
    asked = {"dialect": "pytorch", "seed": "4", "start": START.isoformat(), "view": "log"}
    asked |= {"incidents": "none", "incident": incident, "runs": "1"}
    options, _ = from_query(list(asked.items()))
    run = run_of(plan(options))
    marks: Any = timeline(run, Pace(run, options.duration))["marks"]
    failed, lost = (dict(marks)[kind] for kind in ("failure", "outage"))
    assert failed < lost
    shown = visit(width=1280, height=800)
    for moment in (failed - 3, (failed + lost) / 2, lost + 12):
        shown.open(**asked)
        shown.wait_for("document.querySelector('#marks .outage')")
        shown.wait_for_state("playing")
        shown.settle()
        screen = shown.screen._replace(theme="light")  # after the end it has fewer rows
        since = shown.page.evaluate(SEEK, moment)
        shown.wait_for("told.some(({ type }) => type === 'seek')")
        for _ in range(10):  # doublings
            shown.page.keyboard.press("+")
        shown.wait_for_state("ended")
        native = native_text(run, options, screen, since)
        assert native
        after = shown.transcript.rpartition(blank_row(screen) + emptied(screen))[2]
        same = after == native
        assert same, (incident, moment)


def test_speed_one_shows_text_and_no_error(visit: Visitor) -> None:
    shown = visit()
    shown.open()
    shown.wait_for("document.querySelector('.xterm-rows')?.textContent.trim()")
    shown.wait_for_state("playing")
    assert not shown.page.is_visible("#loading")
    assert any(row.strip() for row in shown.rows)
    assert shown.complaints == []
    assert shown.origins == {shown.origin}


def test_five_phases_follow_each_other(visit: Visitor) -> None:
    shown = visit(width=1280, height=720)
    shown.open(seed=4, start=START.isoformat(), duration="6s", runs=1, dialect="pytorch")
    shown.wait_for_state("ended", seconds=90)
    began, trained, validated, saved, exported = (
        shown.plain.index(sign)
        for sign in ("torchrun", "Epoch 1/", "Validating", "Saving", "Exporting")
    )
    assert began < trained < min(validated, saved)
    assert max(validated, saved) < exported


def test_terminal_refits_and_python_hears_of_it(visit: Visitor) -> None:
    shown = visit(width=1400, height=800)
    shown.open(seed=1, speed_factor=20, dialect="pytorch", view="log")
    shown.wait_for_text("Epoch 1/")
    wide = shown.screen
    shown.page.set_viewport_size({"width": 600, "height": 400})
    shown.wait_for(f"{SIZE}.columns < {wide.width / 2}")
    narrow = shown.screen
    assert narrow.height < wide.height
    shown.settle()
    assert len(shown.rows) == narrow.height
    # What was on its way at the old width is through when a screenful has come since.
    sent = len(shown.plain)
    shown.wait_for(f"{PLAIN}.slice({sent}).split('\\n').length > 40")
    lines = re.split(r"[\r\n]", shown.plain[sent:])[10:]
    assert max(map(len, lines)) <= narrow.width


def test_parameters_are_honoured(visit: Visitor) -> None:
    shown = visit()
    asked = {"model": "ButtGPT-420B", "dialect": "pytorch", "seed": 5, "start": START.isoformat()}
    shown.open(speed_factor="max", runs=1, **asked)
    shown.wait_for_state("ended")
    assert "ButtGPT-420B" in shown.plain
    assert f"{START:%Y-%m-%d}" in shown.plain


def test_wrong_parameter_gets_a_sentence_and_the_run_goes_on(visit: Visitor) -> None:
    shown = visit()
    asked = {"seed": 4, "start": START.isoformat(), "duration": "2s", "runs": 1, "view": "log"}
    shown.open(speed_factor=0, colour="red", **asked)
    shown.wait_for_state("ended")
    first, second, rest = shown.transcript.split("\n", 2)
    assert "speed-factor cannot be '0'" in first
    assert "there is no option 'colour'" in second
    assert rest == native_transcript(4, shown.screen)


def test_impossible_combination_ends_with_a_sentence(visit: Visitor) -> None:
    shown = visit()
    shown.open(model="ButtGPT-420B", gpus=1)
    shown.wait_for_state("ended")
    assert shown.status == 2
    assert "does not fit" in shown.transcript


def test_time_is_up(visit: Visitor) -> None:
    shown = visit()
    shown.open(exit_after_time="2s")
    shown.wait_for_state("ended")
    assert shown.status == 0


@pytest.mark.parametrize("speed", [1, "max"])
def test_interrupt_stops_at_once(visit: Visitor, speed: float | str) -> None:
    shown = visit()
    shown.open(speed_factor=speed)
    shown.wait_for("transcript.length > 500")
    shown.page.evaluate(
        "addEventListener('keydown', () => (window.before = transcript.length), { capture: true })"
    )
    shown.page.keyboard.press("Control+c")
    shown.wait_for_state("ended")  # of no other end: runs follow each other for ever
    assert shown.status == 130
    sent = len(shown.transcript)
    assert sent - shown.page.evaluate("before") < 2 * WINDOW  # what was on its way
    shown.page.wait_for_timeout(500)
    assert len(shown.transcript) == sent


FRAMES = """async () => {
  for (let count = 0; count < 60; count++) await new Promise(requestAnimationFrame);
}"""


def test_flood_leaves_the_page_responsive(visit: Visitor) -> None:
    """At full speed for ever, a frame of the page takes its thread less than 50 ms of a processor.

    Time on the wall says little: another program may have the processor meanwhile.
    """
    shown = visit()
    shown.open(speed_factor="max")
    shown.wait_for("transcript.length > 100_000")
    session = shown.page.context.new_cdp_session(shown.page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def busy() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return float(next(each["value"] for each in metrics if each["name"] == "TaskDuration"))

    before = busy()
    shown.page.evaluate(FRAMES)
    each = (busy() - before) / 60
    assert each < 0.05, each
