"""What asyncio wants of concurrent.futures: its names. A page has no threads to wait for."""

FIRST_COMPLETED = "FIRST_COMPLETED"
FIRST_EXCEPTION = "FIRST_EXCEPTION"
ALL_COMPLETED = "ALL_COMPLETED"


class Error(Exception):
    """The base of this module's errors."""


class CancelledError(Error):
    """The future was cancelled."""


class InvalidStateError(Error):
    """The future is not in a state for this."""


class Future:
    """The kind of future that comes from a thread: there are none."""
