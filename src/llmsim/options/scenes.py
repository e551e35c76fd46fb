"""--scene: the options of a hand-picked run, in the place of which others may be given."""

from collections.abc import Iterable

from llmsim.errors import CatalogError, OptionError
from llmsim.text.wording import one_of


def parse_scene(text: str) -> str:
    """The scene's name as the list has it. Raises OptionError when the list has none like it."""
    from llmsim.catalog.scenes import scene_named, scenes  # only a scene needs the list

    try:
        return scene_named(text).name
    except CatalogError:
        known = tuple(scene.name for scene in scenes())
        raise OptionError(f"cannot be {text[:60]!a}: {one_of(known, text)}") from None


def with_scenes(given: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The (name, text) pairs, with the options of a scene before all others, which count more.

    A scene that is not listed adds nothing: its own parser refuses it.
    """
    pairs = list(given)
    asked = [text for name, text in pairs if name == "scene"]
    if not asked:
        return pairs
    from llmsim.catalog.scenes import scene_named

    try:
        first = scene_named(asked[-1]).options
    except CatalogError:
        return pairs
    repeated = {name for name, _ in pairs}
    return [*((name, text) for name, text in first if name not in repeated), *pairs]
