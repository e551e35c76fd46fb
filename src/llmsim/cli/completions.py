"""--print-completions: scripts that complete options and their values, made by shtab."""

from llmsim.cli import MissingExtraError
from llmsim.cli.parser import parser


def completions(shell: str) -> str:
    """The script for bash, zsh, fish or tcsh.

    A GPU's name has dashes for blanks, so that a shell needs no quotes; options accept both.
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
