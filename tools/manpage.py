"""Writes src/llmsim/llmsim.1, the man page, which --print-manpage shows. It has no date.

python -m tools.manpage            writes src/llmsim/llmsim.1
python -m tools.manpage --check    fails when it is out of date
"""

import sys
from collections.abc import Iterable, Iterator

from argparse_manpage.manpage import Manpage

from llmsim import __version__
from llmsim.cli.defaults import PREFIX
from llmsim.cli.parser import parser
from llmsim.hosts.status import MEANINGS
from tools.generated import ROOT, written
from tools.option_docs import VARIABLES

PAGE = ROOT / "src" / "llmsim" / "llmsim.1"

EXAMPLES = (
    ("llmsim", "A run of about three minutes."),
    ("llmsim --model ButtGPT-420B --runs 0", "A funny model, one run after another."),
    ("llmsim --seed 7 --speed-factor max > train.log", "The whole log of run 7, at once."),
    ("llmsim --seed 7 --print-config", "What run 7 is going to be."),
)
FILES = (
    (
        "~/.config/llmsim/config.toml",
        (
            "Defaults: TOML with the long options as keys, without their dashes: gpus = 64. On "
            "Windows %APPDATA%\\llmsim\\config.toml."
        ),
    ),
)


def _escaped(text: str) -> str:
    """Text that roff takes as it is."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "")
    return f"\\&{text}" if text[:1] in (".", "'") else text


def _list(entries: Iterable[tuple[str, str]]) -> str:
    return "\n".join(
        f".TP\n\\fB{_escaped(term)}\\fR\n{_escaped(meaning)}" for term, meaning in entries
    )


def _variables() -> Iterator[tuple[str, str]]:
    order = "a flag wins over it, and it wins over the config file"
    yield f"{PREFIX}*", f"Defaults: {PREFIX}SPEED_FACTOR that of --speed-factor; {order}."
    for name, meaning, winners in VARIABLES:
        above = f" (What wins over it: {winners}.)" if winners else ""
        yield name, f"{meaning[:1].upper()}{meaning[1:]}.{above}"


def _statuses() -> Iterator[tuple[str, str]]:
    for statuses, meaning in MEANINGS:
        yield ", ".join(map(str, statuses)), meaning


def page() -> str:
    """The page's source."""
    made = Manpage(parser(usage="llmsim [option ...]"))
    made.date = ""  # it would say when it was made, which is of no use to anybody
    made.source = f"llmsim {__version__}"
    made.manual = "User Commands"
    made.description = "plays the log of a large language model's training run"
    made.add_section("examples", ">", _list(EXAMPLES))
    made.add_section("environment", ">", _list(_variables()))
    made.add_section("files", ">", _list(FILES))
    made.add_section("exit status", ">", _list(_statuses()))
    return str(made)


def main() -> int:
    """Writes the page, or with --check says whether it is up to date."""
    return written(PAGE, page())


if __name__ == "__main__":
    sys.exit(main())
