"""What asyncio wants of logging: a logger that says nothing, as one without handlers does."""

DEBUG, INFO, WARNING, ERROR, CRITICAL = 10, 20, 30, 40, 50


class Logger:
    """Takes every message and keeps none."""

    def isEnabledFor(self, _level: int) -> bool:  # noqa: N802  # logging's own name
        """No level is."""
        return False

    def log(self, *_message: object, **_details: object) -> None:
        """Nobody listens."""

    debug = info = warning = error = critical = exception = log


def getLogger(_name: str | None = None) -> Logger:  # noqa: N802  # logging's own name
    """A logger."""
    return Logger()
