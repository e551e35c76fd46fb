"""A new kind of incident by CONTRIBUTING's steps, in a copy: it breaks a run and is mended."""

import json
from pathlib import Path

import pytest

from tests.copied import Copy, told_by_contributing

ROW = """    Kind(
        "quota", "storage", "death", "the project's quota of disk space is used up", "none",
        "one rank, while it saves", "", "`No space left on device`", "`Exited with exit code 1`",
        "none", "a person deletes old checkpoints", 12.0, 1, extra_rate=0.5, node_fault=False,
    ),
"""
PLAY = """
from llmsim import cli
cli.main(["--seed", "7", "--start", "2026-01-30 12:00:00", "--gpus", "8", "--steps", "200",
          "--incident", "quota@50%", "--speed-factor", "max", "--export", "labels=truth.jsonl"])
"""


@pytest.mark.long
def test_a_new_incident_is_four_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    copy, run = Copy(tmp_path / "copy"), "src/llmsim/run"
    kinds, tellers = "KINDS: tuple[Kind, ...] = (\n", "_TELLERS: dict[str, Teller] = {\n"
    verdicts, jokes = "VERDICTS: dict[str, Verdict] = {\n", '    "disk-full": ('
    copy.replace(f"{run}/incident_kinds.py", kinds, kinds + ROW)
    copy.replace(f"{run}/symptoms.py", tellers, f'{tellers}    "quota": _raises("no space"),\n')
    verdict = '    "quota": Verdict("storage", "ask a person"),\n'
    copy.replace(f"{run}/verdicts.py", verdicts, verdicts + verdict)
    copy.replace(f"{run}/names.py", jokes, f'    "quota": ("Nobody has 3 TB of cats.",),\n{jokes}')
    assert copy.touched() <= told_by_contributing("An incident")

    log = copy.python("-c", PLAY)
    assert "Nobody has 3 TB of cats." in log
    assert "No space left on device" in log
    assert "| attempts        2" in log
    _, label = (json.loads(line) for line in Path("truth.jsonl").read_text().splitlines())
    assert (label["kind"], label["action"]) == ("quota", "ask a person")
    assert "quota " in copy.python("-m", "llmsim", "--list", "incidents")
