"""Compare whole transcripts of two commits: `python -m tools.compare_transcripts OLDER [NEWER]`.

Each of the seeds is played in every dialect of the older commit, into a pipe, at full speed.
For a transcript that differs, the first line that changed is printed. NEWER is the working
tree unless it is named. The exit status is 1 when anything differs.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from itertools import zip_longest
from pathlib import Path

from tools.commits import tree_of
from tools.generated import ROOT

SEEDS = 20
START = "2026-01-30 12:00:00"

# Runs inside either commit: transcripts are written beside one another in a folder.
PLAY = """
import json, os, sys
from llmsim import cli
seeds, dialects, folder, start = json.loads(sys.argv[1])
for dialect in dialects:
    for seed in seeds:
        target = os.path.join(folder, f"{dialect}-{seed}.log")
        sys.stdout.flush()
        kept = os.dup(1)
        file = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1)
        cli.main(["--seed", str(seed), "--dialect", dialect, "--start", start,
                  "--speed-factor", "max", "--runs", "1"])
        os.dup2(kept, 1)
        os.close(file), os.close(kept)
"""


def dialects_of(tree: Path) -> list[str]:
    """The dialects that a commit lists."""
    command = [sys.executable, "-m", "llmsim", "--list", "dialects", "--json"]
    listed = subprocess.run(command, env=_path(tree), capture_output=True, check=True, text=True)
    return [row["name"] for row in json.loads(listed.stdout)]


def _path(tree: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(tree / "src"), "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}


def play(tree: Path, dialects: list[str], seeds: int, folder: Path) -> None:
    """Write the transcripts of a commit into the folder, on two processes."""
    folder.mkdir()
    halves = (dialects[::2], dialects[1::2])
    running = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                PLAY,
                json.dumps([list(range(seeds)), half, str(folder), START]),
            ],
            env=_path(tree),
        )
        for half in halves
    ]
    failed = [process.wait() for process in running]
    if any(failed):
        raise SystemExit(f"a run of {tree} failed: {failed}")


def difference(older: Path, newer: Path) -> str:
    """The first line that differs, as it was and as it is; empty where the files are equal."""
    before, after = older.read_bytes(), newer.read_bytes()
    if before == after:
        return ""
    pairs = zip_longest(before.split(b"\n"), after.split(b"\n"), fillvalue=b"(nothing)")
    changed = [(number, pair) for number, pair in enumerate(pairs, 1) if pair[0] != pair[1]]
    number, (was, now) = changed[0]
    return f"{older.stem}: {len(changed)} lines, the first is {number}\n  - {was!r}\n  + {now!r}"


def main() -> int:
    """Print what differs and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("older")
    parser.add_argument("newer", nargs="?")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--dialects", nargs="*")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, tree_of(asked.older) as older:
        dialects = asked.dialects or dialects_of(older)
        play(older, dialects, asked.seeds, Path(place) / "older")
        with tree_of(asked.newer) if asked.newer else nullcontext(ROOT) as newer:
            play(newer, dialects, asked.seeds, Path(place) / "newer")
        files = sorted((Path(place) / "older").iterdir())
        found = [
            text for file in files if (text := difference(file, Path(place) / "newer" / file.name))
        ]
    print("\n".join(found))
    print(f"{len(files)} transcripts, {len(found)} differ")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
