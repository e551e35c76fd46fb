"""Walks a log by its dialect's table of statements: each line is one of them, in their order."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import NamedTuple

from llmsim.dialects.capture import node_mark, nodes_kept, ranks_kept
from llmsim.dialects.statement import Statement
from llmsim.job.records import Job

TOKEN = re.compile(r"\s*([\w-]+|[()|?*+])")


class State(NamedTuple):
    """A state of the automaton that reads names; `name` is "" where it goes on by itself."""

    name: str
    then: list[int]


class Table(NamedTuple):
    """A dialect's statements, ready to read lines."""

    statements: dict[str, Statement]
    patterns: dict[str, re.Pattern[str]]
    states: list[State]
    first: int
    last: int


@cache
def table(dialect: str, release: str = "") -> Table:
    """The table of a dialect in its usual release or in an older one; its names and those in its
    order are the same.
    """
    module = table_module(dialect)
    rows, order = module.OLDER[release] if release else (module.STATEMENTS, module.ORDER)
    statements = {each.name: each for each in rows}
    assert len(statements) == len(rows), f"{dialect}: a name stands twice"
    states: list[State] = []
    words = [match[1] for match in TOKEN.finditer(order)]
    assert "".join(words) == re.sub(r"\s", "", order), f"{dialect}: ORDER has other signs"
    first, last = choice(words, states)
    assert not words, f"{dialect}: ORDER has a bracket too many, before {words[:3]}"
    named = {state.name for state in states if state.name}
    assert named == set(statements), f"{dialect}: {named ^ set(statements)} in one of two places"
    patterns = {name: re.compile(each.text) for name, each in statements.items()}
    return Table(statements, patterns, states, first, last)


def table_module(dialect: str) -> ModuleType:
    """The module that has the dialect's table."""
    return import_module(f"llmsim.dialects.{dialect}.statements")


def choice(words: list[str], states: list[State]) -> tuple[int, int]:
    """Reads `a b | c` and adds its states: the first and the last one."""
    ways = [row(words, states)]
    while words and words[0] == "|":
        del words[0]
        ways.append(row(words, states))
    states += [State("", [first for first, _ in ways]), State("", [])]
    for _, last in ways:
        states[last].then.append(len(states) - 1)
    return len(states) - 2, len(states) - 1


def row(words: list[str], states: list[State]) -> tuple[int, int]:
    states.append(State("", []))
    first = last = len(states) - 1
    while words and words[0] not in "|)":
        begin, end = term(words, states)
        states[last].then.append(begin)
        last = end
    return first, last


def term(words: list[str], states: list[State]) -> tuple[int, int]:
    word = words.pop(0)
    if word == "(":
        first, last = choice(words, states)
        assert words, "a bracket is not closed"
        del words[0]
    else:
        states += [State(word, [len(states) + 1]), State("", [])]
        first, last = len(states) - 2, len(states) - 1
    while words and words[0] in "?*+":
        sign = words.pop(0)
        states += [State("", [first]), State("", [])]
        begin, end = len(states) - 2, len(states) - 1
        states[last].then.append(end)
        if sign != "+":
            states[begin].then.append(end)
        if sign != "?":
            states[last].then.append(begin)
        first, last = begin, end
    return first, last


def closed(states: Sequence[State], some: Iterable[int]) -> frozenset[int]:
    """The states, and all that are reached from them without a line."""
    found: set[int] = set()
    waiting = list(some)
    while waiting:
        state = waiting.pop()
        if state not in found:
            found.add(state)
            if not states[state].name:
                waiting += states[state].then
    return frozenset(found)


def unmarked(job: Job, lines: Sequence[str]) -> list[str]:
    """The lines without what srun or pdsh puts before them."""
    if job.capture != "all":
        return list(lines)
    marks = [node_mark(job, node) for node in range(job.layout.nodes)]
    found = [[mark for mark in marks if line.startswith(mark)] for line in lines]
    assert all(found), next(line for line, mark in zip(lines, found, strict=True) if not mark)
    return [line[len(mark[0]) :] for line, mark in zip(lines, found, strict=True)]


def walked(dialect: str, job: Job, lines: Sequence[str], release: str = "") -> list[str]:
    """The faults of a log, one sentence each: seed, line number, line, and what is wrong."""
    read = table(dialect, release)
    faults: list[str] = []
    seen: dict[str, list[int]] = {name: [] for name in read.statements}
    now = closed(read.states, [read.first])
    for number, line in enumerate(unmarked(job, lines), start=1):
        told = f"{dialect}, seed {job.seed}, line {number}: {line!r}"
        found = [(name, m) for name, each in read.patterns.items() if (m := each.fullmatch(line))]
        if not found:
            faults.append(f"{told} is no statement's")
            continue
        wanted = {read.states[state].name for state in now} - {""}
        name, match = next((each for each in found if each[0] in wanted), found[0])
        exact = [other for other, _ in found if other != name and len(found) > 1]
        if exact and read.statements[name].place != read.statements[exact[0]].place:
            faults.append(f"{told} belongs to {name} and to {exact[0]}")
        seen[name].append(
            int(match["step"].replace(",", "")) if "step" in match.re.groupindex else 0
        )
        after = [
            then
            for state in now
            if read.states[state].name == name
            for then in read.states[state].then
        ]
        if not after:
            faults.append(f"{told} is {name}, and cannot come here: {sorted(wanted)} can")
            break
        now = closed(read.states, after)
    else:
        if read.last not in now:
            wanted = {read.states[state].name for state in now} - {""}
            faults.append(f"{dialect}, seed {job.seed}: the log ends before {sorted(wanted)}")
        faults += counted(dialect, job, read.statements, seen)
    return faults


def counted(
    dialect: str, job: Job, statements: dict[str, Statement], seen: dict[str, list[int]]
) -> list[str]:
    """The statements that print too often or too seldom, or at other steps than they should."""
    faults = []
    for name, statement in statements.items():
        if statement.steps is None:
            continue
        times = {"each": len(ranks_kept(job)), "launcher": len(nodes_kept(job))}.get(
            statement.ranks, 1
        )
        wanted = [int(step) for step in statement.steps(job)] * times
        told = f"{dialect}, seed {job.seed}: {name} ({statement.place})"
        if len(seen[name]) != len(wanted):
            faults.append(f"{told} stands {len(seen[name])} times, not {len(wanted)}")
        elif "(?P<step>" in statement.text and Counter(seen[name]) != Counter(wanted):
            other = sorted((Counter(seen[name]) - Counter(wanted)).elements())
            faults.append(f"{told} stands at steps {other[:5]}, not in {sorted(wanted)[:5]}...")
    return faults
