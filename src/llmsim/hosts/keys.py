"""The keys: the action of each, and the bytes by which a terminal reports it."""

from llmsim.typed import NamedTuple

# This many characters at once are a paste or a terminal's answer, not keys that a person types.
PASTE = 8
ESCAPE = b"\x1b"
PASTE_BEGINS, PASTE_ENDS = b"\x1b[200~", b"\x1b[201~"  # bracketed paste, mode 2004
# What a terminal sends for one key, or of its own accord.
SEQUENCES = rb"\x1b+(?:" + rb"|".join((
    rb"\[M...",  # xterm's oldest mouse report
    rb"\[\[.",  # a function key of Linux's console
    rb"\[(?![M[])[0-?]*[ -/]*[@-~]",  # CSI: ECMA-48, 5.4
    rb"O.",  # SS3
    rb"[PX^_\]][^\x07\x1b]*(?:\x07|\x1b\\)",  # strings, up to BEL or ST
    rb"[^\x1b\[OPX^_\]]",  # Alt and a key
)) + rb")"  # fmt: skip


class Key(NamedTuple):
    """A key, under all the characters that stand for it."""

    name: str  # what it asks for
    characters: str
    label: str  # what is written on it
    hint: str  # its meaning in a word; none for a key that the hint leaves out
    meaning: str
    # Of a key without a character: what terminals send for it, and its name in a browser.
    sequences: tuple[bytes, ...] = ()
    browser: str = ""


KEYS = (
    Key("pause", " ", "space", "pause", "pause the show, and go on"),
    Key("faster", "+=", "+", "faster", "play twice as fast"),
    Key("slower", "-_", "-", "slower", "play half as fast"),
    Key(
        "back", "", "left", "back", "go back 10 seconds of the show",
        (b"\x1b[D", b"\x1bOD"), "arrowleft"
    ),
    Key(
        "forward", "", "right", "on", "go forward 10 seconds of the show",
        (b"\x1b[C", b"\x1bOC"), "arrowright"
    ),
    Key(
        "beginning", "", "Home", "", "go to the beginning of the run",
        (b"\x1b[H", b"\x1bOH", b"\x1b[1~", b"\x1b[7~"), "home",
    ),
    Key(
        "next", "nN", "n", "next",
        "skip to the next run; the skipped run does not count for --runs",
    ),
    Key("board", "gG", "g", "board", "hide the board, or show the board again"),
    Key("wall", "wW", "w", "wall", "show the wall (a control room), or leave the wall"),
    Key("quit", "qQ\x1b", "q", "quit", "end the show; Esc does too", browser="escape"),
)  # fmt: skip
NAMES = {character: key.name for key in KEYS for character in key.characters}
# A sequence that is a key becomes one byte while it is decoded. If that byte itself is typed, it is
# no key.
STANDING = {
    bytes([0xF8 + number]): key for number, key in enumerate(k for k in KEYS if k.sequences)
}
MARKS = {sequence: mark for mark, key in STANDING.items() for sequence in key.sequences}
FOREIGN = bytes.maketrans(b"".join(STANDING), b"\x80" * len(STANDING))
NAMES_OF_MARKS = {mark[0]: key.name for mark, key in STANDING.items()}
UNKNOWN = "unknown"  # a key that asks for nothing
LETTERS = range(0xC2, 0xF5)  # the first bytes of UTF-8's characters that are not ASCII
# Where there is no room for all, the first of these are shown; the last one only with wide gaps.
IMPORTANCE = ("quit", "pause", "faster", "slower", "next", "board", "back", "forward", "wall")
GAP = "  "


def hint(width: int) -> str:
    """The keys and their meanings in one line of at most `width` cells."""
    texts = {key.name: f"{key.label} {key.hint}" for key in KEYS if key.hint}
    shown: list[str] = []
    for name in IMPORTANCE:
        gap = GAP if name == IMPORTANCE[-1] else " "
        if len(gap.join(texts[each] for each in [*shown, name])) <= width:
            shown.append(name)
    kept = [text for name, text in texts.items() if name in shown]
    wide = GAP.join(kept)
    return wide if len(wide) <= width else " ".join(kept)


class Decoder:
    """Turns a terminal's bytes into the names of keys. The mouse and pasted text have no effect."""

    def __init__(self) -> None:
        """Begins without any bytes."""
        self._rest = b""  # the beginning of a sequence or of a paste

    @property
    def waits(self) -> bool:
        """Whether the latest bytes may be the beginning of a sequence."""
        return self._rest.startswith(ESCAPE) and not self._rest.startswith(PASTE_BEGINS)

    def feed(self, data: bytes) -> list[str]:
        """The names of the keys in bytes that came together."""
        data, self._rest = self._rest + data.translate(FOREIGN), b""
        if ESCAPE in data:
            data = self._without_sequences(data)
        if len(data) > PASTE:
            return []
        return [
            NAMES_OF_MARKS.get(byte) or NAMES.get(chr(byte), UNKNOWN)
            for byte in data
            if byte < 128 or byte in LETTERS or byte in NAMES_OF_MARKS
        ]

    def quiet(self) -> list[str]:
        """The key in a sequence that has begun and does not go on: Esc, or none."""
        if not self.waits:
            return []
        rest, self._rest = self._rest, b""
        return ["quit"] if rest.strip(ESCAPE) == b"" else []

    def _without_sequences(self, data: bytes) -> bytes:
        """The typed bytes without sequences and pastes; an unfinished one is kept for later."""
        import re  # only here: see law 7

        paste, within = re.escape(PASTE_BEGINS), re.DOTALL
        data = re.sub(paste + b".*?" + re.escape(PASTE_ENDS), b"", data, flags=within)
        typed, begun, pasted = data.partition(PASTE_BEGINS)
        typed = re.sub(SEQUENCES, lambda found: MARKS.get(found[0], b""), typed, flags=within)
        if begun:  # of the paste so far only what may be the beginning of its end is needed
            self._rest = begun + pasted[-len(PASTE_ENDS) :]
            return typed
        typed, escape, rest = typed.partition(ESCAPE)
        self._rest = escape + rest
        return typed
