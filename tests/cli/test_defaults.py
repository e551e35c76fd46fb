"""Defaults from the config file and from variables: what wins, and what is said of wrong ones."""

import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from math import inf
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsim import cli
from llmsim.cli.defaults import config_path, default_options, variable_of
from llmsim.cli.reading import LARGEST
from llmsim.errors import OptionError
from llmsim.options.table import OPTIONS, Options
from tests.cli.asked import Captured, refused

KEPT = [option for option in OPTIONS if option.in_config]
SOME = {"speed-factor": "2.5", "gpus": "8", "tidy": "yes"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the config file of HOME=tmp_path would be."""
    path = tmp_path / ".config" / "llmsim" / "config.toml"
    path.parent.mkdir(parents=True)
    return path


def read(text: str | bytes, file: Path, **variables: str) -> Options:
    """The defaults of a config file with this text."""
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return default_options({"HOME": str(file.parents[2]), **variables})


def complaint(text: str | bytes, file: Path) -> str:
    """The sentence about a config file that must be wrong, the file's path cut short."""
    with pytest.raises(OptionError) as error:
        read(text, file)
    sentence = str(error.value)
    assert sentence.isprintable()
    assert str(file) in sentence
    return sentence.replace(str(file), "FILE")


# --- what wins ---------------------------------------------------------------------------------


def test_a_flag_wins_over_a_variable_over_the_file_over_the_default(
    file: Path, played: list[Options], monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('gpus = 8\nruns = 8\nseed = 8\nspeed-factor = "max"\n')
    monkeypatch.setattr(os, "environ", {
        "HOME": str(file.parents[2]), "LLMSIM_RUNS": "16", "LLMSIM_SEED": "16",
    })  # fmt: skip
    assert cli.main(["--seed", "32"]) == 0
    assert played == [Options(gpus=8, runs=16, seed=32, speed_factor=inf)]


@pytest.mark.parametrize("option", KEPT, ids=lambda option: option.name)
def test_every_default_can_be_kept_in_a_variable_and_in_the_file(option: Any, file: Path) -> None:
    texts = {
        "seed": "7", "gpus": "8", "start": "2026-01-30", "duration": "real", "view": "log",
        "speed-factor": "max", "instant-print-lines": "9", "runs": "0", "exit-after-time": "1h",
        "tidy": "on", "jokes": "no", "type": "on", "inhibit": "on", "color": "never",
        "dialect": "olmo", "recipe": "sft",
        "model": "Foo-7B", "dataset": "C4", "gpu": "H200", "evaluate": "on", "sample": "1s",
        "sequence": "4096", "batch": "512", "micro-batch": "2", "tp": "4", "pp": "2",
        "cp": "2", "ep": "8",
        "sharding": "zero1", "recompute": "full", "precision": "bf16", "steps": "1000",
        "tokens": "20B", "lr": "3e-4", "log-every": "10",
        "release": "v0.2.0", "capture": "all",
        "theme": "amber", "scene": "hang",
        "incidents": "typical", "incident": "nan@40%", "stream": "all", "from": "40%",
    }  # fmt: skip
    text = texts[option.name]
    by_variable = default_options({variable_of(option): text})
    assert by_variable != Options()
    assert read(f"{option.name} = '{text}'\n", file) == by_variable


def test_what_asks_for_an_answer_is_no_default() -> None:
    assert {option.name for option in OPTIONS if not option.in_config} == {
        "job", "export", "quiet", "list", "print-config", "json", "toml", "print-completions",
        "print-manpage",
    }  # fmt: skip
    for variable, flag in (("LIST", "list"), ("JOB", "job"), ("PRINT_CONFIG", "print-config")):
        with pytest.raises(
            OptionError, match=f"'LLMSIM_{variable}' has no effect: --{flag} is given as a flag"
        ):
            default_options({f"LLMSIM_{variable}": "gpus"})


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", Options()),
        ("# nothing\r\n", Options()),
        ("seed = 7\nspeed-factor = 2.5\n", Options(seed=7, speed_factor=2.5)),
        ("gpus = 0x10\ntidy = true\n", Options(gpus=16, tidy=True)),
        ("tidy = false\n", Options()),
        ('duration = "10min"\nexit-after-time = 90\n', Options(duration=600, exit_after_time=90)),
        ("duration = 90.5\n", Options(duration=90.5)),
        ("start = 2026-01-30T12:00:00\n", Options(start=datetime(2026, 1, 30, 12))),
        ("start = 2026-01-30\n", Options(start=datetime(2026, 1, 30))),
        ('gpus = 8\r\ngpu = "h200"\r\n', Options(gpus=8, gpu="NVIDIA H200")),
        (b"\xef\xbb\xbfgpus = 8\n", Options(gpus=8)),  # as Windows' editor saves it
    ],
)  # fmt: skip
def test_values_are_written_as_toml_has_them(
    text: str | bytes, options: Options, file: Path
) -> None:
    assert read(text, file) == options


