"""Dialects of other packages: installed as pip would, listed, completed, played, and refused."""

import importlib.metadata
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from math import inf
from pathlib import Path

import pytest

from llmsim.cli.completions import completions
from llmsim.cli.listing import listing, listing_json
from llmsim.dialects import plugins, registry
from llmsim.dialects.registry import DEFAULT, NAMES, framework_of, lines_of, names
from llmsim.errors import DialectError, OptionError
from llmsim.options.choices import choices
from llmsim.options.given import parse_options
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.events import Step
from tests.dialects.logs import PIPE, played
from tests.dialects.plugged import installed
from tests.runs import PLANNED, job_of

PLUGIN = """
from llmsim.dialects.line import Line
from llmsim.job.framework import Framework
from llmsim.job.layout import Parallelism
from llmsim.run.events import Step

FRAMEWORK = Framework("laconic", "says only that it goes on", ("pretrain",))
LINES = {Step: lambda event, job, screen: [Line(f"still training at {event.step}")]}
"""

Install = Callable[[str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a package with the dialect "laconic", whose module has the given source."""

    def forget() -> None:
        sys.modules.pop("laconic_dialect", None)
        plugins.plugins.cache_clear()
        framework_of.cache_clear()
        PLANNED.clear()

    def install(source: str) -> None:
        installed(tmp_path, source)
        monkeypatch.syspath_prepend(str(tmp_path))
        forget()

    yield install
    forget()


def test_another_package_brings_a_dialect(install: Install) -> None:
    install(PLUGIN)
    options, complaints = parse_options([("dialect", "laconic")], prefix="--")
    assert (options.dialect, complaints) == ("laconic", [])
    job = job_of(3, dialect="laconic")
    assert (job.framework.name, job.recipe.name) == ("laconic", "pretrain")
    assert list(lines_of("laconic")) == [Step]
    steps, every = job.schedule.steps, job.schedule.log_every
    logged = sorted({1, *range(every, steps + 1, every)})
    assert [f"still training at {step}" for step in logged] == played(
        "laconic", 3, PIPE
    ).splitlines()


@pytest.mark.extras
def test_it_is_listed_completed_and_suggested_but_neither_drawn_nor_in_the_page(
    install: Install,
) -> None:
    before = job_of(3, dialect="auto")
    install(PLUGIN)
    assert names() == (*NAMES, "laconic")
    assert "laconic     says only that it goes on\n" in listing("dialects", 80)
    assert '"name": "laconic"' in listing_json("dialects")
    assert "laconic" in completions("bash")
    _, (complaint,) = parse_options([("dialect", "laconci")], prefix="--")
    assert complaint.endswith("nemo or laconic (did you mean laconic?).")
    assert choices("dialect") == ("any", *NAMES)
    assert job_of(3, dialect="auto") == before


@pytest.mark.parametrize(
    ("right", "wrong", "fault"),
    [
        ("FRAMEWORK =", "TRAITS =", "has no FRAMEWORK"),
        ("LINES =", "SAYS =", "has no LINES"),
        ("Framework(", "dict(a=", "cannot be imported: SyntaxError: "),
        ("llmsim.run.events", "llmsim.events", "cannot be imported: ModuleNotFoundError: "),
        ('Framework("laconic"', '("laconic"', "has a FRAMEWORK that is no llmsim.job.framework"),
        ('"laconic"', '"terse"', "has a wrong FRAMEWORK.name: give 'laconic'"),
        ('"says only that it goes on"', '""', "has a wrong FRAMEWORK.meaning: give one line"),
        ('("pretrain",)', '"pretrain"', "has a wrong FRAMEWORK.recipes: give a tuple of names"),
        ('("pretrain",)', '("pretrian",)', "has a wrong FRAMEWORK.recipes: give some of pretrain"),
        ('("pretrain",)', "()", "has a wrong FRAMEWORK.recipes: give some of pretrain"),
        (",))", ",), device='CPU')", "has a wrong FRAMEWORK.device: give GPU, NVIDIA GPU or TPU"),
        (",))", ",), gc_every=-1)", "has a wrong FRAMEWORK.gc_every: give a whole number from 0"),
        (",))", ",), gc_every=0.5)", "has a wrong FRAMEWORK.gc_every: give a whole number"),
        (",))", ",), validates=1)", "has a wrong FRAMEWORK.validates: give True or False"),
        (",))", ",), max_shard_gb=0)", "has a wrong FRAMEWORK.max_shard_gb: give a whole number"),
        (",))", ",), known_gpus=('H100',))", "has a wrong FRAMEWORK.known_gpus: give names from"),
        (",))", ",), parallelism=None)", "has a wrong FRAMEWORK.parallelism: give a llmsim.job."),
        (
            ",))",
            ",), parallelism=Parallelism(('zero4',)))",
            "has a wrong FRAMEWORK.parallelism: give a Parallelism of the shardings ddp, zero1,",
        ),
        ("{Step: ", "[Step, ", "cannot be imported: SyntaxError: "),
        ("LINES = {", "LINES = {int: print, ", "has int in LINES, which is no event of llmsim"),
        ("Step: lambda event, job, screen: ", "Step: 0 and ", "has no function for Step in LINES"),
        ("LINES = {", "LINES = 0 and {", "has LINES that are no dict"),
    ],
)
def test_a_package_that_is_wrong_is_refused_in_one_sentence(
    install: Install, right: str, wrong: str, fault: str
) -> None:
    assert right in PLUGIN
    install(PLUGIN.replace(right, wrong, 1))
    _, (complaint,) = parse_options([("dialect", "laconic")], prefix="--")
    begun = "--dialect cannot be 'laconic': its package laconic-dialect "
    assert complaint.startswith(begun + fault), complaint
    assert complaint.endswith(".")
    assert "\n" not in complaint
    with pytest.raises(OptionError, match="dialect cannot be 'laconic': its package"):
        plan(Options(seed=1, start=datetime(2026, 1, 30), dialect="laconic"))
    assert f"laconic     {begun}" in listing("dialects", 200)
    assert "laconic" not in listing_json("dialects")


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ("[Line(str(1 // 0))]", "ZeroDivisionError: integer division or modulo by zero"),
        ("[Line(event.stpe)]", "AttributeError: 'Step' object has no attribute 'stpe'"),
        ("None", "TypeError: 'NoneType' object is not iterable"),
        ("['text']", "it gives a str, and lines are Line or Bar"),
        ("[Line(event.step)]", "it gives a Line of an int, and a Line has text"),
        ("(_ for _ in ()).throw(KeyError)", "KeyError"),
    ],
)
def test_a_function_that_fails_is_named_in_one_sentence(
    install: Install, lines: str, fault: str
) -> None:
    install(PLUGIN.replace('[Line(f"still training at {event.step}")]', lines))
    with pytest.raises(DialectError) as failed:
        played("laconic", 3, PIPE)
    begun = "laconic-dialect fails in <lambda>, its function for Step: "
    assert str(failed.value) == f"{begun}{fault}."


def test_entry_points_are_looked_up_once_and_for_our_own_names_never(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(PLUGIN)
    looked: list[str] = []
    real = importlib.metadata.entry_points

    def counted(*, group: str) -> object:
        looked.append(group)
        return real(group=group)

    monkeypatch.setattr(importlib.metadata, "entry_points", counted)
    for dialect in (DEFAULT, "auto"):
        plan(Options(seed=5, start=datetime(2026, 1, 30), dialect=dialect, speed_factor=inf))
    assert looked == []
    for seed in range(3):
        parse_options([("dialect", "laconic")], prefix="--")
        plan(Options(seed=seed, start=datetime(2026, 1, 30), dialect="laconic"))
        registry.lines_of("laconic")
    assert looked == ["llmsim.dialects"]
