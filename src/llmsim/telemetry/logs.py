"""The folder of logs that a run leaves: torchrun --log-dir's, the kernel's and Slurm's; see FILES.

A framework's log is that of its first process; the others of the node are silent, as they are
with the frameworks' own filters, until something breaks: then each has its last words in its own
stderr.log; a process of another node, whose launcher has a folder of its own, in one below the
node's name. The words of incidents come from dialects/parts.
"""

from collections.abc import Iterable

from llmsim.dialects.capture import captured
from llmsim.dialects.line import Bar, Line, in_pipe
from llmsim.dialects.parts import kernel, slurm
from llmsim.dialects.registry import file_of, lines_of
from llmsim.job.records import Job, gpus_per_node
from llmsim.run import cluster, hardware_ids, names
from llmsim.run.attempts import job_after
from llmsim.run.events import Launched
from llmsim.run.events.incidents import Restarted, Symptom
from llmsim.run.timeline import Run
from llmsim.telemetry.writer import Piece, Pieces, Settings, Writer
from llmsim.text.screen import PIPE_WIDTH, Screen
from llmsim.typed import Any

_PROCESS = "RUN_SUFFIX/attempt_N/LOCAL_RANK"
FILES = (
    (f"{_PROCESS}/stdout.log", "the first process's log; empty for the node's other processes"),
    (f"{_PROCESS}/stderr.log", "a process's errors: tracebacks, the watchdog, NCCL's errors"),
    (f"HOST/{_PROCESS}/stderr.log", "the errors of a process of another node"),
    ("kernel/HOST.log", "the kernel's lines of a node, with the seconds since the node's boot"),
    ("slurm-JOB.out", "the batch script's stderr: srun, slurmstepd, each node's launcher"),
    ("slurmctld.log", "the lines of Slurm's controller: requeue, drained nodes, why the job waits"),
    ("checkpoints/RUN/main.log", "the log that llm.c's first process writes"),
)

SCREEN = Screen(PIPE_WIDTH, 24, color=False, unicode=True, live=False)


def folder(job: Job, attempt: int) -> str:
    """The launcher's folder of an attempt, counted from 0."""
    return f"{job.run_name}_{names.run_id(job)}/attempt_{attempt}"


def _opened(job: Job, attempt: int) -> Pieces:
    for local in range(gpus_per_node(job)):
        for name in ("stdout.log", "stderr.log"):
            yield Piece("", f"{folder(job, attempt)}/{local}/{name}")


def _beside(event: Symptom, job: Job) -> Pieces:
    """What kernel and Slurm say of a symptom."""
    if event.stream == "kernel":
        node = kernel.node_of(event, job)
        texts = kernel.lines(event, job)
        made = "".join(f"{kernel.syslog(job, event.at, node, text)}\n" for text in texts)
        yield Piece(made, f"kernel/{cluster.hostname(job, node)}.log")
    elif event.stream == "slurm":
        made = "".join(f"{text}\n" for text in slurm.lines(event, job, event.at))
        output = f"slurm-{hardware_ids.slurm_job(job)}.out"
        yield Piece(made, "slurmctld.log" if event.name in slurm.CONTROLLER else output)


def _last_words(lines: Iterable[Line | Bar], job: Job, attempt: int) -> Pieces:
    """What processes and launchers say of a symptom: each process in its own file."""
    for line in lines:
        if isinstance(line, Bar):
            continue
        if line.launcher:
            yield Piece(f"{line.text}\n", f"slurm-{hardware_ids.slurm_job(job)}.out")
            continue
        node, local = divmod(line.rank, gpus_per_node(job))
        place = f"{cluster.hostname(job, node)}/" if node else ""
        yield Piece(f"{line.text}\n", f"{place}{folder(job, attempt)}/{local}/stderr.log")


def begin(run: Run, settings: Settings) -> Writer:  # noqa: ARG001  # every kind begins alike
    """A writer of the whole folder."""
    job = run.job
    job = job._replace(capture="rank0")
    table = captured(job, lines_of(job.framework.name))
    everyone = lines_of(job.framework.name).get(Symptom)  # of every node, without marks
    notches: dict[str, int] = {}
    beside = file_of(job.framework.name)
    attempt = [0]
    # The run's name takes longer than a line of the log: the file is named once an attempt.
    output = [f"{folder(job, 0)}/0/stdout.log"]  # of the first process
    speaking = [job]  # the job with the processes of the attempt

    def told(event: Any) -> Pieces:
        if isinstance(event, Launched):
            yield from _opened(job, attempt[0])
        elif isinstance(event, Restarted):
            attempt[0] += 1
            output[0] = f"{folder(job, attempt[0])}/0/stdout.log"
            speaking[0] = job_after(job, event)
            yield from _opened(job, attempt[0])
        elif isinstance(event, Symptom):
            yield from _beside(event, speaking[0])
            if everyone and event.stream == "log":
                heard = everyone(event, speaking[0]._replace(capture="node"), SCREEN)
                yield from _last_words(heard, speaking[0], attempt[0])
            return
        if beside and (write := beside.lines.get(type(event))):
            lines = write(event, speaking[0], SCREEN)
            made = "".join(f"{line.text}\n" for line in lines)
            yield Piece(made, beside.path(job))
        if tell := table.get(type(event)):
            text = in_pipe(tell(event, speaking[0], SCREEN), notches)
            if text:
                yield Piece(text, output[0])

    return Writer(event=told)
