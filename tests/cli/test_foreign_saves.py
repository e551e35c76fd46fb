"""A framework's configuration that saves nothing is a run that saves nothing.

torchtitan: [checkpoint] enable_checkpoint = false (config/job_config.py). Megatron-LM: without
--save, save_checkpoint is never called (training.py). Hugging Face: save_strategy "no" has no
folder checkpoint-N; what run_clm.py saves at its end is the model.
"""

import json
import re
from pathlib import Path

import pytest

from llmsim.cli.job_files import job_of_file
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run import events
from llmsim.run.simulation import simulate
from llmsim.show.player import play
from tests.cli.test_foreign_jobs import ARGUMENTS, CONFIG, MEGATRON, TORCHTITAN
from tests.dialects.logs import PIPE
from tests.runs import START

TITAN = TORCHTITAN.replace("steps = 1000", "steps = 400")
UNSAVED = MEGATRON.replace(' --save "$PATH_OF"', "")
KEPT = {"save_strategy": "steps", "max_steps": 300, "save_steps": 100, "eval_steps": 100}
# The lines with which each framework says that it saves.
SAYS = {
    "torchtitan": r"Saving the checkpoint|Finished saving the checkpoint",
    "megatron": r"saving checkpoint at iteration|successfully saved checkpoint",
    "hf": r"checkpoint-\d+",
}
CASES = [
    ("torchtitan", (TITAN,), False),
    ("torchtitan", (TITAN.replace("enable_checkpoint = false", "enable_checkpoint = true"),), True),
    ("megatron", (UNSAVED,), False),
    ("megatron", (MEGATRON,), True),
    ("hf", (json.dumps(CONFIG), json.dumps(ARGUMENTS | KEPT | {"save_strategy": "no"})), False),
    ("hf", (json.dumps(CONFIG), json.dumps(ARGUMENTS | KEPT)), True),
]


@pytest.mark.parametrize(("dialect", "texts", "saves"), CASES)
def test_what_saves_nothing_prints_no_save(
    tmp_path: Path, dialect: str, texts: tuple[str, ...], saves: bool
) -> None:
    paths = [tmp_path / f"configuration{number}" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text, encoding="utf-8")
    asked, _ = job_of_file(",".join(map(str, paths)))
    told = Options(seed=4, start=START, incidents="none", gpu="H100 80GB HBM3", job=asked)
    job = plan(told if dialect == "megatron" else told._replace(gpus=16))
    assert (job.framework.name, job.schedule.saves) == (dialect, saves)
    kinds = {type(event) for event in simulate(job)}
    assert (events.CheckpointStarted in kinds) == (events.CheckpointSaved in kinds) == saves
    log = "".join(frame.text for frame in play(job, Options(view="log"), lambda: PIPE))
    assert (re.search(SAYS[dialect], log) is not None) == saves
