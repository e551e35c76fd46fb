"""Lines fit themselves to the width and lose what matters least."""

from hypothesis import given
from hypothesis import strategies as st

from llmsim.text.fitting import Clause, fitting, take_prefix
from llmsim.text.style import length

clauses = st.lists(st.text("abc ", max_size=12), min_size=1, max_size=8).map(
    lambda texts: [((str(index), text),) for index, text in enumerate(texts)]
)


def clause(text: str) -> Clause:
    return (("", text),)


def test_a_long_clause_gives_way_to_a_shorter_less_important_one() -> None:
    step, loss, memory, lr = map(clause, ("step 10", "loss 2.1", "memory 61.21GiB", "lr 1e-4"))
    assert fitting([step, loss, memory, lr], room=30, between=2) == [step, loss, lr]
    assert fitting([step, loss, memory, lr], room=0) == [step]


def test_a_sentence_ends_where_its_next_clause_does_not_fit() -> None:
    spoken = map(clause, ("Saved", " step 10", ": 168 GB in 10.7 s", " (5 GB/s)"))
    assert take_prefix(spoken, room=25) == [("", "Saved"), ("", " step 10")]


@given(clauses, st.integers(0, 100), st.integers(0, 3))
def test_what_is_kept_fits_and_keeps_its_order(told: list[Clause], room: int, between: int) -> None:
    kept = fitting(told, room, between)
    assert kept[0] == told[0]
    assert kept == [each for each in told if each in kept]
    if length(told[0]) <= room:
        assert sum(map(length, kept)) + between * (len(kept) - 1) <= room
    else:
        assert len(kept) == 1 or sum(map(length, kept[1:])) == 0


@given(clauses, st.integers(0, 100))
def test_a_sentence_is_a_beginning_of_all_that_could_be_said(told: list[Clause], room: int) -> None:
    spans = take_prefix(told, room)
    everything = [span for each in told for span in each]
    assert spans == everything[: len(spans)]
    assert spans
    assert length(spans) <= max(room, length(told[0]))
