"""A Dask cluster whose machines are apart: each in a network namespace of its own, as on a LAN.

It needs the command ip, and a machine that gives its user such namespaces: root, and a kernel that
lets it.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fleet.undisturbed import same, started

pytestmark = pytest.mark.fleets

WORKERS = 4
SWITCH = "llmsim-fleet-0"  # the namespace of the scheduler, which has the switch of all others
SUBNET = "10.77.0"


def ip(*words: str) -> None:
    """Runs the command ip; raises CalledProcessError with what it says."""
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


def plugged(name: str, number: int) -> None:
    """A namespace with one cable to the switch, and the address of its number."""
    ip("netns", "add", name)
    ip("-n", SWITCH, "link", "add", f"port{number}", "type", "veth", "peer", "name", "eth0",
       "netns", name)  # fmt: skip
    ip("-n", SWITCH, "link", "set", f"port{number}", "master", "switch", "up")
    ip("-n", name, "address", "add", f"{SUBNET}.{number + 1}/24", "dev", "eth0")
    for device in ("lo", "eth0"):
        ip("-n", name, "link", "set", device, "up")


@pytest.fixture
def network() -> Iterator[list[str]]:
    """The namespaces of a scheduler, of some workers, and of a client, in this order."""
    names = [f"llmsim-fleet-{number}" for number in range(WORKERS + 2)]
    try:
        ip("netns", "add", SWITCH)
    except subprocess.CalledProcessError as error:  # a machine without `ip` fails
        pytest.skip(f"this machine gives no network namespaces: {error}")
    try:
        ip("-n", SWITCH, "link", "add", "switch", "type", "bridge")
        ip("-n", SWITCH, "address", "add", f"{SUBNET}.1/24", "dev", "switch")
        for device in ("lo", "switch"):
            ip("-n", SWITCH, "link", "set", device, "up")
        for number, name in enumerate(names[1:], 1):
            plugged(name, number)
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def inside(name: str) -> list[str]:
    """The beginning of a command that runs in a namespace."""
    return ["ip", "netns", "exec", name]


def test_machines_of_a_network_give_the_bytes_of_one_process(
    network: list[str], spec: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    scheduler, *workers, client = network
    address, about = f"tcp://{SUBNET}.1:8786", tmp_path / "address.json"
    dask = [sys.executable, "-m"]
    with ExitStack() as running:

        def start(name: str, *words: str) -> None:
            process = subprocess.Popen([*inside(name), *dask, *words], stderr=subprocess.DEVNULL)
            running.callback(process.wait)
            running.callback(process.kill)

        start(scheduler, "distributed.cli.dask_scheduler", "--host", f"{SUBNET}.1", "--port",
              "8786", "--no-dashboard", "--scheduler-file", str(about))  # fmt: skip
        while not about.exists():
            time.sleep(0.05)
        for number, name in enumerate(workers, 1):
            start(name, "distributed.cli.dask_worker", address, "--host",
                  f"{SUBNET}.{number + 1}", "--nthreads", "1", "--no-dashboard", "--no-nanny",
                  "--local-directory", str(tmp_path / name))  # fmt: skip
        out = tmp_path / "out"
        fleet = started(spec, out, "--scheduler", address, inside=inside(client))
        _, said = fleet.communicate()
    assert fleet.returncode == 0, said.decode()
    same(out, whole)
