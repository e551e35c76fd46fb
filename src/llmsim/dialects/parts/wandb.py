"""What Weights & Biases' client prints at a run's start and finish (0.31.0).

Texts and styles come from sdk/wandb_run.py and sdk/lib/printer.py; history and summary show
ten keys each, sparklines at most forty of a key's values.
"""

from collections.abc import Iterator, Mapping, Sequence

from llmsim.dialects.line import Line
from llmsim.job.records import Job
from llmsim.run import names
from llmsim.text import units
from llmsim.text.screen import Screen
from llmsim.typed import TypeVar

T = TypeVar("T")

VERSION = "0.31.0"
HOST = "https://wandb.ai"
POINTS = 40  # of a sparkline
KEYS = 10  # max_end_of_run_history_metrics, max_end_of_run_summary_metrics

_SPARKS = "▁▂▃▄▅▆▇█"

# SGR codes of click.style, as the client uses it.
_STYLES = {"wandb": "34;1", "name": "33", "host": "32", "link": "34;4", "path": "35;1", "code": "1"}


def downsampled(values: Sequence[T], points: int = POINTS) -> list[T]:
    """At most `points` of the values, the first and last among them (wandb.util.downsample)."""
    if len(values) < points:
        return list(values)
    ratio = (len(values) - 1) / (points - 1)
    return [values[int(i * ratio)] for i in range(points)]


def sparkline(values: Sequence[float]) -> str:
    """Values as bars of eight heights, from the least to the greatest (sparkify)."""
    low, high = min(values), max(values)
    if low == high:
        return _SPARKS[0] * len(values)
    scale = (len(_SPARKS) - 1) / (high - low)
    return "".join([_SPARKS[round((value - low) * scale)] for value in values])


def number(value: float) -> str:
    """A number of the summary: five decimals, and none for a whole number, as JSON has it."""
    if value != int(value):
        return str(round(value, 5))
    mantissa, _, exponent = repr(float(value)).partition("e+")
    whole, _, part = mantissa.partition(".")
    return whole + part.ljust(int(exponent), "0") if exponent else whole


def _folder(job: Job, at: float) -> str:
    """The run's folder, named after the second of wandb.init."""
    return f"wandb/run-{units.stamp(job.start, at):%Y%m%d_%H%M%S}-{names.run_id(job)}"


def _styled(screen: Screen, style: str, text: str) -> str:
    if not screen.color:
        return text
    codes = "".join([f"\x1b[{code}m" for code in _STYLES[style].split(";")])
    return f"{codes}{text}\x1b[0m"


def _said(screen: Screen, text: str) -> Line:
    return Line(f"{_styled(screen, 'wandb', 'wandb')}: {text}")


def _urls(job: Job, project: str) -> tuple[str, str]:
    home = f"{HOST}/{names.team(job)}/{project}"
    return home, f"{home}/runs/{names.run_id(job)}"


def _emoji(screen: Screen, star: bool) -> str:
    return ("⭐️" if star else "🚀") if screen.unicode else ""


def start(job: Job, screen: Screen, project: str, at: float) -> Iterator[Line]:
    """The banner of wandb.init, online, at simulated second `at`."""
    user, team = names.user(job), names.team(job)
    home, url = _urls(job, project)
    folder = f"/workspace/{project}/{_folder(job, at)}"

    def styled(style: str, text: str) -> str:
        return _styled(screen, style, text)

    who = f"{styled('name', user)} ({styled('name', team)})"
    login = f"Currently logged in as: {who} to {styled('host', 'https://api.wandb.ai')}"
    texts = (
        f"{login}. Use {styled('code', '`wandb login --relogin`')} to force relogin",
        f"Tracking run with wandb version {VERSION}",
        f"Run data is saved locally in {styled('path', folder)}",
        f"Run {styled('code', '`wandb offline`')} to turn off syncing.",
        f"Syncing run {styled('name', job.run_name)}",
        f"{_emoji(screen, True)} View project at {styled('link', home)}",
        f"{_emoji(screen, False)} View run at {styled('link', url)}",
    )
    for text in texts:
        yield _said(screen, text)


def finish(
    job: Job,
    screen: Screen,
    project: str,
    at: float,
    history: Mapping[str, Sequence[float]],
    summary: Mapping[str, float],
) -> Iterator[Line]:
    """The sparklines of the history, the last values, and the run's address.

    `at` is that of wandb.init; `history` has a key's values or a downsampled part of them.
    """
    home, url = _urls(job, project)
    # Without Unicode there are no sparklines, and then no history.
    sparks = {key: sparkline(downsampled(values)) for key, values in history.items()}
    rows = _grid("Run history:", sparks) if screen.unicode else []
    rows += _grid("Run summary:", {key: number(value) for key, value in summary.items()})
    name, folder = _styled(screen, "name", job.run_name), f"./{_folder(job, at)}/logs"
    texts = (
        *rows,
        "",
        f"{_emoji(screen, False)} View run {name} at: {_styled(screen, 'link', url)}",
        f"{_emoji(screen, True)} View project at: {_styled(screen, 'link', home)}",
        "Synced 5 W&B file(s), 0 media file(s), 0 artifact file(s) and 0 other file(s)",
        f"Find logs at: {_styled(screen, 'path', folder)}",
    )
    for text in texts:
        yield _said(screen, text)


def _grid(title: str, rows: Mapping[str, str]) -> list[str]:
    """A titled table of the first keys, aligned to the right; the number of further keys is
    given.
    """
    shown = {key: rows[key] for key in sorted(rows)[:KEYS]}
    if len(rows) > KEYS:
        shown[f"+{len(rows) - KEYS:,d}"] = "..."
    width = max(map(len, shown))
    return ["", title, *(f"{key:>{width}} {value}" for key, value in shown.items())]
