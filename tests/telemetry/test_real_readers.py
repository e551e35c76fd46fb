"""The exports, read by the programs of the people who receive them (make test-exports)."""

import json
import os
import re
import select
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from llmsim.run import events
from llmsim.run.simulation import run_of as timeline_of
from tests.runs import job_of, run_of
from tests.telemetry.exporting import exported, files_of, ran
from tests.telemetry.test_trackers import TAGS, writing

pytestmark = pytest.mark.exports


# --- TensorBoard ---------------------------------------------------------------------------------


def scalars(folder: Path) -> dict[str, list[Any]]:
    """What TensorBoard reads from a folder: events with wall_time, step and value, by tag."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (path,) = [folder / name for name in files_of(folder) if "tfevents" in name]
    read = EventAccumulator(str(path), size_guidance={"scalars": 0})
    read.Reload()
    return {tag: read.Scalars(tag) for tag in read.Tags()["scalars"]}


@pytest.mark.filterwarnings("ignore")  # of TensorBoard about its own packages
@pytest.mark.parametrize("dialect", writing("tensorboard"))
def test_tensorboard_reads_what_the_client_of_wandb_gets(dialect: str, tmp_path: Path) -> None:
    paths = exported(timeline_of(job_of(3, dialect=dialect)), tmp_path, "tensorboard")
    read = scalars(paths["tensorboard"])
    assert {*TAGS["tensorboard"].get(dialect, [])} <= read.keys()
    for tag, points in read.items():
        steps = [point.step for point in points]
        assert steps == sorted(steps), f"{dialect}: {tag}"
        times = [point.wall_time for point in points]
        assert times == sorted(times), f"{dialect}: {tag}"


@pytest.mark.filterwarnings("ignore")
def test_tensorboard_reads_the_losses_of_the_events(tmp_path: Path) -> None:
    run = run_of(3, dialect="torchtitan")
    paths = exported(timeline_of(run.job), tmp_path, "tensorboard")
    points = scalars(paths["tensorboard"])["loss_metrics/global_avg_loss"]
    told = run.all(events.Step)
    assert [point.step for point in points] == [event.step for event in told]
    for point, event in zip(points, told, strict=True):
        assert point.value == pytest.approx(event.loss, rel=1e-7)  # a float has 24 bits


# --- transformers --------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")  # that torch is not there
@pytest.mark.parametrize("dialect", writing("trainer_state"))
def test_transformers_loads_the_trainers_state(dialect: str, tmp_path: Path) -> None:
    from transformers.trainer_callback import TrainerState

    run = timeline_of(job_of(3, dialect=dialect))
    folder = exported(run, tmp_path, "trainer_state")["trainer_state"]
    for name in files_of(folder):
        state = TrainerState.load_from_json(str(folder / name))
        assert state.max_steps == run.job.schedule.steps
        state.save_to_json(str(tmp_path / "again"))
        again, ours = (
            json.loads((tmp_path / "again").read_text()),
            json.loads((folder / name).read_text()),
        )
        assert again == again | ours, name


# --- tables --------------------------------------------------------------------------------------


def test_duckdb_and_pyarrow_read_the_tables_of_csv(tmp_path: Path) -> None:
    import duckdb
    from pyarrow import parquet

    run = timeline_of(job_of(4, gpu="H100 80GB HBM3", gpus=16, dialect="torchtitan"))
    exported(run, tmp_path, "csv", "parquet", sample=600.0)
    for name in ("steps", "gpus", "nodes"):
        path, text = tmp_path / "parquet" / f"{name}.parquet", tmp_path / "csv" / f"{name}.csv"
        table = parquet.read_table(path)
        assert table.schema.metadata[b"simulated"] == b"True"
        ours = duckdb.sql(f"select * from '{path}'").fetchall()
        theirs = duckdb.sql(f"select * from read_csv('{text}', all_varchar = true)").fetchall()
        assert len(ours) == len(theirs) == table.num_rows > 10
        assert [[str(cell) for cell in row] for row in ours] == [[*row] for row in theirs], name
    busiest = duckdb.sql(
        f"select activity, avg(tensor_active) from '{tmp_path}/parquet/gpus.parquet' "
        "group by activity order by 2 desc"
    ).fetchall()
    assert busiest[0][0] == "training"


# --- Prometheus ----------------------------------------------------------------------------------


def h100(tmp_path: Path, *kinds: str, sample: float = 60.0) -> dict[str, Path]:
    """Exports of a run on one node of H100."""
    run = timeline_of(job_of(4, gpu="H100 80GB HBM3", gpus=8, dialect="torchtitan"))
    return exported(run, tmp_path, *kinds, sample=sample)


def test_the_client_of_prometheus_reads_openmetrics(tmp_path: Path) -> None:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families

    text = h100(tmp_path, "openmetrics", sample=600.0)["openmetrics"].read_text()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert len(families) == 25
    power = families["DCGM_FI_DEV_POWER_USAGE"]
    assert power.documentation == "Power draw (in W)."
    assert {each.labels["gpu"] for each in power.samples} == {*map(str, range(8))}
    assert all(40 < each.value < 721 for each in power.samples)


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What promtool says."""
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)


