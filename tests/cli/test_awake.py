"""--inhibit: kept awake while it plays, or one sentence."""

import sys

import pytest
from wakepy import keep

from llmsim import cli
from llmsim.cli.awake import REFUSED
from llmsim.hosts import native
from llmsim.options.table import Options
from tests.cli.asked import Captured, refused, sentences

pytestmark = pytest.mark.extras


def test_the_machine_is_kept_awake_while_a_run_plays_and_no_longer(
    capfd: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAKEPY_FAKE_SUCCESS", "yes")  # wakepy's own way to test: no D-Bus
    modes = []
    presenting = keep.presenting

    def watched(**settings: object) -> object:
        modes.append(presenting(**settings))  # type: ignore[call-overload]  # passed on
        return modes[0]

    def main(options: Options, ends_process: bool) -> int:
        assert [mode.active for mode in modes] == [True]
        return 143

    monkeypatch.setattr(keep, "presenting", watched)
    monkeypatch.setattr(native, "main", main)
    assert cli.main(["--inhibit"]) == 143
    assert [mode.active for mode in modes] == [False]
    assert capfd.readouterr() == ("", "")


def test_where_the_system_cannot_be_kept_awake_it_is_said_and_the_run_plays(
    played: list[Options], capfd: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAKEPY_FORCE_FAILURE", "yes")
    assert cli.main(["--inhibit", "--seed", "7"]) == 0
    assert played == [Options(seed=7, inhibit=True)]
    text, complaint = capfd.readouterr()
    assert (text, [*sentences(complaint)]) == ("", [REFUSED])


def test_without_wakepy_it_is_said_what_to_install(
    played: list[Options], capfd: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wakepy", None)
    assert refused(capfd, "--inhibit", status=1) == (
        "--inhibit needs wakepy: install it with pip install 'llmsim[inhibit]'."
    )
    assert played == []


def test_without_the_flag_nothing_of_it_is_imported(
    played: list[Options], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wakepy", None)
    assert cli.main(["--inhibit=no"]) == 0
    assert played == [Options()]
