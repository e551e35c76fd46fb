"""Progress bars in tqdm's format, byte for byte (tqdm 4.70, `tqdm.std.tqdm.format_meter`)."""

from llmsim.text.units import scaled

_BLOCKS = " ▏▎▍▌▋▊▉█"
_ASCII = " 123456789#"


def interval(seconds: float) -> str:
    """Seconds as MM:SS, or H:MM:SS from an hour on."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    text = "%02d:%02d" % (minute, second)  # noqa: UP031  # see units.asctime
    return f"{hours}:{text}" if hours else text


def blocks(fraction: float, width: int, unicode: bool = True) -> str:
    """A bar of this many cells, filled to the fraction (0..1) in eighths or tenths of a cell."""
    charset = _BLOCKS if unicode else _ASCII
    full, part = divmod(int(fraction * width * (len(charset) - 1)), len(charset) - 1)
    bar = charset[-1] * full
    if full < width:
        bar += charset[part] + charset[0] * (width - full - 1)
    return bar


def _rate(rate: float | None, unit: str, scale: bool, inverts: bool = True) -> str:
    """Units per second, or seconds per unit where a unit takes more than a second."""
    inverse = 1 / rate if rate and inverts else None
    if inverse and inverse > 1:
        return (scaled(inverse) if scale else f"{inverse:5.2f}") + "s/" + unit
    if not rate:
        return "?" + unit + "/s"
    return (scaled(rate) if scale else f"{rate:5.2f}") + unit + "/s"


def meter(
    done: int,
    total: int,
    elapsed: float,
    width: int | None,
    label: str = "",
    unit: str = "it",
    scale: bool = False,
    note: str = "",
    unicode: bool = True,
    inverts: bool = True,
    initial: int = 0,
    rate: float | None = None,
) -> str:
    """One bar: `label:  42%|████▏     | 420/1000 [00:42<00:58, 10.00it/s, note]`.

    `elapsed` is in seconds, `width` the whole line's cells (the bar takes what the text
    leaves, at least one cell; without a width it takes ten), `scale` writes counts with SI
    prefixes. A rate below 1 is seconds per unit where it `inverts`, as in tqdm's own format; a
    program whose bar_format has rate_noinv_fmt stays with units per second. The rate counts what
    was done after the `initial` units, unless it is given.
    """
    if rate is None:
        rate = (done - initial) / elapsed if elapsed else None
    left = interval((total - done) / rate) if rate else "?"
    count = f"{scaled(done)}/{scaled(total)}" if scale else f"{done}/{total}"
    tail = f", {note}" if note else ""
    head = f"{label}: " if label else ""
    before = f"{head}{done / total * 100:3.0f}%|"
    after = f"| {count} [{interval(elapsed)}<{left}, {_rate(rate, unit, scale, inverts)}{tail}]"
    room = 10 if width is None else max(1, width - len(before) - len(after))
    return (before + blocks(done / total, room, unicode) + after)[:width]
