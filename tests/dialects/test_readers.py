"""Public parsers, typed anew in tools/known_readers.py, read whole logs of our dialects."""

import re

import pytest

from llmsim.dialects.registry import file_of
from llmsim.job.records import Job
from llmsim.run.simulation import simulate
from tests.dialects.transcripts import PIPE, log
from tools.known_readers import OLDER, READERS, Older, Reader


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("reader", READERS, ids=lambda each: f"{each.dialect}-{each.source[:12]}")
def test_a_public_parser_reads_the_whole_log(reader: Reader, seed: int) -> None:
    told = log(reader.dialect, seed, tidy=True, **reader.asked)
    for found in reader.found:
        pattern = re.compile(found.pattern)
        lines = file_of_run(told.job) if reader.file else told.lines
        count = sum(bool(pattern.search(line)) for line in lines)
        wanted = len([*found.steps(told.job)])
        message = f"{reader.source}, seed {seed}: {count} {found.what}, not {wanted}"
        assert count == wanted or (found.at_least and count > wanted), message


def file_of_run(job: Job) -> list[str]:
    """The lines of the file that the framework writes, which --export logs has."""
    made = file_of(job.framework.name)
    assert made
    events = ((made.lines.get(type(event)), event) for event in simulate(job))
    return [line.text for render, event in events if render for line in render(event, job, PIPE)]


@pytest.mark.parametrize("older", OLDER, ids=lambda each: each.source)
def test_a_parser_of_another_release_finds_nothing(older: Older) -> None:
    """docs/dialects.md says of it why."""
    told = log(older.dialect, 3, tidy=True)
    assert not any(re.search(older.pattern, line) for line in told.lines)
