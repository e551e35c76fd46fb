"""--print-manpage: llmsim.1, which tools/manpage.py makes and the package carries along."""

from importlib.resources import files


def manpage() -> str:
    """The page's source, for man -l and for /usr/share/man/man1."""
    return files("llmsim").joinpath("llmsim.1").read_text(encoding="utf-8")
