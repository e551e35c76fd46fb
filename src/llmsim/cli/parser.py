"""The table of options as an argparse parser, from which completions and man page are made.

Nothing is parsed with it: argparse takes too long to import (see flags.py).
"""

from argparse import ArgumentParser, RawDescriptionHelpFormatter

from llmsim.options.choices import choices
from llmsim.options.option import Option
from llmsim.options.table import OPTIONS

ABOUT = "Plays a large language model's training run. Nothing is trained."


def parser(**settings: str) -> ArgumentParser:
    """The parser, with the names that each option takes as its choices."""
    made = ArgumentParser(
        "llmsim",
        description=ABOUT,
        formatter_class=RawDescriptionHelpFormatter,
        add_help=False,
        allow_abbrev=False,
        **settings,  # type: ignore[arg-type]  # usage and epilog, which are texts
    )
    for option in OPTIONS:
        _add(made, option)
    made.add_argument("--version", action="store_true", help="show the version")
    made.add_argument("-h", "--help", action="store_true", help="show all options")
    return made


def _add(made: ArgumentParser, option: Option) -> None:
    flags = [f"-{option.short}"] * bool(option.short) + [f"--{option.name}"]
    meaning = option.meaning + f" (default: {option.defaults})" * bool(option.default)
    meaning = meaning.replace("%", "%%")  # argparse puts values in the place of %(default)s
    if not option.metavar:
        made.add_argument(*flags, action="store_true", help=meaning)
        return
    names = choices(option.name, installed=True)
    if names and option.default == "auto" and "auto" not in names:
        names = ["auto", *names]
    made.add_argument(*flags, metavar=option.metavar, help=meaning, choices=names or None)
