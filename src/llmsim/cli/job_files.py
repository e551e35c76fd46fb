"""Reading the file of --job: ours, or a framework's own configuration."""

from llmsim.cli.reading import content_of, printable, toml_of
from llmsim.options.job_keys import wanted_of
from llmsim.options.wanted import Wanted

OURS = "a file of TOML that says a job"


def job_of_file(path: str) -> tuple[Wanted, str]:
    """What a job file asks for, and a sentence about what of it is not used, or none.

    Raises OptionError, a sentence that names the file and what is wrong in it.
    """
    shown = printable(path)
    content = content_of(path, shown, OURS, must_be=True)
    tables = toml_of(content, shown, "tp = 8")
    return wanted_of(tables, shown)._replace(source=path), ""
