"""torchrun's banner and failure block, against the format of real ones."""

import re
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsim.catalog import records
from llmsim.dialects.parts.torchrun import Failure, banner, closing, failure, signalled
from llmsim.job.records import Software

# Level, month and day, time, process, file, line (torch/_logging, TorchLogsFormatter).
PREFIX = re.compile(r"^([WEI])(\d{4}) (\d\d:\d\d:\d\d\.\d{6}) (\d+) ([\w/.]+):(\d+)\] ")
NOW = datetime(2026, 11, 22, 17, 30, 25, 729_999)

STARS = "*****************************************"

# As torch 2.10.0 printed it in a public log, but for the time and the process.
REAL = [
    "",
    STARS,
    (
        "Setting OMP_NUM_THREADS environment variable for each process to be 1 in default, to "
        "avoid your system being overloaded, please further tune the variable for optimal "
        "performance in your application as needed. "
    ),
    STARS,
]


def test_the_banner_is_that_of_a_real_log() -> None:
    prefix = "W1122 17:30:25.729000 1726 torch/distributed/run.py:852] "
    assert banner(NOW, 1726, "2.10.0+cu128") == [prefix + text for text in REAL]


@given(st.datetimes(), st.integers(1, 4_194_304))
def test_every_line_has_the_launchers_prefix(now: datetime, process: int) -> None:
    for line in banner(now, process, "2.9.1+cu128"):
        match = PREFIX.match(line)
        assert match
        level, day, time, identity, file, _ = match.groups()
        assert (level, day, identity) == ("W", f"{now:%m%d}", str(process))
        assert file == "torch/distributed/run.py"
        assert time.startswith(f"{now:%H:%M:%S}.")
        assert time.endswith("000")  # Python's loggers know milliseconds


@pytest.mark.parametrize(
    ("torch", "line"),
    [
        ("2.6.0+cu124", 792),
        ("2.7.1+cu126", 766),
        ("2.8.0+cu128", 774),
        ("2.9.1+cu128", 803),
        ("2.9.1+rocm6.4", 803),
        ("2.10.0+cu128", 852),
        ("2.13.0+cu130", 874),
        ("2.99.0+cu150", 874),  # not out yet: the newest known
    ],
)
def test_the_line_number_is_that_of_the_release(torch: str, line: int) -> None:
    assert all(f"run.py:{line}] " in text for text in banner(NOW, 1, torch))


def test_every_listed_release_is_known() -> None:
    listed = [each.version for each in records.releases() if each.name == "torch"]
    lines = {banner(NOW, 1, version)[0] for version in listed}
    assert len(lines) == len(listed)  # run.py changed in each


# --- failures ----------------------------------------------------------------------------

# As torch 2.13.0 ended in a run of two processes, the first of them with an error.
REAL_SIGNAL = (
    "W1122 17:30:31.665000 1805 torch/distributed/elastic/multiprocessing/api.py:1028] Sending "
    "process 1826 closing signal SIGTERM"
)
REAL_FAILED = (
    "E1122 17:30:31.861000 1805 torch/distributed/elastic/multiprocessing/api.py:1002] failed "
    "(exitcode: 1) local_rank: 1 (pid: 1827) of binary: /opt/venv/bin/python3"
)
REAL_BLOCK = """\
torch.distributed.elastic.multiprocessing.errors.ChildFailedError: 
============================================================
ddp.py FAILED
------------------------------------------------------------
Failures:
[1]:
  time      : 2026-11-22_17:30:31
  host      : localhost
  rank      : 0 (local_rank: 0)
  exitcode  : -15 (pid: 1826)  (SIGTERM)
  error_file: <N/A>
  traceback : Signal 15 (SIGTERM) received by PID 1826
------------------------------------------------------------
Root Cause (first observed failure):
[0]:
  time      : 2026-11-22_17:30:31
  host      : localhost
  rank      : 1 (local_rank: 1)
  exitcode  : 1 (pid: 1827) 
  error_file: <N/A>
  traceback : To enable traceback see: https://pytorch.org/docs/stable/elastic/errors.html
============================================================""".splitlines()  # noqa: W291

SENT = datetime(2026, 11, 22, 17, 30, 31, 665_000)
CAUSE = Failure(datetime(2026, 11, 22, 17, 30, 31, 861_000), "localhost", 1, 1, 1827, 1)
VICTIM = Failure(SENT, "localhost", 0, 0, 1826, -15)


SOFTWARE = Software("3.12.3", "2.13.0+cu130", "CUDA", "13.0", "NCCL", "2.28.9", "580.95.05", "")


def failed(*failures: Failure) -> list[str]:
    living = [each.process for each in failures if each.exitcode == -15]
    sent = closing(1805, SOFTWARE.torch, SENT, living)
    return [*sent, *failure(1805, SOFTWARE, "/opt/venv/bin/python3", "ddp.py", failures)]


def test_the_failure_block_is_that_of_a_real_log() -> None:
    told = failed(CAUSE, VICTIM)
    assert told[:2] == [REAL_SIGNAL, REAL_FAILED]
    assert told[2] == "Traceback (most recent call last):"
    assert told[-len(REAL_BLOCK) :] == REAL_BLOCK


def test_a_single_failure_has_no_others() -> None:
    told = failed(CAUSE)
    assert told[0] == REAL_FAILED
    at = told.index("Failures:")
    assert told[at + 1] == "  <NO_OTHER_FAILURES>"


