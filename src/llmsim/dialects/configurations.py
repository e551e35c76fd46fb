"""Jobs as frameworks' own configurations say them, by the sections and keys of a job file.

Each framework's reader stands in its folder. What a reader does not use is named, once, and not
refused: a configuration says much that no number depends on.
"""

from collections.abc import Callable, Mapping

from llmsim.typed import Any, NamedTuple

Given = Mapping[str, Any]


class Configuration(NamedTuple):
    """What a configuration says of a job."""

    tables: dict[str, dict[str, Any]]  # as a job file's: sections and keys
    unused: tuple[str, ...]  # names of what has no effect here, as the framework spells them


def sorted_into(
    given: Given, places: Mapping[str, tuple[str, str]], used: tuple[str, ...]
) -> Configuration:
    """The values at their places in a job file; names neither placed nor `used` are unused."""
    tables: dict[str, dict[str, Any]] = {}
    for name, (section, key) in places.items():
        if (value := given.get(name)) is not None:
            tables.setdefault(section, {})[key] = value
    unused = tuple(name for name in given if name not in places and name not in used)
    return Configuration(tables, unused)


def flat(tables: Given) -> dict[str, Any]:
    """Keys of sections as section.key."""
    return {
        f"{section}.{key}": value
        for section, table in tables.items()
        if isinstance(table, Mapping)
        for key, value in table.items()
    }


# Words by which a text is known as a framework's: of a list of arguments, and of TOML's sections.
_ARGUMENTS = ("--num-layers", "--micro-batch-size", "--tensor-model-parallel-size")
_SECTIONS = ("training", "parallelism", "lr_scheduler")


def reader_of(text: str, toml: Callable[[], Given]) -> Callable[[], Configuration] | None:
    """What reads the text of a file, if it is a framework's; None where it may be our own.

    `toml` parses the text as TOML. The reader may raise ValueError, which says what is wrong.
    """
    if text.lstrip().startswith("{"):
        from llmsim.dialects.hf.configuration import read_json

        return lambda: read_json(text)
    if any(word in text for word in _ARGUMENTS):
        from llmsim.dialects.megatron.configuration import read_arguments

        return lambda: read_arguments(text)
    tables = toml()
    if any(section in tables for section in _SECTIONS):
        from llmsim.dialects.torchtitan.configuration import read_tables

        return lambda: read_tables(tables)
    return None
