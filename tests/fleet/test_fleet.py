"""llmsim fleet from the command line: what is written, taken up again, refused and left out."""

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from llmsim import cli
from llmsim.fleet import command
from llmsim.fleet.mix import member
from llmsim.fleet.spec import spec_of
from tests.fleet.undisturbed import tree

pytestmark = pytest.mark.long  # whole fleets, some of them in processes of their own

SPEC = """runs = 6
seed = 11
[export]
kinds = ["jsonl", "labels", "logs"]
[[mix]]
steps = 40
gpus = 8
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.toml"
    path.write_text(SPEC, encoding="utf-8")
    return path


def made(spec: Path, out: Path, *more: str) -> int:
    return command.main([str(spec), "--out", str(out), "--quiet", *more])


def test_a_run_of_a_fleet_is_the_run_played_alone(spec: Path, tmp_path: Path) -> None:
    assert made(spec, tmp_path / "out", "--workers", "2") == 0
    rows = (tmp_path / "out/runs.jsonl").read_text(encoding="utf-8").splitlines()
    told = [json.loads(row) for row in rows]
    assert [each["run_id"] for each in told] == [f"run-{n:06d}" for n in range(6)]
    last = told[-1]
    alone = tmp_path / "alone.jsonl"
    words = ["--seed", str(last["seed"]), "--start", last["start"], "--steps", "40", "--gpus", "8",
             "--incidents", "typical", "--quiet", "--export", f"jsonl={alone}"]  # fmt: skip
    assert cli.main(words) == 0
    packed = tmp_path / f"out/files/jsonl/{last['run_id']}.jsonl.gz"
    assert gzip.decompress(packed.read_bytes()) == alone.read_bytes(), f"seed {last['seed']}"


def test_workers_change_nothing_but_the_time(spec: Path, tmp_path: Path) -> None:
    for name, workers in (("one", "1"), ("three", "3")):
        assert made(spec, tmp_path / name, "--workers", workers) == 0
    assert tree(tmp_path / "one") == tree(tmp_path / "three")


def test_the_sums_are_those_of_the_files(spec: Path, tmp_path: Path) -> None:
    assert made(spec, tmp_path / "out") == 0
    subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=tmp_path / "out", check=True)


def test_a_fleet_goes_on_where_it_was_and_writes_no_part_twice(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert made(spec, whole) == 0
    shutil.copytree(whole, broken)
    for name in ("_SUCCESS", "manifest.json", "_parts/part-00002.json"):
        (broken / name).unlink()
    (broken / "files/jsonl/run-000002.jsonl.gz").unlink()
    kept = broken / "files/jsonl/run-000001.jsonl.gz"
    before = kept.stat().st_mtime_ns
    assert made(spec, broken) == 0
    assert tree(broken) == tree(whole)
    assert kept.stat().st_mtime_ns == before
    assert made(spec, broken) == 0
    assert "the data set is whole already" in capsys.readouterr().err


def test_another_spec_is_refused(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert made(spec, tmp_path / "out") == 0
    spec.write_text(SPEC.replace("seed = 11", "seed = 12"), encoding="utf-8")
    assert made(spec, tmp_path / "out") == 1
    assert "was begun with another SPEC" in capsys.readouterr().err


def test_a_folder_with_other_things_in_it_is_refused(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.tex").write_text("years of work", encoding="utf-8")
    assert made(spec, tmp_path / "out") == 1
    assert "is not empty" in capsys.readouterr().err


def test_the_answers_are_apart_from_the_evidence(spec: Path, tmp_path: Path) -> None:
    spec.write_text(SPEC.replace("gpus = 8", 'gpus = 8\nincidents = "chaos"'), encoding="utf-8")
    out, answers = tmp_path / "out", tmp_path / "answers"
    assert made(spec, out, "--answers", str(answers)) == 0
    kept = [json.loads(row) for row in (answers / "runs.jsonl").read_text().splitlines()]
    assert [row["seed"] for row in kept] == [member(spec_of(str(spec)), n).seed for n in range(6)]
    told = ("incident", "symptom", "failed", "restarted", "slowed", "recovered")
    broken = 0
    for path in sorted((answers / "files/labels").iterdir()):
        broken += gzip.decompress(path.read_bytes()).decode().count('"event":"incident"')
    assert broken, "nothing broke in six runs of chaos: the test shows nothing"
    for path in sorted((out / "files/jsonl").iterdir()):
        run, *facts = gzip.decompress(path.read_bytes()).decode().splitlines()
        assert json.loads(run)["seed"] is json.loads(run)["command"] is None, path.name
        for line in facts:
            assert json.loads(line)["event"] not in told, path.name
    texts = [gzip.decompress(path.read_bytes()).decode() for path in out.glob("files/logs/**/*.gz")]
    assert any("Training complete" in text for text in texts), "no run came to its end"
    for text in texts:
        assert "Same run again" not in text
    assert not (out / "files/labels").exists()
    assert not (out / "runs.jsonl").exists()
    assert "seed" not in (out / "README.md").read_text(encoding="utf-8")


def test_answers_inside_the_evidence_are_refused(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert made(spec, tmp_path / "out", "--answers", str(tmp_path / "out/secret")) == 1
    assert "neither may be in the other" in capsys.readouterr().err


def test_a_link_into_the_evidence_is_in_the_evidence(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    answers = str(tmp_path / "link/out/secret")
    assert made(spec, tmp_path / "real/out", "--answers", answers) == 1
    assert "neither may be in the other" in capsys.readouterr().err
    assert not [*(tmp_path / "real").iterdir()]


def test_a_disk_that_is_too_small_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text(SPEC.replace("runs = 6", "runs = 1000"), encoding="utf-8")
    monkeypatch.setattr("llmsim.fleet.places.free_bytes", lambda root: 10_000)
    assert made(path, tmp_path / "out") == 1
    said = capsys.readouterr().err
    assert "has room for 10 kB, and the fleet needs about" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--out", "x"], "give a SPEC: llmsim fleet SPEC.toml --out DEST."),
        (["a.toml"], "say where the data set goes: --out DEST, or ask for --print-plan."),
        (["a.toml", "--ot", "x"], "there is no option '--ot': did you mean --out?"),
        (["a.toml", "--out", "x", "--workers", "two"], "--workers cannot be 'two': give a whole"),
        (["a.toml", "b.toml", "--out", "x"], "one SPEC makes one fleet: 'b.toml' is a second one."),
        (
            ["a.toml", "--out", "x", "--out=y"],
            "--out is given twice, as 'x' and as 'y': a fleet has",
        ),
        (["a.toml", "-o", "x"], "there is no option '-o': see llmsim fleet --help."),
        (["a.toml", "--out", "--quiet"], "--out needs a value: see llmsim fleet --help."),
        (["", "--out", "x"], "give a SPEC: llmsim fleet SPEC.toml --out DEST."),
        (["none.toml", "--out", "x"], "none.toml: no such file or directory."),
    ],
)
def test_a_wrong_command_gets_one_sentence(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(words) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"llmsim fleet: {sentence}"), said
    assert said.count("\n") == 1


# What stands in for a run that takes its worker with it, in the workers alone.
CULPRIT = """
import os, signal
from llmsim.fleet import parts
played = parts.play_member
def play(spec, each, work, tables=None):
    if each.number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if each.number == 4:
        raise ZeroDivisionError("by hand")
    played(spec, each, work, tables)
parts.play_member = play
"""


def test_runs_that_fail_are_named_with_their_seeds_and_the_rest_is_done(
    spec: Path, tmp_path: Path
) -> None:
    stand_in = tmp_path / "stand_in"
    stand_in.mkdir()
    (stand_in / "sitecustomize.py").write_text(CULPRIT, encoding="utf-8")
    out = tmp_path / "out"
    paths = os.pathsep.join([str(stand_in), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-m", "llmsim", "fleet", str(spec), "--out", str(out), "--quiet"],
        env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    seeds = [member(spec_of(str(spec)), number).seed for number in range(6)]
    assert f"run-000003 (seed {seeds[3]}) was left out: 3 workers died while" in done.stderr
    assert f"run-000004 (seed {seeds[4]}) was left out: ZeroDivisionError: by hand" in done.stderr
    kept = sorted(path.name[:10] for path in (out / "files/jsonl").iterdir())
    assert kept == [f"run-00000{n}" for n in (0, 1, 2, 5)]