def test_an_empty_variable_is_not_set(file: Path) -> None:
    assert read("gpus = 8", file, LLMSIM_GPUS="", LLMSIM_CONFIG="") == Options(gpus=8)


# --- where the file is -------------------------------------------------------------------------


def test_the_file_is_in_the_xdg_config_folder() -> None:
    """XDG Base Directory Specification 0.8: unset or empty is ~/.config; relative is ignored."""
    place = "/llmsim/config.toml"
    assert config_path({"XDG_CONFIG_HOME": "/x", "HOME": "/h"}) == f"/x{place}"
    assert config_path({"XDG_CONFIG_HOME": "", "HOME": "/h"}) == f"/h/.config{place}"
    assert config_path({"XDG_CONFIG_HOME": "x", "HOME": "/h"}) == f"/h/.config{place}"
    assert config_path({}) == ""


def test_without_a_file_nothing_is_opened_and_nothing_imported(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "looks = []\n"
        "sys.addaudithook(lambda event, args: event == 'open' and looks.append(args[0]))\n"
        "from llmsim.cli import defaults\n"
        "looks.clear()\n"
        "defaults.default_options(os.environ)\n"
        "print(looks, sorted({'tomllib', 'pathlib', 'argparse'} & set(sys.modules)))\n"
    )
    told = subprocess.run(
        [sys.executable, "-S", "-c", code], check=True, stdout=subprocess.PIPE, text=True,
        env={"HOME": str(tmp_path), "PYTHONPATH": str(Path(cli.__file__).parents[2])},
    )  # fmt: skip
    assert told.stdout == "[] []\n"


