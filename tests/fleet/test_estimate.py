"""What --print-plan says before anything is written, against what is then written."""

from pathlib import Path

import pytest

from llmsim.fleet import command, estimate
from llmsim.fleet.spec import Spec, parsed

SPEC = """runs = 2
seed = 3
sample = "1s"
incidents = "none"
[export]
kinds = ["promtest"]
[[mix]]
model = "Pebble-160M"
gpus = 8
steps = 400
"""


def spec() -> Spec:
    return parsed(SPEC.encode(), "fleet.toml")


@pytest.mark.long
def test_a_run_of_many_samples_is_not_played_with_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = tmp_path / "fleet.toml", tmp_path / "out"
    path.write_text(SPEC, encoding="utf-8")
    assert command.main([str(path), "--out", str(out), "--workers", "1", "--quiet"]) == 0
    written = sum(file.stat().st_size for file in out.glob("files/**/*.gz"))
    monkeypatch.setattr(estimate, "_SAMPLES", 300)
    periods = {sample for number in range(2) for sample, _ in estimate._looks(spec(), number)}
    assert min(periods) > 2.0, "each run would be played with half of its samples and more"
    plan = estimate.plan_of(spec())
    assert plan.runs == 2
    assert plan.bytes == pytest.approx(written, rel=0.15)


def test_the_line_through_two_plays_is_followed_to_the_samples_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What grows as 7 + 3 n for n samples is found exactly, however few are made."""
    monkeypatch.setattr(estimate, "_SAMPLES", 50)
    for number in range(2):
        looks = estimate._looks(spec(), number)
        assert len(looks) == 2
        found = sum(weight * (7.0 + 3.0 * 36_000.0 / sample) for sample, weight in looks)
        assert found == pytest.approx(7.0 + 3.0 * 36_000.0 / spec().sample)
