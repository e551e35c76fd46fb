"""Lines that fit the width: the least important clauses are left out first."""

from collections.abc import Iterable, Sequence

from llmsim.text.style import Span, length

# A clause is shown whole or left out.
Clause = tuple[Span, ...]


def fitting(clauses: Sequence[Clause], room: int, between: int = 0) -> list[Clause]:
    """The clauses that fit into `room` cells, `between` cells apart; the first always stays.

    Clauses are in the order of their importance: one that does not fit is left out, and a
    less important but shorter one may take its place.
    """
    kept = [clauses[0]]
    used = length(clauses[0])
    for clause in clauses[1:]:
        size = between + length(clause)
        if used + size <= room:
            kept.append(clause)
            used += size
    return kept


def take_prefix(clauses: Iterable[Clause], room: int) -> list[Span]:
    """The spans of the longest prefix of the clauses that fits; the first clause always stays."""
    kept: list[Span] = []
    used = 0
    for clause in clauses:
        used += length(clause)
        if kept and used > room:
            break
        kept.extend(clause)
    return kept
