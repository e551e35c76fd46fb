"""Flags to Options to a host."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from llmsim.hosts import native
from llmsim.hosts.native import ExitStatus
from llmsim.lists import CatalogError
from llmsim.options import OPTIONS, OptionError, Options, parse_options, unknown
from llmsim.planning import PlanError

ABOUT = """usage: llmsim [option ...]

Plays a large language model's training run. Nothing is trained.

options, each with its default in brackets:
"""
EXAMPLES = """
examples:
  llmsim                                  a run of about three minutes
  llmsim --model ButtGPT-420B --runs 0    serious research, for ever
  llmsim --seed 7 --speed-factor max      the whole log of run 7, at once
"""


def pairs(arguments: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The (name, text) pairs of a command line: `--name text`, `--name=text`, `-n text`, `-ntext`.

    Raises OptionError for a flag that is not in the table or has no value. This is not
    argparse, which takes longer to import than a first line may take.
    """
    flags = {f"--{option.name}": option for option in OPTIONS}
    flags |= {f"-{option.short}": option for option in OPTIONS if option.short}
    words = iter(arguments)
    for word in words:
        long = word.startswith("--")
        flag, given, text = word.partition("=") if long else (word[:2], word[2:], word[2:])
        if flag not in flags:
            raise OptionError(unknown(flag if long else word, prefix="--"))
        option = flags[flag]
        if not given and option.metavar:
            text = next(words, "--")
            if text.startswith("--"):
                raise OptionError(f"--{option.name} needs a value: give {option.expected}.")
        yield option.name, text


def usage() -> str:
    """What --help shows, in 80 columns."""
    from textwrap import fill

    rows = []
    for option in OPTIONS:
        short = f"-{option.short}, " if option.short else "    "
        default = f" [{option.default}]" if option.default else ""
        rows.append((f"{short}--{option.name} {option.metavar}", option.meaning + default))
    rows += [("    --version", "show the version and exit"), ("-h, --help", "show this and exit")]
    gap = max(len(flag) for flag, _ in rows) + 4
    lines = [fill(f"  {flag:<{gap - 2}}{text}", 80, subsequent_indent=" " * gap)
             for flag, text in rows]  # fmt: skip
    return ABOUT + "\n".join(lines) + "\n" + EXAMPLES


NUMBERS = ("parameters", "active", "tokens", "memory", "TDP", "TFLOP/s", "node")


def _count(value: float) -> str:
    for factor, unit in ((10**12, "T"), (10**9, "B"), (10**6, "M")):
        if value >= factor:
            return f"{value / factor:.4g}{unit}"
    return f"{value:.0f}"


def _rows(kind: str) -> list[tuple[str, ...]]:
    """The table of --list, its heading first."""
    from llmsim import catalog, recipes, voices

    if kind == "dialects":
        meanings = [(name, voice.meaning) for name, voice in voices.VOICES.items()]
        return [("dialect", "speaks as"), *meanings]
    if kind == "recipes":
        meanings = [(name, recipe.meaning) for name, recipe in recipes.RECIPES.items()]
        return [("recipe", "trains"), *meanings]
    if kind == "models":
        sizes = [(m.name, _count(m.parameters), _count(m.active_parameters))
                 for m in catalog.models()]  # fmt: skip
        return [("model", "parameters", "active"), *sizes]
    if kind == "datasets":
        data = [(d.name, _count(d.tokens), d.kind) for d in catalog.datasets()]
        return [("dataset", "tokens", "kind"), *data]
    if kind == "gpus":
        cards = [(g.name, f"{g.memory_mib} MiB", f"{g.tdp_watts} W", f"{g.tflops:g}",
                  f"{g.per_node}") for g in catalog.gpus()]  # fmt: skip
        return [("gpu", "memory", "TDP", "TFLOP/s", "node"), *cards]
    return [("framework", "version"), *catalog.frameworks()]


def listing(kind: str) -> str:
    """What --list shows: aligned columns under a heading."""
    columns = []
    for heading, *cells in zip(*_rows(kind), strict=True):
        width = max(map(len, (heading, *cells)))
        align = str.rjust if heading in NUMBERS else str.ljust
        columns.append([align(cell, width) for cell in (heading, *cells)])
    return "".join("  ".join(row).rstrip() + "\n" for row in zip(*columns, strict=True))


def _options(arguments: Sequence[str]) -> Options:
    options, complaints = parse_options(pairs(arguments), prefix="--")
    if complaints:
        raise OptionError(complaints[0])
    return options


def _perform(arguments: Sequence[str]) -> int:
    if "-h" in arguments or "--help" in arguments:
        native.Output().write(usage())
    elif "--version" in arguments:
        from llmsim import __version__

        native.Output().write(f"llmsim {__version__}\n")
    else:
        options = _options(arguments)
        if not options.list:
            return native.main(options)
        native.Output().write(listing(options.list))
    return ExitStatus.FINISHED


def _complain(sentence: str) -> None:
    with suppress(OSError):  # nobody reads it
        os.write(2, f"llmsim: {sentence}\n".encode(errors="replace"))


def main(arguments: Sequence[str]) -> int:
    """Does what the arguments ask for and returns the exit status."""
    try:
        return _perform(arguments)
    except (OptionError, PlanError) as error:
        _complain(str(error))
        return ExitStatus.USAGE
    except CatalogError as error:
        _complain(str(error))
    except BrokenPipeError:
        return ExitStatus.CLOSED_PIPE
    except OSError as error:
        _complain(f"cannot write the log: {error.strerror}.")
    return ExitStatus.ERROR
