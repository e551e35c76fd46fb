"""--list: tables that fit, and everything as JSON."""

import json
import re

import pytest

from llmsim.catalog import records
from llmsim.catalog.scenes import scenes
from llmsim.cli.listing import listing
from llmsim.dialects import registry
from llmsim.job import recipes
from llmsim.options.table import LISTS
from llmsim.run import incident_kinds
from tests.cli.asked import Captured, shown

NAMES: dict[str, list[str]] = {
    "dialects": list(registry.NAMES),
    "recipes": list(recipes.NAMES),
    "models": [model.name for model in records.models()],
    "datasets": [dataset.name for dataset in records.datasets()],
    "gpus": [gpu.name for gpu in records.gpus()],
    "incidents": list(incident_kinds.NAMES),
    "scenes": [scene.name for scene in scenes()],
    "releases": [release.name for release in records.releases()],
}


@pytest.mark.parametrize("kind", LISTS)
def test_lists_are_tables_in_80_columns(capfd: Captured, kind: str) -> None:
    heading, *rows = shown(capfd, "--list", kind).splitlines()
    assert max(map(len, (heading, *rows))) <= 80
    # Prose that is longer than its column goes on in the rows below.
    assert [name for row in rows if (name := re.split(r"  +", row)[0])] == NAMES[kind]
    padded = [f" {row:<80} " for row in rows if row[0] != " "]
    for cell in re.finditer(r"\S+(?: \S+)*", heading):  # every column begins or ends like it
        begin, end = cell.span()
        left = all(row[begin] == " " != row[begin + 1] for row in padded)
        right = all(row[end] != " " == row[end + 1] for row in padded)
        assert left or right


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("models", "ButtGPT-420B                                 420B    420B  funny"),
        ("gpus", "NVIDIA H200                                   143771 MiB   700 W      989     8"),
        ("datasets", r"FineWeb +15T  web +-  serious"),
        ("releases", r"torch         2.9.1\+cu128"),
        ("incidents", "gpu-lost        GPU         5.6  the GPU has fallen off the bus"),
    ],
)
def test_rows_tell_what_matters_in_a_choice(capfd: Captured, kind: str, line: str) -> None:
    assert re.search(f"^{line}$", shown(capfd, "--list", kind), re.MULTILINE)


@pytest.mark.parametrize("kind", LISTS)
def test_a_table_fits_the_screen_and_keeps_its_names(kind: str) -> None:
    longest = max(len(name) for name in NAMES[kind])
    for width in (*range(20, 90, 3), 200, 400):
        heading, *rows = listing(kind, width).splitlines()
        assert max(map(len, (heading, *rows))) <= max(width, longest)
        begun = [row for row in rows if not row.startswith(" ")]  # the others go on below one
        assert [re.split(r"  +", row)[0] for row in begun] == NAMES[kind]


@pytest.mark.parametrize("extra", [[], ["--json"]], ids=" ".join)
def test_releases_are_listed_under_their_old_word_too(extra: list[str], capfd: Captured) -> None:
    assert shown(capfd, "--list", "frameworks", *extra) == shown(
        capfd, "--list", "releases", *extra
    )


def test_prose_is_wrapped_and_not_cut() -> None:
    narrow = " ".join(listing("dialects", 50).split())
    for framework in registry.frameworks():
        assert " ".join(framework.meaning.split()) in narrow


# --- JSON --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", LISTS)
def test_json_is_an_array_of_records_of_one_shape(kind: str, capfd: Captured) -> None:
    rows = json.loads(shown(capfd, "--list", kind, "--json"))
    assert [record["name"] for record in rows] == NAMES[kind]
    assert len({tuple(record) for record in rows}) == 1
    assert all(re.fullmatch("[a-z0-9_]+", key) for record in rows for key in record)


def record_of(kind: str, name: str, capfd: Captured) -> dict[str, object]:
    """The record of one name."""
    rows = json.loads(shown(capfd, "--json", "--list", kind))
    (found,) = [record for record in rows if record["name"] == name]
    return dict(found)


def test_a_gpu_has_its_data_sheets_figures_with_their_units(capfd: Captured) -> None:
    """NVIDIA's H200 data sheet: 141 GB, 4.8 TB/s, 989 TFLOP/s bf16, 700 W, NVLink 900 GB/s."""
    h200 = record_of("gpus", "NVIDIA H200", capfd)
    assert h200["tdp_watts"] == 700
    assert h200["bf16_tflop_per_s"] == pytest.approx(989, abs=1)
    assert h200["memory_bandwidth_tb_per_s"] == 4.8
    assert h200["link_gb_per_s"] == 450  # one direction
    assert h200["memory_mib"] == 143_771
    assert h200["gpus_per_node"] == 8


def test_a_model_has_its_exact_size_and_shape(capfd: Captured) -> None:
    """Basalt-8B has Llama 3's shape: 8,030,261,248 weights in 32 layers of width 4,096."""
    basalt = record_of("models", "Basalt-8B", capfd)
    assert basalt["exact_parameters"] == 8_030_261_248
    assert (basalt["layers"], basalt["width"], basalt["context_tokens"]) == (32, 4096, 8192)


def test_dialects_and_recipes_tell_which_go_together(capfd: Captured) -> None:
    maxtext = record_of("dialects", "maxtext", capfd)
    assert (maxtext["device"], maxtext["recipes"]) == ("TPU", ["pretrain"])
    lora = record_of("recipes", "lora", capfd)
    assert (lora["adapter_rank"], lora["peak_learning_rate"]) == (16, 2e-4)
