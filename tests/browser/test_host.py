"""hosts/browser.py, played here: what it sends to a page, and how it obeys one."""

import asyncio
import json
from collections.abc import Callable, Iterator
from math import inf

import pytest

from llmsim.hosts import browser
from llmsim.hosts.browser import TICK, WINDOW, Page
from llmsim.job import Job
from llmsim.options import Options
from llmsim.player import Frame
from llmsim.terminal.screen import Screen, blank_row

Script = Callable[[Callable[[], Screen]], Iterator[Frame]]


@pytest.fixture
def act(monkeypatch: pytest.MonkeyPatch) -> Callable[[Script], None]:
    """A function that puts a script in the place of every run."""

    def replace(script: Script) -> None:
        monkeypatch.setattr(browser, "plan", lambda options: options)
        monkeypatch.setattr(browser, "play", lambda job, options, screen: script(screen))

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
    assert asyncio.run(terminal.show(("runs", "1"))) == 0
    assert terminal.texts == ["aaaa", "bcccc"]


def test_delays_are_kept_and_divided_by_the_speed(act: Callable[[Script], None]) -> None:
    act(lambda _: iter([Frame(0.5, "a"), Frame(0.5, "b")]))
    terminal = Terminal()

    async def timed() -> float:
        clock = asyncio.get_running_loop().time
        began = clock()
        await terminal.show(("runs", "1"), ("speed-factor", "5"))
        return clock() - began

    assert 0.2 - TICK <= asyncio.run(timed()) < 0.5
    assert terminal.texts == ["a", "b"]


def test_all_arrives_when_the_terminal_keeps_up(act: Callable[[Script], None]) -> None:
    act(flood)
    terminal = Terminal()
    assert asyncio.run(terminal.show(("runs", "1"))) == 0
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

    before, after = asyncio.run(watch())
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

    assert asyncio.run(stopped()) == 130
    assert terminal.texts[-1].startswith(blank_row(terminal.page.screen()))
    assert terminal.texts[-1].endswith("\n")


def test_time_limit_ends_any_show(act: Callable[[Script], None]) -> None:
    act(flood)
    limit = [("exit-after-time", "0.2s"), ("speed-factor", "max")]
    assert asyncio.run(Terminal().show(*limit)) == 0


def test_resize_reaches_the_next_line(act: Callable[[Script], None]) -> None:
    def script(screen: Callable[[], Screen]) -> Iterator[Frame]:
        for _ in range(3):
            yield Frame(0.05, f"{screen().width} ")

    act(script)
    terminal = Terminal()

    async def resized() -> None:
        show = asyncio.create_task(terminal.show(("runs", "1")))
        await asyncio.sleep(0.07)
        terminal.page.resize(1000, 10)
        await show

    asyncio.run(resized())
    assert terminal.text == "80 80 400 "


def test_runs_take_the_next_seed_each(monkeypatch: pytest.MonkeyPatch) -> None:
    def script(job: Job, options: Options, screen: Callable[[], Screen]) -> Iterator[Frame]:
        yield Frame(0.0, f"{options.seed} ")

    monkeypatch.setattr(browser, "plan", lambda options: options)
    monkeypatch.setattr(browser, "play", script)
    terminal = Terminal()
    asyncio.run(terminal.show(("seed", "41"), ("runs", "3"), ("speed-factor", "max")))
    assert terminal.text == "41 42 43 "


def test_wrong_parameter_is_told_first(act: Callable[[Script], None]) -> None:
    act(lambda _: iter([Frame(0.0, "the run")]))
    terminal = Terminal()
    assert asyncio.run(terminal.show(("gpus", "7.5"), ("runs", "1"))) == 0
    assert "gpus cannot be '7.5'" in terminal.texts[0]
    assert terminal.texts[1] == "the run"


def test_refused_plan_ends_with_its_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(options: Options) -> Job:
        raise ValueError("that cannot fit.")

    monkeypatch.setattr(browser, "plan", refuse)
    terminal = Terminal()
    assert asyncio.run(terminal.show()) == 2
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

    before, during = asyncio.run(paused())
    assert before == during != ""
    assert terminal.text == "0 1 2 3 4 5 6 7 "


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

    assert asyncio.run(stopped()) == 130


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

    assert asyncio.run(hurried()) == 0
    assert terminal.text == "abc"


def test_run_is_announced_as_it_can_be_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[str] = []
    monkeypatch.setattr(browser, "plan", lambda options: options)
    monkeypatch.setattr(browser, "play", lambda job, options, screen: iter([Frame(0.0, "a")]))
    page = Page(lambda _text, _size: None, 80, 24, runs.append)
    query = [("seed", "7"), ("start", "2026-01-30T12:00"), ("gpu", "H100 80GB"), ("runs", "2")]
    asyncio.run(browser.main([*query, ("speed-factor", "max")], page))
    first, second = map(json.loads, runs)
    assert first["options"] == [
        ["gpu", "NVIDIA H100 80GB HBM3"], ["seed", "7"], ["start", "2026-01-30T12:00:00"]
    ]  # fmt: skip
    assert first["command"] == (
        "llmsim --gpu 'NVIDIA H100 80GB HBM3' --seed 7 --start 2026-01-30T12:00:00"
    )
    assert ["seed", "8"] in second["options"]
