"""What Pyodide wants of its package loader as it starts: where packages are. The page has none."""


class _Place:
    """A path, as far as Pyodide asks; pathlib would have to be imported."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __str__(self) -> str:
        return self._path


SITE_PACKAGES = _Place("/lib/python3.14/site-packages")
DSO_DIR = _Place("/usr/lib")


def init_loaded_packages() -> None:
    """Nothing was loaded."""
