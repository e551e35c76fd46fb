"""Reading the file of --job: ours, or a framework's own configuration."""

import os

from llmsim.cli.reading import content_of, printable, toml_of
from llmsim.dialects.configurations import Configuration, reader_of
from llmsim.errors import OptionError
from llmsim.options.job_keys import wanted_of
from llmsim.options.job_values import cut
from llmsim.options.wanted import Wanted

OURS = "a job is read from a file"
# Kinds of configurations that people have, too, and what of the same framework is read.
_OTHERS = {
    ".yaml": ("YAML", "TOML, or Hugging Face's JSON as config.json,training_args.json"),
    ".yml": ("YAML", "TOML, or Hugging Face's JSON as config.json,training_args.json"),
    ".py": ("Python", "TOML, such as torchtitan's of releases before 0.3, or a Megatron-LM script"),
}


def job_of_file(path: str) -> tuple[Wanted, str]:
    """What a job file asks for, and a sentence about what of it has no effect, or none.

    Two files with a comma between them are read as one: config.json,training_args.json.
    Raises OptionError, a sentence that names the file and what is wrong in it.
    """
    shown = printable(path)
    paths = [path] if os.path.exists(path) else path.split(",")
    pieces = [content_of(each, printable(each), OURS, must_be=True) for each in paths]
    content = b"\n".join(piece.removeprefix(b"\xef\xbb\xbf") for piece in pieces)
    text = content.decode("utf-8", "replace")
    if paths[-1].lower().endswith(".json") and not text.lstrip().startswith("{"):
        raise OptionError(
            f"{shown} is no JSON object: give Hugging Face's config.json, or a job as TOML."
        )
    try:
        reader = reader_of(text, lambda: toml_of(content, shown, "tp = 8"))
    except OptionError:
        kind, taken = _OTHERS.get(os.path.splitext(paths[-1])[1].lower(), ("", ""))
        if kind:
            sentence = f"{shown} is {kind}, which --job does not read: give {taken}."
            raise OptionError(sentence) from None
        raise
    if reader is None:
        return wanted_of(toml_of(content, shown, "tp = 8"), shown)._replace(source=path), ""
    try:
        read = reader()
    except ValueError as error:
        raise OptionError(f"{shown} cannot be used: {error}.") from None
    except ArithmeticError:  # more than a float holds
        raise OptionError(f"{shown} cannot be used: a number in it is too large.") from None
    return wanted_of(read.tables, shown)._replace(source=path), _remark(read, shown)


def _remark(read: Configuration, shown: str) -> str:
    """What a framework's configuration says that has no effect here."""
    if not read.unused:
        return ""
    dialect = read.tables["framework"]["dialect"]
    return f"{shown} is read as {dialect}'s; llmsim ignores {', '.join(map(cut, read.unused))}."
