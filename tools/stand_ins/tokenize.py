"""What linecache, traceback and Pyodide ask of Python's tokenizer: there are no sources here."""

from collections.abc import Callable
from typing import NoReturn


def open(path: str) -> NoReturn:  # noqa: A001  # linecache calls it so
    """Raises OSError: the library has compiled modules alone."""
    raise FileNotFoundError(path)


def generate_tokens(_readline: Callable[[], str]) -> list[tuple[int, str]]:
    """No tokens. Pyodide looks for a semicolon at the end of the code that it runs, and ours has
    none; traceback looks for a misspelt keyword in the code that it cannot compile.
    """
    return []
