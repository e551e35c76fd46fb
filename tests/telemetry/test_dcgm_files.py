"""The files of dcgm-exporter's metrics against its page, around errors that end DCGM's readings."""

import re
from pathlib import Path

import pytest

from llmsim.run.events import Incident
from llmsim.run.simulation import events, run_of
from llmsim.telemetry.clock import unix
from llmsim.telemetry.dcgm_counters import counters
from llmsim.telemetry.dcgm_page import Exporter, page
from llmsim.telemetry.dcgm_versions import version_named
from tests.runs import job_of
from tests.telemetry.exporting import exported

EVERY = 15.0
LAYOUT = version_named("4.7.1")  # of the page that the files follow: a clean GPU has XID 0
SCRAPED = re.compile(r',instance="[^"]*",job="dcgm-exporter"')
XID = "DCGM_FI_DEV_XID_ERRORS{"


def unrolled(values: str) -> list[str]:
    """The samples of a series in promtool's notation; empty: there is none (prometheus.io/docs)."""
    found: list[str] = []
    for word in values.split():
        value, _, more = word.partition("x")
        missing = value in ("_", "stale")
        count = int(more or 1) if missing else int(more or 0) + 1
        found += ["" if missing else value] * count
    return found


def samples_of(text: str) -> list[tuple[str, list[str]]]:
    """Each series of a promtest file and its samples, without the labels that a scrape adds."""
    rows = re.findall(r"series: '([^']*)'\n +values: '([^']*)'", text)
    return [(SCRAPED.sub("", series), unrolled(values)) for series, values in rows]


@pytest.mark.parametrize("kind", ["gsp", "gpu-lost"])
def test_the_files_lose_a_node_as_the_page_does(kind: str, tmp_path: Path) -> None:
    """A page that is read at each sample has the same values; the codes of errors are those of a
    page just before its next reading, which an event told.
    """
    run = run_of(job_of(
        4, gpu="H100 80GB HBM3", gpus=16, dialect="pytorch", recipe="pretrain",
        incident=(f"{kind}@3010s:rank=3",),
    ))  # fmt: skip
    paths = exported(run, tmp_path, "promtest", "openmetrics", sample=EVERY)
    series = samples_of(paths["promtest"].read_text())
    times: dict[int, set[str]] = {}
    for line in paths["openmetrics"].read_text().splitlines():
        if not line.startswith("#"):
            sample, _, time = line.rpartition(" ")
            times.setdefault(int(time), set()).add(SCRAPED.sub("", sample))
    found = next(event for event in events(run) if isinstance(event, Incident))
    exporter = Exporter(LAYOUT, counters("default", LAYOUT), "none", 0.0)
    fast, sizes = exporter._replace(collect=EVERY), list[int]()
    for number in range(int(found.at / EVERY) - 2, int(found.at / EVERY) + 8):
        at = number * EVERY
        lines = "".join(page(run, node, at, exporter) for node in (0, 1)).splitlines()
        expected = {line for line in lines if not line.startswith("#")}
        before = "".join(page(run, node, at - 0.001, fast) for node in (0, 1)).splitlines()
        told = {line for line in before if line.startswith(XID) and not line.endswith(" 0")}
        assert times[int(unix(run.job, at))] == expected | told, at
        names = {line.split("{")[0] for line in expected | told}
        promtest = {
            f"{name} {values[number]}"
            for name, values in series
            if values[number] and name.split("{")[0] in names
        }
        assert promtest == expected | told, at
        sizes.append(sum(line.startswith("DCGM_FI_DEV_GPU_TEMP{") for line in promtest))
    assert (sizes[0], sizes[-1]) == (16, 8)
