"""The lists in data/*.txt as records. The only module outside the edge that opens a file.

Whatever is wrong with a list, or with a name that was asked for, is a CatalogError.
"""

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from os import sep

from llmsim.catalog.lists import (
    LONGEST_NAME,
    checked,
    device_name,
    is_digits,
    level_in,
    needs_in,
    number_in,
    parse_size,
    parsed,
    plain_name,
    quoted,
    refused,
    rows_in,
    size_of,
    whole_number_in,
)
from llmsim.errors import CatalogError
from llmsim.typed import Any, Literal, NamedTuple, TypeVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmsim.catalog.job_kinds import JobKind


class Model(NamedTuple):
    """A model's name and nominal size. The architecture follows from the size."""

    name: str
    parameters: int  # nominal, from the suffix: "ButtGPT-420B" has 420e9
    active_parameters: int  # weights that one token uses; equals parameters in a dense model
    experts: int = 1  # feed-forward experts per layer; 1 is a dense model
    funny: bool = False  # whether its name is a joke


class Dataset(NamedTuple):
    """A data set's name, size and kind."""

    name: str
    tokens: int
    kind: str  # web, code, chat, math, books, multilingual ...
    rows: int = 0  # conversations, pairs of answers or problems; 0 of text, which is not counted
    level: float = 0.0  # nats by which its loss lies above or below that of its kind
    funny: bool = False  # whether its name is a joke


Form = Literal["sxm", "pcie", "geforce", "workstation", "superchip", "instinct", "tpu"]


class Gpu(NamedTuple):
    """An accelerator, with dense (not sparse) peak figures."""

    name: str  # as nvidia-smi prints it: "NVIDIA H100 80GB HBM3"
    memory_mib: int  # total memory as nvidia-smi prints it: 81559
    tdp_watts: int
    tflops: float  # dense bf16 peak, TFLOP/s
    hbm_tb_s: float  # memory bandwidth, TB/s
    link_gb_s: float  # NVLink, XGMI or PCIe bandwidth of one GPU, one direction, GB/s
    nic_gb_s: float  # one GPU's share of its node's network, one direction, GB/s
    per_node: int
    form: Form  # how it is built and sold: catalog/gpus.py says what follows from it
    clock_mhz: int  # the highest clock of its multiprocessors at work
    mfu: float  # per cent of the peak in the training of a dense 7B model on one node
    weight: float = 1.0  # how often the planner takes it, against others of its form


class Release(NamedTuple):
    """A piece of software in one released version."""

    name: str
    version: str
    released: str = ""  # "2025-10"; empty is before any run
    nccl: str = ""  # what a torch is built with: "2.27.5"
    driver: int = 0  # the oldest branch of NVIDIA's driver that a torch runs on: 570


class Sample(NamedTuple):
    """Something that a model says when its validation loss is at least a number."""

    text: str
    loss: float


KINDS = (
    "web", "code", "chat", "math", "books",
    "science", "multilingual", "reference", "mixed", "preference", "problems",
)  # fmt: skip
FORMS = ("sxm", "pcie", "geforce", "workstation", "superchip", "instinct", "tpu")
SMALLEST_MODEL = 20 * 10**6  # parameters
LARGEST_MODEL = 100 * 10**12

Record = TypeVar("Record", Model, Dataset, Gpu, Release)
LONGEST_SAMPLE = 56  # characters: a line of 80 columns has room for it


@cache
def models() -> tuple[Model, ...]:
    """data/llm_models.txt, in its order. Raises CatalogError for a missing or bad file."""
    return parse_models(text_of("llm_models.txt"), "data/llm_models.txt")


@cache
def datasets() -> tuple[Dataset, ...]:
    """data/llm_datasets.txt, in its order. Raises CatalogError for a missing or bad file."""
    return parse_datasets(text_of("llm_datasets.txt"), "data/llm_datasets.txt")


@cache
def gpus() -> tuple[Gpu, ...]:
    """data/llm_gpus.txt, in its order. Raises CatalogError for a missing or bad file."""
    return parse_gpus(text_of("llm_gpus.txt"), "data/llm_gpus.txt")


