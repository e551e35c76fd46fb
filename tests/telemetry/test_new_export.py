"""A new kind of export is one module and one row, by CONTRIBUTING: in a copy it writes a run."""

from pathlib import Path

import pytest

from tests.copied import Copy, told_by_contributing

MODULE = '''"""The losses of a run, one a line."""

from llmsim.run.events import Step
from llmsim.run.timeline import Run
from llmsim.telemetry.writer import Piece, Pieces, Settings, Writer
from llmsim.typed import Any


def begin(run: Run, settings: Settings) -> Writer:
    """A writer of a line for each logged step."""

    def told(event: Any) -> Pieces:
        if isinstance(event, Step):
            yield Piece(f"{event.step} {event.loss:.4f}\\n")

    return Writer(event=told)
'''
PLAY = """
from llmsim import cli
cli.main(["--seed", "7", "--start", "2026-01-30 12:00:00", "--gpus", "8", "--steps", "50",
          "--quiet", "--export", "losses=losses.txt"])
"""


@pytest.mark.long
def test_a_new_export_is_one_module_and_one_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    copy, kinds = Copy(tmp_path / "copy"), "KINDS = (\n"
    copy.write("src/llmsim/telemetry/losses.py", MODULE)
    row = '    Kind("losses", "the losses, one a line"),\n'
    copy.replace("src/llmsim/telemetry/kinds.py", kinds, kinds + row)
    new = "src/llmsim/telemetry/losses.py"
    told = told_by_contributing("A kind of export")
    assert copy.touched() - {new} <= told
    assert "src/llmsim/telemetry/" in told

    copy.python("-c", PLAY)
    rows = Path("losses.txt").read_text().splitlines()
    assert rows[0].startswith("1 ")
    assert rows[-1].startswith("50 ")
