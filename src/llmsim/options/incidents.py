"""What --incident KIND@WHEN[:rank=R] means, one or several with commas between them."""

from llmsim.catalog.lists import quoted
from llmsim.errors import OptionError
from llmsim.job.records import Asked
from llmsim.options.parsing import starting_point
from llmsim.text.wording import nearest

PHASES = ("launch", "training", "validation", "checkpoint")
EXPECTED = (
    "KIND@WHEN (a kind from --list incidents), for instance gpu-lost@40%, disk-full@checkpoint, "
    "cuda-oom@step=500 or preempt@2h:rank=3"
)


def parse_incidents(text: str) -> str:
    """The text, if each incident in it is of the right form. Raises OptionError or ValueError."""
    asked((text,))
    return text


def asked(texts: str | tuple[str, ...]) -> tuple[Asked, ...]:
    """The incidents that texts ask for."""
    texts = (texts,) if isinstance(texts, str) else texts
    return tuple(_one(part.strip()) for text in texts for part in text.split(","))


def _one(text: str) -> Asked:
    from llmsim.run.incident_kinds import NAMES  # not on the way to the first line

    kind, _, rest = text.partition("@")
    when, _, place = rest.partition(":")
    if kind not in NAMES:
        near = nearest(kind, NAMES)
        hint = f" (did you mean {near}?)" if near else ""
        sentence = f"cannot be {quoted(text)}: give {EXPECTED}{hint}."
        raise OptionError(sentence)
    unit, value, phase = moment(when)
    return Asked(kind, unit, value, phase, _rank(place), text)


def _rank(place: str) -> int | None:
    if not place:
        return None
    name, _, number = place.partition("=")
    if name != "rank" or not (number.isascii() and number.isdigit()) or len(number) > 7:
        raise ValueError
    return int(number)


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
