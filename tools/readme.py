"""Fills the README's generated parts: the excerpt of a run, tables, dialects.

python -m tools.readme            writes README.md
python -m tools.readme --check    fails when it is out of date
"""

import sys
from datetime import datetime

from llmsim.dialects.registry import DEFAULT, frameworks
from llmsim.hosts.keys import KEYS
from llmsim.hosts.status import MEANINGS
from llmsim.options.table import OPTIONS, Options
from llmsim.planning.plan import plan
from llmsim.show.player import play
from llmsim.text.screen import Screen
from tools.generated import ROOT, written

README = ROOT / "README.md"

EXCERPT_WIDTH = 110
SEED = 43
# The options that most people need.
OFTEN = {
    "dialect",
    "recipe",
    "model",
    "dataset",
    "gpu",
    "gpus",
    "steps",
    "job",
    "jokes",
    "incidents",
    "incident",
    "seed",
    "start",
    "duration",
    "speed-factor",
    "from",
    "runs",
    "view",
    "theme",
    "scene",
    "export",
    "quiet",
    "list",
    "print-config",
}
# Lines of the log in the excerpt: the text of the first one, and the number of lines.
EXCERPT_PARTS = (
    ("torchrun --nnodes", 2),
    ("PyTorch", 4),
    ("parameters", 3),
    ("validation at", 3),
    ("step 2,", 4),
    ("Training complete", 19),
)


def excerpt() -> str:
    """Lines of a run as a pipe of 110 columns shows them."""
    options = Options(dialect=DEFAULT, seed=SEED, start=datetime(2026, 1, 30, 12))
    screen = Screen(EXCERPT_WIDTH, 40, color=False, unicode=True, live=False)
    text = "".join(frame.text for frame in play(plan(options), options, lambda: screen))
    lines = text.splitlines()
    parts = []
    for first, count in EXCERPT_PARTS:
        start = next(number for number, line in enumerate(lines) if first in line)
        parts.append("\n".join(lines[start : start + count]))
    return "```\n" + "\n   ...\n".join(parts) + "\n```"


def option_table() -> str:
    """The README's table of the flags that most people need; docs/options.md has all."""
    assert {each.name for each in OPTIONS} >= OFTEN, "an option of this table has gone"
    rows = ["| flag | meaning | default |", "|---|---|---|"]
    for option in (each for each in OPTIONS if each.name in OFTEN):
        short = f", `-{option.short}`" if option.short else ""
        default = f"{option.defaults}" if option.default else ""
        rows.append(f"| `--{option.name}`{short} | {option.meaning} | {default} |")
    return "\n".join(rows)


def key_table() -> str:
    """The README's table of keys."""
    rows = ["| key | what it does |", "|---|---|"]
    rows += [f"| {key.label} | {key.meaning} |" for key in KEYS]
    return "\n".join(rows)


def status_table() -> str:
    """The README's table of exit statuses."""
    rows = ["| exit status | meaning |", "|---|---|"]
    for statuses, meaning in MEANINGS:
        rows.append(f"| {', '.join(map(str, statuses))} | {meaning} |")
    return "\n".join(rows)


def dialect_list() -> str:
    """All dialects but the default one, with the framework of each."""
    return "\n".join(
        f"- `{each.name}`: {each.meaning}" for each in frameworks() if each.name != DEFAULT
    )


def filled(text: str) -> str:
    """The README's text with each generated part between its markers made anew."""
    parts = {
        "excerpt": excerpt,
        "options": option_table,
        "keys": key_table,
        "statuses": status_table,
        "dialects": dialect_list,
    }
    for name, make in parts.items():
        before, start, rest = text.partition(f"<!-- {name} -->")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        text = f"{before}{start}\n{make()}\n{end}{after}"
    return text


def main() -> int:
    """Writes the README, or with --check says whether it is up to date."""
    return written(README, filled(README.read_text(encoding="utf-8")))


if __name__ == "__main__":
    sys.exit(main())
