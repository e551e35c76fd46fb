"""Exports on a disk: whole under their names, and one sentence for whatever goes wrong."""

import json
import os
import select
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from llmsim.errors import FLAG, OptionError
from llmsim.hosts.exports import refuse
from llmsim.options.table import Options
from llmsim.telemetry.kinds import Export
from tests.telemetry.exporting import command, files_of, ran

PATIENCE = 120.0  # seconds, for a busy machine
AT_ONCE = ("--speed-factor", "max")


def whole(path: Path) -> list[dict[str, object]]:
    """The lines of a file of JSON, which must all be whole."""
    content = path.read_bytes()
    assert content.endswith(b"}\n")
    return [json.loads(each) for each in content.splitlines()]


@pytest.mark.long
def test_the_same_run_is_the_same_bytes_beside_a_show_and_without_one(tmp_path: Path) -> None:
    shown, quiet = tmp_path / "shown", tmp_path / "quiet"
    log = ran(*AT_ONCE, "--export", f"jsonl={shown}")
    silent = ran("--quiet", "--export", f"jsonl={quiet}")
    assert (log.returncode, silent.returncode) == (0, 0), log.stderr + silent.stderr
    assert (silent.stdout, silent.stderr) == ("", "")
    assert log.stdout == ran(*AT_ONCE).stdout
    assert shown.read_bytes() == quiet.read_bytes()
    assert whole(shown)[-1]["event"] == "phase_ended"


@pytest.mark.long
def test_without_a_show_an_export_begins_where_from_says_as_beside_one(tmp_path: Path) -> None:
    shown, quiet, every = tmp_path / "shown", tmp_path / "quiet", tmp_path / "every"
    ran(*AT_ONCE, "--from", "90%", "--export", f"jsonl={shown}")
    ran("--quiet", "--from", "90%", "--export", f"jsonl={quiet}")
    ran("--quiet", "--export", f"jsonl={every}")
    assert shown.read_bytes() == quiet.read_bytes()
    run, *late = whole(quiet)
    first, *rest = whole(every)
    assert run == first
    assert late == rest[-len(late) :]
    steps = [int(str(each["step"])) for each in late if each["event"] == "step"]
    assert min(steps) >= 0.9 * int(str(run["steps"]))


def test_standard_output_is_a_place_for_a_quiet_export(tmp_path: Path) -> None:
    made = ran("--quiet", "--export", "jsonl=-")
    assert made.returncode == 0
    assert json.loads(made.stdout.splitlines()[-1])["event"] == "phase_ended"


@pytest.mark.long
def test_runs_have_their_seeds_in_their_names(tmp_path: Path) -> None:
    assert ran("--quiet", "--runs", "2", "--export", f"jsonl={tmp_path}/{{seed}}").returncode == 0
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["7", "8"]
    assert [whole(path)[0]["seed"] for path in sorted(tmp_path.iterdir())] == [7, 8]


# --- what goes wrong ---------------------------------------------------------------------------


def missing_folder(folder: Path) -> str:
    return f"{folder}/nowhere/run"


def existing_file(folder: Path) -> str:
    (folder / "run").write_text("mine")
    return f"{folder}/run"


def existing_folder(folder: Path) -> str:
    (folder / "run").mkdir()
    return f"{folder}/run/"


def below_a_file(folder: Path) -> str:
    (folder / "file").write_text("mine")
    return f"{folder}/file/run"


WRONG: list[tuple[Callable[[Path], str], str]] = [
    (missing_folder, "there is no folder {folder}/nowhere"),
    (existing_file, "it exists already: give another name, or remove it"),
    (existing_folder, "it exists already: give another name, or remove it"),
    (below_a_file, "there is no folder {folder}/file"),
]


