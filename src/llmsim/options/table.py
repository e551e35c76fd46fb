"""The one table of options: flags, URL parameters, variables, the config file's keys, the web
form, completions, the man page and the tables in the docs all follow from it."""

from llmsim.catalog.records import dataset_named, gpu_named, model_named
from llmsim.dialects.registry import DEFAULT
from llmsim.job.recipes import NAMES as RECIPES
from llmsim.options.job_options import JOB_OPTIONS, MOST_GPUS
from llmsim.options.option import Option
from llmsim.options.parsing import (
    INCIDENTS,
    choice,
    listed,
    parse_dialect,
    parse_duration,
    parse_export,
    parse_incidents,
    parse_recipe,
    parse_scene,
    parse_show_duration,
    parse_speed,
    parse_start,
    parse_starting_point,
    parse_switch,
    whole_number,
)
from llmsim.options.wanted import Wanted
from llmsim.text.themes import THEMES
from llmsim.text.wording import either
from llmsim.typed import NamedTuple, datetime, later_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmsim.telemetry.kinds import Export
else:
    Export = later_type("llmsim.telemetry.kinds", "Export")

LARGEST_SEED = 2**64 - 1


class Options(NamedTuple):
    """The options of a run. "auto" and None leave the choice to the seed or the host.

    The dialect is left to the seed by "any", or "auto".
    """

    dialect: str = DEFAULT
    recipe: str = "auto"
    model: str = "auto"
    dataset: str = "auto"
    gpu: str = "auto"
    gpus: int | None = None
    sequence: int | None = None
    batch: int | None = None
    micro_batch: int | None = None
    tp: int | None = None
    pp: int | None = None
    cp: int | None = None
    ep: int | None = None
    sharding: str | None = None
    recompute: str | None = None
    precision: str | None = None
    steps: int | None = None
    tokens: int | None = None
    lr: float | None = None
    log_every: int | None = None
    release: str = "auto"
    capture: str = "auto"
    job: Wanted | None = None
    evaluate: bool = False
    tidy: bool = False
    jokes: bool = True
    incidents: str = "rare"
    incident: tuple[str, ...] = ()
    seed: int | None = None
    start: datetime | None = None
    duration: float = 180.0  # show seconds at speed 1
    speed_factor: float = 1.0
    instant_print_lines: int = 0
    from_: str | None = None  # where each run begins: see options/parsing.py
    runs: int = 1
    exit_after_time: float | None = None  # show seconds
    view: str = "auto"
    stream: str = "log"
    color: str = "auto"
    theme: str = "auto"
    scene: str | None = None
    type: bool = False
    inhibit: bool = False
    export: tuple[Export, ...] = ()
    sample: float = 15.0  # simulated seconds
    quiet: bool = False
    list: str | None = None
    json: bool = False
    toml: bool = False
    print_config: bool = False
    print_completions: str | None = None
    print_manpage: bool = False


LISTS = ("dialects", "recipes", "models", "datasets", "gpus", "releases", "incidents", "scenes")
OLD_LISTS = ("frameworks",)  # what --list took before; it still does
COLORS = ("auto", "always", "never")
LEVELS = ("none", "rare", "typical", "chaos")
STREAMS = ("all", "log", "launcher", "kernel", "slurm")
VIEWS = ("auto", "board", "log", "wall")
SHELLS = ("bash", "zsh", "fish", "tcsh")

