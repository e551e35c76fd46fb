"""--scene: the options of a hand-picked run, in the place of which others may be given."""

from llmsim.catalog.scenes import scene_named, scenes
from llmsim.errors import CatalogError, OptionError
from llmsim.text.wording import one_of


def listed_scene(text: str) -> str:
    """The scene's name as the list has it. Raises OptionError when the list has none like it."""
    try:
        return scene_named(text).name
    except CatalogError:
        known = tuple(scene.name for scene in scenes())
        raise OptionError(f"cannot be {text[:60]!a}: {one_of(known, text)}") from None


def with_scene(pairs: list[tuple[str, str]], scene: str) -> list[tuple[str, str]]:
    """The (name, text) pairs, with the options of a scene before all others, which count more.

    A scene that is not listed adds nothing: its own parser refuses it.
    """
    try:
        first = scene_named(scene).options
    except CatalogError:
        return pairs
    repeated = {name for name, _ in pairs}
    return [*((name, text) for name, text in first if name not in repeated), *pairs]
