"""What --incident KIND@WHEN[:rank=R][:shape=S] means, one or several with commas between them."""

from llmsim.catalog.lists import quoted
from llmsim.errors import OptionError
from llmsim.job.records import Asked
from llmsim.options.parsing import INCIDENTS, starting_point
from llmsim.text.wording import nearest

PHASES = ("launch", "training", "validation", "checkpoint")
SHAPES = ("fast", "slow", "permanent")  # of a loss spike


def asked(texts: str | tuple[str, ...]) -> tuple[Asked, ...]:
    """The incidents that texts ask for."""
    texts = (texts,) if isinstance(texts, str) else texts
    return tuple(_one(part.strip()) for text in texts for part in text.split(","))


def _one(text: str) -> Asked:
    from llmsim.run.incident_kinds import NAMES  # not on the way to the first line

    kind, _, rest = text.partition("@")
    when, _, further = rest.partition(":")
    if kind not in NAMES:
        near = nearest(kind, NAMES)
        hint = f" (did you mean {near}?)" if near else ""
        sentence = f"cannot be {quoted(text)}: give {INCIDENTS}{hint}."
        raise OptionError(sentence)
    unit, value, phase = moment(when)
    rank, shape = _further(kind, further)
    return Asked(kind, unit, value, phase, rank, text, shape)


def _further(kind: str, text: str) -> tuple[int | None, str]:
    """The rank and the shape in "rank=3:shape=slow"; either may be missing."""
    rank, shape = None, ""
    for part in text.split(":") if text else ():
        name, _, value = part.partition("=")
        if name == "rank" and value.isascii() and value.isdigit() and len(value) <= 7:
            rank = int(value)
        elif name == "shape" and kind == "loss-spike" and value in SHAPES:
            shape = value
        else:
            raise ValueError
    return rank, shape


def moment(text: str) -> tuple[str, float, str]:
    """(unit, value, phase) of a moment: "40%", "step=500", "2h10min" or the name of a phase.

    Units are "share" (of the optimizer steps), "step", "seconds" since the command, and "phase".
    Raises ValueError for anything else.
    """
    kind, value = starting_point(text)
    if kind == "phase":
        if value not in PHASES:
            raise ValueError
        return kind, 0.0, str(value)
    return "seconds" if kind == "time" else kind, float(value), ""
