"""Two commits side by side: tools.bench of each, in a work tree of its own.

    python -m tools.bench_compare main~5 main

Both are measured with the bench of the newer one and this interpreter, in turns.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from tools.commits import tree_of
from tools.generated import ROOT

ROUNDS = 3


def measured(tree: Path) -> dict[str, list[float]]:
    """What the bench says of the package in a work tree: value and ratio of each figure."""
    environment = {**os.environ, "PYTHONPATH": str(tree / "src")}
    command = [sys.executable, "-m", "tools.bench", "--json"]
    ended = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    figures: dict[str, list[float]] = json.loads(ended.stdout)
    return figures


def main() -> None:
    """Prints each figure of both commits, and the newer one's against the older one's."""
    if len(sys.argv) != 3:
        sys.exit("usage: python -m tools.bench_compare OLDER NEWER")
    older, newer = sys.argv[1:]
    with tree_of(older) as before, tree_of(newer) as after:
        rounds = [(measured(before), measured(after)) for _ in range(ROUNDS)]
    print(f"{'ratio to its measure':22}{older[:12]:>12}{newer[:12]:>12}{'change':>9}")
    for name in rounds[0][1]:
        if name in rounds[0][0]:
            old, new = (median(each[i][name][1] for each in rounds) for i in (0, 1))
            print(f"{name:22}{old:12.2f}{new:12.2f}{new / old - 1:+9.0%}")


if __name__ == "__main__":
    main()
