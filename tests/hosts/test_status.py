"""Exit statuses are those of a shell, and each is told once."""

import signal

from llmsim import __main__
from llmsim.hosts.status import MEANINGS, ExitStatus


def test_signals_have_the_statuses_that_a_shell_gives_them() -> None:
    """A command ended by signal N has 128 + N (POSIX.1-2024, Shell, 2.8.2; bash's manual)."""
    assert ExitStatus.SIGHUP == 128 + signal.SIGHUP
    assert ExitStatus.SIGINT == 128 + signal.SIGINT == __main__.INTERRUPTED
    assert ExitStatus.SIGTERM == 128 + signal.SIGTERM
    assert ExitStatus.CLOSED_PIPE == 128 + signal.SIGPIPE


def test_each_status_has_one_meaning() -> None:
    known = sorted(value for name, value in vars(ExitStatus).items() if name.isupper())
    assert sorted(status for statuses, _ in MEANINGS for status in statuses) == known
