"""The kinds of export that small readers can read: CSV, casts, nvidia-smi, labels, logs."""

import csv
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pyte
import pytest

from llmsim.errors import FLAG, ExportError
from llmsim.options.table import Options
from llmsim.run import cluster, events, hardware_ids
from llmsim.run.simulation import events as events_of
from llmsim.run.simulation import run_of as timeline_of
from llmsim.run.timeline import Run, owner, run_ended
from llmsim.show.player import play
from llmsim.telemetry.kinds import KINDS, Export
from llmsim.telemetry.samples import sample
from llmsim.telemetry.sinks import Exports
from llmsim.telemetry.writer import Settings
from llmsim.text.screen import Screen
from tests.runs import START, job_of, run_of
from tests.telemetry.exporting import exported, files_of

SCREEN = Screen(100, 30, color=True, unicode=True, live=True)
OPTIONS = Options(start=START, duration=20.0, view="log")


def small(**asked: object) -> Run:
    """A run on two nodes of H100."""
    options = {"gpu": "H100 80GB HBM3", "gpus": 16, "dialect": "torchtitan", **asked}
    return timeline_of(job_of(4, **options))


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV."""
    with path.open(newline="") as file:
        return [*csv.DictReader(file)]


# --- tables --------------------------------------------------------------------------------------


@pytest.mark.long
def test_tables_have_every_step_and_every_sample(tmp_path: Path) -> None:
    run = small()
    folder = exported(run, tmp_path, "csv", sample=600.0)["csv"]
    assert [*files_of(folder)] == ["gpus.csv", "nodes.csv", "steps.csv"]
    steps = read(folder / "steps.csv")
    told = run_of(4, gpu="H100 80GB HBM3", gpus=16, dialect="torchtitan").all(events.Step)
    assert [int(each["step"]) for each in steps] == [event.step for event in told]
    assert [float(each["loss"]) for each in steps] == [event.loss for event in told]
    count = int(run_ended(run) // 600) + 1
    gpus, nodes = read(folder / "gpus.csv"), read(folder / "nodes.csv")
    assert (len(gpus), len(nodes)) == (16 * count, 2 * count)
    for each in gpus:
        parts = [int(each[f"{name}_mib"]) for name in ("used", "free", "reserved")]
        assert sum(parts) == int(each["total_mib"])


# --- casts ---------------------------------------------------------------------------------------


def cast_of(run: Run, place: Path) -> list[Any]:
    """The lines of a cast of the run."""
    exports = Exports([Export("cast", str(place))], run, Settings())
    shown = 0.0
    for frame in play(run.job, OPTIONS, lambda: SCREEN, through=exports.tee):
        shown += frame.delay
        exports.frame(shown, frame.text, SCREEN)
    assert exports.close() == []
    return [json.loads(each) for each in place.read_text(encoding="utf-8").splitlines()]


@pytest.mark.long
def test_a_cast_ends_on_the_screen_that_the_show_ends_on(tmp_path: Path) -> None:
    """Both are drawn by pyte: the show's text as it is, the cast's output as a player has it."""
    run = small()
    head, *lines = cast_of(run, tmp_path / "cast")
    assert (head["version"], head["width"], head["height"]) == (2, 100, 30)
    assert "simulated" in head["title"]
    times = [at for at, _, _ in lines]
    assert times == sorted(times)
    assert {code for _, code, _ in lines} == {"o", "m"}
    names = [data for _, code, data in lines if code == "m"]
    assert names[:2] == ["launch", "training"]
    assert names[-1] == "export"
    played, shown = pyte.Screen(100, 30), pyte.Screen(100, 30)
    player, terminal = pyte.Stream(played), pyte.Stream(shown)
    for _, code, data in lines:
        if code == "o":
            player.feed(data)
    for frame in play(run.job, OPTIONS, lambda: SCREEN):
        terminal.feed(frame.text.replace("\n", "\r\n"))
    assert played.display == shown.display
    assert any(row.strip() for row in played.display)
    # A player shows a picture until the next entry is due: the last stays long enough to be read.
    texts = [at for at, code, _ in lines if code == "o"]
    assert texts[-1] - texts[-2] >= 3.0


def test_a_window_that_changes_its_size_does_so_in_the_cast(tmp_path: Path) -> None:
    exports = Exports([Export("cast", str(tmp_path / "cast"))], small(), Settings())
    exports.frame(0.0, "one\n", SCREEN)
    exports.frame(1.5, "two\n", SCREEN._replace(width=80))
    exports.close()
    _, *lines = [json.loads(each) for each in (tmp_path / "cast").read_text().splitlines()]
    assert lines[1:-1] == [[0.0, "o", "one\r\n"], [1.5, "r", "80x30"], [1.5, "o", "two\r\n"]]


@pytest.mark.parametrize("live", [True, False])
def test_a_cast_hides_the_cursor_of_a_terminal_until_its_end(live: bool, tmp_path: Path) -> None:
    exports = Exports([Export("cast", str(tmp_path / "cast"))], small(), Settings())
    exports.frame(0.0, "one\n", SCREEN._replace(live=live))
    exports.close()
    _, *lines = [json.loads(each) for each in (tmp_path / "cast").read_text().splitlines()]
    shown = [data for _, _, data in lines]
    assert shown == (["\x1b[?25l", "one\r\n", "\x1b[?25h"] if live else ["one\r\n"])


# --- nvidia-smi ----------------------------------------------------------------------------------

# A row of driver 590 (utkuozdemir/nvidia_gpu_exporter, internal/captures), and its columns.
ROW = re.compile(
    r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{3}, \d+, [^,]+, GPU-[0-9a-f-]{36}, "
    r"[0-9A-F]{8}:[0-9A-F]{2}:00\.0, [\d.]+, P\d+, \d+, (\d+|N/A), \d+\.\d\d W, \d+\.\d\d W, "
    r"\d+ %, \d+ %, (\d+ MiB, ){4}\d+ MHz, \d+ MHz, 0x[0-9a-f]{16}"
)
DMON_ROW = "    0    631     63     57    100     10      0      0      0      0   2619   1980 "


def test_nvidia_smi_writes_its_rows(tmp_path: Path) -> None:
    run = small()
    folder = exported(run, tmp_path, "nvsmi", sample=1200.0)["nvsmi"]
    count = int(run_ended(run) // 1200) + 1
    names = [*files_of(folder)]
    assert len(names) == 4
    for name in names:
        lines = (folder / name).read_text().splitlines()
        if name.startswith("query"):
            head, *rows = lines
            assert head.startswith("timestamp, index, name, uuid, pci.bus_id, driver_version, ")
            assert len(rows) == 8 * count
            assert [row for row in rows if not ROW.fullmatch(row)] == []
            assert {row.count(", ") for row in rows} == {head.count(", ")}
        else:
            assert lines[0].startswith("# gpu    pwr  gtemp  mtemp     sm    mem    enc    dec ")
            rows = [line for line in lines if not line.startswith("#")]
            assert len(rows) == 8 * count
            assert {len(row) for row in rows} == {len(DMON_ROW)}
            assert all(len(row.split()) == 12 for row in rows)


@pytest.mark.parametrize("kind", ["nvsmi", "openmetrics", "promtest"])
def test_tools_of_nvidia_are_for_its_gpus(kind: str, tmp_path: Path) -> None:
    run = timeline_of(job_of(4, gpu="MI300X", gpus=8, dialect="pytorch"))
    with pytest.raises(ExportError) as error:
        Exports([Export(kind, str(tmp_path / "x"))], run, Settings())
    assert error.value.sentence(FLAG) == (
        f"--export {kind} is written by NVIDIA's tools, and AMD Instinct MI300X is none of "
        "NVIDIA's: give another --gpu."
    )


# --- labels and logs -----------------------------------------------------------------------------


def test_a_run_in_which_nothing_breaks_has_no_labels(tmp_path: Path) -> None:
    lines = exported(small(), tmp_path, "labels")["labels"].read_text().splitlines()
    assert [json.loads(each)["event"] for each in lines] == ["run"]


def test_the_log_folder_is_torchruns(tmp_path: Path) -> None:
    """<log_dir>/<rdzv id>_<suffix>/attempt_<n>/<local rank>/{stdout,stderr}.log (torch's
    distributed/elastic/multiprocessing/api.py)."""
    folder = exported(small(), tmp_path, "logs")["logs"]
    names = [*files_of(folder)]
    form = re.compile(r"[\w-]+_\w{8}/attempt_0/[0-7]/(stdout|stderr)\.log")
    assert len(names) == 16
    assert [name for name in names if not form.fullmatch(name)] == []
    log = next(folder.rglob("0/stdout.log")).read_text()
    assert re.search(r"step: \d+  loss: ", log)
    assert "\x1b" not in log


def test_the_log_folder_has_llmcs_main_log(tmp_path: Path) -> None:
    """llmc/logger.h; the notebook dev/vislog.ipynb splits each line at blanks and colons."""
    run = timeline_of(job_of(5, dialect="llmc", incidents="none"))
    folder = exported(run, tmp_path, "logs")["logs"]
    (path,) = folder.rglob("main.log")
    streams: dict[str, dict[int, float]] = {}
    for line in path.read_text().splitlines():
        step, value, *_ = (part.split(":") for part in line.split())
        streams.setdefault(value[0], {})[int(step[1])] = float(value[1])
    assert sorted(streams) == ["eval", "tel", "trl"]
    first, last = run.job.schedule.first_step - 1, run.job.schedule.steps
    assert [*streams["trl"]] == [*range(first, last)]
    printed = next(folder.rglob("0/stdout.log")).read_text()
    losses = re.findall(r"step +\d+/\d+ \| loss ([\d.]+)", printed)
    assert [float(each) for each in losses] == pytest.approx([*streams["trl"].values()], abs=6e-5)
    checked = [float(each) for each in re.findall(r"val loss ([\d.]+)", printed)]
    assert [*streams["tel"].values()] == pytest.approx(checked, abs=6e-5)


def test_last_words_stand_in_each_process_own_file(tmp_path: Path) -> None:
    """Rank 3's traceback in its stderr.log; torchrun's block where the job's own stderr goes."""
    asked = ("cuda-oom@50%:rank=3",)
    job = job_of(5, gpu="H100 80GB HBM3", gpus=8, dialect="pytorch", incident=asked)
    folder = exported(timeline_of(job), tmp_path, "logs")["logs"]
    errors = {path.parent.name: path.read_text() for path in folder.rglob("attempt_0/*/stderr.log")}
    assert "CUDA out of memory" in errors["3"]
    assert {text for rank, text in errors.items() if rank != "3"} == {""}
    (batch,) = folder.glob("slurm-*.out")
    assert "exitcode: 1) local_rank: 3" in batch.read_text()
    assert "CUDA out of memory" not in batch.read_text()


