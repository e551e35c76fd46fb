"""The lists can be added to: a new row is drawn, and one that lacks something is refused."""

from collections.abc import Callable, Iterator

import pytest

from llmsim.catalog import records
from llmsim.errors import CatalogError
from tests.runs import PLANNED, job_of

Add = Callable[[str, str], None]
LISTS = (records.models, records.datasets, records.gpus, records.releases)


def forget() -> None:
    for read in LISTS:
        read.cache_clear()
    PLANNED.clear()


@pytest.fixture
def add(monkeypatch: pytest.MonkeyPatch) -> Iterator[Add]:
    """Adds lines to a list, until the test ends."""
    read = records.text_of

    def added(file_name: str, rows: str) -> None:
        def text(name: str) -> str:
            return read(name) + (f"\n{rows}\n" if name == file_name else "")

        monkeypatch.setattr(records, "text_of", text)
        forget()

    yield added
    monkeypatch.undo()
    forget()


@pytest.mark.parametrize(
    ("file_name", "row", "options"),
    [
        ("llm_models.txt", "Novel-13B | 13B", {"model": "Novel-13B"}),
        ("llm_models.txt", "Novel | 47B | active=13B experts=8", {"model": "Novel"}),
        ("llm_datasets.txt", "Novel | 3T | web", {"dataset": "Novel"}),
        (
            "llm_gpus.txt",
            "NVIDIA X900 | 98304 | 900 | 1500 | 6 | 450 | 50 | 8 | sxm | 2000 | 42",
            {"gpu": "X900"},
        ),
        (
            "llm_gpus.txt",
            "Novel 1 | 49152 | 400 | 500 | 2 | 32 | 12 | 4 | pcie | 1800 | 40",
            {"gpu": "Novel 1"},
        ),
    ],
)
@pytest.mark.long
def test_a_new_row_is_planned_with(
    add: Add, file_name: str, row: str, options: dict[str, object]
) -> None:
    add(file_name, row)
    for seed in range(60):
        job_of(seed)
    (wanted,) = options.values()
    for seed in range(10):
        job = job_of(seed, **options)
        assert str(wanted) in f"{job.model.name} {job.dataset.name} {job.gpu.name}"


@pytest.mark.parametrize(
    ("file_name", "row", "name"),
    [
        ("llm_models.txt", "Novel-125M | 125M", "Novel-125M"),
        ("llm_datasets.txt", "Novel | 3T | web", "Novel"),
        (
            "llm_gpus.txt",
            "NVIDIA X900 | 98304 | 900 | 1500 | 6 | 450 | 50 | 8 | sxm | 2000 | 42",
            "NVIDIA X900",
        ),
        ("llm_frameworks.txt", "python | 3.14.9", "3.14.9"),
    ],
    ids=["model", "data set", "GPU", "version"],
)
@pytest.mark.long
def test_a_new_row_changes_only_the_runs_that_draw_it(
    add: Add, file_name: str, row: str, name: str
) -> None:
    """A run may also draw the row and reject it, in favour of what it draws next.

    So at least the runs that have it are changed, and hardly any others.
    """
    seeds = range(160)
    before = [job_of(seed) for seed in seeds]
    add(file_name, row)
    after = [job_of(seed) for seed in seeds]
    others = [
        was.seed
        for was, now in zip(before, after, strict=True)
        if was != now
        and name not in (now.model.name, now.dataset.name, now.gpu.name, *now.software)
    ]
    assert before != after
    assert len(others) <= 8, others


@pytest.mark.parametrize(
    ("rows", "versions"),
    [
        ("python | 3.14.2", {"3.14.2"}),
        ("transformers | 6.0.0 | out=2025-12", {"6.0.0"}),
        ("driver | 610.10.01", {"610.10.01"}),
        (
            "nccl | 2.30.1+cuda13.2\ntorch | 2.14.0+cu132 | nccl=2.30.1 driver=595 out=2025-12",
            {"2.14.0+cu132", "2.30.1+cuda13.2"},
        ),
        ("torch | 2.12.0+cu130 | nccl=2.29.7 driver=580", {"2.12.0+cu130"}),
    ],
)
@pytest.mark.long
def test_a_new_version_is_drawn_sooner_or_later(add: Add, rows: str, versions: set[str]) -> None:
    add("llm_frameworks.txt", rows)
    drawn = {version for seed in range(60) for version in job_of(seed).software}
    assert versions <= drawn


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("torch | 2.14.0+cu132", "'2.14.0+cu132' needs a third column such as nccl=2.27.5"),
        ("torch | 2.14.0+cu132 | nccl=2.30.1", "needs a third column such as"),
        ("torch | 2.14.0 | nccl=2.30.1 driver=595", "'2.14.0' does not name its CUDA as in"),
        ("torch | 2.14.0+cu132 | nccl 2.30.1", "is not of the form nccl=2.27.5 driver=570"),
        ("torch | 2.14.0+cu132 | nccl=2.30.1 driver=new", "'new' is not a driver's branch"),
        ("transformers | 6.0.0 | out=May", "'May' is not a month such as 2025-10"),
        ("driver | R610", "'R610' is not a version of driver"),
        ("nccl | latest", "'latest' is not a version of nccl"),
    ],
)
def test_a_version_that_lacks_something_is_refused_with_its_line(
    add: Add, row: str, complaint: str
) -> None:
    add("llm_frameworks.txt", row)
    with pytest.raises(CatalogError) as caught:
        job_of(1)
    message = str(caught.value)
    assert message.startswith("data/llm_frameworks.txt line ")
    assert complaint in message


@pytest.mark.parametrize(
    ("needs", "missing"),
    [("nccl=2.30.1 driver=580", "nccl for torch 2.14.0+cu132 (nccl=2.30.1)"),
     ("nccl=2.29.7 driver=700", "driver for torch 2.14.0+cu132 (driver=700)")],
)  # fmt: skip
def test_a_torch_whose_needs_are_not_listed_says_which_row_to_add(
    add: Add, needs: str, missing: str
) -> None:
    add("llm_frameworks.txt", f"torch | 2.14.0+cu132 | {needs}")
    with pytest.raises(CatalogError) as caught:
        [job_of(seed) for seed in range(60)]
    assert str(caught.value).startswith(f"data/llm_frameworks.txt has no {missing}: add a line")
