"""llmsim smi: nvidia-smi for a node of a run, and its place on the path of other programs."""

import json
from collections.abc import Sequence
from pathlib import Path

from llmsim.cli.flags import pairs
from llmsim.errors import OptionError, Setting
from llmsim.hosts import smi as host
from llmsim.hosts.live import Watched, clock_words, watched
from llmsim.hosts.output import Output
from llmsim.hosts.status import ExitStatus
from llmsim.options.command import identity
from llmsim.options.given import unknown
from llmsim.options.table import OPTIONS
from llmsim.telemetry.smi.request import FLAGS
from llmsim.typed import NamedTuple

USAGE = """usage: llmsim smi [flag of a run ...] [--at WHEN] [--node N] [nvidia-smi's flags ...]
       llmsim smi [flag of a run ...] [--at WHEN] [--node N] --install DIR
       llmsim smi [flag of a run ...] [--at WHEN] [--node N] -- COMMAND ...

Answers as nvidia-smi does on a node of the run: the table, -L, -q [-x], --query-gpu,
--query-compute-apps, --query-remapped-rows, dmon, pmon, topo -m, nvlink -s, -l N. `llmsim smi --
COMMAND` runs a Python program, such as nvitop or gpustat, which sees the GPUs of the run. --install
puts an nvidia-smi into a folder.

  --at WHEN      a moment of the run, as for --from: 40%, step=1200, 1h20m, validation. Without --at
                 the run goes on with the time of day. Without --start it is in its middle now
  --node N       number of the node, counted from 0 [0]
  --install DIR  write DIR/nvidia-smi, and end

examples:
  llmsim smi --seed 7 --at 40%
  llmsim smi --seed 7 --at 40% --query-gpu=index,power.draw --format=csv
  llmsim smi --seed 7 --incident hbm-ecc@50% --at 51% -- nvitop -1
"""
OWN = ("at", "node", "install")


class Arguments(NamedTuple):
    """A command line of llmsim smi, taken apart."""

    flags: tuple[str, ...]  # of the run
    own: dict[str, str]  # --at, --node and --install
    words: tuple[str, ...]  # nvidia-smi's own
    program: tuple[str, ...]  # what stands behind --


def main(arguments: Sequence[str], ends_process: bool = False) -> int:  # noqa: ARG001
    """Runs llmsim smi and returns the exit status."""
    if list(arguments) in (["--help"], ["-h"]):
        Output().write(USAGE)
        return ExitStatus.FINISHED
    given = taken_apart(arguments)
    seen, node = seen_by(arguments)
    words = words_of(seen, given.own)
    if "install" in given.own:
        _refuse(given.words + given.program, "--install")
        return host.install(given.own["install"], words)
    if given.program:
        _refuse(given.words, "-- COMMAND")
        return host.run_program(given.program, words, json.dumps(words))
    return host.play(seen, node, given.words)


def library(told: str) -> object:
    """NVML's stand-in for the run that a program below `llmsim smi` watches, as JSON names it."""
    return host.library(*seen_by(json.loads(told)))


def seen_by(arguments: Sequence[str]) -> tuple[Watched, int]:
    """The run of a command line of llmsim smi, at its moment, and the number of the node.

    Raises OptionError or PlanError.
    """
    from llmsim.cli import SHOWS, live_options

    given = taken_apart(arguments)
    flags = [*pairs(given.flags)]
    for name, _ in flags:
        if name in SHOWS:
            raise OptionError(Setting(name), " is no option of llmsim smi: leave it out.")
    options = live_options(flags)
    return watched(options, given.own.get("at", "")), _node(given.own.get("node", "0"))


def taken_apart(arguments: Sequence[str]) -> Arguments:
    """The parts of a command line. A flag that nvidia-smi knows is nvidia-smi's.

    Raises OptionError.
    """
    program: tuple[str, ...] = ()
    if "--" in arguments:
        place = list(arguments).index("--")
        program = tuple(arguments[place + 1 :])
        arguments = arguments[:place]
        if not program:
            raise OptionError("smi -- needs a command behind it, such as nvitop.")
    valued = {option.name: bool(option.metavar) for option in OPTIONS}
    parts: dict[str, list[str]] = {"flags": [], "words": []}
    own: dict[str, str] = {}
    place = 0
    while place < len(arguments):
        word = arguments[place]
        place += 1
        name, equals, value = word.partition("=")
        whose = "flags" if _is_of_a_run(name) else "words"
        takes = name[2:] in OWN or (whose == "flags" and valued.get(name[2:], False))
        if takes and not equals:
            if place == len(arguments):
                raise OptionError(f"{name} needs a value: llmsim smi --help says which.")
            value = arguments[place]
            place += 1
        if name[2:] in OWN:
            if not value:
                raise OptionError(f"{name} needs a value: llmsim smi --help says which.")
            own[name[2:]] = value
        else:
            parts[whose].append(f"{name}={value}" if takes else word)
    return Arguments(tuple(parts["flags"]), own, tuple(parts["words"]), program)


def _is_of_a_run(name: str) -> bool:
    """Whether a word is a flag of a run or near one; all other words are nvidia-smi's."""
    if name in FLAGS or not name.startswith("--"):
        return False
    known = (*OWN, *(option.name for option in OPTIONS))
    return name[2:] in known or not unknown(name, "--").endswith(": see --help.")


def _refuse(words: Sequence[str], beside: str) -> None:
    if words:
        raise OptionError(f"{words[0]} does not go with {beside}: leave one of them out.")


def _node(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise OptionError("--node needs a whole number: the first node is 0.")
    return int(text)


def words_of(seen: Watched, own: dict[str, str]) -> list[str]:
    """The arguments that name the run, its moment and the node, for another process."""
    options, words = seen.options, []
    for name, text in identity(options):
        words.append(f"--{name}={Path(text).absolute() if name == 'job' else text}")
    words += [f"--{name}={text}" for name, text in clock_words(options)]
    return words + [f"--{name}={own[name]}" for name in ("at", "node") if name in own]
