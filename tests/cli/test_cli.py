"""The command line: what it asks for, and how it is refused."""

import re
from contextlib import nullcontext
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsim import __version__, cli
from llmsim.catalog import records
from llmsim.errors import CatalogError
from llmsim.hosts import native
from llmsim.hosts.output import Output
from llmsim.hosts.signals import Signals
from llmsim.options.job_options import JOB_OPTIONS
from llmsim.options.table import OPTIONS, Options
from tests.cli.asked import Captured, refused, shown

# --- flags -------------------------------------------------------------------------------------


IN_A_JOB = ": a job file says it, as {} (--job, docs/jobs.md)."


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("", Options()),
        ("--seed 7 --speed-factor max", Options(seed=7, speed_factor=inf)),
        ("--seed=7 --speed-factor=max", Options(seed=7, speed_factor=inf)),
        ("-s 2 -i 50", Options(speed_factor=2.0, instant_print_lines=50)),
        ("-smax -i50 -dpytorch", Options("pytorch", speed_factor=inf, instant_print_lines=50)),
        ("-s=max -i=50", Options(speed_factor=inf, instant_print_lines=50)),
        ("-m buttgpt-420b", Options(model="ButtGPT-420B")),
        ("--gpus 8 --gpus 16", Options(gpus=16)),
        ("--exit-after-time 2h10min --runs 0", Options(exit_after_time=7800.0, runs=0)),
    ],
)
def test_flags_become_options(line: str, options: Options, played: list[Options]) -> None:
    assert cli.main(line.split()) == 0
    assert played == [options]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("--speed-factor 0", "--speed-factor cannot be '0': give a number above 0, or max."),
        ("--speed-factor nan", "--speed-factor cannot be 'nan': give a number above 0, or max."),
        ("-s abc", "--speed-factor cannot be 'abc': give a number above 0, or max."),
        ("--speed-factor -1", "--speed-factor cannot be '-1': give a number above 0, or max."),
        ("--speed-factor -inf", "--speed-factor cannot be '-inf': give a number above 0, or max."),
        ("--gpus 7.5", "--gpus cannot be '7.5': give a whole number from 1 to 131072."),
        ("--seed -1", "--seed cannot be '-1': give a whole number from 0 to 2^64 - 1."),
        ("--seed=", "--seed cannot be '': give a whole number from 0 to 2^64 - 1."),
        ("--seed", "--seed needs a value: give a whole number from 0 to 2^64 - 1."),
        ("-s", "--speed-factor needs a value: give a number above 0, or max."),
        ("--seed --gpus 8", "--seed needs a value: give a whole number from 0 to 2^64 - 1."),
        (
            "--start 2026-01-30T12:00:00+02:00",
            (
                "--start cannot be '2026-01-30T12:00:00+02:00': logs show local time, so leave the "
                "time zone out."
            ),
        ),
        (
            "--start 0001-01-01",
            (
                "--start cannot be '0001-01-01': give an ISO date from 1970 to 9000 such as "
                "2026-01-30T12:00:00."
            ),
        ),
        ("--modle x", "there is no option '--modle': did you mean --model?"),
        ("--speed 2", "there is no option '--speed': --speed-factor X does that."),
        ("--loop", "there is no option '--loop': --runs 0 does that."),
        ("--nodes=4", "there is no option '--nodes': --gpus N does that."),
        (
            "--epochs 3",
            f"there is no option '--epochs'{IN_A_JOB.format('epochs in [schedule]')}",
        ),
        (
            "--run_name x",
            f"there is no option '--run_name'{IN_A_JOB.format('name in [run]')}",
        ),
        ("--speedfactor=2", "there is no option '--speedfactor': did you mean --speed-factor?"),
        ("--MODEL x", "there is no option '--MODEL': did you mean --model?"),
        ("-x", "there is no option '-x': see --help."),
        ("-hx", "there is no option '-hx': see --help."),
        ("train", "there is no option 'train': a run is played without a command."),
        ("--tidy yes", "--tidy takes no value: leave 'yes' out."),
        ("--help=1", "--help takes no value: leave it out."),
        ("--", "there is no option '--': see --help."),
    ],
)
def test_refusals(line: str, sentence: str, played: list[Options], capfd: Captured) -> None:
    assert refused(capfd, *line.split()) == sentence
    assert played == []


def test_an_unknown_model_is_refused_with_the_form_of_a_right_one(capfd: Captured) -> None:
    sentence = refused(capfd, "--model", "nosuch")
    assert sentence.startswith("--model 'nosuch' is not listed and does not end in")
    assert sentence.endswith(("?", "--list models has all."))


def test_of_many_mistakes_the_first_is_told(capfd: Captured) -> None:
    assert refused(capfd, "--gpus", "0", "--seed", "x", "--runs", "y").startswith("--gpus ")


@pytest.mark.parametrize("text", ["\x1b]0;title\x07", "\n\n", "\x00", "\udc80", "x" * 10_000])
@pytest.mark.parametrize("flag", ["", "-", "--", "--model=", "--seed=", "-d", "--modle="])
def test_a_terminal_is_safe_from_what_is_refused(capfd: Captured, flag: str, text: str) -> None:
    assert len(refused(capfd, flag + text)) < 400


