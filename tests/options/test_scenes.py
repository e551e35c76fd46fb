"""--scene: hand-picked runs, each of which can be played as it stands."""

import pytest

from llmsim.catalog.records import text_of
from llmsim.catalog.scenes import Scene, parse_scenes, scenes
from llmsim.errors import CatalogError
from llmsim.job.records import batch_tokens
from llmsim.options.given import from_query, parse_options
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.simulation import run_of
from llmsim.show.player import beginning


def asked(*pairs: tuple[str, str]) -> Options:
    options, complaints = parse_options(pairs, prefix="--")
    assert complaints == []
    return options


@pytest.mark.parametrize("scene", scenes(), ids=lambda scene: scene.name)
@pytest.mark.long
def test_a_scene_can_be_played_and_is_the_same_run_for_everybody(scene: Scene) -> None:
    options = asked(("scene", scene.name))
    assert options.seed is not None
    assert options.start is not None
    run = run_of(plan(options))
    assert beginning(run, options) >= 0.0  # its moment is in the run
    again, complaints = from_query([("scene", scene.name)])
    assert complaints == []
    assert plan(again) == plan(options)


@pytest.mark.parametrize("scene", scenes(), ids=lambda scene: scene.name)
def test_a_scene_has_a_batch_that_somebody_has_published(scene: Scene) -> None:
    """Kimi K2 has the largest one, 67M tokens (arXiv 2507.20534)."""
    assert batch_tokens(plan(asked(("scene", scene.name)))) <= 2**26


def test_there_are_a_dozen_and_their_names_and_sentences_differ() -> None:
    assert len(scenes()) >= 12
    assert len({scene.sentence for scene in scenes()}) == len(scenes())


def test_what_is_given_beside_a_scene_counts_more_wherever_it_stands() -> None:
    first = asked(("gpus", "8"), ("scene", "buttgpt"))
    last = asked(("scene", "BUTTGPT"), ("gpus", "8"))
    assert first == last
    assert first.gpus == 8
    assert first.model == asked(("scene", "buttgpt")).model


def test_a_scene_that_is_not_there_is_refused_with_what_there_is() -> None:
    _, complaints = parse_options([("scene", "nope"), ("gpus", "8")], prefix="--")
    assert complaints[0].startswith("--scene cannot be 'nope': give ")
    assert "buttgpt" in complaints[0]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a | b", "columns are name | sentence | options"),
        ("a | b | seed", "is not of the form name=value"),
        ("a b | c | seed=1", "is not a name"),
        (f"a | {'x' * 99} | seed=1", "is not a sentence of at most"),
    ],
)
def test_a_wrong_line_is_named(line: str, said: str) -> None:
    with pytest.raises(CatalogError, match="list line 1") as met:
        parse_scenes(line, "list")
    assert said in str(met.value)


def test_every_option_of_a_scene_is_one_of_the_table() -> None:
    assert "scene=" not in text_of("llm_scenes.txt").replace("--scene", "")
    for scene in scenes():
        assert parse_options(scene.options, prefix="")[1] == []
