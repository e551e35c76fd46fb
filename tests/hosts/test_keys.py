"""Keys: what terminals send for them, and the line that tells what they do."""

import pytest

from llmsim.hosts.keys import IMPORTANCE, KEYS, NAMES, PASTE, UNKNOWN, Decoder, hint


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        (b" ", ["pause"]),
        (b"+", ["faster"]),
        (b"=", ["faster"]),
        (b"-", ["slower"]),
        (b"n", ["next"]),
        (b"G", ["board"]),
        (b"q", ["quit"]),
        (b"++ ", ["faster", "faster", "pause"]),
        (b"x", [UNKNOWN]),
        ("é".encode(), [UNKNOWN]),
        ("жq".encode(), [UNKNOWN, "quit"]),
    ],
)
def test_keys(typed: bytes, names: list[str]) -> None:
    decoder = Decoder()
    assert decoder.feed(typed) == names
    assert not decoder.waits


@pytest.mark.parametrize(
    ("sequence", "name"),
    [
        # From xterm's "Control Sequences", PC-Style Function Keys, in both modes; 1~ is Home of
        # Linux's console and of screen, 7~ that of rxvt.
        (b"\x1b[D", "back"), (b"\x1bOD", "back"), (b"\x1b[C", "forward"), (b"\x1bOC", "forward"),
        (b"\x1b[H", "beginning"), (b"\x1bOH", "beginning"), (b"\x1b[1~", "beginning"),
        (b"\x1b[7~", "beginning"),
    ],
)  # fmt: skip
def test_arrows_and_home_are_keys_in_their_order(sequence: bytes, name: str) -> None:
    decoder = Decoder()
    assert decoder.feed(b"+" + sequence + b" " + sequence) == ["faster", name, "pause", name]
    assert not decoder.waits
    for place in range(1, len(sequence)):
        assert decoder.feed(sequence[:place]) == []
        assert decoder.feed(sequence[place:] + b"n") == [name, "next"]


def test_an_arrow_that_repeats_is_no_paste_while_somebody_can_type_it() -> None:
    assert Decoder().feed(b"\x1b[C" * PASTE) == ["forward"] * PASTE


@pytest.mark.parametrize("text", ["ø", "ﾟ", "\U0010ffff", "\xfc"])
def test_no_letter_is_taken_for_an_arrow(text: str) -> None:
    assert Decoder().feed(text.encode()) == [UNKNOWN]
    assert Decoder().feed(text.encode("latin-1", "ignore")) == []
    assert Decoder().feed(b"\x1b[1;5D" + b"\x1b\x1b[D") == []


# Arrow up; the same with Alt, as rxvt sends it; in application mode; F1; F5; F1 on Linux's console;
# Delete; Shift+Tab;
# Alt+q; mouse reports in xterm's three forms (X10, SGR, urxvt); focus gained and lost; the answers
# to a question for the cursor's place, the terminal's kind (DA1, DA2) and its background; a key in
# the kitty protocol; a device control string. From xterm's "Control Sequences" and kitty's docs.
SEQUENCES = (
    b"\x1b[A", b"\x1b\x1b[A", b"\x1bOA", b"\x1bOP", b"\x1b[15~", b"\x1b[[A", b"\x1b[3~",
    b"\x1b[Z", b"\x1bq", b"\x1b[M q ", b"\x1b[<0;10;5M", b"\x1b[<0;10;5m", b"\x1b[32;10;5M",
    b"\x1b[I", b"\x1b[O",
    b"\x1b[12;40R", b"\x1b[?64;1;2q", b"\x1b[>1;95;0c", b"\x1b]11;rgb:0000/0000/0000\x07",
    b"\x1b]11;rgb:ffff/ffff/ffff\x1b\\", b"\x1b[113;5u", b"\x1bP1$r0q\x1b\\",
)  # fmt: skip


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_what_terminals_send_of_their_own_asks_for_nothing(sequence: bytes) -> None:
    decoder = Decoder()
    assert decoder.feed(sequence) == []
    assert decoder.quiet() == []
    assert decoder.feed(b"+" + sequence + b" ") == ["faster", "pause"]


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_a_sequence_may_come_in_pieces(sequence: bytes) -> None:
    for place in range(2, len(sequence)):
        decoder = Decoder()
        assert decoder.feed(sequence[:place]) == []
        assert decoder.feed(sequence[place:]) == []
        assert decoder.quiet() == []


def test_escape_is_a_key_when_nothing_follows() -> None:
    for typed in (b"\x1b", b"\x1b\x1b"):
        decoder = Decoder()
        assert decoder.feed(typed) == []
        assert decoder.quiet() == ["quit"]
        assert decoder.quiet() == []
        assert decoder.feed(b"+") == ["faster"]


def test_the_rest_of_a_sequence_that_never_comes_is_not_waited_for() -> None:
    decoder = Decoder()
    assert decoder.feed(b"\x1b[1;") == []
    assert decoder.quiet() == []
    assert decoder.feed(b"q") == ["quit"]


def test_a_paste_asks_for_nothing() -> None:
    text = b"Esc \x1b and q, n; " * 500
    bracketed = b"\x1b[200~" + text + b"\x1b[201~"
    for size in (1, 2, 3, 7, 1000, len(bracketed)):
        decoder = Decoder()
        for place in range(0, len(bracketed), size):
            assert decoder.feed(bracketed[place : place + size]) == [], size
            if place > 8:
                assert not decoder.waits or place + size >= len(bracketed)
        assert decoder.feed(b"q") == ["quit"]
    assert Decoder().feed(b"q" * (PASTE + 1)) == []


def test_the_hint_fits_and_tells_the_most_important() -> None:
    for width in range(401):
        line = hint(width)
        assert len(line) <= width
        assert ("q quit" in line) == (width >= len("q quit"))
        assert ("space pause" in line) == (width >= 18)


def test_the_hint_tells_every_key_but_the_wall_in_80_columns() -> None:
    assert hint(78) == (
        "space pause  + faster  - slower  left back  right on  n next  g board  q quit"
    )
    assert hint(98) == hint(78).replace("  q", "  w wall  q")


def test_no_character_stands_for_two_keys() -> None:
    assert len(NAMES) == sum(len(key.characters) for key in KEYS)
    assert sorted(IMPORTANCE) == sorted(key.name for key in KEYS if key.hint)
