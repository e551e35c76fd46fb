"""--print-completions: scripts that shells take, and what they complete."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from llmsim.catalog import records
from llmsim.cli.completions import completions
from llmsim.options.given import parse_options
from llmsim.options.table import OPTIONS, SHELLS
from tests.cli.asked import Captured, refused, shown

# What readline does: it sets the words and calls the function that `complete` names.
COMPLETE = """
set -eu
source "$1"; shift
[[ $(complete -p llmsim) =~ -F\\ ([^ ]+) ]]
COMP_WORDS=(llmsim "$@") COMP_CWORD=$#
"${BASH_REMATCH[1]}" llmsim "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script for bash, the one of these shells that every machine has on which tests run."""
    path = tmp_path_factory.mktemp("completions") / "llmsim.bash"
    path.write_text(completions("bash"))
    return path


def completed(script: Path, *words: str) -> list[str]:
    """What bash proposes for the last of the words."""
    command = ["bash", "--norc", "-c", COMPLETE, "bash", str(script), *words]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert told.stderr == ""
    return told.stdout.split()


# bash is on every machine on which tests run; `make test-readers` asks the others.
@pytest.mark.parametrize(
    "shell",
    [pytest.param(shell, marks=[pytest.mark.readers] * (shell != "bash")) for shell in SHELLS],
)
def test_a_shell_takes_its_script(shell: str, tmp_path: Path) -> None:
    if not shutil.which(shell):
        pytest.fail(f"{shell} is not here: install it.", pytrace=False)
    path = tmp_path / "llmsim"
    path.write_text(completions(shell))
    read = subprocess.run([shell, "-n", str(path)], capture_output=True, check=True)
    assert read.stderr == b""


@pytest.mark.parametrize(
    ("words", "proposed"),
    [
        ("--dial", ["--dialect"]),
        ("--print-", ["--print-config", "--print-completions", "--print-manpage"]),
        ("--dialect mega", ["megatron"]),
        ("-d mega", ["megatron"]),
        ("--seed 7 --tidy --view bo", ["board"]),
        ("--recipe sf", ["sft"]),
        ("--model ButtG", ["ButtGPT-420B"]),
        ("--dataset FineWeb-E", ["FineWeb-Edu"]),
        ("--gpu NVIDIA-H100-N", ["NVIDIA-H100-NVL"]),
        ("--list mod", ["models"]),
        ("--color a", ["auto", "always"]),
        ("--duration r", ["real"]),
        ("--speed-factor m", ["max"]),
        ("--print-completions f", ["fish"]),
    ],
)
def test_bash_completes(words: str, proposed: list[str], script: Path) -> None:
    assert completed(script, *words.split()) == proposed


def test_bash_proposes_every_option(script: Path) -> None:
    assert {f"--{option.name}" for option in OPTIONS} <= set(completed(script, "--"))


def test_what_is_proposed_for_a_gpu_is_understood(script: Path) -> None:
    proposed = completed(script, "--gpu", "")
    names = [parse_options([("gpu", name)], "--")[0].gpu for name in proposed]
    assert names == ["auto", *(gpu.name for gpu in records.gpus())]


@pytest.mark.parametrize("shell", SHELLS)
def test_there_is_a_script_for_each_shell_with_every_option(shell: str, capfd: Captured) -> None:
    script = shown(capfd, "--print-completions", shell)
    for option in OPTIONS:
        assert option.name in script
    assert "megatron" in script
    assert "ButtGPT-420B" in script


def test_without_shtab_it_is_said_what_to_install(
    capfd: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert refused(capfd, "--print-completions", "bash", status=1) == (
        "--print-completions needs shtab: install it with pip install 'llmsim[completions]'."
    )
