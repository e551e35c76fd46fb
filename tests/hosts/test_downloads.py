"""The files that the page makes are those that the command writes."""

import json
import re
from datetime import datetime
from io import BytesIO
from math import inf
from pathlib import Path
from time import monotonic
from zipfile import ZipFile

import pytest

from llmsim.hosts.downloads import ENDINGS, made
from llmsim.hosts.exports import UNSEEN, export_only
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.show.player import play
from llmsim.telemetry.kinds import Export
from llmsim.text.screen import PIPE_WIDTH, Screen

# One GPU, so that its table has every sample; a moment in the middle matters to no file.
ASKED = Options(
    dialect="nanogpt",
    gpus=1,
    gpu="H100 PCIe",
    steps=40,
    seed=4,
    start=datetime(2026, 1, 30, 12),
    sample=600.0,
    from_="50%",
)


def file_of(kind: str, options: Options = ASKED) -> tuple[str, bytes]:
    return list(made(options, kind, UNSEEN))[-1]


@pytest.mark.parametrize("kind", [pytest.param("cast", marks=pytest.mark.long), "jsonl", "labels"])
def test_export_is_the_commands_to_the_byte(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, size in (("COLUMNS", UNSEEN.width), ("LINES", UNSEEN.height)):
        monkeypatch.setenv(variable, str(size))
    name, content = file_of(kind)
    assert name == f"{plan(ASKED).run_name}.{ENDINGS[kind]}"
    written = tmp_path / name
    wanted = ASKED._replace(export=(Export(kind, str(written)),), quiet=True, from_=None)
    assert export_only(wanted, lambda: None, monotonic, inf)
    assert content == written.read_bytes()


@pytest.mark.long
def test_a_recording_has_the_size_and_the_theme_that_were_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("LINES", "45")
    file = tmp_path / "run.cast"
    asked = ASKED._replace(
        export=(Export("cast", str(file)),), quiet=True, from_=None, view="wall", theme="phosphor"
    )
    assert export_only(asked, lambda: None, monotonic, inf)
    header, *frames = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    assert (header["width"], header["height"]) == (160, 45)
    # Up to four drawings a second of the show, however fast it was made; what stays is not drawn.
    times = [frame[0] for frame in frames if frame[1] == "o"]
    assert len(times) > 2 * (times[-1] - times[0])
    assert "\x1b[38;2;" in "".join(frame[2] for frame in frames)
    _, first, *_ = (frame[2] for frame in frames if frame[1] == "o")  # after the hidden cursor
    assert "kettles" in first  # which no board has


def test_a_film_begins_and_ends_where_it_was_asked_to(tmp_path: Path) -> None:
    """It is a piece of the whole film, however slow the machine: the clock says it is late."""
    asked = ASKED._replace(view="log", quiet=True, runs=2, from_="50%", exit_after_time=20.0)
    cut = asked._replace(export=(Export("cast", str(tmp_path / "{seed}.cast")),))
    assert not export_only(cut, lambda: None, lambda: 1e9, 0.0)
    assert [file.name for file in tmp_path.iterdir()] == ["4.cast"]  # the time is that of all runs
    _, *frames = map(json.loads, (tmp_path / "4.cast").read_text(encoding="utf-8").splitlines())
    assert frames[0][0] == 0.0
    assert 15.0 < frames[-1][0] <= 20.0
    text = "".join(frame[2] for frame in frames if frame[1] == "o")
    steps = [int(step) for step in re.findall(r"iter (\d+): loss", text)]
    assert steps == list(range(steps[0], steps[-1] + 1))
    later = "".join(f[2] for f in frames if f[1] == "o" and f[0] > 0.0)
    assert min(int(step) for step in re.findall(r"iter (\d+): loss", later)) in (19, 20, 21)


def test_tables_are_the_commands_in_an_archive(tmp_path: Path) -> None:
    _, content = file_of("csv")
    wanted = ASKED._replace(export=(Export("csv", str(tmp_path / "run")),), quiet=True, from_=None)
    assert export_only(wanted, lambda: None, monotonic, inf)
    written = {file.name: file.read_bytes() for file in (tmp_path / "run").iterdir()}
    with ZipFile(BytesIO(content)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == written


def test_log_is_what_a_pipe_gets() -> None:
    _, content = file_of("log")
    pipe = Screen(PIPE_WIDTH, 50, color=False, unicode=True, live=False)
    frames = play(plan(ASKED), ASKED._replace(view="log", from_=None), lambda: pipe)
    assert content.decode() == "".join(frame.text for frame in frames)


@pytest.mark.long
def test_table_of_many_gpus_has_room_in_a_browser() -> None:
    many = ASKED._replace(dialect="torchtitan", model="llama-3.1-8b", gpus=512, steps=None)
    _, content = file_of("csv", many._replace(sample=1.0))
    with ZipFile(BytesIO(content)) as archive:
        rows = archive.read("gpus.csv").splitlines()
    assert 512 < len(rows) < 12_000
