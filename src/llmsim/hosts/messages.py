"""What the page is told about a run, and about what is wrong with its address: FromWorker in
web/messages.d.ts has the types.
"""

from collections.abc import Iterable

from llmsim.errors import PARAMETER, LlmsimError
from llmsim.hosts.runs import runs_of, seeded
from llmsim.options.command import command, identity
from llmsim.options.given import from_query
from llmsim.options.table import Options
from llmsim.run.timeline import Run, run_ended
from llmsim.show.live_region import LiveRegion
from llmsim.show.pace import Pace
from llmsim.show.player import beginning
from llmsim.text.screen import TRUECOLOR
from llmsim.text.style import colored

# Sentences about an address that a visitor reads.
MOST_COMPLAINTS = 3
# The segments that the page's timeline has marks for. Of many planned pauses it marks some, up to
# MOST_MARKS; every trouble has its mark.
MARKED = ("validation", "checkpoint")
TROUBLE = ("failure", "outage")
MOST_MARKS = 100


def introduction(name: str, run: Options) -> dict[str, object]:
    """What names a run, for the page: its name, the command that plays it again, its options."""
    said = {"name": name, "command": command(run), "options": list(identity(run))}
    return {"type": "run", "run": said}


def timeline(run: Run, pace: Pace) -> dict[str, object]:
    """The page's timeline: the run's length in show seconds, and the places of what it marks."""
    pauses = [segment for segment in run.timeline if segment.kind in MARKED]
    some = pauses[:: max(1, -(-len(pauses) // MOST_MARKS))]
    trouble = [segment for segment in run.timeline if segment.kind in TROUBLE]
    marks = [(segment.kind, pace.shown(segment.began)) for segment in (*some, *trouble)]
    return {"type": "timeline", "length": pace.shown(run_ended(run)), "marks": marks}


def picture(options: Options, region: LiveRegion | None) -> dict[str, object]:
    """What is shown of a run: the options' view, and whether there is a board, and the wall."""
    return {"view": options.view, "board": bool(region), "wall": bool(region and region.wall)}


def beginning_of(run: Run, options: Options) -> tuple[float, str]:
    """The show second at which a run begins. If the one that is asked for is not in the run: 0, and
    the sentence that says so.
    """
    try:
        return beginning(run, options), ""
    except LlmsimError as error:
        return 0.0, error.sentence(PARAMETER)


def of_at(sentence: str) -> str:
    """What is wrong with a moment of --from, for somebody who has given it as `at`."""
    return sentence.replace("from", "at", 1)


def complaint(sentence: str) -> str:
    """The line of a terminal that says what is wrong."""
    return colored([("warning", f"llmsim: {sentence}")], TRUECOLOR) + "\n"


def few(sentences: list[str], most: int = MOST_COMPLAINTS) -> list[str]:
    """The sentences, or the first of many and how many more there are: an address can hold any."""
    if len(sentences) <= most:
        return sentences
    more = len(sentences) - 1
    wrong = "parameter is" if more == 1 else "parameters are"
    return [sentences[0], f"{more:,} more {wrong} wrong, and left out."]


def check(query: Iterable[tuple[str, str]]) -> str:
    """What is wrong with a query, in sentences; "" if its first run can be played.

    That run is made, and dropped: the show goes on.
    """
    options, complaints = from_query(query)
    if complaints:
        return " ".join(complaints)
    first = next(runs_of(seeded(options)))
    try:
        return beginning_of(first.run, first.options)[1]
    except LlmsimError as error:
        return error.sentence(PARAMETER)
