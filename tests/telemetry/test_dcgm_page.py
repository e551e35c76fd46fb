"""dcgm-exporter's page: layout and labels by release, lists in NVIDIA's format, the clock."""

import re

import pytest

from llmsim.errors import FLAG, OptionError
from llmsim.physics import noise
from llmsim.run.events import Incident
from llmsim.run.simulation import events, run_of
from llmsim.run.timeline import Run, run_ended
from llmsim.telemetry import dcgm_page, gpu_exporter_page, node_page, trainer_page
from llmsim.telemetry.dcgm_counters import counters, names, parsed
from llmsim.telemetry.dcgm_page import Exporter, page
from llmsim.telemetry.dcgm_versions import VERSIONS, version_named
from llmsim.telemetry.exposition import number
from tests.runs import job_of


def run_like(**asked: object) -> Run:
    """A run on two nodes of H100 that pretrains."""
    options = {"gpu": "H100 80GB HBM3", "gpus": 16, "dialect": "pytorch", "recipe": "pretrain"}
    return run_of(job_of(4, **{**options, **asked}))


RUN = run_like()
TRAINING = 0.5 * run_ended(RUN)


def exporter(version: str = "4.8.2", which: str = "default", labels: str = "none") -> Exporter:
    """An exporter that reads at each scrape."""
    layout = version_named(version)
    return Exporter(layout, counters(which, layout), labels, 0.0)  # type: ignore[arg-type]


