"""`llmsim serve`: a run whose cluster answers to Prometheus, live."""

from collections.abc import Sequence

from llmsim.cli import SHOWS, live_options
from llmsim.cli.flags import pairs
from llmsim.cli.own_options import answered, counters_of, described
from llmsim.errors import OptionError, Setting
from llmsim.hosts.output import Output
from llmsim.hosts.status import ExitStatus
from llmsim.options.given import with_value
from llmsim.options.serving import SERVE_OPTIONS, ServeOptions
from llmsim.options.table import OPTIONS, Options
from llmsim.telemetry.dcgm_page import LABELS, Exporter, Labels

ABOUT = """usage: llmsim serve [option ...]

Serves the live pages of a run's cluster to Prometheus: on every node the pages of dcgm-exporter,
node_exporter and nvidia_gpu_exporter, a page of the trainer, and lists for service discovery.

options of the server, each with its default in brackets:
"""
REST = """
llmsim serve also takes all options of a run: see llmsim --help. A simulated second takes a real
second; --speed-factor and --duration change this speed.

examples:
  llmsim serve --gpus 512 --tokens 20B               64 nodes, at http://127.0.0.1:9400/sd
  llmsim serve --incident gpu-lost@10m --labels k8s  a GPU falls off the bus in ten minutes
  llmsim serve --exporter-version next --counters full
"""
# What other servers call the option that does this here.
INSTEAD = dict.fromkeys(("--port", "--host", "--bind", "--address"), "--listen HOST:PORT")


Typed = tuple[tuple[str, str], ...]  # names and values of options


def main(arguments: Sequence[str], ends_process: bool = False) -> int:
    """Serves until a signal ends it. Raises OptionError, PlanError, ServeError and others."""
    if answered(arguments, ABOUT + described(SERVE_OPTIONS) + REST):
        return ExitStatus.FINISHED
    options, own, flags = parsed_options(arguments)
    from llmsim.hosts.serve import Serving, serve

    exporter = Exporter(
        own.exporter_version,
        counters_of(own.counters, own.exporter_version),
        _labels(own.labels),
        own.collect_interval,
    )
    serving = Serving(own.listen.host, own.listen.port, exporter, flags)
    return serve(options, serving, _say, ends_process)


def parsed_options(arguments: Sequence[str]) -> tuple[Options, ServeOptions, Typed]:
    """The options of the run and of the server, and the latter as they were typed.

    Raises OptionError.
    """
    table = {option.name: option for option in SERVE_OPTIONS}
    rest, own, typed = [], ServeOptions(), dict[str, str]()
    for name, text in pairs(arguments, (*OPTIONS, *SERVE_OPTIONS), INSTEAD):
        if name in SHOWS:
            raise OptionError(Setting(name), " is no option of llmsim serve: leave it out.")
        if name in table:
            own = with_value(own, table[name], text, Setting(name))
            typed[name] = text
        else:
            rest.append((name, text))
    return live_options(rest), own, tuple(typed.items())


def _labels(which: str) -> Labels:
    return next(each for each in LABELS if each == which)


def _say(text: str) -> None:
    """Writes the greeting at once, wherever it goes."""
    Output().write(text)
