"""--print-completions: scripts that complete our options and names, made by shtab."""

from llmsim.cli import MissingExtraError
from llmsim.cli.parser import parser


def completions(shell: str) -> str:
    """The script for bash, zsh, fish or tcsh.

    A GPU's name is written with dashes for blanks: shells take it without quotes, and so do we.
    Raises MissingExtraError where shtab is not installed.
    """
    try:
        import shtab
    except ImportError:
        raise MissingExtraError(
            "--print-completions needs shtab: install it with pip install 'llmsim[completions]'."
        ) from None
    made = parser()
    for action in made._actions:  # noqa: SLF001  # argparse tells them in no other way
        if action.choices:
            action.choices = [name.replace(" ", "-") for name in action.choices]
    script: str = shtab.complete(made, shell)
    return script
