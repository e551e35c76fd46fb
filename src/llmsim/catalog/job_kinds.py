"""Reads data/llm_jobs.txt: the kinds of job that people run."""

from llmsim.catalog.gpus import CARDS, DESKS
from llmsim.catalog.lists import (
    checked,
    number_in,
    parse_size,
    parsed,
    plain_name,
    whole_number_in,
)
from llmsim.catalog.records import FORMS
from llmsim.typed import NamedTuple


class JobKind(NamedTuple):
    """A kind of job that people run: what the planner draws from."""

    name: str
    recipe: str
    models: tuple[int, int]  # the fewest and the most active parameters
    gpus: tuple[int, ...]
    forms: tuple[str, ...]  # of GPUs
    sequences: tuple[int, ...]  # tokens
    batch: int  # tokens of an optimizer step
    tokens: tuple[float, float] | None  # of the whole run for each active parameter
    weight: float
    asks: tuple[tuple[str, str], ...] = ()  # what it has beside the rest: ("precision", "fp8")


# What a line may ask for: the key of a job and its value; "ep=8" says a key itself.
ASKED = {
    "mixture": ("mixture", "yes"),
    "benchmark": ("benchmark", "yes"),
    "fp8": ("precision", "fp8"),
    "nf4": ("base", "nf4"),
}
RANKS = ("ep", "cp")
_NVLINK = ("sxm", "superchip")
GROUPS = {
    "nvlink": _NVLINK,
    "servers": (*_NVLINK, "instinct"),
    "desks": DESKS,
    "cards": CARDS,
}


def parse_job_kinds(text: str, source: str, recipes: tuple[str, ...] = ()) -> tuple[JobKind, ...]:
    """The kinds of job in the text of a list. `recipes` are the names of the recipes, if a wrong
    one should be refused. Raises CatalogError, naming source and line.
    """

    def recipe(cell: str) -> str:
        return checked(cell, f"is no recipe: give {', '.join(recipes)}", good=cell in recipes)

    columns = {**_COLUMNS, "recipe": recipe} if recipes else _COLUMNS
    return parsed(text, source, columns, JobKind, optional=1)


def _range(cell: str) -> tuple[int, int]:
    """Two sizes, the smaller first: 6B-9B."""
    low, _, high = cell.partition("-")
    sizes = parse_size(low), parse_size(high)
    checked(cell, "is not a range of sizes such as 6B-9B", good=sizes[0] <= sizes[1])
    return sizes


def _numbers(cell: str) -> tuple[int, ...]:
    """Numbers of GPUs, or of tokens: 4K are 4,096."""
    parts = [part.strip() for part in cell.split(",")]
    return tuple(
        whole_number_in(part[:-1]) << 10 if part.endswith("K") else whole_number_in(part)
        for part in parts
    )


_NO_FORMS = f"is not made of {', '.join((*FORMS, *GROUPS))}"


def _forms(cell: str) -> tuple[str, ...]:
    parts = tuple(form for part in cell.split() for form in GROUPS.get(part, (part,)))
    good = bool(parts) and set(FORMS).issuperset(parts)
    checked(cell, _NO_FORMS, good=good)
    return parts


def _per_parameter(cell: str) -> tuple[float, float] | None:
    """Tokens for each active parameter, or None for "-"."""
    if cell == "-":
        return None
    low, _, high = cell.partition("-")
    numbers = number_in(low), number_in(high)
    checked(cell, "is not a range of numbers such as 20-100", good=numbers[0] <= numbers[1])
    return numbers


def _batch(cell: str) -> int:
    """Tokens as people say them: 512K are 524,288, 4M are 4,194,304."""
    whole, unit = cell[:-1], cell[-1:].upper()
    checked(cell, "is not a batch such as 512K or 4M", good=unit in ("K", "M"))
    return whole_number_in(whole) << (10 if unit == "K" else 20)


def _asks(cell: str) -> tuple[tuple[str, str], ...]:
    """Pairs of a key and its value, from "mixture ep=8"."""
    pairs = []
    for part in cell.split():
        name, _, value = part.partition("=")
        good = part in ASKED or (name in RANKS and value.isdigit())
        checked(cell, f"is not made of {', '.join((*ASKED, 'ep=8'))}", good=good)
        pairs.append(ASKED.get(part) or (name, value))
    return tuple(pairs)


_COLUMNS = {
    "name": plain_name, "recipe": plain_name, "models": _range, "GPUs": _numbers,
    "forms": _forms, "sequences": _numbers, "batch": _batch, "tokens": _per_parameter,
    "weight": number_in, "asks for": _asks,
}  # fmt: skip
