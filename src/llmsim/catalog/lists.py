"""Reads a list: lines to cells to values. A mistake in it is a CatalogError that names the line.

A list is text that a person edits: one record a line, columns separated by "|", and "#"
begins a comment line.
"""

from collections.abc import Callable, Mapping

from llmsim.errors import CatalogError
from llmsim.typed import TypeVar

Record = TypeVar("Record")
Columns = Mapping[str, Callable[[str], object]]  # a column's name and how its cells are read


def quoted(value: str) -> str:
    """The value as a sentence can hold it: of fair length, control characters escaped."""
    return ascii(value if len(value) <= 60 else value[:57] + "...")


_EXPONENTS = {"K": 3, "M": 6, "B": 9, "T": 12}


def parse_size(text: str) -> int:
    """The whole number that a size means: "420B" is 420,000,000,000, "1.1b" 1,100,000,000.

    Raises CatalogError unless the text is a positive number with K, M, B or T.
    """
    if size := size_of(text):
        return size
    raise refused(text, "is not a positive size such as 124M, 1.1B or 15T")


def size_of(text: str) -> int | None:
    """The number that a size means: 1_100_000_000 for "1.1B". None if the text is not a size."""
    whole, dot, fraction = text[:-1].partition(".")
    exponent = _EXPONENTS.get(text[-1:].upper(), 0)
    if exponent and not dot and is_digits(whole):
        return int(whole + "0" * exponent)
    exact = len(fraction) <= exponent and bool(dot) == bool(fraction)
    if not (whole and exact and is_digits(whole + fraction)):
        return None
    return int(whole + fraction) * 10 ** (exponent - len(fraction)) if exponent else None


def is_digits(text: str) -> bool:
    """Whether the text is a whole number in ASCII digits, and not absurdly long."""
    return text.isascii() and text.isdecimal() and len(text) <= 32  # quick to convert


LONGEST_NAME = 48
_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
_IN_NAMES = _LETTERS.union("._+-")
_NO_NAME = (
    "is not a name: it begins with a letter or digit and has up to 48 letters, digits or ._+-"
)


def refused(cell: str, complaint: str) -> CatalogError:
    """The error that a cell is wrong, with the complaint."""
    return CatalogError(f"{quoted(cell)} {complaint}.")


def checked(cell: str, complaint: str, *, good: bool) -> str:
    """The cell, if it is good. Raises CatalogError with the complaint otherwise."""
    if not good:
        raise refused(cell, complaint)
    return cell


def plain_name(cell: str) -> str:
    """A name that needs no quoting anywhere. Raises CatalogError for others."""
    good = cell[:1] in _LETTERS and _IN_NAMES.issuperset(cell) and len(cell) <= LONGEST_NAME
    return checked(cell, _NO_NAME, good=good)


def device_name(cell: str) -> str:
    """A device's name, in printable ASCII. Raises CatalogError for others."""
    good = cell.isascii() and cell.isprintable() and 0 < len(cell) <= 64
    return checked(cell, "is not a device name such as NVIDIA H200", good=good)


def number_in(cell: str) -> float:
    """A positive number. Raises CatalogError for anything else."""
    digits = cell.removeprefix("-").replace(".", "", 1)
    if not is_digits(digits):
        raise refused(cell, "is not a number")
    if (number := float(cell)) <= 0:
        raise refused(cell, "is not positive")
    return number


def whole_number_in(cell: str) -> int:
    """A positive whole number. Raises CatalogError for anything else."""
    if is_digits(cell) and (whole := int(cell)):
        return whole
    number = number_in(cell)
    if number % 1:
        raise refused(cell, "is not a whole number")
    return int(number)


def parsed(
    text: str,
    source: str,
    columns: Columns,
    make: Callable[..., Record],
    optional: int = 0,  # columns at the end that a line may leave out
    key: int = 1,  # columns at the start that no two lines share
) -> tuple[Record, ...]:
    """The records of a list's text, in its order. Raises CatalogError with source and line."""
    records: dict[str, Record] = {}
    readers = tuple(columns.values())
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split("|")]
        try:
            if not len(readers) - optional <= len(cells) <= len(readers):
                raise _miscounted(cells, columns)
            record = make(*_read_cells(cells, readers, columns))
        except CatalogError as error:
            raise CatalogError(f"{source} line {number}: {error}") from None
        name = " ".join(cells[:key])
        if (folded := name.casefold()) in records:
            raise CatalogError(f"{source} line {number}: {name!r} is listed already.")
        records[folded] = record
    if not records:
        raise CatalogError(f"{source} lists nothing; its columns are {' | '.join(columns)}.")
    return tuple(records.values())


def _miscounted(cells: list[str], columns: Columns) -> CatalogError:
    return CatalogError(f"columns are {' | '.join(columns)}, but this line has {len(cells)}.")


def _read_cells(
    cells: list[str], readers: tuple[Callable[[str], object], ...], columns: Columns
) -> list[object]:
    try:
        return [read(cell) for read, cell in zip(readers, cells, strict=False)]
    except CatalogError:
        pass
    for name, read, cell in zip(columns, readers, cells, strict=False):
        try:
            read(cell)  # once more, for the name of the column that is wrong
        except CatalogError as error:
            raise CatalogError(f"{name} {error}") from None
    raise AssertionError("a reader answers a cell as it did before")


def rows_in(cell: str) -> int | None:
    """A positive whole number, or None in an empty cell. Raises CatalogError for anything else."""
    return whole_number_in(cell) if cell else None


_HIGHEST_LEVEL = 2.0  # nats


def level_in(cell: str) -> float:
    """A signed number of nats, +0.24 or -0.18, or 0 in an empty cell. Raises CatalogError for
    anything else.
    """
    if not cell:
        return 0.0
    if cell[:1] not in ("+", "-") or not is_digits(cell[1:].replace(".", "", 1)):
        raise refused(cell, "is not a signed number of nats such as +0.24")
    if abs(float(cell)) > _HIGHEST_LEVEL:
        raise refused(cell, f"is above {_HIGHEST_LEVEL:g} nats")
    return float(cell)


_NEEDS = ("nccl", "driver", "out")


def needs_in(cell: str) -> dict[str, str]:
    """The values of "nccl=2.27.5 driver=570 out=2025-10" by name; each of the three may be left
    out.
    """
    parts = [part.partition("=") for part in cell.split()]
    good = all(name in _NEEDS and value for name, _, value in parts)
    checked(cell, "is not of the form nccl=2.27.5 driver=570 out=2025-10", good=good)
    needs = {name: value for name, _, value in parts}
    month = needs.get("out", "2025-10")
    dated = len(month) == 7 and month[4] == "-" and is_digits(month[:4] + month[5:])
    checked(month, "is not a month such as 2025-10", good=dated)
    checked(needs.get("driver", "570"), "is not a driver's branch such as 570",
            good=is_digits(needs.get("driver", "570")))  # fmt: skip
    return needs