def test_the_batch_output_has_the_block_of_whichever_node_has_failed(tmp_path: Path) -> None:
    """srun brings every task's stderr there, also that of a node whose output the log has not."""
    asked = ("cuda-oom@50%:rank=13",)
    job = job_of(5, gpu="H100 80GB HBM3", gpus=32, dialect="pytorch", incident=asked)
    for capture in ("node", "all"):
        (place := tmp_path / capture).mkdir()
        made = exported(timeline_of(job._replace(capture=capture)), place, "logs")["logs"]
        (batch,) = made.glob("slurm-*.out")
        text = batch.read_text()
        assert text.count("errors.ChildFailedError:") == 1, capture
        assert "exitcode: 1) local_rank: 5" in text, capture


def test_last_words_of_another_node_stand_below_its_name(tmp_path: Path) -> None:
    asked = ("cuda-oom@50%:rank=13",)
    job = job_of(5, gpu="H100 80GB HBM3", gpus=16, dialect="pytorch", incident=asked)
    folder = exported(timeline_of(job), tmp_path, "logs")["logs"]
    (path,) = [each for each in folder.rglob("stderr.log") if each.stat().st_size]
    host, run, attempt, local, _ = path.relative_to(folder).parts
    assert (host, attempt, local) == (cluster.hostname(job, 1), "attempt_0", "5")
    assert (folder / run / attempt / local / "stderr.log").read_text() == ""
    assert "CUDA out of memory" in path.read_text()
    controller = (folder / "slurmctld.log").read_text()
    assert re.search(r"^\[\S+\.\d{3}\] Requeuing JobId=\d+$", controller, re.MULTILINE)


