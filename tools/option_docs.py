"""Writes docs/options.md: every flag and variable, and which of them wins.

python -m tools.option_docs            writes docs/options.md
python -m tools.option_docs --check    fails when it is out of date
"""

import sys

from llmsim.cli.defaults import ELSEWHERE, variable_of
from llmsim.options.option import Option
from llmsim.options.parsing import PHASES
from llmsim.options.table import OPTIONS
from tools.generated import ROOT, written
from tools.page_parameters import OWN, named

PAGE = ROOT / "docs" / "options.md"

# What else the environment says: its name, what it does, and what wins over it.
VARIABLES = (
    (ELSEWHERE, "a path: the config file is this one, and it has to be there", ""),
    ("XDG_CONFIG_HOME", "an absolute path: the config file is `llmsim/config.toml` in it",
     f"`{ELSEWHERE}`"),
    ("HOME", "the config file is `.config/llmsim/config.toml` in it",
     f"`{ELSEWHERE}`, `XDG_CONFIG_HOME`"),
    ("APPDATA", "the same on Windows: `llmsim\\config.toml` in it", f"`{ELSEWHERE}`"),
    ("NO_COLOR", "not empty: no colours", "`--color`"),
    ("FORCE_COLOR", ("neither empty nor `0`: colours in a pipe, too; `1` means 16 of them, `2` "
     "256, `3` all"), "`--color`, `NO_COLOR`"),
    ("CLICOLOR_FORCE", "neither empty nor `0`: colours in a pipe, too", "`--color`, `NO_COLOR`"),
    ("TERM", "`dumb`: no colours, no bars, no board; `*256color`: 256 colours; `*-direct`: all",
     ("over `dumb`: `--color`, `NO_COLOR`, `FORCE_COLOR`, `CLICOLOR_FORCE`; over how many colours: "
     "`FORCE_COLOR`, `COLORTERM`")),
    ("CLICOLOR", "`0`: no colours", "`--color`, `FORCE_COLOR`, `CLICOLOR_FORCE`"),
    ("COLORTERM", "`truecolor` or `24bit`: all colours", "`FORCE_COLOR`"),
    ("COLUMNS", ("the width of a pipe, which is 200 otherwise, or of a terminal that does not "
     "report its size; from 20 to 400"), "the terminal's size"),
)  # fmt: skip

PAGE_TEXT = """\
# Options

Made by `make docs` from the table in [src/llmsim/options/table.py](../src/llmsim/options/table.py).

What wins: **a flag, then a job file, then a scene, then the flag's variable, then the config file,
then the default.** In the page
there are neither variables nor a file: its address has the flags as parameters
(`?seed=7&speed-factor=4`), where the table says so.

{options}

`llmsim --version` prints the version, `llmsim --help` all options.

`--from` takes a share (`40%`), a step (`step=1200`), simulated time (`1h20m`) or the first moment
of a phase, in a terminal as in the page:
{phases}.
A moment that the run does not have is refused.

`--tidy=no` switches a switch off, where a default of yours has it on. A variable that
is empty counts as not set.

## The page's own parameters

The page reads these itself; all others in its address are options, which Python checks.

{parameters}

## The config file

`~/.config/llmsim/config.toml`, or `%APPDATA%\\llmsim\\config.toml` on Windows; see the variables
below. Its keys are the flags without dashes before them:

```toml
dialect = "megatron"
gpus = 64
speed-factor = 2.5
duration = "10min"    # or a number of seconds
tidy = true
```

`{elsewhere}=/dev/null llmsim` does without it for once (`NUL` on Windows). A wrong key or value,
in the file or in a variable, is refused as a wrong flag is: in one sentence that names it, with
exit status 2.

## Other variables

{variables}

## Completions

`pip install '.[completions]'` in a clone, then once:

```sh
llmsim --print-completions bash > ~/.local/share/bash-completion/completions/llmsim
llmsim --print-completions fish > ~/.config/fish/completions/llmsim.fish
llmsim --print-completions zsh > ~/.zfunc/_llmsim      # a folder of $fpath
llmsim --print-completions tcsh > ~/.llmsim.tcsh       # source it in ~/.tcshrc
```

## The man page

An installed llmsim has it where `man llmsim` looks, in `share/man/man1` of its environment;
`llmsim --print-manpage` writes it out: `llmsim --print-manpage | man -l -`.
"""


def _row(option: Option) -> str:
    short = f", `-{option.short}`" if option.short else ""
    variable = f"`{variable_of(option)}`" if option.in_config else ""
    key = f"`{option.name}`" if option.in_config else ""
    parameter = f"`{option.name}`" if named(option.name) else ""
    cells = (f"`--{option.name}`{short}", variable, key, parameter, option.meaning, option.defaults)
    return f"| {' | '.join(cells)} |"


def option_table() -> str:
    """A row for each option: its flag, variable, key and parameter."""
    head = ("flag", "variable", "in config.toml", "in the page's address", "meaning", "default")
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *map(_row, OPTIONS)])


def variable_table() -> str:
    """A row for each variable that is not an option's."""
    rows = [f"| `{name}` | {meaning} | {winners} |" for name, meaning, winners in VARIABLES]
    return "\n".join(["| variable | what it does | what wins over it |", "|---|---|---|", *rows])


def parameter_table() -> str:
    """A row for each parameter that the page keeps for itself."""
    rows = [f"| `{name}` | {value} | {meaning} |" for name, value, meaning in OWN]
    return "\n".join(["| parameter | value | what it does |", "|---|---|---|", *rows])


def page() -> str:
    """The whole page."""
    return PAGE_TEXT.format(
        options=option_table(),
        variables=variable_table(),
        parameters=parameter_table(),
        elsewhere=ELSEWHERE,
        phases=", ".join(f"`{phase}`" for phase in PHASES),
    )


def main() -> int:
    """Writes the page, or with --check says whether it is up to date."""
    return written(PAGE, page())


if __name__ == "__main__":
    sys.exit(main())
