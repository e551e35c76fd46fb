"""What `llmsim serve` and `llmsim grade` share: both have options of their own."""

from collections.abc import Sequence
from textwrap import fill

from llmsim.cli.reading import content_of
from llmsim.errors import OptionError, Setting
from llmsim.hosts.output import Output
from llmsim.options.option import Option
from llmsim.telemetry.dcgm_counters import Counter, counters, parsed
from llmsim.telemetry.dcgm_versions import Version


def answered(arguments: Sequence[str], usage: str) -> bool:
    """Prints the usage or the version if the arguments ask for it, and says whether they do."""
    if "-h" in arguments or "--help" in arguments:
        Output().write(usage)
    elif "--version" in arguments:
        from llmsim import __version__

        Output().write(f"llmsim {__version__}\n")
    else:
        return False
    return True


def described(options: Sequence[Option]) -> str:
    """The options with their meanings and defaults, in 80 columns."""
    rows = [
        (f"    --{option.name} {option.metavar}".rstrip(),
         option.meaning + (f" [{option.defaults}]" if option.default else ""))
        for option in options
    ]  # fmt: skip
    gap = max(len(flag) for flag, _ in rows) + 2
    lines = [fill(f"{flag:<{gap}}{text}", 80, subsequent_indent=" " * gap) for flag, text in rows]
    return "\n".join(lines) + "\n"


def counters_of(which: str, version: Version) -> tuple[Counter, ...]:
    """The counters of `default`, of `full` or of a file with a list in dcgm-exporter's format.

    Raises OptionError for a file that is none.
    """
    if which in ("default", "full"):
        return counters(which, version)
    what = "give a list in dcgm-exporter's format"
    content = content_of(which, which, what, must_be=True, by="--counters")
    try:
        return parsed(content.decode("utf-8-sig"), which)
    except UnicodeDecodeError:
        raise OptionError(f"{which} is not UTF-8: save the file as UTF-8.") from None
    except OptionError as error:
        raise OptionError(Setting("counters"), " ", *error.args) from None
