"""The native host: plays runs on a terminal or into a pipe, with keys and signals."""

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from math import inf

from llmsim.errors import LlmsimError
from llmsim.hosts.output import Output, complain, remark
from llmsim.hosts.runs import again, seeded
from llmsim.hosts.session import Session
from llmsim.hosts.signals import Signals, Stopped
from llmsim.hosts.status import ExitStatus
from llmsim.job.records import Job
from llmsim.options.table import Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmsim.hosts.keyboard import Keyboard

# A wait that neither a key nor a signal can end is cut into pieces of this many seconds.
TICK = 0.05


def main(options: Options, ends_process: bool = False) -> int:
    """Plays the options' runs on standard output and returns the exit status.

    Raises PlanError, before anything is written, when no job can be made of the options,
    ExportError when an export cannot be begun, and OSError when standard output takes no text.
    Exports that fail during the show are reported at its end. The process is left as it was
    found, unless `ends_process`: then its signals stay ignored, since nothing comes after.
    """
    if options.quiet:
        return _quiet(options, ends_process)
    begun = time.monotonic()
    limit = options.exit_after_time
    signals, keyboard = Signals(), _keyboard()
    rich = options.view in ("board", "wall")
    output = Output(options.color, rich, signals, keys=bool(keyboard), theme=options.theme)
    session = Session(
        options,
        output,
        inf if limit is None else begun + limit,
        sleep=_waiting(signals, keyboard),
        keyboard=keyboard,
        signals=signals,
    )
    console = _escape_codes() if sys.platform == "win32" else None
    status: int = ExitStatus.FINISHED
    stopped, gone = True, False
    try:
        signals.catch(terminal=os.isatty(1))
        if keyboard:
            keyboard.open()
        stopped = not session.play()
    except Stopped as stop:
        status = stop.status
    except BrokenPipeError:
        status, gone = ExitStatus.CLOSED_PIPE, True
    except LlmsimError:  # it is reported when the terminal is as it was
        stopped = False
        raise
    finally:
        signals.ignore()  # from here on nothing may interrupt
        if keyboard:
            keyboard.close()
        with suppress(OSError):  # the reader has gone; an error was reported already
            output.end(*_last_words(session) if stopped and not gone else ())
        if stopped:
            session.say_again()
        if console is not None:
            _escape_codes(console)
        output.close()
        if not ends_process:
            signals.restore()
    return _with_failures(session.failures, status)


def _last_words(session: Session) -> tuple[str, str]:
    """The goodbye of a show that is stopped, and what is left on the screen above it."""
    from llmsim.show.player import farewell  # the first line does not wait for it

    seed, screen = session.options.seed or 0, session.output.screen()
    goodbye = farewell(seed, screen) if session.options.jokes else ""
    return goodbye, session.ending()


def _with_failures(failures: list[str], status: int) -> int:
    """Reports exports that could not be written, and returns the exit status, 1 if there are
    any.
    """
    for failure in failures:
        complain(failure)
    return ExitStatus.ERROR if failures and status == ExitStatus.FINISHED else status


def _quiet(options: Options, ends_process: bool) -> int:
    """Writes the exports of the options' runs, as fast as possible."""
    from llmsim.hosts.exports import export_only

    begun, limit = time.monotonic(), options.exit_after_time
    signals = Signals()

    def say_again(job: Job) -> None:
        remark(again(options, job, ended=False))

    try:
        signals.catch(terminal=False)
        deadline = inf if limit is None else begun + limit
        export_only(seeded(options), signals.check, time.monotonic, deadline, say_again)
    except Stopped as stop:
        return stop.status
    finally:
        signals.ignore()
        if not ends_process:
            signals.restore()
    return ExitStatus.FINISHED


def _escape_codes(before: int | None = None) -> int | None:
    """Has a console of Windows understand escape codes, or restores the mode that it had before."""
    from llmsim.hosts.windows import escape_codes

    return escape_codes(before)


def _keyboard() -> "Keyboard | None":
    """The keyboard, if input and output are a terminal; otherwise None."""
    if not (os.isatty(0) and os.isatty(1)):
        return None
    if sys.platform == "win32":
        from llmsim.hosts.windows import WindowsKeyboard

        return WindowsKeyboard()
    from llmsim.hosts.keyboard import Keyboard

    return Keyboard()


def _waiting(signals: Signals, keyboard: "Keyboard | None") -> Callable[[float], object]:
    """A sleep that ends as soon as a key is pressed or a signal has come."""

    def wait(seconds: float) -> None:
        import select  # the first line comes without a wait

        ears = signals.ears()
        if keyboard and keyboard.is_open:
            ears.append(keyboard.descriptor)
        try:
            select.select(ears, [], [], seconds)
        except (OSError, ValueError):  # Windows knows sockets alone
            time.sleep(min(seconds, TICK))

    return wait
