"""A fleet that is disturbed in many ways, and what it is compared with: the same one left alone."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

SPEC = """runs = 96
seed = 9
sample = "10min"
runs_a_part = 2
[export]
kinds = ["parquet", "jsonl", "labels"]
[[mix]]
steps = 400
gpus = 8
incidents = "typical"
"""


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of a data set, by its path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def same(out: Path, whole: dict[str, bytes]) -> None:
    """The same files with the same bytes: nothing is lost, and nothing is there twice."""
    found = tree(out)
    assert sorted(found) == sorted(whole)
    assert [name for name in whole if found[name] != whole[name]] == []


def started(
    spec: Path, out: Path | str, *more: str, inside: Sequence[str] = ()
) -> subprocess.Popen[bytes]:
    """A fleet in a process of its own; `inside` is the beginning of the command."""
    words = [sys.executable, "-m", "llmsim", "fleet", str(spec), "--out", str(out), "--quiet"]
    return subprocess.Popen(
        [*inside, *words, *more], stderr=subprocess.PIPE, start_new_session=True
    )


def wait_for(condition: Callable[[], bool], alive: subprocess.Popen[bytes]) -> None:
    while not condition() and alive.poll() is None:
        time.sleep(0.01)
