"""What is said on standard error."""

import pytest

from llmsim.hosts.output import complain


def test_control_characters_do_not_reach_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    complain("no file called \x1b[31mred\x9b\r\x7f is there\nwhat else")
    assert capfd.readouterr().err == (
        "llmsim: no file called \\x1b[31mred\\x9b\\x0d\\x7f is there\nwhat else\n"
    )