OPTIONS = (
    Option(
        "dialect", parse_dialect, "a name from --list dialects",
        "framework whose log to print, or any", DEFAULT, "NAME", "d", names_job=True,
    ),
    Option(
        "recipe", parse_recipe, "a name from --list recipes",
        f"what to train for: {either(RECIPES)}", "auto", "NAME",
        names_job=True,
    ),
    Option(
        "model", listed(model_named, "model "),
        "a name from --list models, or any name ending in a size",
        "a listed name, or any name ending in a size (ButtGPT-420B)", "auto", "NAME", "m",
        names_job=True,
    ),
    Option(
        "dataset", listed(dataset_named, "data set "), "a name from --list datasets",
        "what to train on, from --list datasets", "auto", "NAME", names_job=True,
    ),
    Option(
        "gpu", listed(gpu_named, "GPU "), "a name from --list gpus",
        "what to train with, from --list gpus", "auto", "NAME", names_job=True,
    ),
    Option(
        "gpus", whole_number(1, MOST_GPUS), f"a whole number from 1 to {MOST_GPUS}",
        f"GPUs, up to {MOST_GPUS}", "drawn", "N", names_job=True,
    ),
    *JOB_OPTIONS,
    Option(
        "evaluate", parse_switch, "yes or no",
        "benchmarks at validations (only pytorch)", "no", "", names_job=True,
    ),
    Option(
        "tidy", parse_switch, "yes or no", "sort the launch lines by process",
        "no", "", names_job=True,
    ),
    Option(
        "jokes", parse_switch, "yes or no", "jokes and funny names: yes or no",
        "yes", "ANSWER", names_job=True,
    ),
    Option(
        "incidents", choice(*LEVELS), either(LEVELS),
        "incidents: none, rare, typical or chaos", "rare", "LEVEL", names_job=True,
    ),
    Option(
        "incident", parse_incidents, INCIDENTS,
        "an incident and its moment: gpu-lost@step=500",
        "", "KIND@WHEN", names_job=True, repeats=True,
    ),
    Option(
        "seed", whole_number(0, LARGEST_SEED), "a whole number from 0 to 2^64 - 1",
        "decides all that you leave open",
        "a new seed", "N", names_job=True,
    ),
    Option(
        "start", parse_start, "an ISO date from 1970 to 9000 such as 2026-01-30T12:00:00",
        "ISO date and time of the first line", "now", "TIME", names_job=True,
    ),
    Option(
        "duration", parse_show_duration, "a time such as 3m or 2h10min, or real",
        "length of a show; `real`: like a real run", "3m", "TIME", infinite="real",
    ),
    Option(
        "speed-factor", parse_speed, "a number above 0, or max",
        "how fast to play: a number above 0, or max", "1", "X", "s", infinite="max",
    ),
    Option(
        "instant-print-lines", whole_number(0, 10**9), "a whole number from 0",
        "show this many lines immediately, then play", "0", "N", "i",
    ),
    Option(
        "from", parse_starting_point,
        "40%, step=1200, a time such as 1h20m, or a phase such as validation or failure",
        "begin at 40%, step=9, 1h or training",
        "launch", "MOMENT",
    ),
    Option(
        "runs", whole_number(0, 10**9), "a whole number, 0 for ever",
        "runs to play, each with the next seed; 0: no end", "1", "N", page_default="0",
    ),
    Option(
        "exit-after-time", parse_duration, "a time such as 90s or 2h10min",
        "end the show after this time", "never", "TIME",
    ),
    Option(
        "view", choice(*VIEWS), either(VIEWS),
        "what to show: board, log or wall", "auto", "VIEW",
    ),
    Option(
        "stream", choice(*STREAMS), either(STREAMS),
        "which log to show: log, launcher, kernel, slurm or all",
        "log", "NAME",
    ),
    Option(
        "color", choice(*COLORS), either(COLORS),
        f"use colours: {either(COLORS)}", "auto", "WHEN", in_url=False,
    ),
    Option(
        "theme", choice(*THEMES), either(THEMES),
        either(THEMES[1:]), "auto", "NAME", in_url=False,
    ),
    Option(
        "scene", parse_scene, "a name from --list scenes",
        "a hand-picked run; other flags win over it", "", "NAME",
    ),
    Option(
        "type", parse_switch, "yes or no", "each key prints the next line; Esc ends",
        "no", "", in_url=False,
    ),
    Option(
        "inhibit", parse_switch, "yes or no", "keep the machine and its screen awake",
        "no", "", in_url=False,
    ),
    Option(
        "export", parse_export, "KIND=PATH such as jsonl=run.jsonl",
        "write the run for other tools: docs/exports.md",
        "", "KIND=PATH", in_url=False, in_config=False, repeats=True,
    ),
    Option(
        "sample", parse_duration, "a time such as 1s or 5min",
        "simulated time between telemetry samples", "15s", "TIME", in_url=False,
    ),
    Option(
        "quiet", parse_switch, "yes or no",
        "show nothing, and write only the exports", "no", "", in_url=False, in_config=False,
    ),
    Option(
        "list", choice(*LISTS, old=OLD_LISTS), either(LISTS),
        "list " + either(LISTS), "", "WHAT", in_url=False, in_config=False,
    ),
    Option(
        "print-config", parse_switch, "yes or no", "print the plan of the run, and play nothing",
        "", "", in_url=False, in_config=False,
    ),
    Option(
        "json", parse_switch, "yes or no", "answer --list or --print-config as JSON",
        "", "", in_url=False, in_config=False,
    ),
    Option(
        "toml", parse_switch, "yes or no", "answer --print-config as a job file",
        "", "", in_url=False, in_config=False,
    ),
    Option(
        "print-completions", choice(*SHELLS), either(SHELLS),
        f"print completions for {either(SHELLS)}", "", "SHELL", in_url=False, in_config=False,
    ),
    Option(
        "print-manpage", parse_switch, "yes or no", "print the source of the man page",
        "", "", in_url=False, in_config=False,
    ),
)  # fmt: skip


def field_of(option: Option) -> str:
    """The option's field in Options: `from` is a word of Python's own, so its field is `from_`."""
    return "from_" if option.name == "from" else option.name.replace("-", "_")
