"""hosts/browser.py and page.py, played here: what they send to a page, and how they obey one."""

import asyncio
import json
import shlex
from collections.abc import Callable, Coroutine, Iterable, Iterator
from itertools import groupby
from math import inf
from selectors import DefaultSelector, SelectorKey
from typing import Any, TypeVar

import pytest

from llmsim.cli.flags import pairs
from llmsim.errors import PlanError
from llmsim.hosts import browser, messages, runs
from llmsim.hosts.page import TICK, WINDOW, Page
from llmsim.hosts.runs import runs_of
from llmsim.job.records import Job
from llmsim.options.given import from_query, parse_options
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.events import Event
from llmsim.show.live_region import LiveRegion
from llmsim.show.opening import Frame
from llmsim.show.playback import ARREARS
from llmsim.show.player import FAREWELLS, play
from llmsim.text.screen import Screen, blank_row
from tests.board import stage

T = TypeVar("T")
FULL_SPEED = ("speed-factor", "max")
Script = Callable[[Callable[[], Screen]], Iterator[Frame]]


class Clock:
    """Seconds that pass when somebody waits, and hardly else."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


clock = Clock()
TURN = 0.0001  # seconds that a turn of the event loop takes


class Waits(DefaultSelector):
    """Waits for nothing: the clock is put forward."""

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        assert timeout is not None, "everybody waits for somebody else"
        clock.now += max(timeout, TURN)
        return super().select(0)


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose time is the clock's."""

    def __init__(self) -> None:
        super().__init__(Waits())

    def time(self) -> float:
        return clock.now


def perform(play: Coroutine[object, object, T]) -> T:
    """What asyncio.run does, in no time."""
    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(play)


@pytest.fixture(autouse=True)
def _timeless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "time", clock)
    monkeypatch.setattr("llmsim.hosts.page.time", clock)


@pytest.fixture
def act(monkeypatch: pytest.MonkeyPatch) -> Callable[[Script], None]:
    """A function that puts a script in the place of every run."""

    def replace(script: Script) -> None:
        monkeypatch.setattr(browser, "play", lambda *given: script(given[2]))

    return replace


class Terminal:
    """A page that draws at once what it is sent, unless it is `slow`."""

    def __init__(self, slow: bool = False) -> None:
        self.texts: list[str] = []
        self.slow = slow
        self.page = Page(self.post, 80, 24)

    def post(self, text: str, size: int) -> None:
        self.texts.append(text)
        if not self.slow:
            self.page.drawn(size)

    async def show(self, *query: tuple[str, str]) -> int:
        return await browser.main(query, self.page)

    @property
    def text(self) -> str:
        return "".join(self.texts)


def flood(_: Callable[[], Screen]) -> Iterator[Frame]:
    """Ten megabytes at once."""
    for _number in range(10_000):
        yield Frame(0.0, "x" * 1000)


def test_what_is_due_together_is_sent_together(act: Callable[[Script], None]) -> None:
    act(lambda _: iter([Frame(TICK / 8, "a")] * 4 + [Frame(0.1, "b")] + [Frame(TICK / 8, "c")] * 4))
    terminal = Terminal()
    assert perform(terminal.show(("runs", "1"))) == 0
    assert terminal.texts == ["aaaa", "bcccc"]


def test_delays_are_kept_and_divided_by_the_speed(act: Callable[[Script], None]) -> None:
    act(lambda _: iter([Frame(0.5, "a"), Frame(0.5, "b")]))
    terminal = Terminal()

    async def timed() -> float:
        began = clock.now
        await terminal.show(("runs", "1"), ("speed-factor", "5"))
        return clock.now - began

    assert 0.2 - TICK <= perform(timed()) < 0.2 + TICK
    assert terminal.texts == ["a", "b"]


def test_all_arrives_when_the_terminal_keeps_up(act: Callable[[Script], None]) -> None:
    act(flood)
    terminal = Terminal()
    assert perform(terminal.show(("runs", "1"))) == 0
    assert len(terminal.text) == 10_000_000


def test_slow_terminal_is_waited_for(act: Callable[[Script], None]) -> None:
    act(lambda _: (Frame(TICK, "x" * 1000) for _number in range(1000)))
    terminal = Terminal(slow=True)

    async def watch() -> tuple[int, int]:
        show = asyncio.create_task(terminal.show(("runs", "1"), ("speed-factor", "1000")))
        await asyncio.sleep(0.2)
        before = len(terminal.text)
        terminal.slow = False
        terminal.page.drawn(before)
        await show
        return before, len(terminal.text)

    before, after = perform(watch())
    assert WINDOW < before < 2 * WINDOW
    assert after == 1_000_000


