"""How a run of TRL's scripts (1.16.0) dies; of a resume they say nothing at their log level."""

from llmsim.dialects.line import Render
from llmsim.dialects.parts.last_words import spoken
from llmsim.dialects.parts.transformers.bars import Lines
from llmsim.dialects.parts.transformers.frames import trainer_code
from llmsim.dialects.parts.worker_errors import Place
from llmsim.job.records import Job
from llmsim.run import events
from llmsim.text.screen import Screen


def _of(name: str, main: int, trains: int) -> Render:
    """What is said when one of TRL's scripts dies, with the lines of its calls."""
    script = f"trl/scripts/{name}.py"
    arguments = "script_args, training_args, model_args, dataset_args"
    trained = "trainer.train(resume_from_checkpoint=training_args.resume_from_checkpoint)"
    return spoken(
        trainer_code(
            script,
            Place(f"/workspace/{script}", main, "<module>", f"main({arguments})"),
            Place(f"/workspace/{script}", trains, "main", trained),
        )
    )


_SAID = {  # by objective
    "supervised": _of("sft", 145, 113),
    "preference": _of("dpo", 151, 119),
    "reinforcement": _of("grpo", 182, 150),
}


def _symptom(event: events.Symptom, job: Job, screen: Screen) -> Lines:
    yield from _SAID[job.recipe.objective](event, job, screen)


LINES: dict[type, Render] = {events.Symptom: _symptom}
