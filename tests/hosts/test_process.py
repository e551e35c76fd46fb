"""Called from Python, llmsim leaves the process as it was found."""

import json
import os
import pty
import subprocess
import sys

import pytest

pytestmark = pytest.mark.long

GUEST = """
import json, os, signal, sys, threading
from llmsim import cli

def state():
    signals = {number.name: repr(signal.getsignal(number)) for number in signal.valid_signals()
               if isinstance(number, signal.Signals)}
    woken = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(woken)
    return {"signals": signals, "descriptors": sorted(os.listdir("/dev/fd")), "woken": woken}

signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
statuses = [cli.main(sys.argv[2:])]
before = state()
if sys.argv[1] == "thread":
    thread = threading.Thread(target=lambda: statuses.append(cli.main(sys.argv[2:])))
    thread.start()
    thread.join()
else:
    statuses.append(cli.main(sys.argv[2:]))
answer = {"before": before, "after": state(), "statuses": statuses}
os.write(2, json.dumps(answer).encode())
"""
RUN = ("--seed", "7", "--start", "2026-01-30T12:00:00", "--speed-factor", "max")


@pytest.mark.parametrize("where", ["main", "thread"])
@pytest.mark.parametrize("terminal", [False, True])
def test_a_call_leaves_signals_and_descriptors_as_they_were(where: str, terminal: bool) -> None:
    master, slave = pty.openpty()
    output = slave if terminal else os.open(os.devnull, os.O_WRONLY)
    process = subprocess.Popen(
        [sys.executable, "-c", GUEST, where, *RUN, "--exit-after-time", "0.2s"],
        stdin=output if terminal else subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.PIPE,
        env={**os.environ, "TERM": "dumb"},
    )
    os.close(slave)
    if not terminal:
        os.close(output)
    nowhere = subprocess.DEVNULL
    reading = subprocess.Popen(["cat"], stdin=master, stdout=nowhere, stderr=nowhere)
    _, told = process.communicate(timeout=60)
    reading.kill()
    reading.wait()
    os.close(master)
    answer = json.loads(told)
    assert answer["statuses"] == [0, 0]
    assert answer["after"] == answer["before"]
    assert answer["before"]["signals"]["SIGHUP"] == "<Handlers.SIG_IGN: 1>"
    assert answer["before"]["signals"]["SIGTERM"] == "<Handlers.SIG_DFL: 0>"
    assert "default_int_handler" in answer["before"]["signals"]["SIGINT"]
    assert answer["before"]["woken"] == -1


def test_when_no_more_files_can_be_opened_the_sentence_says_so() -> None:
    crowded = """
import os, resource
from llmsim.catalog import records
from llmsim.errors import CatalogError
resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
held = []
try:
    while True:
        held.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    pass
try:
    records.models()
except CatalogError as error:
    os.write(1, str(error).encode())
"""
    ended = subprocess.run([sys.executable, "-c", crowded], capture_output=True, check=True)
    assert ended.stdout == b"data/llm_models.txt cannot be read: Too many open files."
    assert ended.stderr == b""
