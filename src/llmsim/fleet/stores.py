"""URLs that fsspec knows: the file system of one, and one sentence for whatever it will not do.

Each kind of URL has a package of its own with errors of its own: no credentials, no package, no
bucket, no network. A person needs the URL and the reason.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOSPC

from llmsim.errors import LlmsimError, OptionError
from llmsim.typed import Any

# What fsspec keeps in this process alone, so that nothing of it is left at the end.
_FLEETING = ("memory", "simplecache", "blockcache", "filecache", "cached")
_LONGEST = 200  # characters of a reason


class FleetError(LlmsimError):
    """A fleet cannot be made here; one sentence for a person."""


def is_url(root: str) -> bool:
    """Whether a place is a URL, and not a path."""
    return "://" in root


@contextmanager
def opened(root: str) -> Iterator[tuple[Any, str]]:
    """fsspec's file system for a URL and the path in it, while something is done there.

    Raises FleetError for whatever fails, with the URL; but that a file is there, or is not, and
    that a disk is full, are for the caller.
    """
    try:
        from fsspec.core import url_to_fs

        yield url_to_fs(root)
    except (FileNotFoundError, FileExistsError, FleetError):
        raise
    except ImportError as error:
        raise FleetError(f"{root} needs {_missing(error)}.") from None
    except Exception as error:  # whatever the package of a kind of URL raises
        if isinstance(error, OSError) and error.errno == ENOSPC:
            raise
        raise FleetError(f"{root} cannot be used: {reason(error)}.") from None


def reason(error: BaseException) -> str:
    """What an error says, as a part of a sentence: its first line, or else its name."""
    told = getattr(error, "strerror", None) or str(error)
    first = (told.strip().splitlines() or [""])[0].strip().rstrip(".:")
    if len(first) > _LONGEST:
        first = first[:_LONGEST] + "..."
    word = first.partition(" ")[0]
    plain = word.isalpha() and word[1:] == word[1:].lower()  # no name of a class
    return (first[:1].lower() + first[1:] if plain else first) or type(error).__name__


def _missing(error: ImportError) -> str:
    """The package that a kind of URL needs, and what installs it."""
    name = error.name or getattr(error.__cause__, "name", None)
    if name is None:
        return "a package that is not installed"
    package = name.partition(".")[0]
    wanted = "'llmsim[fleet]'" if package == "fsspec" else package
    return f"{package}: pip install {wanted}"


def lasting(option: str, place: str) -> None:
    """Raises OptionError for a URL that names nothing, or of a kind that nobody knows, or that
    keeps nothing.
    """
    if not is_url(place):
        return
    rather = "give a folder, or a URL such as s3://bucket/name."
    kind, _, name = place.partition("://")
    protocol = kind.partition("::")[0]
    if not name.strip("/") and protocol != "file":
        raise OptionError(f"{option} cannot be {place}: it names no place; {rather}")
    if protocol in _FLEETING:
        raise OptionError(f"{option} cannot be {place}: its files end with this process; {rather}")
    try:
        from fsspec.registry import known_implementations, registry
    except ImportError:
        return  # opened() names the package
    if protocol not in known_implementations and protocol not in registry:
        raise OptionError(
            f"{option} cannot be {place}: there is no kind of URL {protocol}://; {rather}"
        )