def families(text: str) -> dict[str, list[str]]:
    """The samples of each family, in the order of the page."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("# HELP "):
            found[line.split(" ")[2]] = []
        elif not line.startswith("#"):
            found[re.split(r"[{ ]", line)[0]].append(line)
    return found


# The template of each tag of NVIDIA/dcgm-exporter, with its braces filled in.
CARD = r'gpu="\d",UUID="GPU-[0-9a-f-]{36}",'
BUS = r'pci_bus_id="00000000:[0-9A-F]{2}:00\.0",'
DEVICE = r'device="nvidia\d",modelName="NVIDIA H100 80GB HBM3",'
DRIVER = r',DCGM_FI_DRIVER_VERSION="[\d.]+"'
TEMPLATES = {
    "2.4.6-2.6.10": CARD + DEVICE + r'Hostname="[\w-]+"' + DRIVER,
    "3.3.6-3.4.2": CARD + DEVICE + r'Hostname="[\w-]+"' + DRIVER,
    "3.3.9-3.6.1": CARD + BUS + DEVICE + r'Hostname="[\w-]+"' + DRIVER,
    "4.3.1-4.4.0": CARD + BUS + DEVICE + r'Hostname="[\w-]+"' + DRIVER,
    "4.5.3-4.8.2": CARD + BUS + DEVICE + r'Hostname="[\w-]+"' + DRIVER,
    "next": CARD + BUS + DEVICE + r'hostname="[\w-]+"' + DRIVER,
}


@pytest.mark.parametrize("tag", TEMPLATES)
def test_labels_are_those_of_the_tags_template(tag: str) -> None:
    text = page(RUN, 1, TRAINING, exporter(tag))
    sample = re.compile(rf"DCGM_FI_[A-Z0-9_]+\{{{TEMPLATES[tag]}(,err_\w+=\"[^\"]*\")*\}} [\d.]+")
    for lines in families(text).values():
        assert len(lines) == 8
        for line in lines:
            assert sample.fullmatch(line), (tag, line)


# etc/dcp-metrics-included.csv at 4.5.3-4.8.2, in the order of field ids.
DEFAULTS = [
    "SM_CLOCK", "MEM_CLOCK", "MEMORY_TEMP", "GPU_TEMP", "POWER_USAGE", "TOTAL_ENERGY_CONSUMPTION",
    "PCIE_REPLAY_COUNTER", "GPU_UTIL", "MEM_COPY_UTIL", "ENC_UTIL", "DEC_UTIL", "XID_ERRORS",
    "FB_FREE", "FB_USED", "FB_RESERVED", "UNCORRECTABLE_REMAPPED_ROWS",
    "CORRECTABLE_REMAPPED_ROWS", "ROW_REMAP_FAILURE", "NVLINK_BANDWIDTH_TOTAL",
    "VGPU_LICENSE_STATUS",
]  # fmt: skip
PROFILING = [
    "GR_ENGINE_ACTIVE", "PIPE_TENSOR_ACTIVE", "DRAM_ACTIVE", "PCIE_TX_BYTES", "PCIE_RX_BYTES",
]  # fmt: skip


def test_families_are_the_default_list_in_the_order_of_ids() -> None:
    whole = [f"DCGM_FI_DEV_{name}" for name in DEFAULTS]
    whole += [f"DCGM_FI_PROF_{name}" for name in PROFILING]
    clean = [name for name in whole if not name.endswith("XID_ERRORS")]
    assert [*families(page(RUN, 0, TRAINING, exporter("4.7.1")))] == whole
    assert [*families(page(RUN, 0, TRAINING, exporter("4.8.2")))] == clean  # DCGM 4.5: #700
    older = [name for name in whole if not name.endswith("FB_RESERVED")]
    assert [*families(page(RUN, 0, TRAINING, exporter("3.6.1")))] == older


def test_the_page_is_framed_as_gos_template_frames_it() -> None:
    text = page(RUN, 0, TRAINING, exporter())
    assert text.startswith(
        "# HELP DCGM_FI_DEV_SM_CLOCK SM clock frequency (in MHz).\n"
        '# TYPE DCGM_FI_DEV_SM_CLOCK gauge\nDCGM_FI_DEV_SM_CLOCK{gpu="0",UUID="GPU-'
    )
    assert text.endswith("\n")
    assert "\n\n" not in text
    found = families(text)
    assert re.search(r"} \d+\.\d{6}$", found["DCGM_FI_DEV_POWER_USAGE"][0])
    assert re.search(r"} 0\.\d{6}$", found["DCGM_FI_PROF_PIPE_TENSOR_ACTIVE"][0])
    assert re.search(r"} \d+$", found["DCGM_FI_DEV_GPU_TEMP"][0])


def test_texts_follow_their_release() -> None:
    assert "constraints (in us).\n" in page(RUN, 0, TRAINING, exporter("4.6.0", "full"))  # e61056b
    assert "constraints (in us)." not in page(RUN, 0, TRAINING, exporter("4.7.1", "full"))
    assert "engine is active (in %).\n" in page(RUN, 0, TRAINING, exporter("3.4.2"))
    assert "DCGM_EXP_GPU_HEALTH" not in page(RUN, 0, TRAINING, exporter("4.5.2", "full"))
    # etc/default-counters.csv of each tag from 4.6.0 to 4.8.2: counter, although it may fall.
    health = "# TYPE DCGM_EXP_GPU_HEALTH_STATUS counter\n"
    assert all(
        health in page(RUN, 0, TRAINING, exporter(each, "full")) for each in ("4.6.0", "4.8.2")
    )


def test_the_old_namespace_has_lower_case_names_and_label() -> None:
    text = page(RUN, 0, TRAINING, exporter("old", labels="k8s"))
    # etc/1.x-compatibility-metrics.csv, and the labels of -o.
    for name in ("dcgm_sm_clock", "dcgm_gpu_temp", "dcgm_power_usage", "dcgm_fb_used"):
        assert re.search(rf'^{name}{{gpu="0",uuid="GPU-', text, re.MULTILINE), name
    assert 'container_name="trainer",pod_name="' in text
    assert "DCGM_FI" not in text


ATTRIBUTES = {
    ("4.8.2", "k8s"): r',container="trainer",namespace="train",pod="[\w-]+-worker-1"}',
    ("4.8.1", "k8s"): r',container="trainer",namespace="train",pod="[\w-]+-worker-1",pod_uid=""}',
    ("3.6.1", "slurm"): r',hpc_job="\d+"}',
    ("next", "exported"): r',exported_container="trainer",exported_namespace="train",'
                          r'exported_pod="[\w-]+-worker-1"}',
    ("next", "none"): r'DCGM_FI_DRIVER_VERSION="[\d.]+"}',
}  # fmt: skip


@pytest.mark.parametrize(("version", "labels"), ATTRIBUTES)
def test_attributes_follow_in_alphabetical_order(version: str, labels: str) -> None:
    expected = re.compile(ATTRIBUTES[version, labels] + r" [\d.]+$", re.MULTILINE)
    text = page(RUN, 1, TRAINING, exporter(version, labels=labels))
    samples = [line for line in text.splitlines() if not line.startswith("#")]
    codes = [line for line in samples if "XID" in line]
    assert all(expected.search(line) for line in samples if line not in codes)


def test_an_idle_node_belongs_to_nobody() -> None:
    after = run_ended(RUN) + 600.0
    text = page(RUN, 1, after, exporter("4.8.2", labels="k8s"))
    assert "pod=" not in text
    assert all(line.endswith(" 0") for line in families(text)["DCGM_FI_DEV_GPU_UTIL"])


# --- errors --------------------------------------------------------------------------------------

LOST = run_like(incident=("gpu-lost@3010s",))  # 20 s before a reading each 30 s


def incident_of(run: Run) -> Incident:
    """The first label of a run."""
    return next(event for event in events(run) if isinstance(event, Incident))


def unnoticed(found: Incident) -> float:
    """A moment after an error and before the job that it stops is taken down."""
    return 0.5 * (found.at + found.detected)


def test_a_lost_gpu_has_no_samples() -> None:
    found = incident_of(LOST)
    node, local = divmod(found.rank, 8)
    text = page(LOST, node, found.at + 1.0, exporter())
    for name, lines in families(text).items():
        assert [f'gpu="{local}"' in line for line in lines].count(True) == 0, name
        assert len(lines) == 7, name


def test_the_loss_of_a_gpu_is_told_until_the_exporters_next_reading() -> None:
    """DcgmCacheManager.cpp: the event thread stores an Xid as it comes; from 4.0 on a lost GPU has
    a blank in every field, XID_ERROR included, at the next update. Before, that field stayed.
    """
    found = incident_of(LOST)
    node, local = divmod(found.rank, 8)
    fast = exporter("4.8.2")._replace(collect=30.0)
    reading = (found.at // 30.0 + 1.0) * 30.0
    for version, at, codes in (
        ("4.8.2", found.at - 0.5, []),
        ("4.8.2", found.at + 0.5, ["79"]),  # the next one, 119, comes 5.9 s later
        ("4.8.2", reading - 0.001, ["119"]),  # after it DCGM does not hear of the next one, 154
        ("4.8.2", reading + 0.001, []),
        ("3.6.1", reading + 0.001, []),  # DCGM 3.3.9 knows no lost GPU, but has read of 119
        ("3.4.2", reading + 0.001, ["154"]),
        ("3.4.2", reading + 600.0, ["154"]),
    ):
        named = fast._replace(version=version_named(version))
        if version == "3.4.2" and at > found.over:
            continue  # the node has been booted
        rows = families(page(LOST, node, at, named)).get("DCGM_FI_DEV_XID_ERRORS", [])
        mine = [row for row in rows if f'gpu="{local}"' in row]
        assert [row.split()[-1] for row in mine if not row.endswith(" 0")] == codes, (version, at)


def test_limits_of_heat_are_those_of_nvidia_smi() -> None:
    """`nvidia-smi -q` of an H100 (driver 565.57.01): 30 C now with a margin of 57 C; the hardware
    slows the GPU at a margin of -2 C, and switches it off at -8 C.
    """
    shown = families(page(LOST, 0, 0.0, exporter("4.8.2", "full")))
    for name, celsius in (("SLOWDOWN", 30 + 57 + 2), ("SHUTDOWN", 30 + 57 + 8)):
        rows = shown[f"DCGM_FI_DEV_{name}_TEMP"]
        assert {row.split()[-1] for row in rows} == {str(celsius)}, name


@pytest.mark.parametrize(("kind", "first"), [("gsp", "119"), ("gpu-lost", "79")])
def test_a_timeout_of_one_gpus_processor_blanks_its_whole_node(kind: str, first: str) -> None:
    """DcgmCacheManager.cpp, 3.3.8 and newer: an Xid 119 in /dev/kmsg sets m_skipDriverCalls,
    whatever came before it, and every field of every GPU is blank from the next update on; later
    errors are read in /dev/kmsg alone, where DcgmKmsgReader.cpp looks for 79, 119 and 120. Other
    nodes' engines go on.
    """
    run = run_like(incident=(f"{kind}@3010s:rank=3",))
    found = incident_of(run)
    fast = exporter("4.8.2")._replace(collect=30.0)
    reading = (found.at // 30.0 + 1.0) * 30.0
    shown = families(page(run, 0, found.at + 0.5, fast))
    assert [row.split()[-1] for row in shown["DCGM_FI_DEV_XID_ERRORS"]] == [first]
    assert len(shown["DCGM_FI_DEV_GPU_TEMP"]) == 8
    later = families(page(run, 0, reading - 0.001, fast))
    assert [row.split()[-1] for row in later["DCGM_FI_DEV_XID_ERRORS"]] == ["119"]  # no 154
    for version in ("4.8.2", "3.6.1"):
        named = fast._replace(version=version_named(version))
        assert families(page(run, 0, reading + 0.001, named)) == {}, version
        assert len(families(page(run, 1, reading + 0.001, named))["DCGM_FI_DEV_GPU_TEMP"]) == 8
    old = fast._replace(version=version_named("3.4.2"))
    left = len(families(page(run, 0, reading + 0.001, old))["DCGM_FI_DEV_GPU_TEMP"])
    assert left == (8 if kind == "gsp" else 7)
    counted = families(page(run, 0, reading + 1.0, exporter("4.8.2", "full")))
    assert any('xid="119"' in row for row in counted["DCGM_EXP_XID_ERRORS_COUNT"])
    back = families(page(run, 0, found.over + 400.0, fast))
    assert len(back["DCGM_FI_DEV_GPU_TEMP"]) == 8


def test_errors_of_a_lost_gpu_are_counted_for_five_minutes() -> None:
    """expcollector.go counts what DCGM has kept since the window began, of every GPU."""
    found = incident_of(LOST)
    node, local = divmod(found.rank, 8)
    for version, after, counted in (
        ("3.4.2", 60.0, ["119", "154", "79"]),
        ("4.8.2", 60.0, ["119", "79"]),  # after 119 DCGM reads 79, 119 and 120 in the log alone
        ("4.8.2", 330.0, []),
    ):
        text = page(LOST, node, found.at + after, exporter(version, "full"))
        mine = [
            line
            for line in text.splitlines()
            if line.startswith("DCGM_EXP_XID_ERRORS_COUNT") and f'gpu="{local}"' in line
        ]
        codes = [code for line in mine for code in re.findall(r'xid="(\d+)"', line)]
        assert sorted(codes) == (counted if found.at + after < found.over else []), after


def test_an_error_has_its_code_and_text_among_the_attributes() -> None:
    run = run_like(incident=("hbm-ecc@40%",))
    found = incident_of(run)
    node, local = divmod(found.rank, 8)
    for version in ("3.4.2", "4.7.1", "4.8.2"):
        text = page(run, node, unnoticed(found), exporter(version, labels="k8s"))
        rows = families(text)["DCGM_FI_DEV_XID_ERRORS"]
        assert len(rows) == (1 if version == "4.8.2" else 8)
        (row,) = [each for each in rows if f'gpu="{local}"' in each]
        # internal/pkg/collector/xid_errors.go: 94; text/template sorts the map's keys.
        assert ',container="trainer",err_code="94",err_msg="Contained ECC error",namespace=' in row
        assert row.endswith(" 94")
    bare = page(run, node, unnoticed(found), exporter("3.4.1"))
    assert "err_code" not in bare
    assert any(row.endswith(" 94") for row in families(bare)["DCGM_FI_DEV_XID_ERRORS"])


def test_errors_are_counted_and_judged_as_dcgm_does() -> None:
    run = run_like(incident=("hbm-ecc@40%",))
    found = incident_of(run)
    node, local = divmod(found.rank, 8)
    text = page(run, node, unnoticed(found), exporter("4.8.2", "full"))
    mine = [line for line in text.splitlines() if f'gpu="{local}"' in line]
    counted = [line for line in mine if line.startswith("DCGM_EXP_XID_ERRORS_COUNT")]
    assert [re.findall(r'window_size_in_ms="300000",xid="(\d+)"}', line) for line in counted] == [
        ["48"], ["63"], ["94"],
    ]  # fmt: skip
    # DcgmHealthWatch.cpp: 48 fails watch ALL, 63 warns MEM.
    assert [line[-2:] for line in mine if 'health_watch="ALL"' in line] == ["20"]
    assert [line[-2:] for line in mine if 'health_watch="MEM"' in line] == ["10"]
    assert [line[-2:] for line in mine if 'health_watch="PCIE"' in line] == [" 0"]


# --- the clock -----------------------------------------------------------------------------------


def all_pages(run: Run, at: float) -> list[str]:
    """Every kind of page at a moment."""
    return [
        page(run, 1, at, exporter("next", "full", "k8s")),
        node_page.page(run, 1, at),
        gpu_exporter_page.page(run, 1, at),
        trainer_page.page(run, at),
    ]


def test_a_page_is_a_function_of_the_moment() -> None:
    """Whatever was asked before, and by whomever: a restart gives the same bytes."""
    moments = [noise.uniform(1, "a test's moments", n) * run_ended(RUN) for n in range(12)]
    before = [all_pages(RUN, at) for at in moments]
    again = run_like()
    assert [all_pages(again, at) for at in reversed(moments)] == before[::-1]


def test_between_two_readings_the_page_stays() -> None:
    layout = version_named("4.8.2")
    slow = Exporter(layout, counters("default", layout), "none", 30.0)
    begun = TRAINING // 30 * 30
    pages = [page(RUN, 0, begun + seconds, slow) for seconds in (0.0, 15.0, 29.9, 30.1)]
    assert pages[0] == pages[1] == pages[2] != pages[3]


@pytest.mark.long
def test_counters_never_go_back() -> None:
    last: dict[str, float] = {}
    for step in range(60):
        at = step * run_ended(LOST) / 50  # beyond the end as well
        hosts = node_page.page(LOST, 0, at)
        (host,) = re.findall(r'nodename="([^"]+)"', hosts)  # a spare machine has its own counters
        text = page(LOST, 0, at, exporter()) + hosts
        for line in text.splitlines():
            name = line.partition("{")[0]
            if name.endswith(("ENERGY_CONSUMPTION", "_bytes_total", "_seconds_total")):
                series, _, value = f"{host} {line}".rpartition(" ")
                assert float(value) >= last.get(series, 0.0), (at, series)
                last[series] = float(value)


# --- lists ---------------------------------------------------------------------------------------


def test_a_list_of_nvidias_is_read_with_its_blanks_comments_and_labels() -> None:
    text = (
        "# Format\n# DCGM FIELD, Prometheus metric type, help message\n\n"
        "DCGM_FI_DEV_DEC_UTIL ,     gauge, Decoder utilization (in %).\n"
        "DCGM_FI_DEV_GPU_TEMP,    gauge, GPU temperature (in C).\n"
        'DCGM_FI_DEV_POWER_USAGE, gauge,"Power draw, in W"\n'
        "DCGM_FI_DEV_SERIAL, label, Device Serial Number\n"
        "DCGM_FI_DEV_PCIE_LINK_GEN, gauge, not one of ours\n"
    )
    own = Exporter(version_named("next"), parsed(text), "none", 0.0)
    made = page(RUN, 0, TRAINING, own)
    assert [*families(made)] == [
        "DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_DEC_UTIL",
    ]  # fmt: skip
    assert "# HELP DCGM_FI_DEV_POWER_USAGE Power draw, in W\n" in made
    assert re.search(r',DCGM_FI_DEV_SERIAL="\d{13}"} ', made)
    assert "DRIVER_VERSION" not in made


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("DCGM_FI_DEV_GMEM_USED, gauge, x", "names a field that DCGM does not have: DCGM_FI_DEV_G"),
        ("DCGM_FI_DEV_GPU_TEMP, gauge", "has a line of 2 fields"),
        ("DCGM_FI_DEV_GPU_TEMP, guage, x", "has the type 'guage'"),
        ("DCGM_FI_DEV_GPU_TEMP, gauge, x\nDCGM_FI_DEV_GPU_TEMP, counter, y", "GPU_TEMP twice"),
        ('DCGM_FI_DEV_GPU_TEMP, gauge, "x', "cannot be read"),
        ("# nothing\n", "names no field: give lines such as DCGM_FI_DEV_GPU_TEMP, gauge, GPU temp"),
    ],
)  # fmt: skip
def test_a_bad_list_is_one_sentence(text: str, said: str) -> None:
    with pytest.raises(OptionError) as refused:
        parsed(text)
    sentence = refused.value.sentence(FLAG)
    assert said in sentence
    assert not sentence.endswith("..")


def test_old_and_new_names_of_a_field_are_known() -> None:
    """dcgm_fields.h of DCGM 4.6 keeps the old names as aliases."""
    for old, new in (
        ("DCGM_FI_DEV_XID_ERRORS", "DCGM_FI_DEV_XID_ERROR"),
        ("DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL", "DCGM_FI_DEV_NVLINK_THROUGHPUT_TOTAL"),
    ):
        assert names()[old] == names()[new]
    # Names that circulate, and are of no release.
    for name in ("DCGM_FI_DEV_GMEM_USED", "DCGM_FI_DEV_ECC_DBE_VOL", "DCGM_FI_DEV_SM_ACTIVE"):
        assert name not in names()


@pytest.mark.parametrize("text", ["", "1.x", "4", "4.8", "1.0.0", "-o", "4.8.2-x", "9.9.9"])
def test_a_version_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="cannot be"):
        version_named(text)


def test_a_release_between_two_has_the_older_layout() -> None:
    assert version_named("4.5.2-4.8.1").tag == version_named("4.8.0").tag == "4.5.2-4.8.1"
    assert version_named("3.5.0") == version_named("3.3.9-3.6.1")
    assert version_named("4.0.0") == version_named("4.2.3-4.1.3") == version_named("4.2.3-4.3.0")
    assert [each.first for each in VERSIONS] == sorted(each.first for each in VERSIONS)


# --- the other pages -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        # As expfmt writes them: lines of nvidia_gpu_exporter's and node_exporter's real pages.
        (1.98e9, "1.98e+09"), (8.5019590656e10, "8.5019590656e+10"), (0.11, "0.11"), (700, "700"),
        (69.85, "69.85"), (0, "0"), (4000, "4000"), (3.45e8, "3.45e+08"), (1234567, "1.234567e+06"),
        (999999, "999999"), (1e-5, "1e-05"), (0.0001, "0.0001"), (-3.5, "-3.5"), (1e21, "1e+21"),
        (float("inf"), "+Inf"), (float("nan"), "NaN"), (20.0, "20"), (5e10, "5e+10"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_go_writes_them(value: float, text: str) -> None:
    assert number(value) == text
    assert text in ("NaN", "+Inf") or float(text) == value


def value_of(text: str, name: str) -> float:
    """The value of the first sample of a metric."""
    found = re.search(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)
    assert found, name
    return float(found[1])


def test_exporters_agree_on_a_gpu() -> None:
    dcgm, gpu = page(RUN, 1, TRAINING, exporter()), gpu_exporter_page.page(RUN, 1, TRAINING)
    mib = 2**20
    for ours, theirs, factor in (
        ("nvidia_smi_memory_used_bytes", "DCGM_FI_DEV_FB_USED", mib),
        ("nvidia_smi_temperature_gpu", "DCGM_FI_DEV_GPU_TEMP", 1),
        ("nvidia_smi_clocks_current_sm_clock_hz", "DCGM_FI_DEV_SM_CLOCK", 1e6),
        ("nvidia_smi_utilization_gpu_ratio", "DCGM_FI_DEV_GPU_UTIL", 0.01),
    ):
        assert value_of(gpu, ours) == pytest.approx(factor * value_of(dcgm, theirs)), ours


def test_nodes_are_joined_by_their_names() -> None:
    """soperator joins node_uname_info's nodename with Hostname, and both with instance."""
    host = re.findall(r'Hostname="([\w-]+)"', page(RUN, 1, TRAINING, exporter()))[0]
    assert f'nodename="{host}"' in node_page.page(RUN, 1, TRAINING)


def test_the_trainer_shows_the_step_of_the_log() -> None:
    from llmsim.run.events import Step

    logged = [event for event in events(RUN) if isinstance(event, Step)][3]
    text = trainer_page.page(RUN, logged.at + 0.001)
    assert value_of(text, "trainer_step") == logged.step
    assert value_of(text, "trainer_loss") == pytest.approx(logged.loss, abs=1e-5)
    done = value_of(text, "trainer_last_step_timestamp_seconds")
    assert done == pytest.approx(dcgm_start() + logged.at, abs=0.01)


def dcgm_start() -> float:
    """The start of the run in Unix seconds, as the exports have it."""
    from llmsim.telemetry.clock import started

    return started(RUN.job)


@pytest.mark.long
def test_every_layout_has_a_page_for_every_kind_of_labels() -> None:
    for layout in VERSIONS:
        for labels in dcgm_page.LABELS:
            for which in ("default", "full"):
                own = Exporter(layout, counters(which, layout), labels, 0.0)
                assert families(page(RUN, 0, TRAINING, own)), (layout.tag, labels)
