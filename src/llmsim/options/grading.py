"""What `llmsim grade` takes: one row an option, as in table.py."""

from llmsim.options.option import Option
from llmsim.options.parsing import parse_switch
from llmsim.options.serving import parse_counters
from llmsim.telemetry import dcgm_versions
from llmsim.typed import NamedTuple


class GradeOptions(NamedTuple):
    """The options of the judge."""

    exporter_version: dcgm_versions.Version = dcgm_versions.version_named(dcgm_versions.DEFAULT)
    counters: str = "any"
    json: bool = False
    junit: str = ""
    no_runs: bool = False


GRADE_OPTIONS = (
    Option("exporter-version", dcgm_versions.version_named, dcgm_versions.EXPECTED,
           "release of your dcgm-exporter: old, 3.6.1, 4.8.2, next ...", dcgm_versions.DEFAULT,
           "VERSION"),
    Option("counters", parse_counters, "any, default, full or a file",
           "fields that the exporter collects: any, default, full, or a csv file",
           "any", "WHICH"),
    Option("json", parse_switch, "yes or no", "print the verdict as JSON", "no", ""),
    Option("junit", str, "a path", "write JUnit XML to this file, too", "", "PATH"),
    Option("no-runs", parse_switch, "yes or no",
           "judge only the expressions, and try no rule on runs", "no", ""),
)  # fmt: skip
