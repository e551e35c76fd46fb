"""An incident's lines in all its streams, without a run around it."""

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from llmsim.dialects.megatron.recovery import CODE as MEGATRON
from llmsim.dialects.parts import kernel, slurm
from llmsim.dialects.parts.last_words import Code, spoken
from llmsim.dialects.parts.worker_errors import Place
from llmsim.job.records import Job
from llmsim.run import incidents
from llmsim.run.events.incidents import Symptom
from llmsim.run.symptoms import story
from tests.dialects.logs import PIPE
from tests.runs import job_of

TRAIN = (Place("train.py", 212, "train", "loss = train_step(batch)"),)
CODE = Code("train.py", TRAIN, TRAIN, TRAIN, TRAIN, TRAIN)
FAULT, STEP_SECONDS, EXECUTED = 5_000.0, 4.2, 300


class Told(NamedTuple):
    """One line, and what it tells of."""

    at: float
    stream: str
    text: str
    symptom: Symptom


@cache
def job_on(seed: int, gpus: int = 32, **options: object) -> Job:
    """A whole job on NVIDIA's cards with several nodes."""
    usual = {"gpu": "NVIDIA H100 80GB HBM3", "recipe": "pretrain", "steps": 4000}
    return job_of(seed, gpus=gpus, **({"dialect": "pytorch"} | usual | options))


def heard(kind: str) -> int | None:
    """A rank with which every stream speaks: the first node has Slurm's output, and may not die."""
    return 27 if kind == "node-fail" else None


def symptoms(job: Job, kind: str, rank: int | None = None) -> list[Symptom]:
    """What an incident shows, as events of the run."""
    incident = incidents.place(job, 1, kind, "", FAULT, rank)
    told = story(job, incident, STEP_SECONDS).symptoms
    return [each._replace(at=FAULT + each.at, kind=kind, executed=EXECUTED) for each in told]


@cache
def lines(seed: int, kind: str, rank: int | None = None, **options: object) -> list[Told]:
    """Its lines in every stream, in order."""
    job = job_on(seed, **options)
    return [line for each in symptoms(job, kind, rank) for line in _lines(each, job)]


def _lines(symptom: Symptom, job: Job) -> Iterator[Told]:
    if symptom.stream == "kernel":
        node = kernel.node_of(symptom, job)
        texts = [kernel.syslog(job, symptom.at, node, text) for text in kernel.lines(symptom, job)]
    elif symptom.stream == "slurm":
        texts = [*slurm.lines(symptom, job, symptom.at)]
    else:
        code = CODE if job.framework.name == "pytorch" else MEGATRON
        texts = [line.text for line in spoken(code)(symptom, job, PIPE)]
    return (Told(symptom.at, symptom.stream, text, symptom) for text in texts)