def test_a_job_that_cannot_be_is_refused_before_anything_is_written(capfd: Captured) -> None:
    impossible = ("--model", "ButtGPT-420B", "--gpu", "RTX 4090", "--gpus", "1", "--seed", "1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Signals, "catch", lambda signals, terminal: None)
        patch.setattr(Signals, "ignore", lambda signals: None)
        sentence = refused(capfd, *impossible)
    assert sentence.startswith("ButtGPT-420B does not fit on 1 x NVIDIA GeForce RTX 4090: ")


def test_a_broken_list_is_an_error_and_not_wrong_usage(
    capfd: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise CatalogError("data/llm_models.txt line 7: total parameters '7Z' is no size.")

    monkeypatch.setattr(records, "models", broken)
    assert cli.main(["--list", "models"]) == 1
    assert capfd.readouterr().err.startswith("llmsim: data/llm_models.txt line 7: ")


# --- help and version ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [["-h"], ["--help"], ["--gpus", "0", "--help"], ["--list", "models", "-h"]]
)
def test_help_tells_every_option_in_80_columns(capfd: Captured, arguments: list[str]) -> None:
    text = shown(capfd, *arguments)
    assert max(map(len, text.splitlines())) <= 80
    assert not re.search(r"[ \t]$", text, re.MULTILINE)
    for option in OPTIONS:
        if option in JOB_OPTIONS:
            continue
        assert re.search(rf"^  {f'-{option.short}, ' if option.short else '    '}"
                         rf"--{option.name} {option.metavar} ", text, re.MULTILINE)  # fmt: skip
    words = " ".join(text.split())
    for option in OPTIONS:
        assert f"--{option.name}" in words
        if option in JOB_OPTIONS:  # what each means is in the manual: help fits a screen
            continue
        assert option.meaning in words
        assert not option.default or f"[{option.default}]" in words


@pytest.mark.parametrize("command", [(), ("serve",), ("grade",)])
def test_version(command: tuple[str, ...], capfd: Captured) -> None:
    assert shown(capfd, *command, "--version") == f"llmsim {__version__}\n"


def test_help_fits_a_screen_and_ends_with_examples_that_are_right(
    capfd: Captured, played: list[Options]
) -> None:
    rows = shown(capfd, "--help").splitlines()
    assert len(rows) <= 60
    examples = [row.split("  ")[1] for row in rows if row.startswith("  llmsim")]
    assert len(examples) == 3
    for example in examples:
        assert cli.main(example.split()[1:]) == 0
    assert [options.seed for options in played] == [None, None, 7]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("--json", "--json goes with --list or --print-config: give one of them."),
        ("--seed 7 --json", "--json goes with --list or --print-config: give one of them."),
        ("--quiet", "--quiet shows nothing: give an --export with it."),
        ("--quiet --export csv=-", "--export csv=- is a folder of files, not one: give it a name."),
        ("--quiet --export logs=-", "--export logs=- is a folder of files, not one: give it a na"),
        ("--export jsonl=-", "--export jsonl=- would write into the log: give --quiet with it, "),
        (
            "--runs 2 --export jsonl=z-{run}",
            "--export jsonl=z-{run} would be written by two runs of one name: put {seed} into the",
        ),
        (
            "--quiet --export jsonl=/nowhere/x --from failure --incidents none --steps 20",
            "--from cannot be failure: the run has no phase of that name.",
        ),
        ("serve --print-config", "--print-config is no option of llmsim serve: leave it out."),
        ("serve --print-manpage", "--print-manpage is no option of llmsim serve: leave it out."),
        ("--toml", "--toml goes with --print-config: give both."),
        ("--toml --json --print-config", "--toml does not go with --json: leave one of them out."),
        ("smi --export csv=x.csv", "--export is no option of llmsim smi: leave it out."),
        ("smi --list gpus", "--list is no option of llmsim smi: leave it out."),
        ("smi --install=", "--install needs a value: llmsim smi --help says which."),
        ("smi --at=", "--at needs a value: llmsim smi --help says which."),
        (
            "--list gpus --print-config",
            "--list and --print-config ask for different things: give one of them.",
        ),
    ],
)
def test_questions_that_make_no_sense(line: str, sentence: str, capfd: Captured) -> None:
    assert refused(capfd, *line.split()).startswith(sentence)


# --- whatever is typed -------------------------------------------------------------------------

FLAGS = [f"--{option.name}" for option in OPTIONS] + ["-d", "-m", "-s", "-i", "-h", "--version", ""]
TEXTS = ["auto", "7", "max", "real", "gpus", "bash", "3m", "no", "H200", "Foo-7B", "="]
WORDS = st.sampled_from([*FLAGS, *TEXTS]) | st.text(max_size=9)
ARGUMENTS = WORDS | st.tuples(WORDS, WORDS).map("=".join) | st.tuples(WORDS, WORDS).map("".join)


@given(st.lists(ARGUMENTS, max_size=6))
def test_any_command_line_plays_or_answers_or_is_refused_in_one_sentence(
    arguments: list[str],
) -> None:
    played: list[Options] = []

    def main(options: Options, ends_process: bool) -> int:
        played.append(options)
        return 0

    answers: list[str] = []
    complaints: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "main", main)
        patch.setattr(Output, "write", lambda output, text: answers.append(text))
        patch.setattr(cli, "_complain", complaints.append)
        patch.setattr("llmsim.cli.awake.kept_awake", nullcontext)  # machines differ in it
        status = cli.main(arguments)
    assert len(played) + len(answers) + len(complaints) == 1
    assert status == (2 if complaints else 0)
    assert all(sentence.isprintable() for sentence in complaints)
    assert all(sentence.endswith((".", "?")) for sentence in complaints)
