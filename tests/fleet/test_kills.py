"""A fleet whose workers, scheduler and client are killed, and whose disk is full: nothing is lost.

The judge is the same fleet made by one process that nobody disturbs.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from llmsim.physics import noise
from tests.fleet.undisturbed import SPEC, same, started, wait_for

pytestmark = pytest.mark.fleets

KILLS = 10
LATEST = 0.6  # the longest pause between two kills, in seconds


def pause(number: int, stream: str) -> None:
    """Waits for a moment that no test has chosen: the same in every run of the tests."""
    time.sleep(LATEST * noise.uniform(1, stream, number))


def parts(out: Path) -> int:
    folder = out / "_parts"
    return len([*folder.iterdir()]) if folder.is_dir() else 0


def children(process: int) -> list[int]:
    """The processes that a process has started, and theirs, which play runs."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = status.read_text().rpartition(")")[2].split()
            line = (status.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(words[1]) == process and words[0] != "Z" and b"resource_tracker" not in line:
            found.append(int(status.parent.name))
    return found


def killed(process: int) -> None:
    with suppress(ProcessLookupError):  # it has just ended
        os.kill(process, signal.SIGKILL)


@pytest.mark.parametrize("engine", [[], ["--dask"]], ids=["processes", "dask"])
def test_ten_workers_killed(
    engine: list[str], spec: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    kills = turn = 0
    while kills < KILLS:  # a fast machine has a fleet whole before ten moments have passed
        out, turn = tmp_path / f"out-{turn}", turn + 1
        fleet = started(spec, out, "--workers", "4", *engine)
        done = 0
        while kills < KILLS and fleet.poll() is None:
            wait_for(lambda: parts(out) > done and len(workers(fleet.pid)) > 1, fleet)  # noqa: B023
            pause(kills, "workers")
            done = parts(out)
            if alive := workers(fleet.pid):
                killed(alive[kills % len(alive)])
                kills += 1
        _, said = fleet.communicate()
        assert fleet.returncode == 0, said.decode()
        same(out, whole)


def workers(fleet: int) -> list[int]:
    return sorted(children(fleet))


@pytest.mark.parametrize("engine", [[], ["--dask"]], ids=["processes", "dask"])
def test_the_client_killed_ten_times(
    engine: list[str], spec: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    kills = turn = 0
    while kills < KILLS:
        out = tmp_path / f"out-{turn}"
        before = parts(out)
        fleet = started(spec, out, "--workers", "2", *engine)
        wait_for(lambda: parts(out) > before, fleet)  # noqa: B023
        pause(kills + turn, "client")
        killed(fleet.pid)
        _, said = fleet.communicate()
        if fleet.returncode == -signal.SIGKILL:
            kills += 1
            continue
        assert fleet.returncode == 0, said.decode()  # it was whole before its moment
        same(out, whole)
        turn += 1
    last = started(spec, out, "--workers", "2")
    _, said = last.communicate()
    assert last.returncode == 0, said.decode()
    same(out, whole)


@contextmanager
def cluster(folder: Path, size: int) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and workers of Dask on loopback; the scheduler comes first in the list."""
    address = folder / "address.json"
    address.unlink(missing_ok=True)
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1",
            "--port", "0", "--no-dashboard", "--scheduler-file", str(address)]  # fmt: skip
    started = [subprocess.Popen(dask, stderr=subprocess.DEVNULL)]
    while not address.exists():
        time.sleep(0.05)
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(address),
              "--nthreads", "1", "--no-dashboard", "--no-nanny", "--host", "127.0.0.1",
              "--local-directory", str(folder), "--death-timeout", "60"]  # fmt: skip
    started += [subprocess.Popen(worker, stderr=subprocess.DEVNULL) for _ in range(size)]
    import json

    try:
        yield json.loads(address.read_text())["address"], started
    finally:
        for process in started:  # a worker without its scheduler takes a minute to end by itself
            process.kill()
            process.wait()


def test_a_cluster_of_four_workers_gives_the_bytes_of_one_process(
    spec: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    with cluster(tmp_path, 4) as (address, _):
        fleet = started(spec, tmp_path / "out", "--scheduler", address)
        _, said = fleet.communicate()
    assert fleet.returncode == 0, said.decode()
    same(tmp_path / "out", whole)


def test_the_scheduler_killed_ten_times(
    spec: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    kills = turn = 0
    while kills < KILLS:
        out = tmp_path / f"out-{turn}"
        before = parts(out)
        with cluster(tmp_path, 2) as (address, processes):
            fleet = started(spec, out, "--scheduler", address)
            wait_for(lambda: parts(out) > before, fleet)  # noqa: B023
            pause(kills + turn, "scheduler")
            killed(processes[0].pid)
            _, said = fleet.communicate()
        assert b"Traceback" not in said, said.decode()
        if fleet.returncode == 0:  # it was whole before its moment
            same(out, whole)
            turn += 1
            continue
        assert fleet.returncode == 1, said.decode()
        assert b"the same command goes on from here" in said
        kills += 1
    last = started(spec, out, "--workers", "2")
    _, said = last.communicate()
    assert last.returncode == 0, said.decode()
    same(out, whole)


# What stands in for a run that takes its worker with it, in the workers alone.
CULPRIT = """
import os, signal
from llmsim.fleet import parts
played = parts.play_member
def play(spec, each, work, tables=None):
    if each.number == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    played(spec, each, work, tables)
parts.play_member = play
"""


def test_a_run_that_kills_its_workers_is_named_by_dask_too(spec: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(CULPRIT, encoding="utf-8")
    small = tmp_path / "small.toml"
    small.write_text(SPEC.replace("runs = 96", "runs = 8"), encoding="utf-8")
    paths = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-m", "llmsim", "fleet", str(small), "--out", str(tmp_path / "out"),
         "--quiet", "--dask", "--workers", "2"],
        env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "run-000005 (seed" in done.stderr
    kept = sorted(path.name[:10] for path in (tmp_path / "out/files/jsonl").iterdir())
    assert kept == [f"run-00000{n}" for n in (0, 1, 2, 3, 4, 6, 7)]


# What stands in for a disk that is full after some files.
FULL = """
import errno, os
from llmsim.fleet import places
put, left = places.put, [int(os.environ["FILES"])]
def full(root, name, source):
    left[0] -= 1
    if left[0] < 0:
        raise OSError(errno.ENOSPC, "No space left on device", name)
    put(root, name, source)
places.put = full
"""


def test_a_full_disk_ends_the_fleet_in_a_sentence_and_it_goes_on(
    spec: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(FULL, encoding="utf-8")
    paths = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    out = tmp_path / "out"
    words = [sys.executable, "-m", "llmsim", "fleet", str(spec), "--out", str(out), "--quiet"]
    done = subprocess.run(
        [*words, "--workers", "2"], capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": paths, "FILES": "40"},
    )  # fmt: skip
    assert done.returncode == 1
    assert "could not be written: no space left on device" in done.stderr
    assert "the same command goes on from here" in done.stderr
    assert subprocess.run(words, check=False).returncode == 0
    same(out, whole)


def test_an_object_store_has_the_same_files(
    spec: Path, whole: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """moto stands in for S3, with its conditional puts; two fleets write to it at once."""
    moto = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    log = tmp_path / "moto.log"
    with log.open("w") as said_by_moto, subprocess.Popen(moto, stderr=said_by_moto) as server:
        wait_for(lambda: "Running on" in log.read_text(), server)
        port = log.read_text().partition("Running on")[2].splitlines()[0].rpartition(":")[2]
        url = f"http://127.0.0.1:{port.strip()}"
        secrets = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x",
                   "AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": "us-east-1"}  # fmt: skip
        for name, value in secrets.items():
            monkeypatch.setenv(name, value)
        try:
            import s3fs

            store = s3fs.S3FileSystem(skip_instance_cache=True)
            store.mkdir("fleets")
            both = [started(spec, "s3://fleets/data") for _ in range(2)]
            said = [fleet.communicate()[1].decode() for fleet in both]
            assert [fleet.returncode for fleet in both] == [0, 0], said
            names = [name.removeprefix("fleets/data/") for name in store.find("fleets/data")]
            assert sorted(names) == sorted(whole)
            for name in names:
                assert store.cat_file(f"fleets/data/{name}") == whole[name], name
        finally:
            server.terminate()
