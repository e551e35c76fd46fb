"""How llm.c dies under mpirun: CUDA's and NCCL's errors as cudaCheck and ncclCheck print them.

It has no watchdog: a collective that hangs does so until somebody, or Slurm, ends the job.
"""

from collections.abc import Iterator

from llmsim.dialects.line import Bar, Line, Render
from llmsim.dialects.parts.last_words import code_of, spoken
from llmsim.dialects.parts.slurm import OF_STEPS
from llmsim.dialects.parts.worker_errors import CUDA_ERRORS, Place
from llmsim.job.records import Job
from llmsim.run import events
from llmsim.run.events import Symptom
from llmsim.text.screen import Screen

_NOWHERE = Place("train_gpt2.cu", 0, "main", "")
_CODE = code_of("train_gpt2cu", (), *(_NOWHERE,) * 5, launcher="mpirun")
# What the program itself prints; of the rest only the launcher tells.
_TEXTS = {
    "out of memory": "[CUDA ERROR] at file llmc/cuda_utils.cuh:145:\nout of memory",
    "network error": "[NCCL ERROR] at file llmc/zero.cuh:36:\nunhandled system error (run with "
    "NCCL_DEBUG=INFO for details)",
    "no space": "Error: Failed to write file at train_gpt2.cu:514",
}


def _symptom(event: Symptom, job: Job, screen: Screen) -> Iterator[Line | Bar]:
    if event.stream == "log" and event.name == "cuda error":
        yield Line("[CUDA ERROR] at file train_gpt2.cu:1084:")
        yield Line(CUDA_ERRORS[event.kind][0])
    elif event.stream == "log" and event.name in _TEXTS:
        yield from map(Line, _TEXTS[event.name].split("\n"))
    elif event.name in ("failure", "all failed", *OF_STEPS):
        yield from spoken(_CODE)(event, job, screen)


LINES: dict[type, Render] = {events.Symptom: _symptom}
