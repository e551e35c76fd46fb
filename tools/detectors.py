"""Public detectors over whole runs: every kind of incident, six dialects, five seeds; and silence.

python -m tools.detectors [--seeds 5] [--quiet-runs 300] [--processes 2]

Each rule of tests/incidents/detectors.py must react to the incidents that it is for, in the stream
that it reads, and no rule may react to a run without incidents. Some minutes.
"""

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from llmsim.dialects.registry import NAMES
from llmsim.errors import PlanError
from llmsim.options.table import Options
from llmsim.run.incident_kinds import NAMES as KIND_NAMES
from llmsim.show.player import play
from tests.dialects.logs import PIPE
from tests.incidents.detectors import BLIND, DETECTORS, HANGS, NVRX_NAN, SEES_NAN
from tests.runs import job_of

SIX = ("pytorch", "torchtitan", "megatron", "hf", "deepspeed", "nemo")
H100 = "NVIDIA H100 80GB HBM3"
# torchtitan's launcher shows the first rank of a node alone, which has to be the one that speaks:
# at fault where an error is raised, and not at fault where the others wait.
# A node that dies is not the first one, where the batch script's output is.
SPEAKS, WAITED_FOR, DIES = 0, 5, 8
STREAMS = ("log", "kernel", "slurm")


def streams(dialect: str, seed: int, incident: str) -> dict[str, list[str]]:
    """The lines of a run in each stream."""
    asked = (incident,) if incident else ()
    precision = "fp16" if incident.startswith("scale-collapse") else None
    job = job_of(seed, dialect=dialect, gpu=H100, gpus=16, incident=asked, precision=precision)
    found = {}
    for stream in STREAMS:
        options = Options(view="log", stream=stream)
        text = "".join(frame.text for frame in play(job, options, lambda: PIPE))
        found[stream] = text.splitlines()
    return found


def missed(task: tuple[str, str, int]) -> list[str]:
    """Where a rule that is for a kind does not react to a run with it."""
    kind, dialect, seed = task
    try:
        rank = WAITED_FOR if kind in HANGS else DIES if kind == "node-fail" else SPEAKS
        told = streams(dialect, seed, f"{kind}@50%:rank={rank}")
    except PlanError as error:
        known = ("cannot happen here", "which no log of")  # a framework without a loss scale
        return [] if any(text in str(error) for text in known) else [f"{task}: {error}"]
    return list(_missed(kind, dialect, seed, told))


def _missed(kind: str, dialect: str, seed: int, told: dict[str, list[str]]) -> Iterator[str]:
    for rule in (*DETECTORS, NVRX_NAN):
        if kind not in rule.catches:
            continue
        if rule is NVRX_NAN and dialect not in SEES_NAN:
            continue
        found = any(map(rule.finds, told[rule.stream]))
        unseen = BLIND.get((rule.tool, kind, dialect))
        if unseen and (found or not any(unseen in line for line in told[rule.stream])):
            yield f"{rule.tool} is not blind for {kind} in {dialect}'s {rule.stream}, seed {seed}"
        elif not (found or unseen):
            yield f"{rule.tool} misses {kind} in {dialect}'s {rule.stream}, seed {seed}"


def fired(task: tuple[str, int]) -> list[str]:
    """Where a rule reacts to a run without incidents."""
    dialect, seed = task
    job = job_of(seed, dialect=dialect, incidents="none")
    text = "".join(frame.text for frame in play(job, Options(view="log"), lambda: PIPE))
    return [
        f"{rule.tool} reacts to {dialect}, seed {seed}: {line}"
        for rule in (*DETECTORS, NVRX_NAN)
        for line in text.splitlines()
        if rule.finds(line)
    ]


def main(args: list[str]) -> int:
    """Print what is missed and what is seen wrongly; the exit status is 1 if anything is."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--quiet-runs", type=int, default=300)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args(args)
    loud = [(k, d, s) for k in KIND_NAMES for d in SIX for s in range(given.seeds)]
    quiet = [(NAMES[run % len(NAMES)], run) for run in range(given.quiet_runs)]
    with ProcessPoolExecutor(given.processes) as pool:
        wrong = [text for found in pool.map(missed, loud, chunksize=4) for text in found]
        false = [text for found in pool.map(fired, quiet, chunksize=4) for text in found]
    print(*wrong, *false, sep="\n")
    print(f"{len(loud)} runs with one of {len(KIND_NAMES)} kinds: {len(wrong)} misses")
    print(f"{len(quiet)} runs without incidents: {len(false)} false alarms")
    return 1 if wrong or false else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
