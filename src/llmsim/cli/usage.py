"""--help."""

from textwrap import fill

from llmsim.options.job_options import JOB_OPTIONS
from llmsim.options.table import OPTIONS

ABOUT = """usage: llmsim [option ...]

Plays a large language model's training run. Nothing is trained.

options, each with its default in brackets:
"""
EXAMPLES = """
examples:
  llmsim                                  a run of about three minutes
  llmsim --model ButtGPT-420B --runs 0    a funny model, one run after another
  llmsim --seed 7 --speed-factor max      the whole log of run 7, at once

other commands, each with --help: llmsim serve, smi, fleet, grade
your own defaults: ~/.config/llmsim/config.toml, or variables like LLMSIM_GPUS
"""
COLUMNS = 80


def usage() -> str:
    """The options, a row or two each, and the most useful examples; in 80 columns."""
    rows = []
    for option in OPTIONS:
        if option in JOB_OPTIONS:
            continue
        short = f"-{option.short}, " if option.short else "    "
        default = f" [{option.defaults}]" if option.default else ""
        flag = f"{short}--{option.name} {option.metavar}".rstrip()
        rows.append((flag, option.meaning + default))
    rows += [("    --version", "show the version"), ("-h, --help", "show this")]
    gap = max(len(flag) for flag, _ in rows) + 4
    lines = [fill(f"  {flag:<{gap - 2}}{text}", COLUMNS, subsequent_indent=" " * gap)
             for flag, text in rows]  # fmt: skip
    return ABOUT + "\n".join(lines) + "\n" + _job() + EXAMPLES


def _job() -> str:
    """The options that say a job in full, by name alone: they would fill a screen of their own."""
    names = ", ".join(f"--{option.name} {option.metavar}".rstrip() for option in JOB_OPTIONS)
    text = f"a job in full (the manual and docs/jobs.md say what each means): {names}"
    return "\n" + fill(text, COLUMNS) + "\n"
