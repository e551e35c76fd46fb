"""The command that plays a run again: the options that determine its job."""

from collections.abc import Iterator
from functools import cache

from llmsim.options.option import Option
from llmsim.options.table import OPTIONS, Options, field_of
from llmsim.options.wanted import NOT_LIFTED
from llmsim.typed import datetime

_PLAIN_MARKS = {ord(mark): "x" for mark in "@%+=:,./-_"}


def quoted_word(word: str) -> str:
    """The word as a POSIX shell needs it, as shlex.quote does it; shlex imports re, a slow one."""
    plain = word.isascii() and word.translate(_PLAIN_MARKS).isalnum()
    return word if plain else "'" + word.replace("'", "'\"'\"'") + "'"


@cache
def _naming() -> tuple[tuple[Option, str], ...]:
    """The options that determine a job, each with its field."""
    return tuple((option, field_of(option)) for option in OPTIONS if option.names_job)


def identity(options: Options) -> Iterator[tuple[str, str]]:
    """The options that determine the job, not its show: (name, text) pairs, "yes" for a switch.

    What a job file says is not repeated beside the file's name.
    """
    job = options.job if options.job and options.job.source else None
    for option, field in _naming():
        value = getattr(options, field)
        said = None if field in NOT_LIFTED and value == "auto" else getattr(job, field, None)
        if value == (Options._field_defaults[field] if said is None else said):
            continue
        if option.repeats:
            yield from ((option.name, each) for each in value)
        elif field == "job":
            yield from [(option.name, job.source)] if job else []
        elif isinstance(value, bool):
            yield option.name, "yes" if value else "no"
        elif value is not None and (said or not value == option.default == "auto"):
            yield option.name, value.isoformat() if isinstance(value, datetime) else str(value)


def command(options: Options) -> str:
    """The command line that plays the same run again.

    A file's name of bytes that the locale cannot decode (lone surrogates, PEP 383) is read as
    UTF-8: what an export says of the run has to be text.
    """
    switches = {option.name for option in OPTIONS if not option.metavar}
    words = ["llmsim"]
    for name, text in identity(options):
        if name in switches:
            words.append(f"--{name}" if text == "yes" else f"--{name}={text}")
        else:
            words += [f"--{name}", text]
    line = " ".join(map(quoted_word, words))
    return line.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
