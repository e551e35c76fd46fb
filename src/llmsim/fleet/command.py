"""llmsim fleet SPEC.toml --out DEST: makes a data set of many runs, or goes on with one."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic

from llmsim.errors import FLAG, CatalogError, ExportError, OptionError, PlanError
from llmsim.fleet.stores import FleetError, lasting, reason
from llmsim.hosts.output import spelled
from llmsim.hosts.status import ExitStatus
from llmsim.text.wording import nearest
from llmsim.typed import NamedTuple

USAGE = """usage: llmsim fleet SPEC.toml --out DEST [option ...]

Makes a data set of many runs. After a stop, type the same command to go on.

  --out DEST         a folder, or a URL that fsspec knows (s3://bucket/name)
  --answers DIR      a folder for the labels and for the commands that play a run again
  --workers N        how many processes work on this machine [one for each core]
  --dask             use a Dask cluster on this machine in place of plain processes
  --scheduler URL    scheduler of a Dask cluster, such as tcp://10.0.0.1:8786
  --print-plan       print counts, bytes and time, and write nothing
  --quiet            show no progress
  -h, --help         show this

The smallest SPEC is

  runs = 24
  seed = 1
  [export]
  kinds = ["jsonl", "labels"]

docs/fleets.md has all other keys.
"""
_VALUES = ("out", "answers", "workers", "scheduler")
_PLACES = ("out", "answers")  # a data set has one: the second would not be a correction
_SWITCHES = ("print-plan", "quiet", "dask")
_PROTOCOLS = ("tcp", "tls", "ucx", "ws", "wss")  # of Dask
_SHOWN_EVERY, _PRINTED_EVERY = 0.2, 10.0  # seconds between two looks at the progress


class Arguments(NamedTuple):
    """What the command line asks for."""

    spec: str
    out: str = ""
    answers: str = ""
    workers: int = 0  # 0: as many as there are cores
    scheduler: str = ""
    print_plan: bool = False
    quiet: bool = False
    dask: bool = False


def main(arguments: Sequence[str]) -> int:
    """Runs the command of these arguments and returns the exit status."""
    try:
        if "-h" in arguments or "--help" in arguments:
            sys.stdout.write(USAGE)
            return ExitStatus.FINISHED
        return _perform(parsed(arguments))
    except (OptionError, PlanError) as error:
        _complain(error.sentence(FLAG))
        return ExitStatus.USAGE
    except (CatalogError, ExportError, FleetError) as error:
        _complain(error.sentence(FLAG))
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        _complain(f"cannot write the data set: {reason(error)}{place}.")
    return ExitStatus.ERROR


def _complain(sentence: str) -> None:
    sys.stderr.write(f"llmsim fleet: {spelled(sentence)}\n")


def parsed(words: Sequence[str]) -> Arguments:
    """The arguments of a command line. Raises OptionError, one sentence."""
    found: dict[str, object] = {}
    rest = iter(words)
    for word in rest:
        if not word.startswith("-"):
            if "spec" in found:
                raise OptionError(f"one SPEC makes one fleet: {word!r} is a second one.")
            found["spec"] = word
            continue
        name, equals, text = word.removeprefix("--").partition("=")
        if name in _SWITCHES and not equals:
            found[name.replace("-", "_")] = True
        elif name in _VALUES:
            found[name] = _value(name, text if equals else next(rest, ""), found)
        else:
            raise OptionError(_unknown(word))
    if not found.get("spec"):
        raise OptionError("give a SPEC: llmsim fleet SPEC.toml --out DEST.")
    workers = str(found.get("workers", "0"))
    if not (workers.isascii() and workers.isdigit() and int(workers) <= 1024):
        raise OptionError(f"--workers cannot be {workers!r}: give a whole number up to 1024.")
    made = Arguments(**found | {"workers": int(workers)})  # type: ignore[arg-type]  # by name
    if not (made.out or made.print_plan):
        raise OptionError("say where the data set goes: --out DEST, or ask for --print-plan.")
    lasting("--out", made.out)
    lasting("--answers", made.answers)
    _reachable(made.scheduler)
    return made


def _value(name: str, text: str, found: dict[str, object]) -> str:
    """The value of an option: of other options than places the last one counts, as elsewhere."""
    if not text or text.startswith("--"):
        raise OptionError(f"--{name} needs a value: see llmsim fleet --help.")
    if name in _PLACES and found.get(name, text) != text:
        raise OptionError(
            f"--{name} is given twice, as {found[name]!r} and as {text!r}: a fleet has one; leave"
            " one out."
        )
    return text


def _reachable(scheduler: str) -> None:
    """Raises OptionError for a text that is no address."""
    protocol, mark, address = scheduler.rpartition("://")
    host, _, port = address.rpartition(":")
    right = (not mark or protocol in _PROTOCOLS) and host and port.isascii() and port.isdigit()
    if scheduler and not (right and 0 < int(port[:9]) < 65_536):
        raise OptionError(
            f"--scheduler cannot be {scheduler!r}: give an address such as tcp://10.0.0.1:8786."
        )


def _unknown(word: str) -> str:
    names = [f"--{name}" for name in (*_VALUES, *_SWITCHES, "help")]
    near = nearest(word.partition("=")[0], names)
    hint = f"did you mean {near}?" if near else "see llmsim fleet --help."
    return f"there is no option {word!r}: {hint}"


def _perform(asked: Arguments) -> int:
    from llmsim.fleet import estimate
    from llmsim.fleet.spec import spec_of

    spec = spec_of(asked.spec)
    _needed("parquet" in spec.kinds)
    workers = asked.workers or os.cpu_count() or 1
    if asked.print_plan:
        sys.stdout.write(estimate.text_of(estimate.plan_of(spec), spec, workers))
        return ExitStatus.FINISHED
    from llmsim.fleet.making import make

    with _terminated():
        try:
            return make(spec, asked, workers, _complain, _progress(asked.quiet))
        except KeyboardInterrupt:
            _complain("stopped; the same command goes on from here.")
            return ExitStatus.SIGINT
        except SystemExit as stopped:
            _complain("stopped; the same command goes on from here.")
            return int(stopped.code or 0)


@contextmanager
def _terminated() -> Iterator[None]:
    """SIGTERM ends the fleet in order while this lasts."""
    import signal

    def ended(_number: int, _frame: object) -> None:
        raise SystemExit(ExitStatus.SIGTERM)

    before = signal.signal(signal.SIGTERM, ended)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _needed(parquet: bool) -> None:
    """Raises ExportError where tables are asked for and cannot be written."""
    if not parquet:
        return
    try:
        import numpy as np  # noqa: F401
        import pyarrow as pa  # noqa: F401
    except ImportError as error:
        raise ExportError(
            f"tables need {error.name}: pip install 'llmsim[fleet]', or ask for other kinds."
        ) from None


def _progress(quiet: bool) -> Callable[[int, int, int], None]:
    """A function that shows the runs done, of how many, and how many of them just now."""
    from llmsim.fleet.estimate import time_text

    terminal, begun, last = sys.stderr.isatty(), monotonic(), [0.0]

    def show(done: int, total: int, now: int) -> None:
        passed = monotonic() - begun
        every = _SHOWN_EVERY if terminal else _PRINTED_EVERY
        if quiet or not total or (passed - last[0] < every and done < total):
            return
        last[0] = passed
        rate = now / passed if passed else 0.0
        left = f", {time_text((total - done) / rate)} left" if rate and done < total else ""
        text = f"{done:,} of {total:,} runs, {rate:.1f} a second{left}"
        sys.stderr.write(f"\r\x1b[K{text}" if terminal else f"{text}\n")
        if terminal and done == total:
            sys.stderr.write("\n")
        sys.stderr.flush()

    return show