@pytest.mark.parametrize("script", [flood, lambda _: iter([Frame(0.0, "a"), Frame(1000, "b")])])
def test_stop_ends_any_show(act: Callable[[Script], None], script: Script) -> None:
    act(script)
    terminal = Terminal()

    async def stopped() -> int:
        show = asyncio.create_task(terminal.show(("runs", "0")))
        await asyncio.sleep(0.1)
        terminal.page.stop()
        return await show

    assert perform(stopped()) == 130
    assert terminal.texts[-1].startswith(blank_row(terminal.page.screen()))
    assert terminal.texts[-1].endswith("\n")


@pytest.mark.parametrize(("jokes", "said"), [("yes", True), ("no", False)])
def test_a_stop_says_a_farewell_unless_the_page_is_sober(jokes: str, said: bool) -> None:
    terminal = Terminal()

    async def stopped() -> int:
        show = asyncio.create_task(terminal.show(("seed", "4"), ("jokes", jokes), ("view", "log")))
        await asyncio.sleep(9.0)
        terminal.page.stop()
        return await show

    assert perform(stopped()) == 130
    assert any(line in terminal.text for line in FAREWELLS) == said
    assert ("node-" in terminal.text) != said


def test_time_limit_ends_any_show(act: Callable[[Script], None]) -> None:
    act(flood)
    limit = [("exit-after-time", "0.2s"), ("speed-factor", "max")]
    assert perform(Terminal().show(*limit)) == 0


