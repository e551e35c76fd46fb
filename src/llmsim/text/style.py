"""Colour by meaning. A line is spans of (style, text); painting fits it to the screen."""

from collections.abc import Iterable, Sequence

from llmsim.text.screen import Screen

Span = tuple[str, str]

# SGR codes, in the manner of torchtitan's metrics line (green loss, orange gradient norm,
# turquoise memory, blue throughput, magenta MFU) and of Python loggers (yellow warnings,
# red errors). 256-colour codes where the sixteen have no such colour, of middle lightness:
# readable on white and on black.
STYLES = {
    "": "",
    "time": "38;5;244",
    "name": "36",
    "title": "1",
    "step": "1;36",
    "loss": "32",
    "perplexity": "38;5;65",
    "gradient": "38;5;166",
    "rate": "38;5;136",
    "throughput": "38;5;67",
    "memory": "38;5;30",
    "mfu": "35",
    "good": "1;32",
    "number": "1",
    "muted": "38;5;244",
    "warm": "33",
    "hot": "31",
    "warning": "33",
    "error": "1;31",
    "prompt": "1;32",
    "joke": "3;38;5;136",
}
# What a terminal that has but sixteen colours gets.
SIXTEEN = {
    **STYLES,
    "time": "2",
    "muted": "2",
    "perplexity": "32",
    "gradient": "31",
    "rate": "33",
    "throughput": "34",
    "memory": "36",
    "joke": "3;33",
}
RESET = "\x1b[0m"


def length(spans: Iterable[Span]) -> int:
    """Cells the spans take. All our characters are one cell wide."""
    cells = 0
    for _, text in spans:  # a loop, since most clauses have one span: sum() takes twice as long
        cells += len(text)
    return cells


def clipped(spans: Sequence[Span], width: int, ellipsis: str) -> Sequence[Span]:
    """The spans, cut to the width with an ellipsis where they are longer."""
    if length(spans) <= width:
        return spans
    kept: list[Span] = []
    room = width - len(ellipsis)
    for style, text in spans:
        kept.append((style, text[:room]))
        room -= len(text)
        if room <= 0:
            break
    return [*kept, ("muted", ellipsis)]


def paint(spans: Sequence[Span], screen: Screen) -> str:
    """One line of text for the screen: fitted to its width, coloured if it has colours."""
    spans = clipped(spans, screen.width, "…" if screen.unicode else ">")
    if not screen.color:
        return "".join([text for _, text in spans])
    styles = STYLES if screen.colors > 16 else SIXTEEN
    return "".join(
        [f"\x1b[{styles[style]}m{text}{RESET}" if style else text for style, text in spans]
    )
