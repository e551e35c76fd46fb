"""Families of dcgm-exporter's own, DCGM_EXP_*, which have several samples a GPU.

Errors and clock events are counted over a window of five minutes. Health is what DCGM makes of
what it has seen: 0 passes, 10 is a warning, 20 a failure; the codes of the errors that DCGM reads
come from NVIDIA/DCGM, modules/health/DcgmHealthWatch.cpp.
"""

from collections import Counter as Tally
from collections.abc import Iterator
from itertools import chain
from math import inf

from llmsim.job.records import gpus_per_node
from llmsim.physics.hardware.gauges import Gauges
from llmsim.run.events import Symptom
from llmsim.run.timeline import Run
from llmsim.telemetry.dcgm_counters import CLOCK_EVENTS, HEALTH, XID_COUNT

WINDOW = 300.0  # seconds, --xid-count-window-size and --clock-events-count-window-size
CLOCK_EVENT_NAMES = {
    0x1: "gpu_idle", 0x2: "clocks_setting", 0x4: "power_cap", 0x8: "hw_slowdown",
    0x10: "sync_boost", 0x20: "sw_thermal", 0x40: "hw_thermal", 0x80: "hw_power_brake",
    0x100: "display_clocks",
}  # fmt: skip
WATCHES = ("PCIE", "NVLINK", "PMU", "MCU", "MEM", "SM", "INFOROM", "THERMAL", "POWER", "DRIVER",
           "ALL")  # fmt: skip
PASS, WARN, FAIL = 0, 10, 20
_XID = "DCGM_FR_XID_ERROR"
# Error code of the driver: the watch that it concerns, how bad it is, and DCGM's name for it.
HEALTH_OF_XID = {
    **dict.fromkeys((48, 74, 119, 120, 140), ("ALL", FAIL, _XID)),
    **dict.fromkeys((31, 32, 43), ("MEM", WARN, _XID)),
    **dict.fromkeys((38, 39, 42), ("PCIE", WARN, _XID)),
    **dict.fromkeys((60, 61, 62), ("THERMAL", WARN, _XID)),
    **dict.fromkeys((54, 56, 57, 58), ("POWER", WARN, _XID)),
    63: ("MEM", WARN, "DCGM_FR_PENDING_PAGE_RETIREMENTS"),
    64: ("MEM", FAIL, "DCGM_FR_ROW_REMAP_FAILURE"),
    79: ("ALL", FAIL, "DCGM_FR_FALLEN_OFF_BUS"),
    94: ("ALL", WARN, "DCGM_FR_CONTAINED_ERROR"),
    95: ("ALL", FAIL, "DCGM_FR_UNCONTAINED_ERROR"),
}
Pairs = tuple[tuple[str, str], ...]


def own_rows(
    run: Run, family: str, gpu: int, gauges: Gauges | None, at: float, given_up: float
) -> Iterator[tuple[Pairs, Pairs, int]]:
    """The samples of a family for one GPU: its labels, its attributes (none), and its value.

    The exporter counts what DCGM has kept, also of a GPU that is lost and has no gauges. `given_up`
    is the moment since which DCGM does not call the driver (see `gave_up`).
    """
    window = ("window_size_in_ms", f"{1000 * WINDOW:.0f}")
    if family == XID_COUNT:
        counted = Tally(code for when, code in heard_errors(run, gpu, at, given_up)
                        if when > at - WINDOW)  # fmt: skip
        for code, count in sorted(counted.items()):
            yield (window, ("xid", str(code))), (), count
        if not counted:
            yield (window,), (), 0
    elif family == CLOCK_EVENTS:
        found = False
        for bit, event in CLOCK_EVENT_NAMES.items():
            if gauges and gauges.clock_event_reasons & bit:
                found = True
                yield (("clock_event", event), window), (), 1
        if not found:
            yield (window,), (), 0
    elif family == HEALTH:
        for watch, (name, status) in health(run, gpu, at, given_up).items():
            yield (("health_error_code", name), ("health_watch", watch)), (), status


Heard = dict[int, tuple[Symptom, ...]]  # what the kernel's log has said, by GPU


