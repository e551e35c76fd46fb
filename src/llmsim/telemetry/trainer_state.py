"""trainer_state.json as Hugging Face's Trainer saves it: in each checkpoint, and at the end.

The releases that a log can have, 4.57.1 and 5.23.0, have the same keys (trainer_callback.py,
TrainerState), and both refuse a key that they do not know, so the mark that the run is simulated is
trial_name, which is free. Numbers are as the run's release holds them.
"""

import json

from llmsim.dialects.parts.transformers.values import flops
from llmsim.dialects.scalar import Point
from llmsim.job.milestones import steps_per_epoch
from llmsim.job.records import Job
from llmsim.run.events import CheckpointSaved, Event
from llmsim.run.timeline import Run
from llmsim.telemetry.tracked import points, speaking, table_of
from llmsim.telemetry.writer import Piece, Pieces, Settings, Writer
from llmsim.typed import Any

DEFAULT_EVERY = 500  # eval_steps and save_steps if the command line has neither


def state(job: Job, step: int, history: list[dict[str, Any]], *, last: bool) -> dict[str, Any]:
    """The state after a step; `last` says that the training stops with it."""
    evaluations = [each for each in history if "eval_loss" in each]
    epoch = history[-1]["epoch"] if history else 0
    schedule = job.schedule
    return {
        "best_global_step": None,
        "best_metric": None,
        "best_model_checkpoint": None,
        "epoch": epoch,
        "eval_steps": schedule.validate_every if evaluations else DEFAULT_EVERY,
        "global_step": step,
        "is_hyper_param_search": False,
        "is_local_process_zero": True,
        "is_world_process_zero": True,
        "log_history": history,
        "logging_steps": schedule.log_every,
        "max_steps": schedule.steps,
        "num_input_tokens_seen": 0,
        "num_train_epochs": max(1, -(-schedule.steps // steps_per_epoch(job))),
        "save_steps": schedule.save_every,
        "stateful_callbacks": {"TrainerControl": _control(stops=last)},
        "total_flos": flops(job, step),
        "train_batch_size": job.layout.micro_batch,
        "trial_name": "simulated by llmsim",
        "trial_params": None,
    }


def _control(*, stops: bool) -> dict[str, Any]:
    """The Trainer's control flags at a save."""
    return {
        "args": {
            "should_epoch_stop": False,
            "should_evaluate": False,
            "should_log": False,
            "should_save": True,
            "should_training_stop": stops,
        },
        "attributes": {},
    }


def text(made: dict[str, Any]) -> str:
    """The text of the file: indented by two spaces, keys sorted, with a line end."""
    return json.dumps(made, indent=2, sort_keys=True) + "\n"


def entry(point: Point) -> dict[str, Any]:
    """A point as an entry of log_history."""
    return dict(point.values) | {"step": point.step}


def begin(run: Run, settings: Settings) -> Writer:  # noqa: ARG001  # every kind begins alike
    """A writer of checkpoint-N/trainer_state.json for each save, and of trainer_state.json."""
    job, who = run.job, speaking(run)
    table = table_of(job, "history", "trainer_state")
    history: list[dict[str, Any]] = []

    def write(event: Event) -> Pieces:
        history.extend(entry(point) for point in points(table, event, who(event)))
        if isinstance(event, CheckpointSaved):
            last = event.step == job.schedule.steps
            made = state(job, event.step, history, last=last)
            yield Piece(text(made), f"checkpoint-{event.step}/trainer_state.json")

    def ended(_at: float) -> Pieces:
        steps = [each["step"] for each in history]
        made = state(job, max(steps, default=0), history, last=True)
        yield Piece(text(made), "trainer_state.json")

    return Writer(event=write, end=ended)