# --- all of them ---------------------------------------------------------------------------------


@pytest.mark.long
def test_exports_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    ours = [kind.name for kind in KINDS if kind.name not in ("parquet", "lightning",
                                                             "trainer_state", "cast")]  # fmt: skip
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    exported(small(), tmp_path / "one", *ours, sample=900.0)
    exported(small(), tmp_path / "two", *ours, sample=900.0)
    names = [*files_of(tmp_path / "one")]
    assert names == [*files_of(tmp_path / "two")]
    for name in names:
        one, two = (tmp_path / number / name for number in ("one", "two"))
        assert one.read_bytes() == two.read_bytes(), name


# --- incidents -----------------------------------------------------------------------------------


def broken(kind: str) -> tuple[Run, events.Incident]:
    """A run on H100 in which an incident of this kind happens, and the first of them."""
    for seed in range(200):
        job = job_of(seed, gpu="H100 80GB HBM3", gpus=16, dialect="pytorch", incidents="chaos")
        run = timeline_of(job)
        for event in events_of(run):
            if isinstance(event, events.Incident) and event.kind == kind:
                return run, event
    raise AssertionError(f"no seed has a {kind}")


@pytest.mark.long
def test_a_gpu_that_falls_off_the_bus_leaves_the_page_of_openmetrics(tmp_path: Path) -> None:
    """Its samples vanish, and the next attempt has its own or those of a spare machine's GPU
    (dcgm-exporter, issue 348).
    """
    run, incident = broken("gpu-lost")
    paths = exported(run, tmp_path, "labels", "logs", "openmetrics", sample=120.0)
    labels = [json.loads(each) for each in paths["labels"].read_text().splitlines()]
    (label,) = [each for each in labels[1:] if each["at_seconds"] == incident.at]
    assert (label["kind"], label["rank"]) == ("gpu-lost", incident.rank)
    begun = int((START - datetime(1970, 1, 1)).total_seconds())
    lost, next_one = (
        hardware_ids.gpu_uuid(owner(run, at), incident.rank)
        for at in (incident.at - 1, incident.over + 1)
    )
    times = {
        uuid: [
            int(line.rpartition(" ")[2]) - begun
            for line in paths["openmetrics"].read_text().splitlines()
            if line.startswith("DCGM_FI_DEV_GPU_TEMP{") and uuid in line
        ]
        for uuid in (lost, next_one)
    }
    assert [at for at in times[lost] if incident.at + 1 < at < incident.detected] == []
    assert min(times[lost]) < incident.at
    assert max(times[next_one]) > incident.over
    kernel = (paths["logs"] / "kernel" / f"{incident.hostname}.log").read_text()
    assert re.search(r"NVRM: Xid \(PCI:[0-9a-f:]+\): 79, ", kernel)
    assert any("attempt_1" in name for name in files_of(paths["logs"]))


def test_a_hang_keeps_the_gpus_busy_and_its_tensor_cores_idle() -> None:
    """GPU_UTIL 100, tensor and DRAM activity 0, far less power than in training (section 11)."""
    run, incident = broken("nccl-timeout")
    training = sample(run, incident.at - 30, most=8).gpus
    hung = sample(run, (incident.at + incident.detected) / 2, most=8).gpus
    for before, now in zip(training, hung, strict=True):
        assert (now.utilization_percent, now.tensor_active, now.dram_active) == (100, 0, 0)
        assert now.nvlink_sent_bytes_per_second == 0
        assert now.power_watts < 0.5 * before.power_watts
        assert now.used_mib == before.used_mib