def test_another_file_can_be_named_and_none(tmp_path: Path, file: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("gpus = 16\n")
    assert read("gpus = 8", file, LLMSIM_CONFIG=str(other)) == Options(gpus=16)
    assert read("gpus = 8", file, LLMSIM_CONFIG=os.devnull) == Options()
    with pytest.raises(OptionError, match=r"LLMSIM_CONFIG names .*: no such file or directory\."):
        read("gpus = 8", file, LLMSIM_CONFIG=str(tmp_path / "nosuch.toml"))


# --- what is wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('gpus = "eight"', "gpus in FILE cannot be 'eight': give a whole number from 1 to 131072."),
        ("gpus = 0", "gpus in FILE cannot be '0': give a whole number from 1 to 131072."),
        ("gpus = 8.0", "gpus in FILE cannot be '8.0': give a whole number from 1 to 131072."),
        ("gpus = true", "gpus in FILE cannot be 'true': give a whole number from 1 to 131072."),
        ("gpus = [8]", "gpus in FILE cannot be a list: give a whole number from 1 to 131072."),
        ("[gpus]", "gpus in FILE cannot be a table: give a whole number from 1 to 131072."),
        ("speed-factor = nan", "speed-factor in FILE cannot be 'nan': give a number above 0"),
        ("duration = -3", "duration in FILE cannot be '-3': give a time such as 3m"),
        ("start = 12:00:00", "start in FILE cannot be '12:00:00': give an ISO date from 1970"),
        ("tidy = 2", "tidy in FILE cannot be '2': give yes or no."),
        ('view = "bord"', "view in FILE cannot be 'bord': give auto, board, log or wall (did you"),
        ('gpu = "A100"', "gpu in FILE 'A100' may be any of NVIDIA A100-SXM4-40GB, "),
        ("speed_factor = 2", "there is no option 'speed_factor' in FILE: did you mean speed-f"),
        ("list = 'gpus'", "'list' in FILE has no effect: --list is given as a flag."),
        ("export = 'csv'", "'export' in FILE has no effect: --export is given as a flag."),
        ('"\\u001b[31m" = 1', "there is no option '\\x1b[31m' in FILE: see --help"),
        ("seed = 7\ngpus 8", "FILE line 2 is not TOML: expected '=' after a key"),
        ("seed = 7\nseed = 8", "FILE line 2 is not TOML: cannot overwrite a value."),
        ("seed = 7\n\ngpu = ", "FILE line 3 is not TOML: invalid value."),
        ("gpu = 'H200", "FILE line 1 is not TOML: "),
        (b"seed = 7\ngpu = '\xff'", "FILE line 2 is not UTF-8: save the file as UTF-8."),
        ("seed = " + "9" * 5000, "FILE cannot be understood: give lines such as gpus = 8."),
        ("seed = 0x" + "f" * 5000, "seed in FILE cannot be '0xfff"),
        ("seed = " + "[" * 5000, "FILE "),
        ("#" * (LARGEST + 1), "FILE has more than 65,536 bytes: one line for each option"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_file_is_told_in_one_sentence(
    text: str | bytes, sentence: str, file: Path
) -> None:
    assert complaint(text, file).startswith(sentence)


def test_a_folder_or_a_pipe_in_its_place(file: Path) -> None:
    home = {"HOME": str(file.parents[2])}
    os.mkfifo(file)  # which nobody writes to: to read it would take for ever
    with pytest.raises(OptionError, match=r"config\.toml is not a file"):
        default_options(home)
    file.unlink()
    file.mkdir()
    with pytest.raises(OptionError, match=r"config\.toml is not a file"):
        default_options(home)


def test_a_link_to_nothing_is_an_empty_file(file: Path) -> None:
    file.symlink_to(os.devnull)
    assert default_options({"LLMSIM_CONFIG": str(file)}) == Options()


def test_keys_in_keys_without_end_are_refused_at_once(file: Path) -> None:
    for text in (".".join(["a"] * 20_000) + " = 1", "[" + ".".join(["a"] * 50) + "]"):
        with pytest.raises(OptionError, match=r"config\.toml line 2 has too many dots"):
            read(f"gpus = 8\n{text}\n", file)
    assert read("# " + "." * 100 + "\ngpus = 8", file) == Options(gpus=8)


def test_a_file_that_never_ends_is_refused_and_not_waited_for(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """/proc/kmsg calls itself a file, and whoever reads it waits for the kernel."""
    fifo = file.parent / "kmsg"
    os.mkfifo(fifo)
    writer = os.open(fifo, os.O_RDWR)  # so that the pipe is open, and empty
    monkeypatch.setattr("llmsim.cli.reading.S_ISREG", lambda mode: True)
    with pytest.raises(OptionError, match="kmsg is not a file"):
        default_options({"LLMSIM_CONFIG": str(fifo)})
    os.close(writer)


def test_a_file_that_cannot_be_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*arguments: object, **settings: object) -> None:
        raise PermissionError(13, "Permission denied")

    file.write_text("gpus = 8")
    monkeypatch.setattr("builtins.open", denied)  # for root may read everything
    with pytest.raises(OptionError, match=r"config\.toml cannot be read: permission denied\."):
        default_options({"HOME": str(file.parents[2])})


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {"LLMSIM_GPUS": "eight"},
            "LLMSIM_GPUS cannot be 'eight': give a whole number from 1 to 131072.",
        ),
        (
            {"LLMSIM_SPEEDFACTOR": "2"},
            "there is no option 'LLMSIM_SPEEDFACTOR': did you mean LLMSIM_SPEED_FACTOR?",
        ),
        (
            {"LLMSIM_DIALECT": "pytroch"},
            "(did you mean pytorch?).",
        ),
    ],
)  # fmt: skip
def test_a_wrong_variable_is_told_and_ends_with_2(
    variables: Mapping[str, str], sentence: str, capfd: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    assert refused(capfd).endswith(sentence)
    assert refused(capfd, "--seed", "7", "--print-config").endswith(sentence)


@pytest.mark.parametrize("line", ["--help", "--version", "--list gpus", "--print-manpage"])
def test_wrong_defaults_do_not_hide_what_would_be_right(
    line: str, capfd: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMSIM_GPUS", "eight")
    assert cli.main(line.split()) == 0
    assert capfd.readouterr().err == ""


def is_clear(variables: Mapping[str, str]) -> bool:
    """Whether there are defaults, or a sentence that can be shown."""
    try:
        default_options(variables)
    except OptionError as error:
        return str(error).isprintable() and str(error).endswith((".", "?"))
    return True


VALUES = st.one_of(
    st.integers().map(str), st.floats().map(str), st.booleans().map(lambda b: str(b).lower()),
    st.text("abc max-real31m", max_size=9).map(lambda text: f"'{text}'"), st.just("[1]"),
)  # fmt: skip


TYPED = st.tuples(st.sampled_from([option.name for option in KEPT]), VALUES)
LINES = st.lists(TYPED.map(lambda line: f"{line[0]} = {line[1]}\n"), max_size=4).map("".join)


@given(st.binary() | (st.text() | LINES).map(str.encode))
def test_any_file_gives_options_or_one_sentence(content: bytes) -> None:
    with NamedTemporaryFile(suffix=".toml") as file:
        file.write(content)
        file.flush()
        assert is_clear({"LLMSIM_CONFIG": file.name})


@given(st.dictionaries(st.sampled_from([variable_of(option) for option in OPTIONS]), st.text()))
def test_any_variables_give_options_or_one_sentence(variables: dict[str, str]) -> None:
    assert is_clear(variables)
