"""What a GPU's name and form say, against what vendors and their tools say of real ones."""

import pytest

from llmsim.catalog import gpus, records
from llmsim.catalog.records import Form, Gpu


def made(name: str, form: Form, *, hbm: float = 8.0, link: float = 900.0) -> Gpu:
    """A GPU that is not in the list."""
    return Gpu(name, 98_304, 900, 2000.0, hbm, link, 50.0, 8, form, 2000, 42.0)


def test_each_form_is_listed() -> None:
    assert set(records.FORMS) == {gpu.form for gpu in records.gpus()}


# NVIDIA's, AMD's and Google's product pages.
@pytest.mark.parametrize(
    ("part", "vendor", "generation"),
    [
        ("A100-SXM4-80GB", "NVIDIA", "Ampere"),
        ("A10G", "NVIDIA", "Ampere"),
        ("RTX A6000", "NVIDIA", "Ampere"),
        ("RTX 3090", "NVIDIA", "Ampere"),
        ("L40S", "NVIDIA", "Ada"),
        ("RTX 6000 Ada Generation", "NVIDIA", "Ada"),
        ("RTX 4090", "NVIDIA", "Ada"),
        ("H20-3e", "NVIDIA", "Hopper"),
        ("GH200 120GB", "NVIDIA", "Hopper"),
        ("GB200", "NVIDIA", "Blackwell"),
        ("RTX PRO 6000 Blackwell Server Edition", "NVIDIA", "Blackwell"),
        ("RTX 5090", "NVIDIA", "Blackwell"),
        ("GB300", "NVIDIA", "Blackwell Ultra"),
        ("MI250X", "AMD", "CDNA 2"),
        ("MI325X", "AMD", "CDNA 3"),
        ("MI350X", "AMD", "CDNA 4"),
        ("TPU v5p", "Google", "TPU"),
    ],
)
def test_vendors_and_generations(part: str, vendor: str, generation: str) -> None:
    gpu = records.gpu_named(part)
    assert (gpus.vendor(gpu), gpus.generation(gpu)) == (vendor, generation)


# Of NVIDIA's cards that came before its newest generation, a part of the name.
OLDER = ("A10", "A40", "A100", "A800", "RTX A", "RTX 30", "RTX 40", "RTX 50", "Ada", "L4", "H20 ",
         "H100", "H200", "H800", "GH200", "B200", "RTX PRO 6000")  # fmt: skip


def test_no_older_card_is_taken_to_be_of_the_newest_generation() -> None:
    """That is for names that nobody knows: an older card would have wrong drivers."""
    newest = [gpu.name for gpu in records.gpus() if gpus.generation(gpu) == "Blackwell Ultra"]
    assert {"NVIDIA B300 SXM6 AC", "NVIDIA GB300"} <= set(newest)
    assert [name for name in newest if any(part in name for part in OLDER)] == []


@pytest.mark.parametrize(
    ("gpu", "generation"),
    [
        (made("NVIDIA R200", "sxm"), "Blackwell Ultra"),
        (made("AMD Instinct MI455X", "instinct"), "CDNA 4"),
        (made("TPU v9", "tpu"), "TPU"),
    ],
)
def test_an_unknown_name_is_of_its_vendors_newest_generation(gpu: Gpu, generation: str) -> None:
    assert gpus.generation(gpu) == generation


