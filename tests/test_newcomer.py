"""CONTRIBUTING's table says in which file a newcomer finds a thing, and it is that file."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmsim.catalog import records
from llmsim.physics.hardware import storage
from llmsim.physics.learning import loss
from llmsim.run import events
from llmsim.run.simulation import simulate
from tests.runs import job_of

ROOT = Path(__file__).parents[1]
TABLE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("| the one file |")[2]
FILES = dict(re.findall(r"^\| (.+?) \| `(.+?)` \|$", TABLE.partition("\n## ")[0], re.MULTILINE))


def having(text: str) -> Iterator[str]:
    """The files of the package and the lists that have a text in them."""
    for folder, kind in (("src", "*.py"), ("data", "*.txt")):
        for path in sorted((ROOT / folder).rglob(kind)):
            if text in path.read_text(encoding="utf-8"):
                yield path.relative_to(ROOT).as_posix()


def test_the_table_has_the_five_questions() -> None:
    assert [*FILES] == [
        "the loss of step 100",
        "Megatron's iteration line",
        "how fast a save is",
        "what the key `+` does",
        "a new GPU",
    ]


def test_the_loss_of_step_100_is_made_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert loss.__file__ == str(ROOT / FILES["the loss of step 100"])
    monkeypatch.setattr(loss, "training_of", lambda _: lambda _: 7.25)
    job = job_of(3, dialect="pytorch")
    told = next(e for e in simulate(job) if isinstance(e, events.Step) and e.step >= 100)
    assert told.loss == 7.25


def test_a_save_takes_what_is_said_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert storage.__file__ == str(ROOT / FILES["how fast a save is"])
    job = job_of(4, dialect="hf")
    usual = next(e for e in simulate(job) if isinstance(e, events.CheckpointSaved)).seconds
    save_seconds = storage.save_seconds
    monkeypatch.setattr(storage, "save_seconds", lambda *args: 2 * save_seconds(*args))
    slow = next(e for e in simulate(job) if isinstance(e, events.CheckpointSaved)).seconds
    assert slow == pytest.approx(2 * usual, rel=1e-3)


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Megatron's iteration line", "elapsed time per iteration (ms)"),
        ("what the key `+` does", "play twice as fast"),
        ("a new GPU", f"{records.gpu_named('H20-3e').name}"),
    ],
)
def test_what_is_written_stands_there_alone(question: str, text: str) -> None:
    assert [*having(text)] == [FILES[question]]
