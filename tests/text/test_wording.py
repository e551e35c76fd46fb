"""Long lines are wrapped as a shell takes them."""

from hypothesis import given
from hypothesis import strategies as st

from llmsim.text.wording import wrapped

words = st.lists(st.text("abc", min_size=1, max_size=12), max_size=20)


def test_words_are_wrapped_with_a_tail_on_all_lines_but_the_last() -> None:
    command = ["torchrun", "--nnodes 4", "train.py", "--seed 7"]
    assert wrapped(command, 22, " \\") == ["torchrun --nnodes 4 \\", "train.py --seed 7"]
    assert wrapped(["abcdefgh", "i"], 5) == ["abcde", "fgh i"]
    assert wrapped([], 5) == []


@given(words, st.integers(3, 40), st.sampled_from(("", " \\")))
def test_wrapped_lines_fit_and_lose_no_letter(told: list[str], room: int, tail: str) -> None:
    lines = wrapped(told, room, tail)
    assert all(0 < len(line) <= room for line in lines)
    joined = "".join(line.removesuffix(tail) if tail else line for line in lines)
    assert joined.replace(" ", "") == "".join(told)
