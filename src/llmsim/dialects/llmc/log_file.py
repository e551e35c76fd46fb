"""main.log, which llm.c's first process writes beside what it prints (llmc/logger.h).

A line is a step, counted from 0, and a value: trl is the training loss, with the learning rate and
the norm of the gradients; tel is the validation's loss, and eval HellaSwag's accuracy. The file is
opened anew for each line, and a run that goes on appends to it. Here one that begins again from its
first step does so, too; llm.c would empty it.
"""

from collections.abc import Iterator

from llmsim.dialects.line import Line, Render
from llmsim.dialects.llmc.lines import folder, hellaswag, right_answers
from llmsim.job.records import Job
from llmsim.physics.learning import loss
from llmsim.run import events
from llmsim.text.screen import Screen

Lines = Iterator[Line]


def path(job: Job) -> str:
    """The file, from where the program has been started."""
    return f"{folder(job)}/main.log"


def _trainer_ready(event: events.TrainerReady, job: Job, screen: Screen) -> Lines:
    done = event.first_step - 1
    if done % job.schedule.validate_every == 0:
        yield from _evaluated(job, done, loss.validation(job, done))


def _validated(event: events.Validated, job: Job, screen: Screen) -> Lines:
    yield from _evaluated(job, event.step, event.loss)


def _evaluated(job: Job, step: int, value: float) -> Lines:
    yield Line(f"s:{step} tel:{value:.4f}")
    for score in hellaswag(job, step):
        yield Line(f"s:{step} eval:{right_answers(score) / score.questions:.4f}")


def _step(event: events.Step, job: Job, screen: Screen) -> Lines:
    rate, norm = event.learning_rate, event.gradient_norm
    yield Line(f"s:{event.step - 1} trl:{event.loss:.4f} lr:{rate:.6f} norm:{norm:.2f}")


LINES: dict[type, Render] = {
    events.TrainerReady: _trainer_ready,
    events.Step: _step,
    events.Validated: _validated,
}
