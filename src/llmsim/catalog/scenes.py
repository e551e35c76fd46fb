"""Scenes: hand-picked runs with a name and a sentence, read from data/llm_scenes.txt."""

from functools import cache

from llmsim.catalog.lists import checked, parsed, plain_name, quoted
from llmsim.catalog.records import text_of
from llmsim.errors import CatalogError
from llmsim.typed import NamedTuple

LONGEST_SENTENCE = 72  # characters


class Scene(NamedTuple):
    """A run that is worth seeing."""

    name: str
    sentence: str
    options: tuple[tuple[str, str], ...]  # names and texts of options, as the command line has them


@cache
def scenes() -> tuple[Scene, ...]:
    """data/llm_scenes.txt, in its order. Raises CatalogError for a missing or bad file."""
    return parse_scenes(text_of("llm_scenes.txt"), "data/llm_scenes.txt")


def scene_named(name: str) -> Scene:
    """The scene of that name, in any case. Raises CatalogError if there is none."""
    for scene in scenes():
        if scene.name.casefold() == name.casefold():
            return scene
    known = ", ".join(scene.name for scene in scenes())
    raise CatalogError(f"there is no scene {quoted(name)}: --list scenes has {known}.")


def parse_scenes(text: str, source: str) -> tuple[Scene, ...]:
    """The scenes of a list's text. Raises CatalogError with source and line."""
    columns = {"name": plain_name, "sentence": _sentence, "options": _options}
    return parsed(_joined(text), source, columns, Scene)


def _joined(text: str) -> str:
    """The text with each line that goes on as one; blank lines keep the numbers of the others."""
    whole: list[str] = []
    begun = ""
    for line in text.splitlines():
        begun += line.rstrip("\\ ") if (more := line.endswith("\\")) else line
        if more:
            whole.append("")
        else:
            whole.append(begun)
            begun = ""
    return "\n".join([*whole, begun])


def _sentence(cell: str) -> str:
    good = cell.isascii() and cell.isprintable() and 0 < len(cell) <= LONGEST_SENTENCE
    return checked(cell, f"is not a sentence of at most {LONGEST_SENTENCE} characters", good=good)


def _options(cell: str) -> tuple[tuple[str, str], ...]:
    found = []
    for part in cell.split(";"):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        checked(part, "is not of the form name=value", good=bool(name and equals and value))
        found.append((name, value))
    return tuple(found)