def test_show_that_is_always_late_hears_the_page(
    act: Callable[[Script], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine too slow for the show no frame is waited for: in a browser no message comes."""
    waits: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        waits.append(seconds)
        await sleep(seconds)

    def late(_screen: Callable[[], Screen]) -> Iterator[Frame]:
        for _ in range(100):
            clock.now += 0.05
            yield Frame(0.02, "x")

    act(late)
    monkeypatch.setattr(asyncio, "sleep", noted)
    assert perform(Terminal().show(("runs", "1"))) == 0
    assert len([seconds for seconds in waits if seconds >= 0.004]) >= 100 * 0.05 / 0.25


def test_resize_reaches_the_next_line(act: Callable[[Script], None]) -> None:
    def script(screen: Callable[[], Screen]) -> Iterator[Frame]:
        for columns in (80, 100, 1000):
            terminal.page.resize(columns, 10)
            yield Frame(0.05, f"{screen().width} ")

    act(script)
    terminal = Terminal()
    perform(terminal.show(("runs", "1")))
    assert terminal.text == "80 100 400 "


@pytest.mark.parametrize("ends", [True, False])
def test_a_poster_is_drawn_anew_when_the_window_is_resized(ends: bool) -> None:
    """In a loop, and where the show is over: the page gives its terminal fewer rows then."""
    asked = [("seed", "4"), ("start", "2026-01-30T12:00:00"), ("view", "wall"), ("from", "99%")]
    runs, small, large = ("runs", "1" if ends else "2"), (80, 24), (100, 30)

    async def screen_after(*sizes: tuple[int, int]) -> list[str]:
        terminal, shown = Terminal(), stage.Terminal(*sizes[0])
        terminal.page.resize(*sizes[0])
        show = asyncio.create_task(terminal.show(*asked, runs))
        while "llmsim --" not in terminal.text:
            await asyncio.sleep(0.5)
        shown.stream.feed(terminal.text)
        for size in sizes[1:]:
            terminal.texts.clear()
            shown.grow_or_shrink(*size)
            terminal.page.resize(*size)
            await asyncio.sleep(0.3)
            shown.stream.feed(terminal.text)
        assert show.done() == ends
        terminal.page.stop()
        await show
        return [shown.row(number) for number in range(shown.lines)]

    assert perform(screen_after(small, large)) == perform(screen_after(large))
    assert perform(screen_after(large, small)) == perform(screen_after(small))


def test_live_region_has_the_speed_and_the_board_of_the_moment() -> None:
    page = Page(lambda _text, _size: None, 80, 24)
    assert page.open_region(Options(view="log")) is None
    page.speed(4.0)
    page.board(False)
    region = page.open_region(Options(view="auto"))
    assert region
    assert (region.pace(), region.board) == (4.0, False)
    page.speed(8.0)
    page.board(True)
    assert (region.pace(), region.board) == (8.0, True)


def test_the_wall_is_as_the_options_say_until_somebody_chooses() -> None:
    page = Page(lambda _text, _size: None, 100, 30)
    for view, wall in (("wall", True), ("auto", False)):
        region = page.open_region(Options(view=view))
        assert region
        assert region.wall == wall
    page.wall(True)
    assert region
    assert region.wall
    region = page.open_region(Options(view="auto"))
    assert region
    assert region.wall


def test_runs_take_the_next_seed_each(monkeypatch: pytest.MonkeyPatch) -> None:
    def script(
        job: Job,
        options: Options,
        screen: Callable[[], Screen],
        since: float,
        through: Callable[[Iterable[Event]], Iterable[Event]],
        region: LiveRegion | None,
    ) -> Iterator[Frame]:
        yield Frame(0.0, f"{options.seed} ")

    monkeypatch.setattr(browser, "play", script)
    terminal = Terminal()
    perform(terminal.show(("seed", "41"), ("runs", "3"), ("speed-factor", "max")))
    assert terminal.text == "41 42 43 "


def test_wrong_parameter_is_told_first(act: Callable[[Script], None]) -> None:
    act(lambda _: iter([Frame(0.0, "the run")]))
    terminal = Terminal()
    assert perform(terminal.show(("gpus", "7.5"), ("runs", "1"))) == 0
    assert "gpus cannot be '7.5'" in terminal.texts[0]
    assert terminal.texts[1] == "the run"


def test_refused_plan_ends_with_its_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(options: Options) -> Job:
        raise PlanError("that cannot fit.")

    monkeypatch.setattr(runs, "plan", refuse)
    terminal = Terminal()
    assert perform(terminal.show()) == 2
    assert "llmsim: that cannot fit." in terminal.text


def test_pause_holds_the_show_and_costs_it_nothing(act: Callable[[Script], None]) -> None:
    act(lambda _: (Frame(0.05, f"{number} ") for number in range(8)))
    terminal = Terminal()

    async def paused() -> tuple[str, str]:
        show = asyncio.create_task(terminal.show(("runs", "1")))
        await asyncio.sleep(0.12)
        terminal.page.pause(True)
        before = terminal.text
        await asyncio.sleep(0.3)
        during = terminal.text
        terminal.page.pause(False)
        await asyncio.sleep(0.03)
        assert "7" not in terminal.text  # what was missed is not made up for
        await show
        return before, during

    before, during = perform(paused())
    assert before == during != ""
    assert terminal.text == "0 1 2 3 4 5 6 7 "


def test_what_is_asked_for_in_a_pause_shows_at_once() -> None:
    """The heading says that it is paused; the wall comes and goes, and a resize is followed."""
    terminal = Terminal()
    terminal.page.resize(100, 30)
    asked = (("seed", "4"), ("view", "board"), ("from", "50%"), ("dialect", "pytorch"))

    async def said(change: Callable[[], None]) -> str:
        before = len(terminal.text)
        change()
        await asyncio.sleep(0.05)
        return terminal.text[before:]

    async def watched() -> list[str]:
        show = asyncio.create_task(terminal.show(*asked))
        await asyncio.sleep(2.0)
        page = terminal.page
        texts = [
            await said(lambda: page.pause(True)),
            await said(lambda: page.wall(True)),
            await said(lambda: page.resize(120, 40)),
            await said(lambda: page.wall(False)),
            await said(lambda: None),
        ]
        page.stop()
        await show
        return texts

    paused, wall, resized, back, nothing = perform(watched())
    assert "paused" in paused
    assert "kettles boiled" in wall
    assert "kettles boiled" in resized
    assert "step" in back
    assert "kettles boiled" not in back
    assert nothing == ""


def test_pause_shows_that_comes_while_python_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine hears of it when the next line is made already."""
    terminal = Terminal()

    def busy(*given: Any) -> Iterator[Frame]:
        for frame in play(*given):
            if clock.now > began + 20 and frame.lines:
                terminal.page.pause(True)
            clock.now += TICK
            yield frame

    async def watched() -> str:
        show = asyncio.create_task(terminal.show(("dialect", "pytorch"), ("seed", "4")))
        await asyncio.sleep(60)
        shown = terminal.text
        terminal.page.stop()
        await show
        return shown

    monkeypatch.setattr(browser, "play", busy)
    began = clock.now
    assert "paused" in perform(watched())


def test_sleep_of_the_machine_is_not_made_up_for(act: Callable[[Script], None]) -> None:
    act(lambda _: (Frame(0.05, "x") for _number in range(1000)))
    terminal = Terminal()

    async def slept() -> int:
        show = asyncio.create_task(terminal.show(("runs", "1")))
        await asyncio.sleep(1.0)
        clock.now += 3600.0
        await asyncio.sleep(1.0)
        terminal.page.stop()
        return await show

    assert perform(slept()) == 130
    awake, frames = 2.0, terminal.text.count("x")
    assert awake / 0.05 - 2 <= frames <= (awake + ARREARS) / 0.05 + 2


def test_stop_ends_a_paused_show(act: Callable[[Script], None]) -> None:
    act(lambda _: iter([Frame(0.05, "a"), Frame(0.05, "b")]))
    terminal = Terminal()

    async def stopped() -> int:
        show = asyncio.create_task(terminal.show())
        await asyncio.sleep(0.01)
        terminal.page.pause(True)
        await asyncio.sleep(0.01)
        terminal.page.stop()
        return await show

    assert perform(stopped()) == 130


def test_speed_changes_in_the_middle_of_a_wait(act: Callable[[Script], None]) -> None:
    act(lambda _: iter([Frame(0.0, "a"), Frame(1000.0, "b"), Frame(1000.0, "c")]))
    terminal = Terminal()

    async def hurried() -> int:
        show = asyncio.create_task(terminal.show(("runs", "1")))
        await asyncio.sleep(0.1)
        assert terminal.text == "a"
        terminal.page.speed(10_000.0)
        await asyncio.sleep(0.15)
        assert terminal.text == "ab"
        terminal.page.speed(inf)
        return await asyncio.wait_for(show, 0.5)

    assert perform(hurried()) == 0
    assert terminal.text == "abc"


def test_stop_that_comes_before_the_show_is_obeyed(act: Callable[[Script], None]) -> None:
    """The event loop begins a show a turn after it was asked for."""
    act(lambda _: iter([Frame(0.0, "x"), Frame(100.0, "y")]))
    terminal = Terminal()
    terminal.page.stop()
    assert perform(terminal.show(("runs", "1"))) == 130
    assert not {"x", "y"} & {*terminal.texts}


def announcements(kind: str, *query: tuple[str, str], at: str = "") -> list[Any]:
    """What a page is told of this kind while the query's runs are played."""
    told: list[str] = []
    page = Page(lambda _text, size: page.drawn(size), 80, 24, told.append)
    perform(browser.main(query, page, at))
    return [message for message in map(json.loads, told) if message["type"] == kind]


def test_run_is_announced_as_it_can_be_asked_for_again() -> None:
    query = [("seed", "0"), ("start", "2026-01-30T12:00"), ("gpu", "H100 80GB"), FULL_SPEED]
    first, second = (it["run"] for it in announcements("run", *query, ("runs", "2"), ("tidy", "1")))
    assert first["options"] == [
        ["gpu", "NVIDIA H100 80GB HBM3"], ["tidy", "yes"],
        ["seed", "0"], ["start", "2026-01-30T12:00:00"],
    ]  # fmt: skip
    assert first["command"] == (
        "llmsim --gpu 'NVIDIA H100 80GB HBM3' --tidy --seed 0 --start 2026-01-30T12:00:00"
    )
    assert ["seed", "1"] in second["options"]
    assert first["name"] == plan(from_query(first["options"])[0]).run_name


def test_command_of_each_run_plays_it_in_a_terminal() -> None:
    query = [
        ("seed", str(2**64 - 1)),
        ("start", "2026-01-30T12:00"),
        ("runs", "2"),
        ("tidy", ""),
        FULL_SPEED,
    ]
    asked, _ = from_query(query)
    runs = announcements("run", *query, FULL_SPEED)
    assert len(runs) == 2
    for told, run in zip(runs, runs_of(asked), strict=True):
        program, *words = shlex.split(told["run"]["command"])
        assert program == "llmsim"
        options, complaints = parse_options(pairs(words), prefix="--")
        assert complaints == []
        assert plan(options) == run.job


def test_page_hears_how_far_the_run_is() -> None:
    reached = announcements("reached", ("seed", "4"), ("runs", "1"), ("duration", "2s"))
    percents = [it["percent"] for it in reached if it["phase"] == "training"]
    assert percents == sorted(percents)
    assert len(set(percents)) > 5
    assert {it["percent"] for it in reached} <= set(range(101))
    outer = [it["phase"] for it in reached if it["phase"] in ("launch", "training", "export")]
    assert [phase for phase, _ in groupby(outer)] == ["launch", "training", "export"]


def test_every_failure_is_marked_and_of_many_saves_some() -> None:
    query = [("seed", "4"), ("incidents", "none"), ("incident", "gpu-lost@50%"), ("runs", "1")]
    (told,) = announcements("timeline", *query, ("view", "log"), FULL_SPEED)
    marks = {kind: [at for it, at in told["marks"] if it == kind] for kind, _ in told["marks"]}
    assert len(marks["failure"]) == 1
    assert len(marks["outage"]) == 1
    assert 0 < marks["failure"][0] <= marks["outage"][0] < told["length"]
    assert len(marks["validation"]) + len(marks["checkpoint"]) <= messages.MOST_MARKS


@pytest.mark.parametrize(("view", "wall"), [("wall", True), ("auto", False), ("log", False)])
def test_page_hears_whether_the_wall_shows_the_run(view: str, wall: bool) -> None:
    asked = (("seed", "4"), ("runs", "1"), FULL_SPEED, ("view", view))
    assert [it["wall"] for it in announcements("timeline", *asked)] == [wall]


def test_nothing_new_is_not_announced() -> None:
    told: list[str] = []
    page = Page(lambda _text, _size: None, 80, 24, told.append)
    for share in (0.101, 0.109, 0.11):
        page.reach("training", share, 5.0, 60.0)
    assert [json.loads(it)["percent"] for it in told] == [10, 11]


def test_page_hears_which_parameters_are_wrong() -> None:
    """One sentence for the first, and one for all others; the right ones are not named."""
    wrong = (("model", "Prometheus-9"), ("gpus", "0"), ("colour", "red"))
    asked = (*wrong, ("seed", "4"), ("runs", "1"), ("view", "log"), FULL_SPEED)
    (told,) = announcements("refused", *asked)
    assert told["names"] == ["model", "gpus", "colour"]
    assert told["sentence"].startswith("model 'Prometheus-9' is not listed")
    assert told["sentence"].endswith("2 more parameters are wrong, and left out.")
    (told,) = announcements("refused", ("from", "900h"), *asked[3:])
    assert told["names"] == ["from"]
    assert announcements("refused", *asked[3:]) == []


def beginnings(at: str, **query: str) -> list[str]:
    """The phases in which the page hears that its runs begin."""
    told: list[str] = []
    page = Page(lambda _text, size: page.drawn(size), 80, 24, told.append)
    asked = {"seed": "4", "start": "2026-01-30T12:00", "steps": "40", "runs": "2", "view": "log"}
    perform(browser.main([*{**asked, **query}.items()], page, at))
    heard = [json.loads(each) for each in told]
    runs = [number for number, it in enumerate(heard) if it["type"] == "timeline"]
    return [next(it["phase"] for it in heard[run:] if it["type"] == "reached") for run in runs]


def test_each_run_of_the_page_begins_where_the_address_says() -> None:
    assert beginnings("") == ["launch", "launch"]
    assert beginnings("", **{"from": "40%"}) == ["training", "training"]


def test_moment_of_a_link_is_the_first_runs() -> None:
    """Whoever follows a link to a moment of one run sees the run after it from its beginning."""
    assert beginnings("40%") == ["training", "launch"]
    assert beginnings("step=20", **{"from": "export"}) == ["training", "export"]


@pytest.mark.parametrize(
    ("at", "said"), [("900h", "at cannot be 900h: the run takes"), ("soon", "at cannot be 'soon'")]
)
def test_moment_of_a_link_that_cannot_be_is_said(
    act: Callable[[Script], None], at: str, said: str
) -> None:
    act(lambda _: iter([Frame(0.0, "")]))
    (refused,) = announcements("refused", ("seed", "4"), ("runs", "1"), at=at)
    assert said in refused["sentence"]
    assert refused["names"] in ([], ["at"])  # of what was asked for nothing is left out


def test_query_that_cannot_be_played_is_refused_before_it_plays() -> None:
    """Each sentence, since a form shows them, and of a moment that the run does not have, too."""
    small = [("model", "Grandma-900B"), ("gpus", "3"), ("gpu", "NVIDIA GeForce RTX 4090")]
    assert "Grandma-900B" in messages.check(small)
    said = messages.check([("gpus", "lots"), ("colour", "red")])
    assert said.startswith("gpus cannot be 'lots': give a whole number")
    assert "colour" in said
    assert "900h" in messages.check([("from", "900h")])
    assert messages.check([("from", "40%"), ("gpus", "64"), ("seed", "4")]) == ""
    assert messages.check([]) == ""


def test_address_with_a_thousand_wrong_parameters_gets_two_sentences() -> None:
    terminal = Terminal()
    wrong = [(f"nonsense{number}", "1") for number in range(1000)]
    perform(terminal.show(*wrong, FULL_SPEED, ("runs", "1"), ("view", "log")))
    first, second, third = terminal.text.split("\n")[:3]
    assert "nonsense0" in first
    assert "999 more parameters" in second
    assert "llmsim:" not in third
