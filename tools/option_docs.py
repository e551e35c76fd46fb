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
    (ELSEWHERE, "the path of the config file; the file must exist", ""),
    ("XDG_CONFIG_HOME", ("an absolute path of a folder: the config file is `llmsim/config.toml` "
     "in it"), f"`{ELSEWHERE}`"),
    ("HOME", "the config file is `.config/llmsim/config.toml` in it",
     f"`{ELSEWHERE}`, `XDG_CONFIG_HOME`"),
    ("APPDATA", "on Windows: the config file is `llmsim\\config.toml` in it", f"`{ELSEWHERE}`"),
    ("NO_COLOR", "if it is not empty: no colours", "`--color`"),
    ("FORCE_COLOR", ("if it is neither empty nor `0`: colours in a pipe, too; `1` gives 16, `2` "
     "gives 256, `3` gives all. A framework's own fixed colours (torchtitan's) stay as they are"),
     "`--color`, `NO_COLOR`"),
    ("CLICOLOR_FORCE", "if it is neither empty nor `0`: colours in a pipe, too",
     "`--color`, `NO_COLOR`"),
    ("TERM=dumb", "no colours, no bars, no board",
     "for colours alone: `--color`, `NO_COLOR`, `FORCE_COLOR`, `CLICOLOR_FORCE`"),
    ("TERM", "`*256color`: 256 colours; `*-direct`: all colours", "`FORCE_COLOR`, `COLORTERM`"),
    ("CLICOLOR", "`0`: no colours", "`--color`, `FORCE_COLOR`, `CLICOLOR_FORCE`"),
    ("COLORTERM", "`truecolor` or `24bit`: all colours", "`FORCE_COLOR`"),
    ("COLUMNS", ("a number from 20 to 400: the width of a pipe (200 without it), or of a terminal "
     "that does not report its size"), "the terminal's size"),
)  # fmt: skip

PAGE_TEXT = """\
# Options

This page is made by `make docs` from the table in
[src/llmsim/options/table.py](../src/llmsim/options/table.py).

If several places give a value for an option, the first place in this list wins: **a flag, a job
file, a scene, the flag's variable, the config file, the default.** The page in a browser reads
neither variables nor files. The address of the page takes flags as parameters
(`?seed=7&speed-factor=4`). The table says which flags.

In the column of defaults, "drawn" means that the seed chooses. For --recipe, --model, --dataset and
--gpu, "auto" means the same. For --color and --view, "auto" means that llmsim chooses what suits
your terminal. The theme "auto" suits dark and light backgrounds.

{options}

`llmsim --version` prints the version, and `llmsim --help` prints all options.

`--from` takes a share of the steps (`40%`), a step (`step=1200`) or simulated time (`1h20m`). It
also takes the name of a phase, and begins at the first moment of this phase:
{phases}.
llmsim refuses a moment that the first run does not have. With `--runs`, every run begins at the
moment; a later run that does not have it begins at its launch. Exports begin at the same moment,
but the telemetry of the GPUs always covers the whole run.

If your defaults switch an option on, `=no` switches this option off: `--tidy=no`. An empty variable
counts as not set.

## The page's own parameters

The page itself handles the parameters in this table. Two of them, `theme` and `type`, are also
options. All other parameters in the address of the page are options.

{parameters}

## The config file

The config file is `~/.config/llmsim/config.toml`, or `%APPDATA%\\llmsim\\config.toml` on Windows.
The variables below can name another file. The keys of the file are the flags without the two
dashes:

```toml
dialect = "megatron"
gpus = 64
speed-factor = 2.5
duration = "10min"    # or a number of seconds
tidy = true
```

`{elsewhere}=/dev/null llmsim` plays once without the config file. (On Windows write `NUL` in place
of `/dev/null`.) If a key or a value in the file or in a variable is wrong, one sentence names the
mistake. The exit status is then 2, as for a wrong flag.

## Other variables

{variables}

## Completions

Type `pip install '.[completions]'` in a clone, and then one of these commands:

```sh
llmsim --print-completions bash > ~/.local/share/bash-completion/completions/llmsim
llmsim --print-completions fish > ~/.config/fish/completions/llmsim.fish
llmsim --print-completions zsh > ~/.zfunc/_llmsim      # a folder of $fpath
llmsim --print-completions tcsh > ~/.llmsim.tcsh       # source it in ~/.tcshrc
```

## The man page

If llmsim is installed, `man llmsim` shows the man page. Its file lies in `share/man/man1` of the
environment. If `man` does not find the file, type `llmsim --print-manpage | man -l -`.
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
