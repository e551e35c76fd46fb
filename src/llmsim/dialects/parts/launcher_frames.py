"""Where a torchrun ends: the frames of its own traceback, by releases of torch and of Python.

The lines are of the Python files in torch's wheels 2.6 to 2.13. Python marks the failing part of a
line from 3.11 on, and from 3.13 on a call's function otherwise than its arguments.
"""

from collections.abc import Iterator, Sequence

from llmsim.dialects.parts import packages
from llmsim.job.records import Software
from llmsim.typed import NamedTuple


class Lines(NamedTuple):
    """The lines of one release's files, in the order in which a launcher's calls go."""

    record: int  # errors/__init__.py, whose decorator calls main
    main: int  # run.py
    run: int
    launch: int  # launcher/api.py
    agent: int
    failed: int  # where ChildFailedError is raised
    measured: int  # metrics/api.py, whose decorator calls the agent's methods
    invoke: int  # agent/server/api.py
    heard: int  # where it says that SIGTERM has come
    sleep: int
    waiting: int  # where it asks the store for new nodes
    look: int  # local_elastic_agent.py, where it looks at its workers
    poll: int  # multiprocessing/api.py
    close: int  # where a worker has failed, and the others are to end
    closing: int
    wait: int  # where it waits for them
    signal: int  # where SIGTERM makes an exception


_RELEASES = {
    "2.6": Lines(355, 918, 909, 138, 260, 269, 137, 711, 719, 870, 906, 394, 531, 861, 572, 909,
                 84),
    "2.7": Lines(355, 892, 883, 139, 261, 270, 138, 711, 719, 870, 906, 394, 536, 866, 577, 912,
                 84),
    "2.8": Lines(357, 901, 892, 143, 268, 277, 138, 715, 723, 879, 915, 388, 536, 866, 577, 912,
                 84),
    "2.9": Lines(357, 936, 927, 156, 284, 293, 138, 717, 725, 881, 917, 389, 537, 874, 578, 920,
                 85),
    "2.10": Lines(362, 990, 981, 170, 308, 317, 134, 731, 739, 908, 944, 433, 620, 972, 659, 1022,
                  86),
    "2.11": Lines(362, 990, 981, 170, 308, 317, 134, 731, 739, 908, 944, 436, 622, 974, 661, 1024,
                  86),
    "2.13": Lines(367, 1028, 1019, 194, 374, 383, 134, 745, 753, 923, 959, 615, 622, 990, 661, 1040,
                  86),
}  # fmt: skip

# Lines of Python's subprocess.py: Popen.wait, and the sleep between two looks below it.
_SUBPROCESS = {"3.10": (1209, 1953), "3.11": (1264, 1991), "3.12": (1264, 2047),
               "3.13": (1280, 2058)}  # fmt: skip


def release(version: str) -> str:
    """The first two numbers of a version: 2.10 of 2.10.0+cu128."""
    return ".".join(version.split(".")[:2])


def lines_of(torch: str) -> Lines:
    """The lines of a release of torch; of one that is not listed, the newest one's."""
    return _RELEASES.get(release(torch), _RELEASES["2.13"])


# A file below torch/distributed or a whole path, its line, its function, and its source, of which
# the part between two bars is the call that Python marks.
Frame = tuple[str, int, str, str]


def failed(software: Software) -> tuple[Frame, ...]:
    """A launcher whose worker has failed raises ChildFailedError."""
    at = lines_of(software.torch)
    return (("launcher/api.py", at.failed, "launch_agent", "raise ChildFailedError("),)


def asleep(software: Software) -> tuple[Frame, ...]:
    """One that SIGTERM interrupts between two looks at its workers."""
    at = lines_of(software.torch)
    sleeping = ("elastic/agent/server/api.py", at.sleep, "_invoke_run",
                "|time.sleep(monitor_interval)|")  # fmt: skip
    return (*_running(at), sleeping, _handler(at))


def closing(software: Software) -> tuple[Frame, ...]:
    """One that SIGTERM interrupts while it waits for a worker to end, since another has failed."""
    at, api = lines_of(software.torch), "elastic/multiprocessing/api.py"
    home = f"/usr/lib/python{release(software.python)}/subprocess.py"
    waited, slept = _SUBPROCESS.get(release(software.python), _SUBPROCESS["3.13"])
    return (
        *_running(at),
        ("elastic/agent/server/api.py", at.sleep + 1, "_invoke_run",
         "run_result = |self._monitor_workers(self._worker_group)|"),
        ("elastic/metrics/api.py", at.measured, "wrapper", "result = |f(*args, **kwargs)|"),
        ("elastic/agent/server/local_elastic_agent.py", at.look, "_monitor_workers",
         "result = |self._pcontext.wait(0)|"),
        (api, at.poll, "wait", "return |self._poll()|"),
        (api, at.close, "_poll", "|self.close()|  # terminate all running procs"),
        (api, at.closing, "close", "|self._close(death_sig=death_sig, timeout=timeout)|"),
        (api, at.wait, "_close", "|handler.proc.wait(time_to_wait)|"),
        (home, waited, "wait", "return |self._wait(timeout=timeout)|"),
        (home, slept, "_wait", "|time.sleep(delay)|"),
        _handler(at),
    )  # fmt: skip