# Tables that nvidia-smi printed at idle, as public logs have them: fan, state, ECC and MIG.
@pytest.mark.parametrize(
    ("gpu", "line"),
    [
        (records.gpu_named("H100 80GB HBM3"), "N/A P0 0 Disabled"),
        (records.gpu_named("A100-PCIE-40GB"), "N/A P0 0 Disabled"),
        (records.gpu_named("B200"), "N/A P0 0 Disabled"),
        (records.gpu_named("A10G"), "N/A P8 0 N/A"),
        (records.gpu_named("RTX A6000"), "30% P8 Off N/A"),
        (records.gpu_named("RTX 3090"), "0% P8 N/A N/A"),
        (records.gpu_named("RTX 4090"), "0% P8 Off N/A"),
        (records.gpu_named("RTX PRO 6000"), "N/A P8 0 Disabled"),
        (made("NVIDIA GeForce RTX 5060 Ti", "geforce", hbm=0.448, link=32.0), "0% P8 N/A N/A"),
    ],
    ids=lambda value: value.name if isinstance(value, Gpu) else value,
)
def test_what_nvidia_smi_says_of_a_card(gpu: Gpu, line: str) -> None:
    mig = "Disabled" if gpus.has_mig(gpu) else "N/A"
    turning = gpus.fan(gpu, 30, int(gpus.idle_state(gpu)[1:]))
    fan = "N/A" if turning is None else f"{turning}%"
    assert f"{fan} {gpus.idle_state(gpu)} {gpus.ecc(gpu)} {mig}" == line


@pytest.mark.parametrize(
    ("name", "celsius", "state", "shown"),
    [
        ("RTX 4090", 49, 8, 0), ("RTX 4090", 35, 0, 30), ("RTX 4090", 49, 0, 30),
        ("RTX 4090", 72, 0, 69), ("RTX 3090", 62, 0, 51), ("RTX A6000", 23, 8, 30),
        ("RTX A6000", 59, 0, 30), ("H100 80GB HBM3", 65, 0, None),
    ],
)  # fmt: skip
def test_a_cards_own_fan_follows_its_temperature(
    name: str, celsius: int, state: int, shown: int | None
) -> None:
    """Public tables of nvidia-smi have these speeds; the RTX 3090's is between the 4090's. At 72 C
    two cards of one node have 68 and 69 %.
    """
    assert gpus.fan(records.gpu_named(name), celsius, state) == pytest.approx(shown, abs=1)


def test_racks_of_72_gpus() -> None:
    """NVIDIA's GB200 NVL72: 18 trays of 4; a GH200 is no rack."""
    racks = {gpu.name: gpus.linked_nodes(gpu) for gpu in records.gpus() if gpus.is_rack(gpu)}
    assert racks == {"NVIDIA GB200": 18, "NVIDIA GB300": 18}


def test_multicast_came_with_hopper_and_needs_nvlink() -> None:
    able = {gpu.name for gpu in records.gpus() if gpus.has_multicast(gpu)}
    assert {"NVIDIA H100 80GB HBM3", "NVIDIA H800", "NVIDIA B200"} <= able
    assert not able & {"NVIDIA A100-SXM4-80GB", "NVIDIA H100 PCIe", "NVIDIA GeForce RTX 5090"}
    assert {gpus.vendor(gpu) for gpu in records.gpus() if gpus.has_multicast(gpu)} == {"NVIDIA"}


@pytest.mark.parametrize(
    ("name", "brief"),
    [
        ("NVIDIA H100 80GB HBM3", "H100"), ("NVIDIA A100-SXM4-80GB", "A100"),
        ("NVIDIA A100 80GB PCIe", "A100"), ("NVIDIA A100-PCIE-40GB", "A100"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"), ("NVIDIA RTX A6000", "RTX A6000"),
        ("AMD Instinct MI300X", "MI300X"), ("TPU v5p", "TPU v5p"), ("NVIDIA H20-3e", "H20-3e"),
        ("NVIDIA B300 SXM6 AC", "B300"), ("NVIDIA GH200 120GB", "GH200"),
    ],
)  # fmt: skip
def test_brief_names_have_no_form_and_no_memory(name: str, brief: str) -> None:
    assert gpus.brief_name(next(gpu for gpu in records.gpus() if gpu.name == name)) == brief


def test_short_names() -> None:
    named = {gpu.name: gpus.short_name(gpu) for gpu in records.gpus()}
    assert named["NVIDIA H200"] == "H200"
    assert named["AMD Instinct MI300X"] == "MI300X"
    assert named["TPU v5p"] == "TPU v5p"