def test_a_killed_process_makes_a_narrower_block() -> None:
    # errors/__init__.py: the rules are as long as the longest line, but at most 60.
    told = failed(CAUSE._replace(exitcode=-9))
    assert "  traceback : Signal 9 (SIGKILL) received by PID 1827" in told
    assert told[-1] == "=" * 53


# A public log of torch 2.10 whose launcher was interrupted: api.py handles the signal where it
# waits between two looks at its workers, so no ChildFailedError is raised.
REAL_SLEEP = """\
torch/distributed/launcher/api.py", line 308, in launch_agent
    result = agent.run()
             ^^^^^^^^^^^
torch/distributed/elastic/metrics/api.py", line 134, in wrapper
    result = f(*args, **kwargs)
             ^^^^^^^^^^^^^^^^^^
torch/distributed/elastic/agent/server/api.py", line 731, in run
    result = self._invoke_run(role)
             ^^^^^^^^^^^^^^^^^^^^^^
torch/distributed/elastic/agent/server/api.py", line 908, in _invoke_run
    time.sleep(monitor_interval)
torch/distributed/elastic/multiprocessing/api.py", line 86, in _terminate_process_handler
    raise SignalException(f"Process {os.getpid()} got signal: {sigval}", sigval=sigval)
torch.distributed.elastic.multiprocessing.api.SignalException: Process 846088 got signal: 15\
""".splitlines()


def test_a_launcher_that_is_told_to_stop_ends_in_its_sleep() -> None:
    told = [*signalled(846088, SOFTWARE._replace(torch="2.10.0+cu128"))]
    plain = [line.partition("dist-packages/")[2] or line for line in told]
    assert plain[-len(REAL_SLEEP) :] == REAL_SLEEP
    assert not any("ChildFailedError" in line for line in told)


# Where a launcher of torch 2.10 on Python 3.12 stands that waits for a worker (the wheel's files).
REAL_WAIT = """\
torch/distributed/elastic/agent/server/api.py", line 909, in _invoke_run
    run_result = self._monitor_workers(self._worker_group)
                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
torch/distributed/elastic/metrics/api.py", line 134, in wrapper
    result = f(*args, **kwargs)
             ^^^^^^^^^^^^^^^^^^
torch/distributed/elastic/agent/server/local_elastic_agent.py", line 433, in _monitor_workers
    result = self._pcontext.wait(0)
             ^^^^^^^^^^^^^^^^^^^^^^
torch/distributed/elastic/multiprocessing/api.py", line 620, in wait
    return self._poll()
           ^^^^^^^^^^^^
torch/distributed/elastic/multiprocessing/api.py", line 972, in _poll
    self.close()  # terminate all running procs
    ^^^^^^^^^^^^
torch/distributed/elastic/multiprocessing/api.py", line 659, in close
    self._close(death_sig=death_sig, timeout=timeout)
torch/distributed/elastic/multiprocessing/api.py", line 1022, in _close
    handler.proc.wait(time_to_wait)
""".splitlines()


def test_a_launcher_that_is_told_to_stop_while_a_worker_is_stuck_ends_in_its_wait() -> None:
    software = SOFTWARE._replace(torch="2.10.0+cu128")
    told = [line.partition("dist-packages/")[2] or line
            for line in signalled(1805, software, closing=True)]  # fmt: skip
    at = told.index(REAL_WAIT[0])
    assert told[at : at + len(REAL_WAIT)] == REAL_WAIT
    assert any("subprocess.py" in line for line in told[at:])


@pytest.mark.parametrize(("python", "marks"), [("3.10.12", ""), ("3.12.3", "^" * 11),
                                                ("3.13.9", "")])  # fmt: skip
def test_python_marks_a_call_as_its_release_does(python: str, marks: str) -> None:
    """traceback.py of 3.13, _should_show_carets: not where a call is all of an assigned value."""
    told = [*signalled(1805, SOFTWARE._replace(python=python))]
    after = told[told.index("    result = agent.run()") + 1]
    assert after.strip() == (marks or after.strip())
    assert marks or after.startswith("  File"), told


# A public log of torch 2.11 on Python 3.13.
REAL_313 = """\
torch/distributed/elastic/multiprocessing/errors/__init__.py", line 362, in wrapper
    return f(*args, **kwargs)
torch/distributed/run.py", line 990, in main
    run(args)
    ~~~^^^^^^
torch/distributed/run.py", line 981, in run
    elastic_launch(
    ~~~~~~~~~~~~~~~
        config=config,
        ~~~~~~~~~~~~~~
        entrypoint=cmd,
        ~~~~~~~~~~~~~~~
    )(*cmd_args)
    ~^^^^^^^^^^^
torch/distributed/launcher/api.py", line 170, in __call__
    return launch_agent(self._config, self._entrypoint, list(args))
torch/distributed/launcher/api.py", line 317, in launch_agent
    raise ChildFailedError(
    ...<2 lines>...
    )
torch.distributed.elastic.multiprocessing.errors.ChildFailedError: \
""".splitlines()


def test_a_traceback_of_3_13_is_that_of_a_real_log() -> None:
    software = SOFTWARE._replace(torch="2.11.0+cu130", python="3.13.9")
    told = [line.partition("dist-packages/")[2] or line
            for line in failure(1805, software, "/usr/bin/python3", "ddp.py", [CAUSE])]  # fmt: skip
    at = told.index(REAL_313[0])
    assert told[at : at + len(REAL_313)] == REAL_313