def test_prometheus_answers_queries_over_the_whole_run(tmp_path: Path) -> None:
    """Backfilled by promtool; then a real server: rate(energy) is the power that it has, too."""
    path = h100(tmp_path, "openmetrics")["openmetrics"]
    made = promtool("tsdb", "create-blocks-from", "openmetrics", str(path), str(tmp_path / "data"))
    assert made.returncode == 0, made.stderr
    (tmp_path / "empty.yml").write_text("global: {}\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    server = subprocess.Popen(
        ["prometheus", f"--config.file={tmp_path}/empty.yml",
         f"--storage.tsdb.path={tmp_path}/data", "--storage.tsdb.retention.time=100y",
         f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        answer = ask(port, "ready")
        middle = 1769774400 + 3600 * 4
        watts = ask(port, f"avg(DCGM_FI_DEV_POWER_USAGE)&time={middle}")
        rate = ask(port, "avg(rate(DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION[10m]))/1000"
                         f"&time={middle}")  # fmt: skip
        hosts = ask(port, f"count(count by (Hostname) (DCGM_FI_DEV_GPU_TEMP))&time={middle}")
    finally:
        server.terminate()
        server.wait(60)
    assert answer is not None
    assert hosts == 1
    assert 300 < rate < 721
    assert rate == pytest.approx(watts, rel=0.1)


def ask(port: int, query: str) -> float:
    """What the server answers; it is asked again until it is there."""
    url = f"http://127.0.0.1:{port}/api/v1/query?query="
    url += "vector(1)" if query == "ready" else quote(query, safe="&=")
    for _ in range(2000):
        try:
            with urlopen(url, timeout=60) as answer:
                found = json.load(answer)["data"]["result"]
                return float(found[0]["value"][1])
        except (URLError, ConnectionError):
            os.sched_yield()
            select.select([], [], [], 0.05)
    raise AssertionError("the server does not answer")


RULES = """\
groups:
- name: gpus
  rules:
  - alert: GpuXid
    expr: DCGM_FI_DEV_XID_ERRORS > 0
  - alert: GpuBusy
    expr: avg by (Hostname) (avg_over_time(DCGM_FI_DEV_GPU_UTIL[10m])) > 80
    for: 15m
  - alert: GpuHot
    expr: (DCGM_FI_DEV_GPU_TEMP / DCGM_FI_DEV_SLOWDOWN_TEMP) > 1.2
"""


def test_promtool_tests_rules_against_a_run(tmp_path: Path) -> None:
    """While the run trains its node is busy; a healthy run has no XID."""
    path = h100(tmp_path, "promtest")["promtest"]
    (tmp_path / "rules.yml").write_text(RULES)
    text = path.read_text().replace("rule_files: []", f"rule_files: [{tmp_path}/rules.yml]")
    host = re.findall(r'Hostname="([\w-]+)"', text)[0]
    text += (
        "  alert_rule_test:\n"
        "  - {eval_time: 2h, alertname: GpuXid, exp_alerts: []}\n"
        "  - {eval_time: 2h, alertname: GpuHot, exp_alerts: []}\n"
        f"  - {{eval_time: 2h, alertname: GpuBusy, exp_alerts: "
        f"[{{exp_labels: {{Hostname: {host}}}}}]}}\n"
    )
    (tmp_path / "test.yml").write_text(text)
    made = promtool("test", "rules", str(tmp_path / "test.yml"))
    assert made.returncode == 0, made.stdout + made.stderr


# --- asciinema and OpenTelemetry -----------------------------------------------------------------


def test_asciinema_plays_the_cast(tmp_path: Path) -> None:
    made = ran("--quiet", "--duration", "20s", "--export", f"cast={tmp_path}/run.cast")
    assert made.returncode == 0, made.stderr
    asciinema = Path(sys.executable).with_name("asciinema")
    shown = subprocess.run(
        [str(asciinema), "cat", f"{tmp_path}/run.cast"], capture_output=True, check=True
    ).stdout
    _, *lines = [json.loads(each) for each in (tmp_path / "run.cast").read_text().splitlines()]
    assert shown.decode() == "".join(data for _, code, data in lines if code == "o")


def test_opentelemetry_reads_every_request(tmp_path: Path) -> None:
    from google.protobuf.json_format import Parse
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
        ExportMetricsServiceRequest,
    )

    names: dict[str, int] = {}
    text = h100(tmp_path, "otlp", sample=600.0)["otlp"].read_text()
    for line in text.splitlines():
        request = Parse(line, ExportMetricsServiceRequest())
        (resource,) = request.resource_metrics
        assert {each.key for each in resource.resource.attributes} >= {"host.name", "simulated"}
        for metric in resource.scope_metrics[0].metrics:
            names[metric.name] = names.get(metric.name, 0) + 1
    assert {"hw.gpu.utilization", "hw.energy", "hw.power", "llm.training.loss"} <= names.keys()


# --- monitors, on NVML's stand-in ----------------------------------------------------------------


def watched_by(*program: str, at: str = "40%", incident: str = "") -> str:
    """What a monitor prints that runs below `llmsim smi`, on a run on 8 H100."""
    line = ["smi", "--gpus", "8", "--gpu", "NVIDIA H100 80GB HBM3", "--recipe", "pretrain"]
    line += ["--incident", incident] if incident else []
    done = subprocess.run(
        [sys.executable, "-m", "llmsim", *line, "--seed", "7", "--start", "2026-01-30T12",
         "--at", at, "--", *program],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def asked(names: str, **options: str) -> list[list[str]]:
    """What nvidia-smi says of each GPU of the same run, below the same command."""
    query = f"--query-gpu={names}"
    text = watched_by("nvidia-smi", query, "--format=csv,noheader,nounits", **options)
    return [row.split(", ") for row in text.splitlines() if "," in row]


@pytest.mark.parametrize("at", ["40%", "validation", "checkpoint", "export"])
def test_nvitop_and_gpustat_show_what_nvidia_smi_says(at: str) -> None:
    rows = asked("index,temperature.gpu,utilization.gpu,memory.used,power.draw,memory.total", at=at)
    nvitop = watched_by(sys.executable, "-m", "nvitop", "-1", at=at)
    gpustat = watched_by(sys.executable, "-m", "gpustat", "--json", at=at)
    read = json.loads(gpustat)["gpus"]
    assert len(read) == len(rows) == 8
    for row, gpu in zip(rows, read, strict=True):
        index, celsius, busy, used, watts, total = row
        assert f"{celsius}C   P0" in nvitop
        # NVML has milliwatts: 143.499 W are 143.50 in nvidia-smi's answer, and 143 W in nvitop's.
        near = {round(float(watts) + part) for part in (-0.005, 0.005)}
        assert any(f"{whole}W /" in nvitop for whole in near), watts
        assert f"{busy}%" in nvitop
        assert gpu["index"] == int(index)
        assert gpu["temperature.gpu"] == int(celsius)
        assert gpu["utilization.gpu"] == int(busy)
        assert gpu["memory.used"] == int(used)
        assert gpu["memory.total"] == int(total)
        assert abs(gpu["power.draw"] - float(watts)) <= 1


def test_gputil_reads_the_nvidia_smi_on_the_path() -> None:
    program = (
        "import setuptools, json, GPUtil\n"  # GPUtil imports distutils, which setuptools has
        "print(json.dumps([[g.id, g.memoryUsed, g.temperature] for g in GPUtil.getGPUs()]))"
    )
    read = json.loads(watched_by(sys.executable, "-W", "ignore", "-c", program))
    assert read == [[int(i), float(used), float(celsius)]
                    for i, used, celsius in asked("index,memory.used,temperature.gpu")]  # fmt: skip


def test_a_lost_gpu_is_lost_to_nvml() -> None:
    program = (
        "import pynvml, json\n"
        "pynvml.nvmlInit()\n"
        "found = []\n"
        "for index in range(pynvml.nvmlDeviceGetCount()):\n"
        "    try:\n"
        "        found.append(pynvml.nvmlDeviceGetHandleByIndex(index) is not None)\n"
        "    except pynvml.NVMLError_GpuIsLost:\n"
        "        found.append(False)\n"
        "print(json.dumps(found))"
    )
    line = (sys.executable, "-c", program)
    found = json.loads(watched_by(*line, incident="gpu-lost@50%:rank=3", at="outage"))
    assert found == [number != 3 for number in range(8)]
