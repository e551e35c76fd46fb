"""A new scene, a new sample and a new farewell are one line each: in a copy they are shown."""

from pathlib import Path

import pytest

from tests.copied import Copy, told_by_contributing

SCENE = "tea | One GPU makes tea for the other seven. | gpus=8; seed=2; start=2026-01-30T12:00:00\n"
SAMPLES = "".join(
    f"The kettle is a library, vol. {loss}. | {loss}\n" for loss in (9, 5, 3, 2.2, 1.1)
)


@pytest.mark.long
def test_a_scene_and_a_sample_are_a_line_each(tmp_path: Path) -> None:
    copy = Copy(tmp_path)
    for name, rows in (("llm_scenes.txt", SCENE), ("llm_samples.txt", SAMPLES)):
        with (tmp_path / "data" / name).open("a", encoding="utf-8") as listed:
            listed.write(rows)
    assert copy.touched() <= told_by_contributing("A theme, a scene, a joke")
    assert "One GPU makes tea" in copy.python("-m", "llmsim", "--list", "scenes")
    flags = ("--scene", "tea", "--model", "Novel-1B", "--recipe", "pretrain", "-s", "max")
    log = copy.python("-m", "llmsim", *flags)
    assert "The kettle is a library, vol. " in log
    assert "8 x " in log


@pytest.mark.long
def test_a_farewell_is_a_line(tmp_path: Path) -> None:
    copy, player, first = Copy(tmp_path), "src/llmsim/show/player.py", "FAREWELLS = (\n"
    lines = "".join(f'    "Tea is ready, {number}.",\n' for number in range(30))
    copy.replace(player, first, first + lines)
    assert copy.touched() == {player} <= told_by_contributing("A theme, a scene, a joke")
    program = """
from llmsim.show.player import farewell
from llmsim.text.screen import Screen
pipe = Screen(80, 24, color=False, unicode=True, live=False)
print(*(farewell(seed, pipe) for seed in range(20)), sep="\\n")
"""
    assert "Tea is ready" in copy.python("-c", program)
