"""What is typed for an option that there is not is answered with what does that job."""

import pytest

from llmsim.options.elsewhere import _KEYS, answers
from llmsim.options.given import from_query, unknown
from llmsim.options.job_keys import KEYS
from llmsim.options.table import OPTIONS

NAMES = {option.name for option in OPTIONS}
# Subcommands and files that an answer may name.
COMMANDS = ("llmsim serve", "llmsim smi", "llmsim grade", "llmsim fleet", "llmsim --print-config")


def test_no_answer_is_given_for_an_option_that_there_is() -> None:
    assert set(answers()) & NAMES == set()


@pytest.mark.parametrize("answer", sorted(set(answers().values())))
def test_an_answer_names_an_option_that_there_is(answer: str) -> None:
    if answer.startswith("--"):
        name, _, value = answer.removeprefix("--").partition(" ")
        row = next(option for option in OPTIONS if option.name == name)
        assert bool(value) == bool(row.metavar)
    elif "llmsim " in answer and ">" not in answer:
        assert answer.startswith(COMMANDS)


def test_an_answer_gives_a_value_that_the_option_takes() -> None:
    for answer in set(answers().values()):
        name, _, value = answer.removeprefix("--").partition(" ")
        row = next((option for option in OPTIONS if option.name == name), None)
        if answer.startswith("--") and row and not value.isupper() and value not in ("X", "N"):
            row.parse(value)


def test_a_key_of_a_job_file_is_in_its_table() -> None:
    known = {row.name for row in KEYS} | {f"{row.section}.{row.name}" for row in KEYS}
    known |= {row.field for row in KEYS}
    assert set(_KEYS.values()) <= known
    assert set(_KEYS) & NAMES == set()


def test_every_key_of_a_job_file_that_is_no_flag_is_found_by_its_name() -> None:
    for row in KEYS:
        if row.field.replace("_", "-") not in NAMES | set(answers()):
            assert "(--job, docs/jobs.md)" in unknown(f"--{row.field}", "--"), row


@pytest.mark.parametrize("typed", ["serious", "no-jokes", "no-farewell", "sober"])
def test_who_wants_no_jokes_is_told_how(typed: str) -> None:
    assert unknown(f"--{typed}", "--") == f"there is no option '--{typed}': --jokes no does that."
    assert from_query([(typed, "1")])[1] == [f"there is no option '{typed}': jokes=no does that."]


def test_a_page_answers_in_its_own_words() -> None:
    assert from_query([("loop", "1")])[1] == ["there is no option 'loop': runs=0 does that."]
    assert from_query([("epochs", "1")])[1] == ["there is no option 'epochs'."]
    assert from_query([("no-color", "1")])[1] == ["there is no option 'no-color'."]