@cache
def releases() -> tuple[Release, ...]:
    """data/llm_frameworks.txt, in its order. Raises CatalogError for a missing or bad file."""
    return parse_releases(text_of("llm_frameworks.txt"), "data/llm_frameworks.txt")


@cache
def job_kinds(recipes: tuple[str, ...] = ()) -> tuple["JobKind", ...]:
    """data/llm_jobs.txt, in its order, whose recipes have these names, or any name if none is
    given. Raises CatalogError for a missing or bad file."""
    from llmsim.catalog.job_kinds import parse_job_kinds

    return parse_job_kinds(text_of("llm_jobs.txt"), "data/llm_jobs.txt", recipes)


@cache
def samples() -> tuple[Sample, ...]:
    """data/llm_samples.txt, in its order. Raises CatalogError for a missing or bad file."""
    return parse_samples(text_of("llm_samples.txt"), "data/llm_samples.txt")


def text_of(file_name: str) -> str:
    """The text of a list: inside the package where it is installed, else in the checkout."""
    loader: Any = __spec__.loader  # its get_data reads from a zip archive as from a folder
    package = __file__.rpartition(sep)[0].rpartition(sep)[0]
    checkout = package.rpartition(sep)[0].rpartition(sep)[0]
    for home in (package, checkout):
        try:
            content: bytes = loader.get_data(f"{home}{sep}data{sep}{file_name}")
        except OSError as error:
            # A zip archive reports a missing file as an OSError without a reason.
            if isinstance(error, FileNotFoundError | NotADirectoryError) or not error.errno:
                continue
            raise CatalogError(f"data/{file_name} cannot be read: {error.strerror}.") from None
        return content.decode("utf-8", "replace")  # a bad byte is then refused with its line
    raise CatalogError(f"data/{file_name} is missing from this copy of llmsim: install it again.")


def model_named(name: str) -> Model:
    """The listed model of that name (in any case), or one made from a name that says its size.

    The size is the last piece between dashes that is one: "Foo-7B", "Foo-7B-Instruct".
    "Foo-8x7B" is a mixture of 8 experts, "Foo-30B-A3B" one of 30B with 3B active.
    Raises CatalogError for any other name and for sizes outside 20M to 100T.
    """
    if listed := _exact(name, models()):
        return listed
    try:
        made = _model_of_its_size(plain_name(name))
    except CatalogError as error:
        raise CatalogError(f"model {error}") from None
    if made:
        return made
    raise CatalogError(
        f"model {quoted(name)} is not listed and does not end in a size such as -7B, -8x7B or "
        f"-30B-A3B; {_nearest(name, models(), 'models')}"
    )


def dataset_named(name: str) -> Dataset:
    """The listed data set of that name, in any case. Raises CatalogError if there is none."""
    if listed := _exact(name, datasets()):
        return listed
    hint = _nearest(name, datasets(), "datasets")
    raise CatalogError(f"data set {quoted(name)} is not listed; {hint}")


def gpu_named(name: str) -> Gpu:
    """The listed GPU of that name, or the only one with that part in its name, in any case.

    Whole words go before parts of words, and the end of a name before its middle, so
    "H200" is the NVIDIA H200 and neither the H200 NVL nor the GH200.
    Raises CatalogError for an unknown name and for a part that several names share.
    """
    if listed := _exact(name, gpus()):
        return listed
    part = _words(name)
    words = {gpu: _words(gpu.name) for gpu in gpus()}
    found = (
        [gpu for gpu, text in words.items() if text.endswith(part)]
        or [gpu for gpu, text in words.items() if part in text]
        or [gpu for gpu, text in words.items() if part.strip() in text]
    )
    if len(found) == 1:
        return found[0]
    if found:
        candidates = ", ".join(gpu.name for gpu in found[:6]) + " ..." * (len(found) > 6)
        raise CatalogError(f"GPU {quoted(name)} may be any of {candidates}: say which.")
    hint = _nearest(name, gpus(), "gpus")
    raise CatalogError(f"GPU {quoted(name)} is not listed; {hint}")


def _words(name: str) -> str:
    return f" {' '.join(name.casefold().replace('-', ' ').split())} "


def _exact(name: str, records: Sequence[Record]) -> Record | None:
    wanted = name.casefold()
    return next((record for record in records if record.name.casefold() == wanted), None)


