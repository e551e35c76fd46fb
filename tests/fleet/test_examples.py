"""docs/fleets.md and examples/ do what they say."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from llmsim.fleet import command
from llmsim.fleet.spec import parsed

ROOT = Path(__file__).parents[2]
DOC = (ROOT / "docs/fleets.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```toml\n(.*?)```", DOC, re.DOTALL)
BLOCKS += re.findall(r"<<'END'\n(.*?)END\n", DOC, re.DOTALL)


def test_every_spec_of_the_page_can_be_read(tmp_path: Path) -> None:
    assert len(BLOCKS) == 3
    job = tmp_path / "job.toml"
    job.write_text("[schedule]\nsteps = 300\n", encoding="utf-8")
    for text in BLOCKS:
        assert parsed(text.replace("job.toml", str(job)).encode(), "docs/fleets.md").seed == 1


@pytest.mark.fleets
def test_the_examples_run_on_a_small_fleet(tmp_path: Path) -> None:
    spec = BLOCKS[-1].replace("runs = 200", "runs = 12").replace("typical", "chaos")
    (tmp_path / "fleet.toml").write_text(spec, encoding="utf-8")
    data, answers = tmp_path / "data", tmp_path / "answers"
    words = [str(tmp_path / "fleet.toml"), "--out", str(data), "--answers", str(answers)]
    assert command.main([*words, "--quiet"]) == 0

    def printed(name: str, *more: str) -> str:
        done = subprocess.run([sys.executable, str(ROOT / "examples" / name), *more],
                              check=True, capture_output=True, text=True)  # fmt: skip
        return done.stdout

    score = printed("detector.py", str(data), str(answers))
    recall = re.search(r"^recall +([\d.]+)", score, re.MULTILINE)
    assert recall, score
    # A death empties the GPUs, which nobody can overlook: most incidents of chaos are deaths.
    assert float(recall[1]) > 0.6, score
    # arXiv 2605.09370: 0.84 false alarms a day on 504 GPUs.
    false = re.search(r"^false alarms a day ([\d.]+)", score, re.MULTILINE)
    assert false, score
    assert float(false[1]) < 0.84, score
    curves = printed("loss_curves.py", str(data), str(tmp_path / "curves.png"))
    assert "12 curves" in curves
    assert (tmp_path / "curves.png").stat().st_size > 10_000
    lines = printed("replay.py", str(data), "--logs", "--speed", "1e9").splitlines()
    assert len({line.split()[0] for line in lines}) == 12
