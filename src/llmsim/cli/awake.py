"""--inhibit: keeps the machine and its screen awake while a run plays."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from llmsim.cli import MissingExtraError

REFUSED = (
    "--inhibit cannot keep this system awake (on Linux it takes a desktop session with D-Bus): "
    "the run plays all the same."
)


@contextmanager
def kept_awake(complain: Callable[[str], None]) -> Iterator[None]:
    """Keeps the machine awake, or calls `complain` with a sentence if the system refuses.

    Raises MissingExtraError where wakepy is not installed.
    """
    try:
        from wakepy import keep
    except ImportError:
        raise MissingExtraError(
            "--inhibit needs wakepy: install it with pip install 'llmsim[inhibit]'."
        ) from None
    with keep.presenting(on_fail=lambda _result: complain(REFUSED)):
        yield
