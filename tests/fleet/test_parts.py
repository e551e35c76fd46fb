"""A part of a fleet in which a run fails: it has what it would have without that run."""

from pathlib import Path

import pytest

from llmsim.fleet import parts, playing
from llmsim.fleet.mix import Member
from llmsim.fleet.places import Places
from llmsim.fleet.spec import Spec, parsed, spec_of
from llmsim.physics import noise
from llmsim.typed import Any
from tests.fleet.undisturbed import tree

SPEC = """runs = 4
seed = 5
sample = "10min"
[export]
kinds = ["parquet", "labels", "logs"]
[[mix]]
steps = 40
gpus = 8
"""
CULPRIT = 2


def test_a_run_that_is_written_leaves_no_draws_in_memory(tmp_path: Path) -> None:
    text = SPEC.replace('"parquet", ', "").replace("runs = 4", "runs = 1")
    spec = parsed(text.encode(), "fleet.toml")
    parts.write_part(spec, Places(str(tmp_path), "", "x"), 1, 0, {}, lambda _run: None)
    left = [cache.cache_info() for cache in noise._KEPT]
    assert not any(each.currsize for each in left), left
    noise.uniform(1, "a stream")
    assert any(cache.cache_info().currsize for cache in noise._KEPT), "nothing is kept at all"


@pytest.mark.fleets
@pytest.mark.parametrize(
    ("fails", "order"), [("at once", [0, 1, 2, 3]), ("at its end", [0, 1, 2, 0, 1, 3])]
)
def test_a_run_that_fails_leaves_nothing_behind(
    fails: str, order: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left of it cannot be told from a part that was asked to leave it out."""
    path = tmp_path / "fleet.toml"
    path.write_text(SPEC, encoding="utf-8")
    spec = spec_of(str(path))
    reason = "ZeroDivisionError: by hand"
    without = Places(str(tmp_path / "without"), "", "x")
    parts.write_part(spec, without, 4, 0, {CULPRIT: reason}, lambda _run: None)
    play, begun = playing.play_member, list[int]()

    def failing(spec: Spec, each: Member, work: Path, tables: Any = None) -> None:
        begun.append(each.number)
        if each.number == CULPRIT and fails == "at once":
            (work / f"data/files/labels/{each.run_id}.jsonl.gz").write_bytes(b"half of it")
            raise ZeroDivisionError("by hand")
        play(spec, each, work, tables)
        if each.number == CULPRIT:
            raise ZeroDivisionError("by hand")

    monkeypatch.setattr(parts, "play_member", failing)
    out = Places(str(tmp_path / "out"), "", "x")
    mark = parts.write_part(spec, out, 4, 0, {}, lambda _run: None)
    assert [each.reason for each in mark.failed] == [reason]
    assert tree(tmp_path / "out") == tree(tmp_path / "without")
    assert begun == order, "a part begins anew where a table has rows of the run, and only there"
