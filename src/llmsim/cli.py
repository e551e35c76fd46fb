"""Flags to Options to a host."""

import argparse
import sys
from typing import NoReturn

from llmsim.hosts import native
from llmsim.options import OPTIONS, OptionError, Options, parse_options

EXAMPLES = """examples:
  llmsim                                  a run of about three minutes
  llmsim --model ButtGPT-420B --runs 0    serious research, for ever
  llmsim --seed 7 --speed-factor max      the whole log of run 7, at once
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Argparse's refusal, in one sentence and without the usage."""
        raise OptionError(f"{message}; see --help.")


def parser() -> argparse.ArgumentParser:
    """The command line's parser, one flag for each row of the table of options."""
    made = _Parser(
        prog="llmsim",
        description="Plays a large language model's training run. Nothing is trained.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for option in OPTIONS:
        names = [f"-{option.short}"] if option.short else []
        default = f" (default: {option.default})" if option.default else ""
        made.add_argument(
            *names, f"--{option.name}", metavar=option.metavar, help=option.meaning + default
        )
    made.add_argument("--version", action="store_true", help="show the version and exit")
    return made


def _listing(kind: str) -> str:
    """The lines of --list."""
    from llmsim import catalog, dialects

    if kind == "dialects":
        rows = [f"{name:<12} {meaning}" for name, meaning in dialects.REGISTRY.items()]
    elif kind == "frameworks":
        rows = [f"{framework.name} {framework.version}" for framework in catalog.frameworks()]
    else:
        records = {"models": catalog.models, "datasets": catalog.datasets, "gpus": catalog.gpus}
        rows = [record.name for record in records[kind]()]
    return "\n".join(rows) + "\n"


def _options(arguments: list[str]) -> tuple[Options, bool]:
    """What the arguments ask for, and whether only for the version; raises OptionError."""
    given = vars(parser().parse_args(arguments))
    version = given.pop("version")
    pairs = [(name.replace("_", "-"), text) for name, text in given.items() if text is not None]
    options, complaints = parse_options(pairs, prefix="--")
    if complaints:
        raise OptionError(complaints[0])
    return options, version


def main(arguments: list[str]) -> int:
    """Does what the arguments ask for and returns the exit status."""
    try:
        options, version = _options(arguments)
        if version:
            from llmsim import __version__

            native.Output().write(f"llmsim {__version__}\n")
        elif options.list:
            native.Output().write(_listing(options.list))
        else:
            return native.main(options)
    except BrokenPipeError:
        return native.ExitStatus.CLOSED_PIPE
    except ValueError as error:
        print(f"llmsim: {error}", file=sys.stderr)
        return native.ExitStatus.USAGE
    except OSError as error:
        print(f"llmsim: cannot write the log: {error.strerror}.", file=sys.stderr)
        return native.ExitStatus.ERROR
    return native.ExitStatus.FINISHED
