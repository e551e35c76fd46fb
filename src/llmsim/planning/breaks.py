"""Refuses incidents that --incident asks for and that cannot happen in a job.

Each is refused in a sentence: an incident that never comes would be a test that tests nothing.
"""

from llmsim.errors import PlanError, Setting
from llmsim.job.milestones import saved_steps, step_of_part, validations
from llmsim.job.records import Asked, Job
from llmsim.job.schedule import last_step
from llmsim.run.faults import phases_of
from llmsim.run.incident_kinds import kind_named
from llmsim.run.incidents import possible
from llmsim.text.wording import either

_NEEDS: dict[str, tuple[str | Setting, ...]] = {
    "NVIDIA": ("NVIDIA's GPUs",),
    "ECC": ("NVIDIA's GPUs with ECC on",),
    "NVLink": ("GPUs with NVLink",),
    "ranks": ("more than one GPU",),
    "NVIDIA ranks": ("more than one GPU, and NVIDIA's",),
    "nodes": ("more than one node",),
    "fp16": ("a loss scale, which ", Setting("precision", "fp16"), " has"),
}
_IN_SAVES = ("disk-full", "slow-fs")  # kinds that a save alone meets


def refuse_breaks(given: tuple[Asked, ...], job: Job) -> None:
    """Raises PlanError for the first of the incidents that cannot happen in the job."""
    last = last_step(job.schedule)
    for each in given:
        _refuse_phase(each, job)
        if each.kind in _IN_SAVES or each.phase == "checkpoint":
            _refuse_unsaved(each, job)
        if each.unit == "step" and each.value > last:
            raise PlanError(
                f"there is no step {each.value:,.0f} at which {each.kind} could happen: the last"
                f" step is {last:,}."
            )
        if not possible(kind_named(each.kind), job):
            needs = _NEEDS[kind_named(each.kind).needs]
            raise PlanError(f"{each.kind} cannot happen here: it needs ", *needs, ".")
        if each.rank is not None and each.rank >= job.layout.gpus:
            raise PlanError(
                f"there is no rank {each.rank:,}: the job has {job.layout.gpus:,} GPUs, "
                "and ranks count from 0."
            )


def _refuse_phase(asked: Asked, job: Job) -> None:
    """Refuses a phase in which the kind never strikes, and a validation that the run has not."""
    if asked.unit != "phase":
        return
    if asked.phase not in (phases := phases_of(asked.kind)):
        right = either([f"{asked.kind}@{phase}" for phase in phases])
        raise PlanError(f"{asked.text} cannot happen: give {right}.")
    if asked.phase == "validation" and not validations(job):
        raise PlanError(f"{asked.text} cannot happen: this run has no validation.")


def _refuse_unsaved(asked: Asked, job: Job) -> None:
    """Refuses what strikes in a save if the run has none from its moment on."""
    if not (saved := saved_steps(job)):
        raise PlanError(f"{asked.text} cannot happen: this run saves no checkpoint.")
    done = [step for step in saved if step <= last_step(job.schedule)]
    if asked.unit in ("step", "share"):
        share = asked.unit == "share"
        moment = step_of_part(job, asked.value) if share else asked.value
        done = [step for step in done if step >= min(round(moment), job.schedule.steps - 1)]
    if not done:
        raise PlanError(f"{asked.text} cannot happen: this run saves no checkpoint after that.")
