"""--capture: whose output a log holds, after Slurm's srun --label and torchrun's --redirects."""

import re

import pytest

from llmsim.dialects.capture import keep, ranks_kept
from llmsim.dialects.line import Bar, Line
from llmsim.errors import OptionError, PlanError
from llmsim.job.records import Job, gpus_per_node, speaking_rank
from tests.dialects.logs import PIPE, log_of, played
from tests.runs import job_of

WIDE = {"gpus": 32, "incidents": "none"}


def kept(job: Job, *lines: Line | Bar) -> list[str]:
    """The texts that a job's log holds of these lines."""
    return [line.text for line in keep(lines, job)]


def wide(capture: str, dialect: str = "torchtitan") -> Job:
    """A job of 32 GPUs on several nodes."""
    job = job_of(5, dialect=dialect, capture=capture, **WIDE)
    assert job.layout.nodes > 1
    return job


def test_one_node_has_its_own_processes_and_its_launcher() -> None:
    job = wide("node")
    job = job._replace(framework=job.framework._replace(speaker="last"))
    last = job.layout.gpus - 1
    lines = Line("first"), Line("last", rank=last), Line("run", rank=last, launcher=True)
    assert kept(job, *lines) == ["last", "run"]


def test_the_file_of_rank_0_has_no_launcher() -> None:
    lines = Line("first"), Line("banner", launcher=True), Line("second", rank=1)
    assert kept(wide("rank0"), *lines) == ["first"]


def test_srun_marks_every_line_of_every_node() -> None:
    """srun --label right-aligns the numbers of its tasks."""
    job = wide("all")
    rank = job.layout.gpus - 1
    width = len(str(job.layout.nodes - 1))
    texts = kept(job, Line("one\ntwo"), Line("last", rank=rank))
    assert texts[0] == f"{0:{width}d}: one\n{0:{width}d}: two"
    assert texts[1] == f"{job.layout.nodes - 1:{width}d}: last"


def test_pdsh_marks_lines_with_the_hosts() -> None:
    job = wide("all")
    job = job._replace(framework=job.framework._replace(marks="host"))
    assert re.fullmatch(r"[\w-]+-0*2: x", kept(job, Line("x", rank=gpus_per_node(job)))[0])


def test_who_prints_without_a_guard_prints_once_in_each_kept_process() -> None:
    size = gpus_per_node(wide("all"))
    assert ranks_kept(wide("rank0")) == (0,)
    assert ranks_kept(wide("node")) == tuple(range(size))
    assert ranks_kept(wide("all")) == tuple(range(32))


def test_steps_are_told_by_the_rank_that_the_framework_has_for_it() -> None:
    job = job_of(5, dialect="megatron", gpus=32, pp=4, incidents="none")
    ranks = {
        who: speaking_rank(job._replace(framework=job.framework._replace(speaker=who)))
        for who in ("first", "last stage", "last")
    }
    assert ranks == {"first": 0, "last stage": 24, "last": 31}


def test_a_job_on_one_node_has_that_nodes_output() -> None:
    assert job_of(5, dialect="torchtitan", gpus=4, incidents="none").capture == "node"


@pytest.mark.parametrize("dialect", ["torchtitan", "lightning"])
@pytest.mark.parametrize("capture", ["node", "all", "rank0"])
def test_every_log_holds_the_steps_of_rank_0(dialect: str, capture: str) -> None:
    lines = log_of(dialect, 5, capture=capture, **WIDE)
    marked = [bool(re.match(r" *\d+: ", line)) for line in lines]
    assert all(marked) if capture == "all" else not any(marked), (dialect, capture)


@pytest.mark.long
def test_a_release_is_one_that_the_dialect_speaks() -> None:
    assert job_of(5, dialect="torchtitan", release="v0.2.0").release == "v0.2.0"
    with pytest.raises(PlanError, match="does not speak release v9"):
        job_of(5, dialect="torchtitan", release="v9")
    with pytest.raises(OptionError, match="capture"):
        job_of(5, dialect="torchtitan", capture="rank1")


def test_the_command_plays_the_same_capture() -> None:
    assert "--capture all" in wide("all").command
    text = played("torchtitan", 5, PIPE, capture="all", **WIDE)
    assert text == played("torchtitan", 5, PIPE, capture="all", **WIDE)