@pytest.mark.parametrize(("make", "reason"), WRONG)
@pytest.mark.parametrize("how", [("--quiet",), AT_ONCE])
def test_what_cannot_be_begun_is_refused_before_the_show(
    make: Callable[[Path], str], reason: str, how: tuple[str, ...], tmp_path: Path
) -> None:
    place = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    made = ran(*how, "--export", f"jsonl={place}")
    said = f"llmsim: cannot write the export jsonl={place.rstrip('/')}: {reason}.\n"
    assert (made.returncode, made.stdout) == (1, "")
    assert made.stderr == said.format(folder=tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_place_that_nobody_may_write_to() -> None:
    made = ran("--quiet", "--export", "jsonl=/sys/kernel/run")
    assert made.returncode == 1
    assert made.stderr == (
        "llmsim: cannot write the export jsonl=/sys/kernel/run: permission denied.\n"
    )


@pytest.mark.long
def test_a_disk_that_is_full_ends_the_export_and_not_the_show() -> None:
    said = "llmsim: cannot write the export jsonl=/dev/full: no space left on device.\n"
    beside = ran(*AT_ONCE, "--export", "jsonl=/dev/full")
    assert (beside.returncode, beside.stderr) == (1, said)
    assert beside.stdout == ran(*AT_ONCE).stdout
    quiet = ran("--quiet", "--export", "jsonl=/dev/full")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (1, "", said)


def test_a_small_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    """A write beyond the limit on the size of a file fails as on a full disk."""
    script = f'ulimit -f 64; trap "" XFSZ; exec "$@" --export jsonl={tmp_path}/run'
    made = subprocess.run(
        ["bash", "-c", script, "bash", *command("--quiet")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 1
    assert made.stderr == (
        f"llmsim: cannot write the export jsonl={tmp_path}/run: file too large.\n"
    )
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("kind", ["jsonl", "promtest", "tensorboard"])
def test_a_second_writer_is_refused_at_its_start(kind: str, tmp_path: Path) -> None:
    """A file, one that is put together at its end, and a folder: each while a run writes it."""
    place = tmp_path / "run"
    asked = ("--export", f"{kind}={place}", "--gpu", "NVIDIA H100 80GB HBM3", "--gpus", "8")
    first = subprocess.Popen(
        command("--duration", "1h", *asked), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert first.stdout is not None
    assert first.stdout.readline()  # it plays, so its exports are open
    second = ran("--quiet", *asked)
    said = f"llmsim: cannot write the export {kind}={place}: another run is writing it: "
    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr == said + "give another name.\n"
    first.kill()
    first.communicate(timeout=PATIENCE)
    if kind == "jsonl":  # a run that was killed is in nobody's way
        assert ran("--quiet", *asked).returncode == 0
        assert whole(place)[-1]["event"] == "phase_ended"


def test_a_name_that_the_locale_cannot_decode_is_written(tmp_path: Path) -> None:
    """PEP 383: in the C locale without UTF-8 mode, a name's other bytes are lone surrogates."""
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0"}
    job, made = tmp_path / "añejo.toml", tmp_path / "añejo.jsonl"
    job.write_text(ran("--print-config", "--toml").stdout, encoding="utf-8")
    told = subprocess.run(
        command("--quiet", "--job", str(job), "--lr", "1e-3", "--export", f"jsonl={made}"),
        env=environment, capture_output=True, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    first, *_, last = whole(made)
    assert last["event"] == "phase_ended"
    assert f"--job '{job}'" in str(first["command"])


def test_a_reader_that_goes_away_is_one_sentence(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    writer = subprocess.Popen(
        command("--quiet", "--export", f"jsonl={pipe}"), stderr=subprocess.PIPE, text=True
    )
    assert select.select([reader], [], [], PATIENCE)[0]
    assert os.read(reader, 14) == b'{"event":"run"'
    os.close(reader)
    _, said = writer.communicate(timeout=PATIENCE)
    assert writer.returncode == 1
    assert said == f"llmsim: cannot write the export jsonl={pipe}: broken pipe.\n"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (Options(quiet=True), "--quiet shows nothing: give an --export with it."),
        (
            Options(export=(Export("jsonl", "-"),)),
            "--export jsonl=- would write into the log: give --quiet with it, or a file.",
        ),
        (
            Options(export=(Export("jsonl", "a"), Export("jsonl", "a"))),
            "--export jsonl=a is asked for twice: give each export its own place.",
        ),
        (
            Options(export=(Export("jsonl", "x/a"), Export("otlp", "x/./a"))),
            "--export jsonl=x/a is asked for twice: give each export its own place.",
        ),
        (
            Options(export=(Export("jsonl", "a"),), runs=0),
            "--export jsonl=a would be written by every run: put {seed} into the name.",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(options: Options, sentence: str) -> None:
    with pytest.raises(OptionError) as error:
        refuse(options)
    assert error.value.sentence(FLAG) == sentence


# --- stopping ----------------------------------------------------------------------------------


def size(path: Path) -> int:
    """Bytes of a file; none where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def begun(path: Path, *how: str, written: int = 1) -> subprocess.Popen[bytes]:
    """A run that has written so many bytes of its export, or has ended."""
    process = subprocess.Popen(
        command(*how, "--export", f"jsonl={path}"),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    unfinished = path.with_name(path.name + ".part")
    while size(unfinished) < written and process.poll() is None:
        os.sched_yield()
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_show_has_written_what_it_showed(number: int, tmp_path: Path) -> None:
    path = tmp_path / "run"
    process = begun(path, "--speed-factor", "4")
    process.send_signal(number)
    assert process.wait(PATIENCE) == 128 + number
    assert [each["event"] for each in whole(path)][:2] == ["run", "phase_started"]
    assert [child.name for child in tmp_path.iterdir()] == ["run"]


def contents(path: Path) -> dict[str, bytes]:
    """The bytes of a file, or of each file in a folder."""
    if path.is_file():
        return {"": path.read_bytes()}
    return {name: (path / name).read_bytes() for name in files_of(path)}


@pytest.mark.long
def test_what_a_killed_process_leaves_under_its_name_is_whole(tmp_path: Path) -> None:
    """Killed at twenty sizes of the file, the last of them beyond its end."""
    kinds = {"jsonl": "", "csv": ".csv", "promtest": ".yml"}
    beside = [word for kind in ("csv", "promtest")
              for word in ("--export", f"{kind}={tmp_path}/{{}}{kinds[kind]}")]  # fmt: skip
    every = [word.format("all") for word in beside]
    gpus = ("--gpu", "NVIDIA H100 80GB HBM3", "--gpus", "8", "--sample", "1h")
    asked = ("--quiet", "--export", f"jsonl={tmp_path}/all", *every, *gpus)
    assert ran(*asked).returncode == 0
    complete = (tmp_path / "all").read_bytes()
    unfinished = 0
    for attempt in range(20):
        path = tmp_path / f"run-{attempt}"
        own = [word.format(path.name) for word in beside]
        size = 1 + len(complete) * attempt // 19
        process = begun(path, "--quiet", *own, *gpus, written=size)
        process.kill()
        process.wait(PATIENCE)
        unfinished += not path.exists()
        for ending in kinds.values():
            left, right = Path(f"{path}{ending}"), tmp_path / f"all{ending}"
            assert not left.exists() or contents(left) == contents(right), f"attempt {attempt}"
    assert 0 < unfinished < 20
