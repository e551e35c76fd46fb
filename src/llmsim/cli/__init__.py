"""The command line: flags and defaults become Options, which go to a host or get an answer."""

import os
from collections.abc import Sequence

from llmsim.cli.defaults import default_options
from llmsim.cli.flags import pairs
from llmsim.errors import (
    FLAG,
    CatalogError,
    DialectError,
    ExportError,
    GradeError,
    OptionError,
    PlanError,
    ServeError,
)
from llmsim.hosts import native
from llmsim.hosts.output import Output
from llmsim.hosts.output import complain as _complain
from llmsim.hosts.status import ExitStatus
from llmsim.options.given import parse_options
from llmsim.options.parsing import REAL_TIME
from llmsim.options.table import Options
from llmsim.options.wanted import lifted

# Commands that are no show: each has a module of its name here, with a `main` like this one's.
COMMANDS = ("grade", "serve", "smi")
# Options that print an answer instead of playing a run.
QUESTIONS = ("list", "print_config", "print_completions", "print_manpage")
# Options of a show alone: other commands have no use for them.
SHOWS = (*(name.replace("_", "-") for name in QUESTIONS), "export", "quiet", "json", "toml")


class MissingExtraError(Exception):
    """An option needs a package that is not installed; the sentence names it."""


def main(arguments: Sequence[str], ends_process: bool = False) -> int:
    """Runs the command of these arguments and returns the exit status.

    The process and its signal handlers are left as they were, unless `ends_process`: then a second
    Ctrl+C cannot disturb the end.
    """
    try:
        return _perform(arguments, ends_process)
    except (OptionError, PlanError) as error:
        _complain(error.sentence(FLAG))
        return ExitStatus.USAGE
    except (CatalogError, DialectError, ExportError, GradeError, ServeError) as error:
        _complain(error.sentence(FLAG))
    except MissingExtraError as error:
        _complain(str(error))
    except BrokenPipeError:
        return ExitStatus.CLOSED_PIPE
    except OSError as error:
        _complain(f"cannot write the log: {error.strerror}.")
    return ExitStatus.ERROR


def _perform(arguments: Sequence[str], ends_process: bool) -> int:
    if arguments and arguments[0] in COMMANDS:
        from importlib import import_module

        status: int = import_module(f"llmsim.cli.{arguments[0]}").main(arguments[1:], ends_process)
        return status
    if "-h" in arguments or "--help" in arguments:
        from llmsim.cli.usage import usage

        return _say(usage())
    if "--version" in arguments:
        from llmsim import __version__

        return _say(f"llmsim {__version__}\n")
    options = options_of([*pairs(arguments)])
    if any(getattr(options, question) for question in QUESTIONS):
        return _say(_answer(options), options.color)
    if options.export or options.quiet:
        from llmsim.hosts import exports

        exports.refuse(options)
    if options.inhibit:
        from llmsim.cli.awake import kept_awake

        with kept_awake(_complain):
            return native.main(options, ends_process)
    return native.main(options, ends_process)


def options_of(given: Sequence[tuple[str, str]]) -> Options:
    """The options of the flags; the defaults count too, if a run is played."""
    options = _parsed(given, Options())
    asked = [f"--{name.replace('_', '-')}" for name in QUESTIONS if getattr(options, name)]
    if len(asked) > 1:
        raise OptionError(f"{' and '.join(asked)} ask for different things: give one of them.")
    if options.json and not (options.list or options.print_config):
        raise OptionError("--json goes with --list or --print-config: give one of them.")
    if options.toml and options.json:
        raise OptionError("--toml does not go with --json: leave one of them out.")
    if options.toml and not options.print_config:
        raise OptionError("--toml goes with --print-config: give both.")
    if asked and not options.print_config:
        return options  # a list must be shown even if the defaults have a mistake
    base = default_options(os.environ)
    if options.job:
        return _of_job(options.job.source, given, base)
    return options if base == Options() else _parsed(given, base)


def live_options(given: Sequence[tuple[str, str]]) -> Options:
    """The options of a run that others watch: a simulated second takes a second, unless a flag
    says how long the run takes. It is going on now: the start in a job file, which is of the day
    when somebody wrote it, does not count, and that of a flag does.
    """
    flags, options = dict(given), options_of(given)
    if options.job and "start" not in flags:
        options = options._replace(start=None)
    return options if "duration" in flags else options._replace(duration=REAL_TIME)


def _of_job(path: str, given: Sequence[tuple[str, str]], base: Options) -> Options:
    """What a job file says, above the defaults and below the flags."""
    from llmsim.cli.job_files import job_of_file

    job, remark = job_of_file(path)
    if remark:
        _complain(remark)
    flags = [(name, text) for name, text in given if name != "job"]
    job = (lifted(_parsed(flags, Options(job=job))).job or job)._replace(lifted=False)
    kept = {
        name: value for name, value in base._asdict().items() if getattr(job, name, None) is None
    }
    return _parsed(flags, lifted(Options(**kept)._replace(job=job)))


def _parsed(given: Sequence[tuple[str, str]], base: Options) -> Options:
    options, complaints = parse_options(given, prefix="--", base=base)
    if complaints:
        raise OptionError(complaints[0])
    return options


def _answer(options: Options) -> str:
    """The text that is printed instead of a run. A run imports none of these modules."""
    if options.list:
        from llmsim.cli.listing import listing, listing_json

        width = Output().screen().width
        return listing_json(options.list) if options.json else listing(options.list, width)
    if options.print_config:
        from llmsim.cli.configuration import configuration

        return configuration(options, Output(options.color).screen())
    if options.print_completions:
        from llmsim.cli.completions import completions

        return completions(options.print_completions)
    from llmsim.cli.manpage import manpage

    return manpage()


def _say(text: str, color: str = "auto") -> int:
    Output(color).write(text)
    return ExitStatus.FINISHED