def _nearest(name: str, records: Sequence[Record], listed: str) -> str:
    from difflib import get_close_matches  # imports re: only on the way to an error

    names = {record.name.casefold(): record.name for record in records}
    near = get_close_matches(name[:LONGEST_NAME].casefold(), names, n=1, cutoff=0.45)
    return f"did you mean {names[near[0]]!r}?" if near else f"--list {listed} has all."


# Mixtral 8x7B has 46.7B parameters, and a token visits 2 of the 8 experts: 12.9B. From
# shared + 8 experts = 46.7 and shared + 2 experts = 12.9, one expert has 5.63 and the shared
# part 1.63: 805 and 233 thousandths of the nominal 7. (Mixtral 8x22B: 147B and 40.5B by this
# arithmetic, 141B and 39.1B in truth.)
_EXPERT, _SHARED, _VISITED = 805, 233, 2

# "30B-A3B" does not say how many experts share the 30B. Qwen3's and gpt-oss's have 128.
_FINE_GRAINED_EXPERTS = 128


def _model_of_its_size(name: str) -> Model | None:
    """The model that the last size in a name describes; None if no part of the name is a size."""
    for piece, following in reversed([*pairwise([*name.split("-"), ""])]):
        count, times, nominal = piece.lower().rpartition("x")
        size = size_of(nominal)
        if size is not None and not times:
            active = size_of(following[1:]) if following[:1] in ("A", "a") else None
            visited = (size, 1) if active is None else (active, _FINE_GRAINED_EXPERTS)
            return _plausible(Model(name, size, *visited))
        if size is not None and is_digits(count) and 2 <= int(count) <= 1024:
            return _plausible(_mixture_of(int(count), size, name))
    return None


