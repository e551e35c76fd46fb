"""What a released piece of software needs, as a cell of data/llm_frameworks.txt says it."""

from llmsim.catalog.lists import checked, is_digits

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
