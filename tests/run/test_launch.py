"""How long a launch takes, and what its events say of it."""

import pytest

from llmsim.dialects.registry import frameworks
from llmsim.job.recipes import RECIPES
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.phases.launch import launch, relaunch_seconds
from tests.runs import START


@pytest.mark.parametrize("gpus", [1, 72])
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_later_launch_takes_as_long_as_its_events_say(recipe: str, gpus: int) -> None:
    for seed, framework in enumerate(frameworks()):
        asked = Options(seed=seed, start=START, gpus=gpus, recipe=recipe, model="Heron-124M")
        job = plan(asked)._replace(framework=framework)
        for attempt in (2, 600):
            *_, last = launch(job._replace(attempt=attempt), 0.0)
            said = f"seed {seed}, {framework.name}, {recipe} on {gpus} GPUs, attempt {attempt}"
            assert relaunch_seconds(job, attempt) == last.at, said
