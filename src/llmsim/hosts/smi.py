"""llmsim smi's side of the world: answers in a loop, a file on the path, a program below it."""

import os
import stat
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

from llmsim.errors import FLAG, ExportError, NvidiaSmiError, OptionError
from llmsim.hosts.live import Watched
from llmsim.hosts.output import Output, complain
from llmsim.hosts.stand_in import held_for_a_moment
from llmsim.hosts.status import ExitStatus
from llmsim.options.command import quoted_word
from llmsim.telemetry.smi.answer import answer
from llmsim.telemetry.smi.node import Node, missing, node_at
from llmsim.telemetry.smi.request import Request, request_of

MARK = "# Written by llmsim smi: this nvidia-smi answers for a simulated cluster."
# nvidia-smi's exit status when a GPU cannot be reached.
GPU_IS_LOST = 15
# The variable that tells a program's Python which run it watches. It has no LLMSIM_ before it:
# a variable with LLMSIM_ is the default of an option.
VARIABLE = "_LLMSIM_NVML"

# What Python imports at its start in a program: it lends ctypes another libnvidia-ml.so.1.
_SITE = """\
import importlib.util
import os
import sys

def _llmsim():
    place = {place!r}
    spec = importlib.util.spec_from_file_location(
        "llmsim", os.path.join(place, "__init__.py"), submodule_search_locations=[place]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["llmsim"] = module
    spec.loader.exec_module(module)

if {variable!r} in os.environ and "llmsim" not in sys.modules:
    _llmsim()
    from llmsim.hosts.stand_in import lend_library

    def _library():
        from llmsim.cli.smi import library

        return library(os.environ[{variable!r}])

    lend_library(_library)
"""


def play(seen: Watched, number: int, words: Sequence[str]) -> int:
    """Answers nvidia-smi's words, again and again if they ask for a loop, and returns the exit
    status.

    Raises OptionError for a node that is not there.
    """
    try:
        return _play(seen, number, request_of(words))
    except NvidiaSmiError as error:
        Output().write(error.sentence(FLAG) + "\n")
        return error.status


def _play(seen: Watched, number: int, asked: Request) -> int:
    output, look = Output(), 0
    while True:
        run, at = seen.look()
        # A moment that is held goes on by the loop's own interval.
        node = node_at(run, number, at if seen.live else at + look * asked.every)
        _write(output, asked.filename, answer(node, asked, look), look)
        look += 1
        if not asked.every or look == asked.times:
            return GPU_IS_LOST if missing(node) and not asked.every else ExitStatus.FINISHED
        time.sleep(asked.every)


def _write(output: Output, filename: str, text: str, look: int) -> None:
    if not filename:
        output.write(text)
        return
    try:
        with Path(filename).open("a" if look else "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ExportError(f"-f {filename} cannot be written: {error.strerror}.") from None


def install(folder: str, words: Sequence[str]) -> int:
    """Writes an nvidia-smi into a folder and says where; another file is never overwritten.

    Raises ExportError.
    """
    if not Path(folder).is_dir():
        raise ExportError(f"--install {folder}: there is no such folder.")
    path = Path(folder, "nvidia-smi")
    if os.path.lexists(path) and not _is_ours(path):
        raise ExportError(f"{path} is there already, and llmsim has not written it.")
    try:
        _write_script(path, words)
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error.strerror}.") from None
    Output().write(f"{path} answers for the simulated cluster.\n")
    return ExitStatus.FINISHED


def _is_ours(path: Path) -> bool:
    with suppress(OSError, UnicodeDecodeError):
        return MARK in path.read_text(encoding="utf-8")[:4096]
    return False


def _package() -> Path:
    """The folder of this very package."""
    return Path(__file__).resolve().parent.parent


def _write_script(path: Path, words: Sequence[str]) -> None:
    python = [sys.executable, "-m", "llmsim", "smi", *words]
    line = " ".join(quoted_word(word) for word in python)
    place = quoted_word(str(_package().parent))
    search = f"PYTHONPATH={place}${{PYTHONPATH:+:$PYTHONPATH}}"
    path.write_text(f'#!/bin/sh\n{MARK}\n{search} exec {line} "$@"\n', encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


def run_program(program: Sequence[str], words: Sequence[str], told: str) -> int:
    """Runs a program whose Python and whose path have the GPUs of a run; returns its status.

    `words` name the run for nvidia-smi, `told` names it for NVML. Raises OptionError if the
    program is not there.
    """
    with TemporaryDirectory(prefix="llmsim-") as folder:
        site = _SITE.format(place=str(_package()), variable=VARIABLE)
        Path(folder, "sitecustomize.py").write_text(site, encoding="utf-8")
        _write_script(Path(folder, "nvidia-smi"), words)
        before = {name: os.environ.get(name, "") for name in ("PYTHONPATH", "PATH")}
        paths = {name: os.pathsep.join(filter(None, [folder, old])) for name, old in before.items()}
        if which(program[0], path=paths["PATH"]) is None:
            raise OptionError(f"{program[0]} is not there: give a program that is on the path.")
        try:
            done = subprocess.run(  # the person's own command
                list(program), env={**os.environ, **paths, VARIABLE: told}, check=False
            )
        except OSError as error:
            complain(f"{program[0]} cannot be run: {error.strerror}.")
            return ExitStatus.ERROR
        except KeyboardInterrupt:
            return ExitStatus.SIGINT
    return done.returncode if done.returncode >= 0 else 128 - done.returncode


def library(seen: Watched, number: int) -> object:
    """NVML's stand-in for a node of a run. Raises OptionError for a node that is not there."""
    from llmsim.telemetry.nvml.library import Library

    def node() -> Node:
        run, at = seen.look()
        return node_at(run, number, at)

    return Library(held_for_a_moment(node))
