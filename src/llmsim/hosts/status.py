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
    ((ExitStatus.FINISHED,), "The runs have ended, or the time of --exit-after-time was up."),
    (
        (ExitStatus.ERROR,),
        "The log could not be written, or an option needs a package that is missing.",
    ),
    ((ExitStatus.USAGE,), "An option, a variable or the config file is wrong."),
    (
        (ExitStatus.SIGHUP, ExitStatus.SIGINT, ExitStatus.SIGTERM),
        "Stopped by SIGHUP (129), Ctrl+C (130) or SIGTERM (143). Another signal: 128 + its number.",
    ),
    ((ExitStatus.CLOSED_PIPE,), "The program that reads the log has closed the pipe."),
)
