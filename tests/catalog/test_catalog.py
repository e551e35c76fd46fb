"""The lists in data/ and their loader: what they hold, how names are found, what is refused."""

import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsim.catalog import lists, records
from llmsim.catalog.job_kinds import parse_job_kinds
from llmsim.catalog.records import Gpu, Model
from llmsim.errors import CatalogError
from llmsim.job.recipes import NAMES as RECIPES
from llmsim.physics.learning import objectives
from tests.runs import job_of

ROOT = Path(__file__).parents[2]
LETTERS_AND_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def refusal(action: Callable[..., object], *arguments: str) -> str:
    with pytest.raises(CatalogError) as caught:
        action(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith((".", "?"))
    return message


# What the files hold.


def test_there_is_enough_to_draw_from() -> None:
    assert len(records.models()) >= 80
    assert len(records.datasets()) >= 40
    assert len(records.gpus()) >= 25
    assert len(records.releases()) >= 20


@pytest.mark.parametrize("path", sorted((ROOT / "data").glob("*.txt")), ids=lambda path: path.name)
def test_a_file_explains_itself_first_and_fits_a_screen(path: Path) -> None:
    lines = path.read_text(encoding="ascii").splitlines()
    assert lines[0].startswith("# ")
    assert any("To add " in line for line in lines)
    assert max(map(len, lines)) <= 100


def test_names_are_plain() -> None:
    names = [model.name for model in records.models()]
    names += [dataset.name for dataset in records.datasets()]
    for name in names:
        assert 1 <= len(name) <= 48
        assert name[0] in LETTERS_AND_DIGITS
        assert set(name) <= set(LETTERS_AND_DIGITS + "._+-")


def test_the_promised_models_are_there() -> None:
    assert records.model_named("ButtGPT-420B").parameters == 420 * 10**9
    assert records.model_named("ChadLLM-Instruct").parameters == 7 * 10**9


def test_model_sizes_spread_from_a_laptop_to_a_power_station() -> None:
    sizes = sorted(model.parameters for model in records.models())
    assert (sizes[0], sizes[-1]) == (124 * 10**6, 1200 * 10**9)
    assert sum(10**9 <= size <= 70 * 10**9 for size in sizes) > len(sizes) / 2
    assert sum(model.experts > 1 for model in records.models()) >= 10


def test_a_model_name_agrees_with_its_line() -> None:
    for model in records.models():
        if model.name == "ChadLLM-Instruct":  # the one that does not say
            continue
        said = records._model_of_its_size(model.name)
        assert said is not None
        assert model.parameters == pytest.approx(said.parameters, rel=0.05)
        assert model.active_parameters == pytest.approx(said.active_parameters, rel=0.11)
        assert (model.experts > 1) == (said.experts > 1)


def test_published_token_counts() -> None:
    tokens = {dataset.name: dataset.tokens for dataset in records.datasets()}
    assert tokens["FineWeb"] == 15 * 10**12
    assert tokens["FineWeb-Edu"] == 1_300 * 10**9
    assert tokens["fineweb-edu-sample-10BT"] == 10 * 10**9
    assert tokens["SlimPajama-627B"] == 627 * 10**9
    assert tokens["OpenWebMath"] == 14_700 * 10**6
    assert tokens["DCLM-baseline"] == 4 * 10**12


def test_published_row_counts() -> None:
    """The number of examples that the data cards give for the training split."""
    rows = {dataset.name: dataset.rows for dataset in records.datasets()}
    assert rows["OpenThoughts-114k"] == 113_957
    assert rows["DeepMath-103K"] == 97_870 + 5_152  # trl-lib/DeepMath-103K: train and test
    assert rows["UltraChat-200k"] == 207_865
    assert rows["GSM8K-train"] == 7_473
    assert rows["Alpaca-52k"] == 52_002
    assert rows["FineWeb"] == 0


def test_a_set_has_about_the_rows_that_its_name_says() -> None:
    kinds = ("chat", "preference", "problems")
    counted = [dataset for dataset in records.datasets() if dataset.kind in kinds]
    size_in = re.compile(r"-(\d+)([KM])$", re.IGNORECASE)
    named = [(size_in.search(each.name), each.rows) for each in counted]
    assert sum(bool(match) for match, _ in named) >= 6
    for match, rows in named:
        if match:
            size = int(match[1]) * {"K": 10**3, "M": 10**6}[match[2].upper()]
            assert rows == pytest.approx(size, rel=0.17), match[0]


def test_a_set_without_rows_has_rows_of_a_usual_length() -> None:
    (dataset,) = records.parse_datasets("Foo | 70M | chat", "list")
    assert dataset.rows == 100_000


def test_a_kind_of_job_names_a_recipe_that_is_there() -> None:
    """A misspelt name would be a line that no seed draws."""
    assert {kind.recipe for kind in records.job_kinds()} - set(RECIPES) == set()


def test_a_misspelt_recipe_of_a_kind_of_job_is_refused_with_its_line() -> None:
    text = "# a comment\nsmall | pretrian | 400M-1.5B | 8 | sxm | 2K | 1M | 20-100 | 7"
    refusal = r"^data/llm_jobs.txt line 2: recipe 'pretrian' is no recipe: give pretrain, .*grpo\.$"
    with pytest.raises(CatalogError, match=refusal):
        parse_job_kinds(text, "data/llm_jobs.txt", RECIPES)


@pytest.mark.parametrize("objective", ["supervized", "curve", "no-module"])
def test_a_misspelt_objective_of_a_recipe_is_refused_with_its_file(objective: str) -> None:
    job = job_of(1, dialect="pytorch", recipe="sft")
    wrong = job._replace(recipe=job.recipe._replace(objective=objective))
    refusal = (
        rf"^src/llmsim/job/recipes.py: the recipe 'sft' has the objective '{objective}', but "
        rf"src/llmsim/physics/learning/{objective}.py with an OBJECTIVE is not there: write this "
        r"module, or give language, preference, reinforcement or supervised\.$"
    )
    with pytest.raises(CatalogError, match=refusal):
        objectives.of(wrong)


def test_every_kind_of_data_is_there() -> None:
    assert {dataset.kind for dataset in records.datasets()} == set(records.KINDS)
    head = (ROOT / "data/llm_datasets.txt").read_text(encoding="ascii").partition("\n\n")[0]
    assert [kind for kind in records.KINDS if not re.search(rf"\b{kind}\b", head)] == []


@pytest.mark.parametrize(
    "published",
    [
        Gpu("NVIDIA H100 80GB HBM3", 81559, 700, 989, 3.35, 450, 50, 8, "sxm", 1980, 43.0),
        Gpu("NVIDIA H200", 143771, 700, 989, 4.8, 450, 50, 8, "sxm", 1980, 43.0),
        Gpu("NVIDIA B200", 183359, 1000, 2250, 8.0, 900, 50, 8, "sxm", 1965, 42.0),
        Gpu("NVIDIA GB300", 284208, 1400, 2500, 8.0, 900, 100, 4, "superchip", 1920, 46.0),
        Gpu("NVIDIA A100-SXM4-80GB", 81920, 400, 312, 2.039, 300, 25, 8, "sxm", 1410, 56.0),
        Gpu("AMD Instinct MI300X", 196592, 750, 1307, 5.3, 448, 50, 8, "instinct", 2100, 26.0),
    ],
    ids=lambda gpu: gpu.name,
)
def test_published_accelerators(published: Gpu) -> None:
    assert records.gpu_named(published.name)._replace(weight=1.0) == published


def test_accelerators_are_physically_sane() -> None:
    for gpu in records.gpus():
        assert gpu.nic_gb_s < gpu.link_gb_s < 1000 * gpu.hbm_tb_s
        assert 0.1 < gpu.tflops / gpu.tdp_watts < 3.2  # TFLOP/s per W
        assert gpu.per_node in (4, 8)


def test_every_software_that_a_run_draws_is_listed_and_no_other() -> None:
    assert {line.name for line in records.releases()} == set(records.SOFTWARE)


# Sizes.


@given(st.integers(min_value=1, max_value=10**12), st.sampled_from("KMBTkmbt"))
def test_a_size_means_exactly_what_it_says(thousandths: int, suffix: str) -> None:
    unit = {"K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}[suffix.upper()]
    text = f"{thousandths // 1000}.{thousandths % 1000:03d}{suffix}"
    assert lists.parse_size(text) * 1000 == thousandths * unit


def test_a_size_needs_no_fraction() -> None:
    assert lists.parse_size("420B") == 420_000_000_000


@pytest.mark.parametrize(
    "text",
    ["", "B", "7", "7Q", "-7B", "+7B", "7.B", ".5B", "1e3B", "1.2.3B", "7 B", "1_0B", "٣B", "0B"],
)
def test_anything_else_is_no_size(text: str) -> None:
    assert "is not a positive size such as" in refusal(lists.parse_size, text)


def test_a_size_is_a_whole_number_and_not_endless() -> None:
    refusal(lists.parse_size, "1.2345K")
    assert len(refusal(lists.parse_size, "9" * 5000 + "B")) < 200


@given(st.text(max_size=12))
def test_any_text_is_a_positive_size_or_refused(text: str) -> None:
    try:
        assert lists.parse_size(text) > 0
    except CatalogError:
        return


# Looking up a name.


def test_listed_names_are_found_in_any_case() -> None:
    for model in records.models():
        assert records.model_named(model.name.upper()) == model
    for dataset in records.datasets():
        assert records.dataset_named(dataset.name.lower()) == dataset
    for gpu in records.gpus():
        assert records.gpu_named(gpu.name.lower()) == gpu


@pytest.mark.parametrize(
    ("name", "parameters", "active", "experts"),
    [
        ("Fresh-7B", 7e9, 7e9, 1),
        ("Fresh-7b-Instruct", 7e9, 7e9, 1),
        ("Fresh-70B-then-8B-v0.3", 8e9, 8e9, 1),
        ("1.5T", 1.5e12, 1.5e12, 1),
        ("Fresh-20M", 2e7, 2e7, 1),
        ("Fresh-100T", 1e14, 1e14, 1),
        ("Fresh-8x7B", 46.7e9, 12.9e9, 8),
        ("Fresh-8x7B-Instruct-v0.1", 46.7e9, 12.9e9, 8),
        ("Fresh-16X1B", 13.1e9, 1.84e9, 16),
        ("Fresh-30B-A3B", 30e9, 3e9, 128),
        ("Fresh-30b-a3.3b-Chat", 30e9, 3.3e9, 128),
    ],
)
def test_a_name_that_says_its_size_is_a_model(
    name: str, parameters: float, active: float, experts: int
) -> None:
    assert records.model_named(name) == Model(name, int(parameters), int(active), experts)


@pytest.mark.parametrize(
    "name", ["Fresh", "Fresh-7", "Fresh7B", "Foox7B", "Fresh-A3B", "Fresh-1x7B", "Fresh-2000x7B"]
)
def test_a_name_without_a_size_is_no_model(name: str) -> None:
    message = refusal(records.model_named, name)
    assert repr(name) in message
    assert "-7B, -8x7B or -30B-A3B" in message


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("", "is not a name"),
        ("-7B", "is not a name"),
        ("my model-7B", "is not a name"),
        ("Fré-7B", "is not a name"),
        ("a\n-7B", "is not a name"),
        ("x" * 46 + "-7B", "is not a name"),
        ("Fresh-0B", "has 0 parameters, but a model has 20M to 100T"),
        ("Fresh-999K", "has 999,000 parameters"),
        ("Fresh-1000x1T", "parameters, but a model has 20M to 100T"),
        ("Fresh-3B-A30B", "30,000,000,000 active parameters, but only 3,000,000,000 in all"),
        ("Fresh-30B-A0B", "has 0 active parameters"),
    ],
)
def test_an_absurd_model_is_refused(name: str, complaint: str) -> None:
    assert complaint in refusal(records.model_named, name)


