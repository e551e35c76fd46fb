"""`llmsim grade FILE...`: other people's rules and dashboards, judged."""

from collections.abc import Sequence

from llmsim.cli import MissingExtraError
from llmsim.cli.flags import pairs
from llmsim.cli.own_options import answered, counters_of, described
from llmsim.errors import OptionError, Setting
from llmsim.hosts import promtool
from llmsim.hosts.output import Output, complain, spelled
from llmsim.hosts.status import ExitStatus
from llmsim.options.given import with_value
from llmsim.options.grading import GRADE_OPTIONS, GradeOptions
from llmsim.text.wording import nearest

ABOUT = """usage: llmsim grade [option ...] FILE ...

Judges Prometheus rules and Grafana dashboards for GPU clusters. It names panels that
stay empty, alerts that never fire or that fire on a healthy run, and incidents that
no alert notices. The exit status is 1 if something is wrong.

FILE is a rule file or a PrometheusRule (YAML), or a dashboard (JSON).

options, each with its default in brackets:
"""
REST = """
examples:
  llmsim grade alerts.yml dashboards/*.json
  llmsim grade --exporter-version next --counters default alerts.yml
  llmsim grade --junit report.xml alerts.yml

promtool tries the rules on runs, if it is installed.
"""
LARGEST_FILE = 16 * 2**20


def main(arguments: Sequence[str], ends_process: bool = False) -> int:  # noqa: ARG001  # nothing to clean up
    """Judges the files; 1 when something is wrong. Raises OptionError and others."""
    if answered(arguments, ABOUT + described(GRADE_OPTIONS) + REST):
        return ExitStatus.FINISHED
    paths, own = parsed_options(arguments)
    _expect_extra()
    from llmsim.grading import judge, reading, report
    from llmsim.grading.findings import Site

    items = [item for path in paths for item in reading.items(_text(path), path)]
    which = "full" if own.counters == "any" else own.counters
    collected = counters_of(which, own.exporter_version)
    site = Site(own.exporter_version, collected, strict=which != "full")
    tries = promtool.is_there() and not own.no_runs
    if not tries and not own.no_runs:
        complain(promtool.HINT)
    verdict = judge.judge(items, site, promtool.tested if tries else None)
    output = Output()
    if own.junit:
        _write(own.junit, report.as_junit(verdict))
    shown = report.as_json(verdict, tries) if own.json else spelled(
        report.table(verdict, output.screen().width)  # a name may have an escape sequence
    )  # fmt: skip
    output.write(shown)
    return ExitStatus.ERROR if verdict.findings else ExitStatus.FINISHED


def parsed_options(arguments: Sequence[str]) -> tuple[list[str], GradeOptions]:
    """The files and the options. Raises OptionError."""
    table = {option.name: option for option in GRADE_OPTIONS}
    valued = {f"--{option.name}" for option in GRADE_OPTIONS if option.metavar}
    flags: list[str] = []
    paths: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--":
            paths += words
        elif word.startswith("-") and word != "-":
            flags.append(word)
            if word in valued:
                flags += [each for each in [next(words, None)] if each is not None]
        else:
            paths.append(word)
    own = GradeOptions()
    for name, text in _pairs(flags):
        own = with_value(own, table[name], text, Setting(name))
    if not paths:
        raise OptionError("llmsim grade needs a file: give rules (YAML) or a dashboard (JSON).")
    return paths, own


def _pairs(flags: Sequence[str]) -> list[tuple[str, str]]:
    known = [f"--{option.name}" for option in GRADE_OPTIONS]
    for flag in flags:
        name = flag.partition("=")[0]
        if flag.startswith("-") and name not in known and not flag[1:2].isdigit():
            near = nearest(name, known)
            hint = f": did you mean {near}?" if near else ": see llmsim grade --help."
            raise OptionError(f"llmsim grade has no option {name}{hint}")
    return [*pairs(flags, GRADE_OPTIONS)]


def _text(path: str) -> str:
    """The text of a file. Raises OptionError."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123  # pathlib is slow to import
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
        raise OptionError(f"{path}: {reason}.") from None
    if len(content) > LARGEST_FILE:
        raise OptionError(f"{path} has more than {LARGEST_FILE:,} bytes.")
    return content.decode("utf-8-sig", "replace")


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(text)
    except OSError as error:
        reason = (error.strerror or "it cannot be written").lower()
        raise OptionError(f"--junit {path}: {reason}.") from None


def _expect_extra() -> None:
    try:
        import promql_parser
        import yaml
    except ImportError:
        raise MissingExtraError(
            "llmsim grade needs promql-parser and PyYAML: install them with "
            "pip install 'llmsim[grade]'."
        ) from None
    del promql_parser, yaml