def _mixture_of(experts: int, nominal: int, name: str) -> Model:
    total, active = (nominal * (_SHARED + n * _EXPERT) // 1000 for n in (experts, _VISITED))
    return Model(name, int(float(f"{total:.3g}")), int(float(f"{active:.3g}")), experts)


def _plausible(model: Model) -> Model:
    name, total, active = model[:3]
    if not SMALLEST_MODEL <= total <= LARGEST_MODEL:
        raise CatalogError(f"{name!r} has {total:,} parameters, but a model has 20M to 100T.")
    if not 0 < active <= total:
        raise CatalogError(f"{name!r} has {active:,} active parameters, but only {total:,} in all.")
    return model


def parse_models(text: str, source: str) -> tuple[Model, ...]:
    """The models in the text of a list. Raises CatalogError, naming source and line."""
    return parsed(text, source, _MODEL, _model, optional=1)


def parse_datasets(text: str, source: str) -> tuple[Dataset, ...]:
    """The data sets in the text of a list. Raises CatalogError, naming source and line."""
    return parsed(text, source, _DATASET, _dataset, optional=3)


def parse_gpus(text: str, source: str) -> tuple[Gpu, ...]:
    """The GPUs in the text of a list. Raises CatalogError, naming source and line."""
    return parsed(text, source, _GPU, Gpu, optional=1)


def parse_releases(text: str, source: str) -> tuple[Release, ...]:
    """The versions in the text of a list. Raises CatalogError, naming source and line."""
    return parsed(text, source, _FRAMEWORK, _release, optional=1, key=2)


def parse_samples(text: str, source: str) -> tuple[Sample, ...]:
    """The samples of a list's text. Raises CatalogError with source and line."""
    return parsed(text, source, {"text": _said, "loss": number_in}, Sample)


def _said(cell: str) -> str:
    good = cell.isascii() and cell.isprintable() and 0 < len(cell) <= LONGEST_SAMPLE
    return checked(cell, f"is not a text of at most {LONGEST_SAMPLE} characters", good=good)


_NO_KIND, _NO_FORM = (f"is not one of {', '.join(names)}" for names in (KINDS, FORMS))


def _kind(cell: str) -> str:
    return checked(cell, _NO_KIND, good=cell in KINDS)


def _form(cell: str) -> str:
    return checked(cell, _NO_FORM, good=cell in FORMS)


def _per_cent(cell: str) -> float:
    share = number_in(cell)
    checked(cell, "is not a number of per cent below 100", good=share < 100)
    return share


def _mark(cell: str) -> bool:
    return bool(checked(cell, "is not funny, the one mark that there is", good=cell == "funny"))


def _traits(cell: str) -> tuple[int, int, bool]:
    """Active parameters, experts and a joke, from "active=12.9B experts=8 funny".

    A dense model has 0 experts here, since it does not say how many of its weights are active.
    """
    words = cell.split()
    funny = words[-1:] == ["funny"]
    sizes = words[: len(words) - funny]
    names = [word.partition("=")[0] for word in sizes]
    good = names == ["active", "experts"] or (funny and not names)
    checked(cell, "is not of the form active=12.9B experts=8 funny", good=good)
    if not sizes:
        return 0, 0, funny
    active, experts = (word.partition("=")[2] for word in sizes)
    return parse_size(active), whole_number_in(experts), funny


def _model(name: str, parameters: int, traits: tuple[int, int, bool] = (0, 0, False)) -> Model:
    active, experts, funny = traits
    mixture = (active, experts) if experts else (parameters, 1)
    return _plausible(Model(name, parameters, *mixture, funny))


# Tokens of a usual row, for a set that does not say how many it has: Tulu 3's conversations and
# UltraFeedback's pairs, and a problem of GSM8K with its answer.
_ROW_TOKENS = {"chat": 700, "preference": 750, "problems": 200}


def _dataset(
    name: str, tokens: int, kind: str, rows: int | None = None, level: float = 0.0, *mark: bool
) -> Dataset:
    if rows is not None and kind not in _ROW_TOKENS:
        raise refused(f"{rows}", f"rows, where text of the kind {kind} has none")
    if (rows or 0) > tokens:
        raise refused(f"{rows}", f"rows are more than the {tokens} tokens")
    return in_rows(Dataset(name, tokens, kind, rows or 0, level, *mark), kind)


def in_rows(dataset: Dataset, kind: str) -> Dataset:
    """The data set with rows of this kind: a usual number, if it does not count its own."""
    if dataset.rows or kind not in _ROW_TOKENS:
        return dataset
    return dataset._replace(rows=max(1, dataset.tokens // _ROW_TOKENS[kind]))


SOFTWARE = ("python", "torch", "nccl", "driver", "transformers")  # what a run draws from


def _software(cell: str) -> str:
    return checked(cell, f"is not one of {', '.join(SOFTWARE)}", good=cell in SOFTWARE)


def _release(name: str, version: str, needs: dict[str, str] | None = None) -> Release:
    """A release whose needs are complete. This is the one place that says what a release needs."""
    needs = needs or {}
    first, *others = version.partition("+")[0].split(".")
    if name in ("nccl", "driver"):
        good = is_digits(first) and bool(others) and is_digits(others[0])
        checked(version, f"is not a version of {name}: it begins with two numbers", good=good)
    if name == "torch":
        cuda = version.partition("+cu")[2]
        good = is_digits(cuda) and len(cuda) >= 3 and bool(others)
        checked(version, "does not name its CUDA as in 2.9.1+cu128", good=good)
        good = {"nccl", "driver"} <= needs.keys()
        checked(
            version, "needs a third column such as nccl=2.27.5 driver=570 out=2025-10", good=good
        )
    out, nccl, driver = needs.get("out", ""), needs.get("nccl", ""), needs.get("driver", "0")
    return Release(name, version, out, nccl, int(driver))


_MODEL = {"name": plain_name, "total parameters": parse_size, "traits": _traits}
_DATASET = {
    "name": plain_name, "tokens": parse_size, "kind": _kind, "rows": rows_in, "level": level_in,
    "mark": _mark,
}  # fmt: skip
_GPU = {
    "name": device_name, "memory": whole_number_in, "TDP": whole_number_in, "bf16": number_in,
    "HBM": number_in, "link": number_in, "NIC": number_in, "GPUs": whole_number_in,
    "form": _form, "clock": whole_number_in, "MFU": _per_cent,
    "weight": number_in,
}  # fmt: skip
_FRAMEWORK = {"software": _software, "version": plain_name, "needs": needs_in}