@given(st.text(alphabet="aAxX08.-BMbm|é ", max_size=60))
def test_any_name_is_a_plausible_model_or_refused(name: str) -> None:
    try:
        model = records.model_named(name)
    except CatalogError:
        return
    assert 10**6 <= model.parameters <= 10**14
    assert 0 < model.active_parameters <= model.parameters


@pytest.mark.parametrize(
    ("find", "wrong", "meant"),
    [
        (records.model_named, "ButGPT", "ButtGPT-420B"),
        (records.model_named, "chadlm-instruct", "ChadLLM-Instruct"),
        (records.dataset_named, "finewebb", "FineWeb"),
        (records.dataset_named, "slim-pajama", "SlimPajama-627B"),
        (records.gpu_named, "RTX4090", "NVIDIA GeForce RTX 4090"),
        (records.gpu_named, "NVIDIA H100 80GB HMB3", "NVIDIA H100 80GB HBM3"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(
    find: Callable[[str], object], wrong: str, meant: str
) -> None:
    message = refusal(find, wrong)
    assert repr(wrong) in message
    assert message.endswith(f"did you mean {meant!r}?")


def test_a_long_wrong_name_is_quoted_in_part() -> None:
    assert len(refusal(records.dataset_named, "x" * 10**6)) < 200


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("H100 80GB HBM3", "NVIDIA H100 80GB HBM3"),
        ("h200", "NVIDIA H200"),
        ("GH200", "NVIDIA GH200 120GB"),
        ("B200", "NVIDIA B200"),
        ("B300", "NVIDIA B300 SXM6 AC"),
        ("A100-SXM4-80GB", "NVIDIA A100-SXM4-80GB"),
        ("4090", "NVIDIA GeForce RTX 4090"),
        ("MI300", "AMD Instinct MI300X"),
        ("  rtx   a6000 ", "NVIDIA RTX A6000"),
    ],
)
def test_a_part_that_only_one_gpu_has_names_it(part: str, name: str) -> None:
    assert records.gpu_named(part).name == name


def test_a_part_that_several_gpus_share_is_answered_with_them() -> None:
    message = refusal(records.gpu_named, "H100")
    assert "NVIDIA H100 80GB HBM3, NVIDIA H100 PCIe, NVIDIA H100 NVL" in message
    assert "NVIDIA A100-SXM4-40GB" in refusal(records.gpu_named, "A100")
    assert len(refusal(records.gpu_named, "NVIDIA")) < 250
    assert "may be any of" in refusal(records.gpu_named, " ")


# Reading a list.


def test_comments_empty_lines_and_spaces_do_not_matter() -> None:
    text = "# a | b\n\n  Foo-7B|7B  \r\n\t\nBar-8x7B | 46.7B | active=12.9B  experts=8"
    assert records.parse_models(text, "list") == (
        Model("Foo-7B", 7 * 10**9, 7 * 10**9),
        Model("Bar-8x7B", 46_700_000_000, 12_900_000_000, 8),
    )


Parse = Callable[[str, str], tuple[object, ...]]

GOOD_LINES: dict[Parse, str] = {
    records.parse_models: "First-1B | 1B",
    records.parse_datasets: "First | 1B | web",
    records.parse_gpus: "NVIDIA H100 | 81559 | 700 | 989 | 3.35 | 450 | 50 | 8 | sxm | 1980 | 43",
    records.parse_releases: "torch | 2.8.0+cu128 | nccl=2.27.3 driver=570",
}

# A line -> what is said of it.
BAD_LINES: dict[Parse, str] = {
    records.parse_models: """
        Foo                              -> traits, but this line has 1.
        Foo | 7B | active=1B experts=2 | -> but this line has 4.
        Foo | many                       -> total parameters 'many' is not a positive size
        Foo | 7                          -> total parameters '7' is not a positive size
        Foo | 0B                         -> total parameters '0B' is not a positive size
        Foo | -7B                        -> total parameters '-7B' is not a positive size
        Foo | 7K                         -> 'Foo' has 7,000 parameters
        Foo | 200T                       -> 'Foo' has 200,000,000,000,000 parameters
        Foo 7B | 7B                      -> name 'Foo 7B' is not a name
        -Foo | 7B                        -> name '-Foo' is not a name
        | 7B                             -> name '' is not a name
        first-1b | 1B                    -> 'first-1b' is listed already
        Foo | 7B | eight experts         -> is not of the form active=12.9B experts=8
        Foo | 7B | serious               -> is not of the form active=12.9B experts=8
        Foo | 7B | active=1B             -> is not of the form active=12.9B experts=8
        Foo | 7B | active=1 experts=8    -> traits '1' is not a positive size
        Foo | 7B | active=1B experts=.5  -> traits '.5' is not a whole number
        Foo | 7B | active=1B experts=0   -> traits '0' is not positive
        Foo | 7B | active=8B experts=8   -> 'Foo' has 8,000,000,000 active parameters
    """,
    records.parse_datasets: """
        Foo | 1B          -> columns are name | tokens | kind | rows | level | mark, but this
        Foo | 1B | web | | | serious -> mark 'serious' is not funny
        Foo | 1M | chat | many -> rows 'many' is not a number
        Foo | 1M | chat | 2000000 -> '2000000' rows are more than the 1000000 tokens
        Foo | 1M | web | 1000 -> '1000' rows, where text of the kind web has none
        Foo | lots | web  -> tokens 'lots' is not a positive size
        Foo | 1B | gossip -> kind 'gossip' is not one of web, code, chat
        Café | 1B | web   -> name 'Caf\\xe9' is not a name
        first | 2B | code -> 'first' is listed already
    """,
    records.parse_gpus: """
        Foo | 8 | 7 | 9 | 3 | 4 | 5 | 8     -> but this line has 8.
        Foo | 80GB | 7 | 9 | 3 | 4 | 5 | 8 | sxm | 1 | 4  -> memory '80GB' is not a number
        Foo | 81.5 | 7 | 9 | 3 | 4 | 5 | 8 | sxm | 1 | 4  -> memory '81.5' is not a whole number
        Foo | 8 | 0 | 9 | 3 | 4 | 5 | 8 | sxm | 1 | 4     -> TDP '0' is not positive
        Foo | 8 | 7 | -9 | 3 | 4 | 5 | 8 | sxm | 1 | 4    -> bf16 '-9' is not positive
        Foo | 8 | 7 | 9 | nan | 4 | 5 | 8 | sxm | 1 | 4   -> HBM 'nan' is not a number
        Foo | 8 | 7 | 9 | 3 | 4e2 | 5 | 8 | sxm | 1 | 4   -> link '4e2' is not a number
        Foo | 8 | 7 | 9 | 3 | 4 | | 8 | sxm | 1 | 4       -> NIC '' is not a number
        Foo | 8 | 7 | 9 | 3 | 4 | 5 | 1.5 | sxm | 1 | 4   -> GPUs '1.5' is not a whole number
        Foo | 8 | 7 | 9 | 3 | 4 | 5 | 8 | card | 1 | 4    -> form 'card' is not one of sxm, pcie
        Foo | 8 | 7 | 9 | 3 | 4 | 5 | 8 | sxm | 1.98 | 4  -> clock '1.98' is not a whole number
        Foo | 8 | 7 | 9 | 3 | 4 | 5 | 8 | sxm | 1 | 400   -> MFU '400' is not a number of per cent
        | 8 | 7 | 9 | 3 | 4 | 5 | 8 | sxm | 1 | 4         -> name '' is not a device name
        nvidia h100 | 8|7|9 | 3|4|5|8 | sxm | 1 | 4       -> 'nvidia h100' is listed already
    """,
    records.parse_releases: """
        torch               -> columns are software | version | needs, but this line has 1.
        wandb | 0.31.0      -> software 'wandb' is not one of python, torch, nccl
        torch | 2.9.1 cu128 -> version '2.9.1 cu128' is not a name
        torch | 2.8.0+cu128 | nccl=2 driver=5 -> 'torch 2.8.0+cu128' is listed already
    """,
}


@pytest.mark.parametrize(
    ("parse", "line", "complaint"),
    [
        (parse, *case.strip().split("-> "))
        for parse, cases in BAD_LINES.items()
        for case in cases.strip().splitlines()
    ],
)
def test_a_bad_line_is_refused_with_its_place(parse: Parse, line: str, complaint: str) -> None:
    text = f"# comment\n\n{GOOD_LINES[parse]}\n{line}\n"
    message = refusal(parse, text, "data/llm_list.txt")
    assert message.startswith("data/llm_list.txt line 4: ")
    assert complaint in message


@given(st.sampled_from(list(GOOD_LINES)), st.text(max_size=80))
def test_any_text_is_a_list_or_refused(parse: Parse, text: str) -> None:
    try:
        assert parse(text, "list")
    except CatalogError:
        return


def test_an_empty_list_is_refused() -> None:
    assert refusal(records.parse_gpus, "# none\n", "data/x.txt").startswith("data/x.txt lists no")


# Where the files are.

PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from llmsim.catalog import records as catalog
print(catalog.__file__)
print(*(read()[0].name for read in (catalog.models, catalog.datasets, catalog.gpus)), sep="\\n")
print(*sys.modules)
"""


def run_python(package_path: Path) -> list[str]:
    """The lines, errors included, from an interpreter that knows nothing of this checkout.

    -S leaves out site, whose .pth files may import anything.
    """
    command = [sys.executable, "-I", "-S", "-u", "-c", PROGRAM, str(package_path)]
    output = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True
    )
    return output.stdout.splitlines()


def copy_package(folder: Path, *, with_data: bool) -> None:
    """What a wheel holds of the catalogue: the modules and, inside the package, the lists."""
    package = folder / "llmsim"
    (package / "data").mkdir(parents=True)
    (package / "catalog").mkdir()
    (package / "__init__.py").touch()
    for module in (
        "catalog/__init__.py",
        "catalog/records.py",
        "catalog/lists.py",
        "errors.py",
        "typed.py",
    ):
        (package / module).write_bytes((ROOT / "src/llmsim" / module).read_bytes())
    for path in (ROOT / "data").glob("*.txt") if with_data else ():
        (package / "data" / path.name).write_bytes(path.read_bytes())


def assert_lists_are_read(package_path: Path) -> None:
    where, model, dataset, gpu, modules = run_python(package_path)
    assert where.startswith(str(package_path))
    assert model == records.models()[0].name
    assert dataset == records.datasets()[0].name
    assert gpu == records.gpus()[0].name
    heavy = {"asyncio", "dataclasses", "difflib", "importlib.resources", "pathlib", "pkgutil"}
    assert not set(modules.split()) & heavy


def test_an_installed_package_reads_its_own_lists(tmp_path: Path) -> None:
    copy_package(tmp_path, with_data=True)
    assert_lists_are_read(tmp_path)


def test_a_zip_archive_reads_its_own_lists(tmp_path: Path) -> None:
    copy_package(tmp_path, with_data=True)
    archive = tmp_path / "llmsim.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in (tmp_path / "llmsim").rglob("*.*"):
            packed.write(path, path.relative_to(tmp_path))
    assert_lists_are_read(archive)


def test_a_checkout_reads_the_lists_beside_src(tmp_path: Path) -> None:
    copy_package(tmp_path / "src", with_data=False)
    (tmp_path / "data").symlink_to(ROOT / "data", target_is_directory=True)
    assert_lists_are_read(tmp_path / "src")


def test_a_missing_file_is_one_clear_sentence(tmp_path: Path) -> None:
    copy_package(tmp_path, with_data=False)
    assert run_python(tmp_path)[-1] == (
        "llmsim.errors.CatalogError: "
        "data/llm_models.txt is missing from this copy of llmsim: install it again."
    )


def test_a_bad_byte_in_a_file_is_refused_with_its_line(tmp_path: Path) -> None:
    copy_package(tmp_path, with_data=True)
    (tmp_path / "llmsim/data/llm_models.txt").write_bytes(b"# caf\xe9\nCaf\xe9-7B | 7B\n")
    assert "data/llm_models.txt line 2: name 'Caf\\ufffd-7B'" in run_python(tmp_path)[-1]
