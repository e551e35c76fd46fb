"""The exit statuses and their meanings."""


class ExitStatus:
    """The exit status of the process; 128 plus a signal's number if the signal ended it.

    These are plain numbers: the first line would have to wait for enum.
    """

    FINISHED = 0
    ERROR = 1
    USAGE = 2
    SIGHUP = 129
    SIGINT = 130
    CLOSED_PIPE = 141
    SIGTERM = 143


# For the man page and the README, by number.
MEANINGS: tuple[tuple[tuple[int, ...], str], ...] = (
    ((ExitStatus.FINISHED,), "The runs have ended, or the time was up."),
    (
        (ExitStatus.ERROR,),
        "The log could not be written, or a package is missing that an option needs.",
    ),
    ((ExitStatus.USAGE,), "An option, a variable or the config file is wrong."),
    (
        (ExitStatus.SIGHUP, ExitStatus.SIGINT, ExitStatus.SIGTERM),
        "Stopped by SIGHUP, by Ctrl+C, by SIGTERM; by others it is 128 + their number.",
    ),
    ((ExitStatus.CLOSED_PIPE,), "The reader has closed the pipe."),
)