def attempt_symptoms(run: Run, gpu: int, at: float) -> list[Symptom]:
    """What the kernel's log has said of a GPU until a moment, in its attempt."""
    number = run.timeline.number_at(at)
    found = [*_heard_before(run, number).get(gpu, ())]
    for event in run.timeline[number].events:
        of_gpu = isinstance(event, Symptom) and event.stream == "kernel" and event.rank == gpu
        if of_gpu and event.at <= at:
            found.append(event)
    return sorted(found, key=lambda event: event.at)


def _heard_before(run: Run, number: int) -> Heard:
    """The same of all GPUs before a segment, in its attempt; each beginning is worked out once."""
    known: list[Heard] = run.memo.setdefault("heard", [{}])
    while len(known) <= number:
        last = run.timeline[len(known) - 1]
        if run.timeline[len(known)].attempt != last.attempt:
            known.append({})
            continue
        said = [each for each in last.events
                if isinstance(each, Symptom) and each.stream == "kernel"]  # fmt: skip
        after = {**known[-1]} if said else known[-1]
        for event in said:
            after[event.rank] = (*after.get(event.rank, ()), event)
        known.append(after)
    return known[number]


def told_errors(run: Run, gpu: int, at: float) -> list[tuple[float, int]]:
    """When the driver has said which error codes of a GPU, until a moment, in its attempt."""
    return [
        (event.at, int(event.name.split(" ")[1]))
        for event in attempt_symptoms(run, gpu, at)
        if event.name.startswith("xid ")
    ]


# DcgmKmsgReader.cpp: the codes that DCGM reads in the kernel's log, also when it does not call the
# driver, which tells it all others.
_READ = (79, 119, 120)


def _hears(when: float, code: int, given_up: float) -> bool:
    """Whether DCGM hears of an error, if it does not call the driver after a moment."""
    return when <= given_up or code in _READ


def heard_errors(run: Run, gpu: int, at: float, given_up: float) -> list[tuple[float, int]]:
    """Of `told_errors` the ones of which DCGM hears."""
    told = told_errors(run, gpu, at)
    return [(when, code) for when, code in told if _hears(when, code, given_up)]


def latest_errors(
    run: Run, ranks: range, since: float, until: float, given_up: float
) -> dict[int, int]:
    """The last error code of which DCGM hears after a moment, for each of a node's GPUs that has
    had one.
    """
    timeline, found = run.timeline, dict[int, int]()
    for number in range(timeline.number_at(since), timeline.number_at(until) + 1):
        for event in timeline[number].events:
            told = isinstance(event, Symptom) and since < event.at <= until
            if told and event.rank in ranks and event.name.startswith("xid "):
                code = int(event.name.split(" ")[1])
                if _hears(event.at, code, given_up):
                    found[event.rank] = code
    return found


def gave_up(run: Run, at: float) -> dict[int, float]:
    """When DCGM of which node has read of a system processor that does not answer, until a moment,
    in its attempt. It calls the driver no more, for no GPU of the node
    (DcgmCacheManager.cpp: an Xid 119 in /dev/kmsg sets m_skipDriverCalls, whatever came before).
    """
    number = run.timeline.number_at(at)
    if run.timeline[number].kind not in ("failure", "outage"):
        return {}
    known: dict[int, dict[int, float]] = run.memo.setdefault("gave up", {})
    if number not in known:
        before = chain.from_iterable(_heard_before(run, number).values())
        known[number] = first = dict[int, float]()
        for event in chain(before, run.timeline[number].events):
            told = isinstance(event, Symptom) and event.stream == "kernel"
            if told and event.name == "xid 119":
                node = event.rank // gpus_per_node(run.job)
                first[node] = min(event.at, first.get(node, inf))
    return {node: since for node, since in known[number].items() if since <= at}


def health(run: Run, gpu: int, at: float, given_up: float) -> dict[str, tuple[str, int]]:
    """DCGM's verdict by watch: its error's name and how bad it is."""
    verdicts = dict.fromkeys(WATCHES, ("DCGM_FR_OK", PASS))
    for _, code in heard_errors(run, gpu, at, given_up):
        if code in HEALTH_OF_XID:
            watch, status, name = HEALTH_OF_XID[code]
            if status >= verdicts[watch][1]:
                verdicts[watch] = (name, status)
    return verdicts
