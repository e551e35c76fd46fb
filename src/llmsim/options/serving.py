"""What `llmsim serve` takes beside the options of a run: one row an option, as in table.py."""

from llmsim.errors import OptionError
from llmsim.options.option import Option
from llmsim.options.parsing import choice, parse_duration
from llmsim.telemetry import dcgm_versions
from llmsim.telemetry.dcgm_page import LABELS
from llmsim.text.wording import either
from llmsim.typed import NamedTuple

LOOPBACK, PORT = "127.0.0.1", 9400


class Listen(NamedTuple):
    """An address to listen to."""

    host: str
    port: int


class ServeOptions(NamedTuple):
    """The options of the server; a run's are Options."""

    listen: Listen = Listen(LOOPBACK, PORT)
    exporter_version: dcgm_versions.Version = dcgm_versions.version_named(dcgm_versions.DEFAULT)
    counters: str = "default"
    labels: str = "none"
    collect_interval: float = 30.0


def parse_listen(text: str) -> Listen:
    """HOST:PORT, [IPv6]:PORT, :PORT or PORT; without a host it is the loopback address.

    Raises ValueError.
    """
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError  # an IPv6 address without brackets
    if not (port.isascii() and port.isdigit() and int(port[:6]) <= 65_535) or len(port) > 5:
        raise ValueError
    del colon
    return Listen(host or LOOPBACK, int(port))


def parse_collect(text: str) -> float:
    """Seconds between an exporter's own readings; 0 reads at each scrape."""
    return 0.0 if text == "0" else parse_duration(text)


def parse_counters(text: str) -> str:
    """`default`, `full`, or the path of a list in NVIDIA's format."""
    if not text:
        raise OptionError(" needs a value: give default, full or a file.")
    return text


SERVE_OPTIONS = (
    Option("listen", parse_listen, "HOST:PORT such as 127.0.0.1:9400 or [::1]:9400",
           "address of the pages", f"{LOOPBACK}:{PORT}", "HOST:PORT"),
    Option("exporter-version", dcgm_versions.version_named, dcgm_versions.EXPECTED,
           "release of dcgm-exporter: old, 3.6.1, 4.8.2, next ...", dcgm_versions.DEFAULT,
           "VERSION"),
    Option("counters", parse_counters, "default, full or a file",
           "fields on the page: default, full, or a file in dcgm-exporter's csv format",
           "default", "WHICH"),
    Option("labels", choice(*LABELS), either(LABELS),
           "labels that name a GPU's user: none, k8s, exported or slurm", "none", "WHICH"),
    Option("collect-interval", parse_collect, "a time such as 30s, or 0",
           "time between dcgm-exporter's own readings; 0 reads at each scrape", "30s", "TIME"),
)  # fmt: skip