def storeless(software: Software) -> tuple[Frame, ...]:
    """One that does not find the store when it asks for new nodes."""
    at, rendezvous = lines_of(software.torch), "elastic/rendezvous"
    return (
        *_running(at),
        ("elastic/agent/server/api.py", at.waiting, "_invoke_run",
         "num_nodes_waiting = |rdzv_handler.num_nodes_waiting()|"),
        (f"{rendezvous}/dynamic_rendezvous.py", 1230, "num_nodes_waiting",
         "|self._state_holder.sync()|"),
        (f"{rendezvous}/c10d_rendezvous_backend.py", 162, "_call_store",
         "raise RendezvousConnectionError("),
    )  # fmt: skip


def _running(at: Lines) -> tuple[Frame, ...]:
    return (
        ("launcher/api.py", at.agent, "launch_agent", "result = |agent.run()|"),
        ("elastic/metrics/api.py", at.measured, "wrapper", "result = |f(*args, **kwargs)|"),
        ("elastic/agent/server/api.py", at.invoke, "run", "result = |self._invoke_run(role)|"),
    )


def _handler(at: Lines) -> Frame:
    source = 'raise SignalException(f"Process {os.getpid()} got signal: {sigval}", sigval=sigval)'
    return "elastic/multiprocessing/api.py", at.signal, "_terminate_process_handler", source


def traceback(software: Software, last: Sequence[Frame]) -> Iterator[str]:
    """How the launcher itself ends; `last` are the frames below launch_agent's call."""
    at, package = lines_of(software.torch), f"{packages.folder(software)}/torch/distributed"
    launch = "return |launch_agent(self._config, self._entrypoint, list(args))|"
    yield "Traceback (most recent call last):"
    for file, line, function, source in (
        ("/usr/local/bin/torchrun", 10, "<module>", "sys.exit(|main()|)"),
        ("elastic/multiprocessing/errors/__init__.py", at.record, "wrapper",
         "return |f(*args, **kwargs)|"),
        ("run.py", at.main, "main", "|run(args)|"),
        ("run.py", at.run, "run", "elastic_launch("),
        ("launcher/api.py", at.launch, "__call__",
         "return launch_agent(" if release(software.torch) == "2.13" else launch),
        *last,
    ):  # fmt: skip
        place = file if file.startswith("/") else f"{package}/{file}"
        yield f'  File "{place}", line {line}, in {function}'
        yield from shown(source, software)


def shown(source: str, software: Software) -> Iterator[str]:
    """A line of source, and the marks below its call, as Python's traceback.py sets them.

    3.11 and 3.12 do not mark a call that is the whole line. 3.13 marks it, and does not mark one
    that is all of an assigned value, or all that a function returns if the call has a plain name;
    it prints all lines of a statement, and of four or more the first and the last.
    """
    before, _, rest = source.partition("|")
    call, _, after = rest.partition("|")
    yield f"    {before}{call}{after}"
    _, minor, *_ = software.python.split(".")
    if int(minor) >= 13:
        yield from (f"    {line}" for line in _MORE_LINES.get(source, ()))
    if not call or int(minor) < 11 or (int(minor) < 13 and not (before or after)):
        return
    function = call[: call.rindex(")(") + 1] if ")(" in call else call.partition("(")[0]
    returned = before == "return " and function.isidentifier()
    if int(minor) >= 13 and not after and (returned or before.endswith(" = ")):
        return
    name = len(function) if int(minor) >= 13 else 0
    yield f"    {' ' * len(before)}{'~' * name}{'^' * (len(call) - name)}"


# What follows a statement's first line in 3.13, with its marks; the sources are torch's own.
_MORE_LINES = {
    "elastic_launch(": (
        "~~~~~~~~~~~~~~~", "    config=config,", "    ~~~~~~~~~~~~~~", "    entrypoint=cmd,",
        "    ~~~~~~~~~~~~~~~", ")(*cmd_args)", "~^^^^^^^^^^^",
    ),
    "raise ChildFailedError(": ("...<2 lines>...", ")"),
    "raise RendezvousConnectionError(": (
        '    "The connection to the C10d store has failed. See inner exception for details."',
        ") from exc",
    ),
}  # fmt: skip
