"""A command line as pairs of names and texts.

argparse is not used, since it takes longer to import than a first line may take.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from llmsim.catalog.lists import quoted
from llmsim.errors import OptionError
from llmsim.options.given import unknown
from llmsim.options.option import Option
from llmsim.options.table import OPTIONS

NOTHING: Mapping[str, str] = {}


def pairs(
    arguments: Iterable[str],
    table: Sequence[Option] = OPTIONS,
    instead: Mapping[str, str] = NOTHING,
) -> Iterator[tuple[str, str]]:
    """The (name, text) pairs of a command line: `--name text`, `--name=text`, `-n text`, `-ntext`,
    `-n=text`.

    `table` has the flags that there are. `instead` has flags of other programs, each with the flag
    that does the same here. Raises OptionError for a flag that is not in the table, for one without
    its value, and for a value after a switch.
    """
    flags = {f"--{option.name}": option for option in table}
    flags |= {f"-{option.short}": option for option in table if option.short}
    words, switch = iter(arguments), ""  # the switch just before, which takes no value
    for word in words:
        long = word.startswith("--")
        flag, given, text = word.partition("=") if long else (word[:2], word[2:], word[2:])
        text = text.removeprefix("=") if not long else text  # people type -s=2, too
        if flag in instead:
            raise OptionError(f"there is no option {quoted(flag)}: {instead[flag]} does that.")
        if flag in ("--help", "--version"):
            raise OptionError(f"{flag} takes no value: leave it out.")
        if flag not in flags and switch and not word.startswith("-"):
            raise OptionError(f"--{switch} takes no value: leave {quoted(word)} out.")
        if flag not in flags:
            raise OptionError(unknown(flag if long else word, prefix="--"))
        option = flags[flag]
        if not given and option.metavar:
            text = next(words, "--")
            if text.startswith("--"):
                raise OptionError(f"--{option.name} needs a value: give {option.expected}.")
        switch = "" if given or option.metavar else option.name
        yield option.name, text
