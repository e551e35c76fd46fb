"""Which dialect suits which job, and dialects of other packages."""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from llmsim import catalog, voices
from llmsim.dialects import lines_of
from llmsim.events import Event
from llmsim.options import parse_options
from llmsim.planning import PlanError
from llmsim.recipes import RECIPES
from tests.runs import job_of

PLUGIN = """
from llmsim.dialects.line import Line
from llmsim.events import Step
from llmsim.voices import Voice

VOICE = Voice("says only that it goes on", ("pretrain",))
LINES = {Step: lambda event, job, screen: [Line(f"still training at {event.step}")]}
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package that brings the dialect "laconic" along, installed as pip would."""
    (tmp_path / "laconic_dialect.py").write_text(PLUGIN)
    info = tmp_path / "laconic_dialect-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: laconic-dialect\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[llmsim.dialects]\nlaconic = laconic_dialect\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "laconic"
    sys.modules.pop("laconic_dialect", None)


def test_every_voice_has_its_lines() -> None:
    for name in voices.NAMES:
        module = import_module(f"llmsim.dialects.{name}")
        assert lines_of(name) is module.LINES
        assert all(issubclass(kind, Event) for kind in module.LINES)


def test_a_dialect_does_only_the_recipes_that_its_framework_does() -> None:
    for name, voice in voices.VOICES.items():
        for recipe in RECIPES:
            if recipe in voice.recipes:
                assert job_of(1, dialect=name, recipe=recipe).recipe == recipe
            else:
                with pytest.raises(PlanError, match=f"--dialect {name} does not do {recipe}"):
                    job_of(1, dialect=name, recipe=recipe)


def test_drawn_jobs_suit_their_dialect() -> None:
    drawn = [job_of(seed, dialect="auto") for seed in range(200)]
    for job in drawn:
        voice = voices.VOICES[job.dialect]
        assert job.recipe in voice.recipes
        assert voices.device_of(job.gpu) == voice.device
    assert {job.dialect for job in drawn} == set(voices.NAMES)
    house = [job for job in drawn if job.dialect == "pytorch"]
    assert len(house) > 0.25 * len(drawn)


def test_a_recipe_or_a_gpu_chooses_among_the_dialects() -> None:
    for seed in range(30):
        assert "grpo" in voices.VOICES[job_of(seed, dialect="auto", recipe="grpo").dialect].recipes
    gpu = catalog.gpu_named("NVIDIA H200")
    assert all(voices.VOICES[name].device == "GPU" for name in voices.suiting("auto", gpu))


def test_another_package_brings_a_dialect(plugin: str) -> None:
    options, complaints = parse_options([("dialect", plugin)], prefix="--")
    assert (options.dialect, complaints) == (plugin, [])
    job = job_of(3, dialect=plugin)
    assert (job.dialect, job.recipe) == (plugin, "pretrain")
    assert len(lines_of(plugin)) == 1


def test_an_unknown_dialect_is_refused() -> None:
    options, complaints = parse_options([("dialect", "laconic")], prefix="--")
    assert options.dialect == "auto"
    assert len(complaints) == 1
    assert "laconic" in complaints[0]
