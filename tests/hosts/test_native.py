"""The native host in a real terminal (a pty) and in real pipes: what is shown, and how it ends."""

import fcntl
import os
import pty
import re
import select
import shlex
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from pathlib import Path

import pyte
import pytest

from llmsim.board.region import END
from llmsim.hosts.output import PASTES_PLAIN, Output
from llmsim.hosts.runs import runs_of
from llmsim.options.table import Options
from llmsim.show.player import FAREWELLS
from llmsim.text.screen import HIDE_CURSOR, SHOW_CURSOR
from tests.dialects.plugged import EXAMPLE, installed

pytestmark = pytest.mark.long

LLMSIM = [sys.executable, "-m", "llmsim"]
START = ["--start", "2026-01-30T12:00:00", "--dialect", "pytorch", "--view", "log"]
SEVEN = ["--seed", "7", *START]
MAX = [*SEVEN, "--speed-factor", "max"]
SETTINGS = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES")
PATIENCE = 30.0  # seconds after which a test gives up; none waits so long when all is well
# How a sentence begins that has the command for the same run.
AGAIN = "Same run again: llmsim"


@pytest.fixture(autouse=True)
def usual_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that knows colours, whatever the tests run in."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@cache
def piped(*arguments: str, **changes: str) -> bytes:
    """What comes out of a pipe that a whole run went into."""
    ended = subprocess.run(
        [*LLMSIM, *arguments],
        capture_output=True,
        env={**os.environ, **changes},
        timeout=PATIENCE,
        check=True,
    )
    assert ended.stderr == b""
    return ended.stdout


def from_shell(line: str) -> subprocess.CompletedProcess[str]:
    """What a shell makes of a line, in which llmsim is the program."""
    function = f'llmsim() {{ "{sys.executable}" -m llmsim "$@"; }}\n'
    return subprocess.run(
        ["bash", "-c", function + line],
        capture_output=True,
        timeout=PATIENCE,
        check=False,
        text=True,
    )


class Terminal:
    """A pseudo-terminal with llmsim on it."""

    def __init__(
        self, *arguments: str, columns: int = 80, stdin: int | None = None, **changes: str
    ) -> None:
        self.master, self.slave = pty.openpty()
        self.resize(columns)
        self.attributes = termios.tcgetattr(self.slave)
        self.seen = b""
        self.process = subprocess.Popen(
            [*LLMSIM, *arguments],
            stdin=self.slave if stdin is None else stdin,
            stdout=self.slave,
            stderr=subprocess.PIPE,
            env={**os.environ, **changes},
        )

    def resize(self, columns: int, rows: int = 24) -> None:
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self) -> bool:
        """Take what has come; False when there was nothing for a moment."""
        if not select.select([self.master], [], [], 0.05)[0]:
            return False
        self.seen += os.read(self.master, 65_536)
        return True

    def until(self, ready: Callable[[bytes], object]) -> None:
        limit = time.monotonic() + PATIENCE
        while not ready(self.seen):
            assert time.monotonic() < limit, self.seen[-2000:]
            self.read()

    def finish(self) -> int:
        """Read to the end and return the exit status; standard error must be empty."""
        limit = time.monotonic() + PATIENCE
        while self.process.poll() is None or self.read():
            assert time.monotonic() < limit, self.seen[-2000:]
            self.read()
        assert self.process.stderr is not None
        remarks = self.process.stderr.read().decode().splitlines()
        assert all(remark.startswith(AGAIN) for remark in remarks)
        assert termios.tcgetattr(self.slave) == self.attributes
        return self.process.returncode

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        os.close(self.master)
        os.close(self.slave)


Launch = Callable[..., Terminal]


@pytest.fixture
def launch() -> Iterator[Launch]:
    """Starts llmsim on terminals, which are closed when the test is over."""
    terminals: list[Terminal] = []

    def start(
        *arguments: str, columns: int = 80, stdin: int | None = None, **changes: str
    ) -> Terminal:
        terminals.append(Terminal(*arguments, columns=columns, stdin=stdin, **changes))
        return terminals[-1]

    yield start
    for terminal in terminals:
        terminal.close()


def shown(seen: bytes, columns: int = 80, rows: int = 24) -> pyte.Screen:
    """The screen that a terminal shows after these bytes."""
    screen = pyte.Screen(columns, rows)
    pyte.ByteStream(screen).feed(seen)
    return screen


def rows_of(screen: pyte.Screen) -> list[str]:
    return [row.rstrip() for row in screen.display]


def is_goodbye(line: str) -> bool:
    return line in FAREWELLS


def a_bar_stands(seen: bytes) -> bool:
    """Whether a bar that is not full has been shown since the last line, or beside a board."""
    if END.encode() in seen:  # a board, whose rows are drawn in any order
        return b"%|" in seen
    return seen.endswith(b"\r") and b"%|" in seen.rpartition(b"\n")[2]


# --- how a show ends ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "status", "color"),
    [
        (signal.SIGINT, 130, "auto"),
        (signal.SIGINT, 130, "never"),
        (signal.SIGTERM, 143, "auto"),
        (signal.SIGHUP, 129, "auto"),
    ],
)
def test_a_signal_ends_the_show_and_gives_the_terminal_back(
    launch: Launch, number: signal.Signals, status: int, color: str
) -> None:
    terminal = launch(*SEVEN, "--runs", "0", "--speed-factor", "30", "--color", color)
    terminal.until(a_bar_stands)
    terminal.process.send_signal(number)
    assert terminal.finish() == status
    seen = terminal.seen
    if color == "auto":
        assert seen.startswith(HIDE_CURSOR.encode())
        assert seen.endswith(b"\x1b[0m\r\n" + (PASTES_PLAIN + SHOW_CURSOR).encode())
    else:
        assert b"\x1b" not in seen
    screen = shown(seen)
    *log, last, empty = rows_of(screen)[: screen.cursor.y + 1]
    assert is_goodbye(last)
    assert empty == ""
    assert not any(re.search(r" [0-9 ]{2}%\|", row) for row in log)
    assert not screen.cursor.hidden
    assert screen.cursor.x == 0


def test_what_is_echoed_is_wiped_with_the_bar(launch: Launch) -> None:
    terminal = launch(*SEVEN, "--runs", "0", "--speed-factor", "30", stdin=subprocess.DEVNULL)
    terminal.until(a_bar_stands)
    os.write(terminal.master, b"hello\x14")  # nobody listens to keys, so the terminal echoes
    terminal.until(lambda seen: b"hello" in seen)
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.finish() == 130
    assert not any("hello" in row for row in rows_of(shown(terminal.seen)))


@pytest.mark.parametrize("text", ["short", "a long line\n" * 10_000])
def test_what_a_reader_had_no_time_for_comes_before_the_goodbye(text: str) -> None:
    reading, writing = os.pipe()
    output = Output("never")
    output.begin()
    output.descriptor = writing
    output.write(text, time.monotonic() - 1)  # nothing, or what fits
    seen = os.read(reading, 1_000_000)
    output.end("Goodbye.")
    while select.select([reading], [], [], 0)[0]:
        seen += os.read(reading, 1_000_000)
        output.end()
        output.write("", time.monotonic())
    assert seen.decode() == f"{text}Goodbye.\n"
    os.close(reading)
    os.close(writing)


def test_an_impatient_finger_on_ctrl_c_does_no_harm(launch: Launch) -> None:
    terminal = launch(*SEVEN, "--runs", "0", "--speed-factor", "30")
    terminal.until(a_bar_stands)
    for _ in range(50):
        terminal.process.send_signal(signal.SIGINT)
    assert terminal.finish() == 130
    assert terminal.seen.endswith(SHOW_CURSOR.encode())


def test_timeout_of_the_shell() -> None:
    ended = from_shell(f"timeout --preserve-status -s INT 2 {sys.executable} -m llmsim")
    assert ended.returncode == 130
    assert is_goodbye(ended.stdout.splitlines()[-1])
    assert re.fullmatch(rf"{AGAIN} --seed \d+ --start [\dT:-]+\n", ended.stderr)


def test_a_sober_show_that_is_stopped_says_the_command_alone() -> None:
    sober = f"{sys.executable} -m llmsim --jokes no --view log"
    ended = from_shell(f"timeout --preserve-status -s INT 2 {sober}")
    assert ended.returncode == 130
    assert not any(line in ended.stdout for line in FAREWELLS)
    assert re.fullmatch(
        rf"{AGAIN} --jokes no --seed \d+ --start [\dT:-]+ --view log\n", ended.stderr
    )


def test_a_show_that_is_stopped_can_go_on_as_it_was() -> None:
    """The command of a stop has the show's flags, too: a wall in amber was once a board."""
    flags = "--view log --theme amber --from training --stream all --runs 0"
    ended = from_shell(f"timeout --preserve-status -s INT 2 {sys.executable} -m llmsim {flags}")
    assert ended.returncode == 130
    told = re.fullmatch(rf"{AGAIN} (--seed \d+ --start [\dT:-]+) (.*)\n", ended.stderr)
    assert told, ended.stderr
    assert {*told[2].split(" --")[1:]} < {*flags.split(" --")}
    assert len(told[2]) == len(flags)
    again = from_shell(
        f"timeout --preserve-status -s INT 2 {sys.executable} -m llmsim {told[1]} {told[2]}"
    )
    assert (again.returncode, again.stderr) == (130, "")  # who names seed and start knows them
    assert again.stdout[:2000] == ended.stdout[:2000]


@pytest.mark.parametrize("dialect", ["hf", "nanogpt", "pytorch"])
def test_a_run_that_somebody_likes_can_be_had_again(dialect: str) -> None:
    """A framework's own log has no such line, so standard error has it; ours has it itself."""
    arguments = ["--dialect", dialect, "--gpus", "8", "--speed-factor", "max", "--color", "never"]
    first = played(*arguments)
    told = first.stderr if dialect != "pytorch" else "\n".join(first.stdout.split("\n")[-5:])
    command = re.search(rf"{AGAIN} ((?:.+\\\n)*.+)\n?", told)
    assert command, told
    words = shlex.split(command[1].replace("\\\n", " "))
    again = played(*words, "--speed-factor", "max")
    assert again.stdout == first.stdout
    assert again.stderr == ""


def played(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*LLMSIM, *arguments], capture_output=True, text=True, check=True)


def test_each_of_several_runs_can_be_had_again() -> None:
    """The first has the command that was typed."""
    arguments = ["--dialect", "hf", "--gpus", "1", "--seed", "5", "--start", "2026-01-30T12:00:00"]
    told = played(*arguments, "--runs", "2", "--speed-factor", "max").stderr.splitlines()
    assert len(told) == 1
    assert told[0].startswith(f"{AGAIN} --dialect hf --gpus 1 --seed 6 --start 2026-")


def test_a_quiet_run_can_be_had_again_too(tmp_path: Path) -> None:
    made = played("--quiet", "--gpus", "1", "--export", f"jsonl={tmp_path}/run")
    assert made.stdout == ""
    assert made.stderr.startswith(f"{AGAIN} --gpus 1 --seed ")


def test_a_function_of_a_plug_in_that_fails_gives_the_terminal_back(
    launch: Launch, tmp_path: Path
) -> None:
    source = (EXAMPLE / "laconic_dialect.py").read_text(encoding="utf-8")
    installed(tmp_path, source + "\nLINES[Step] = lambda event, job, screen: [event.none]\n")
    path = f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"
    terminal = launch("--dialect", "laconic", "--from", "training", PYTHONPATH=path)
    while terminal.process.poll() is None:
        terminal.read()
    terminal.read()
    assert terminal.process.returncode == 1
    assert terminal.process.stderr is not None
    (said,) = terminal.process.stderr.read().decode().splitlines()
    assert said.startswith("llmsim: laconic-dialect fails in <lambda>, its function for Step: Attr")
    assert termios.tcgetattr(terminal.slave) == terminal.attributes
    assert not shown(terminal.seen).cursor.hidden


def test_a_show_that_ends_by_itself_says_no_goodbye(launch: Launch) -> None:
    terminal = launch(*MAX)
    assert terminal.finish() == 0
    assert terminal.seen.endswith(SHOW_CURSOR.encode())
    screen = shown(terminal.seen)
    assert not screen.cursor.hidden
    assert not any(is_goodbye(row) for row in rows_of(screen))


@pytest.mark.parametrize("pace", [[], ["--speed-factor", "max", "--runs", "0"]])
def test_a_show_ends_when_its_time_is_up(launch: Launch, pace: list[str]) -> None:
    begun = time.monotonic()
    terminal = launch(*SEVEN, *pace, "--exit-after-time", "0.3s")
    assert terminal.finish() == 0
    assert 0.3 < time.monotonic() - begun < PATIENCE / 3
    assert terminal.seen.endswith(SHOW_CURSOR.encode())
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.seen.decode(errors="replace"))
    assert is_goodbye(re.split(r"[\r\n]+", text.strip())[-1])


def test_time_is_up_for_a_reader_that_has_stalled_too() -> None:
    process = subprocess.Popen(
        [*LLMSIM, *MAX, "--runs", "0", "--exit-after-time", "0.3s"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.wait(PATIENCE) == 0
    assert process.communicate()[1] == b""


def test_a_closed_pipe_ends_the_show_without_a_word() -> None:
    ended = from_shell(f"llmsim {' '.join(MAX)} | head -3; echo ${{PIPESTATUS[0]}} >&2")
    assert ended.stdout.count("\n") == 3
    assert ended.stderr == "141\n"


def test_whatever_goes_into_a_closed_pipe_ends_without_a_word() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    for arguments in (["--list", "models"], ["--help"], MAX):
        ended = subprocess.run(
            [*LLMSIM, *arguments], stdout=writing, stderr=subprocess.PIPE, check=False
        )
        assert (ended.returncode, ended.stderr) == (141, b"")
    os.close(writing)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stalled_pipe_does_not_keep_the_show_from_ending(
    number: signal.Signals, status: int
) -> None:
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [*LLMSIM, *MAX, "--runs", "0"], stdout=writing, stderr=subprocess.PIPE
    )
    limit = time.monotonic() + PATIENCE
    while select.select([], [writing], [], 0)[1]:  # until there is no room left
        assert time.monotonic() < limit
        time.sleep(0.01)
    process.send_signal(number)
    stopped = time.monotonic()
    assert process.wait(PATIENCE) == status
    assert time.monotonic() - stopped < PATIENCE / 3
    assert re.fullmatch(rf"({AGAIN} .*\n)?", process.communicate()[1].decode())
    os.close(reading)
    os.close(writing)


def test_a_stalled_terminal_does_not_keep_the_show_from_ending(launch: Launch) -> None:
    terminal = launch(*MAX, "--runs", "0")
    limit = time.monotonic() + PATIENCE
    filled = [-1, 0]
    while filled[-1] == 0 or len(set(filled[-20:])) > 1:  # until no more goes in
        assert time.monotonic() < limit
        time.sleep(0.01)
        unread = bytearray(4)
        fcntl.ioctl(terminal.master, termios.FIONREAD, unread)
        filled.append(int.from_bytes(unread, sys.byteorder))
    terminal.process.send_signal(signal.SIGINT)
    stopped = time.monotonic()
    assert terminal.process.wait(PATIENCE) == 130
    assert time.monotonic() - stopped < PATIENCE / 3


def test_a_stopped_log_ends_with_whole_lines() -> None:
    """A batch that a stop cuts short is followed by a line end, and then by the goodbye."""
    reading, writing = os.pipe()
    process = subprocess.Popen([*LLMSIM, *MAX, "--runs", "0"], stdout=writing)
    os.close(writing)
    seen = os.read(reading, 100)
    process.send_signal(signal.SIGINT)
    while data := os.read(reading, 65_536):
        seen += data
    os.close(reading)
    assert process.wait(PATIENCE) == 130
    assert is_goodbye(seen.decode().splitlines()[-1])


def test_nohup_keeps_a_show_on() -> None:
    process = subprocess.Popen(
        ["nohup", *LLMSIM, *SEVEN],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    assert process.stdout.read(10)
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 143
    process.communicate()


def test_an_interrupt_during_the_imports_leaves_no_traceback() -> None:
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "llmsim"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "llmsim.catalog" in line:
            break
    process.send_signal(signal.SIGINT)
    text, complaint = process.communicate(timeout=PATIENCE)
    # CPython ends by the signal itself, which a shell shows as 130 too, when the interrupt falls
    # into code that is evaluated from a string, as namedtuple() does (pythonrun.c,
    # run_eval_code_obj: unhandled_keyboard_interrupt), handled or not.
    assert process.returncode in (130, -signal.SIGINT)
    assert all(line.startswith("import time:") for line in complaint.splitlines())
    assert text == "" or is_goodbye(text.splitlines()[-1])


# --- where it writes ---------------------------------------------------------------------------


def test_standard_input_may_be_closed() -> None:
    ended = from_shell(f"llmsim {' '.join(MAX)} <&- | wc -l; echo ${{PIPESTATUS[0]}}")
    lines, status = ended.stdout.split()
    assert int(lines) > 100
    assert (status, ended.stderr) == ("0", "")


@pytest.mark.parametrize("redirection", [">&-", ">/dev/full"])
@pytest.mark.parametrize("arguments", [" ".join(MAX), "--list gpus", "--help"])
def test_what_cannot_be_written_to_is_told_in_one_sentence(
    redirection: str, arguments: str
) -> None:
    ended = from_shell(f"llmsim {arguments} {redirection}")
    assert ended.returncode == 1
    assert re.fullmatch(r"llmsim: cannot write the log: [A-Z][a-z ]+\.\n", ended.stderr)
    assert ended.stdout == ""


def test_nobody_need_listen_to_complaints() -> None:
    ended = from_shell("llmsim --gpus 0 2>&-")
    assert (ended.returncode, ended.stdout) == (2, "")


@pytest.mark.parametrize("color", ["never", "auto"])
def test_a_pipe_gets_no_escape_code_unless_it_is_asked_for(color: str) -> None:
    assert b"\x1b" not in piped(*MAX, "--color", color)
    assert b"\x1b[" in piped(*MAX, "--color", color, FORCE_COLOR="1") or color == "never"


def test_colours_in_a_pipe_are_colours_alone() -> None:
    plain, painted = piped(*MAX), piped(*MAX, "--color", "always")
    assert re.sub(rb"\x1b\[[0-9;]*m", b"", painted) == plain != painted


def test_a_dumb_terminal_gets_plain_lines(launch: Launch) -> None:
    terminal = launch(*MAX, TERM="dumb")
    assert terminal.finish() == 0
    assert not re.search(rb"\x1b|\r(?!\n)", terminal.seen)


def test_a_terminal_that_wants_no_colours_gets_no_escape_code(launch: Launch) -> None:
    for arguments, changes in ((["--color", "never"], {}), ([], {"NO_COLOR": "1"})):
        terminal = launch(*MAX, *arguments, **changes)
        assert terminal.finish() == 0
        assert b"\x1b" not in terminal.seen
        assert b"%|" in terminal.seen


def test_an_encoding_without_bars_gets_ascii() -> None:
    text = piped(*MAX, PYTHONIOENCODING="ascii")
    assert text.isascii()
    assert b"%|###" in text
    assert text.count(b"?") == piped(*MAX).count(b"?")  # nothing had to be replaced


def widest(log: bytes) -> int:
    return max(map(len, log.decode().splitlines()))


def test_a_pipe_is_as_wide_as_columns_say() -> None:
    assert 60 < widest(piped(*MAX, COLUMNS="72")) <= 72
    assert 150 < widest(piped(*MAX)) <= 200


@pytest.mark.parametrize("text", ["0", "-80", "wide", "", "9" * 5000])
def test_columns_that_are_no_number_count_for_nothing(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("COLUMNS", text)
    assert Output().screen().width == 200


def test_a_resized_terminal_gets_lines_of_its_new_size(launch: Launch) -> None:
    terminal = launch(*SEVEN, "--speed-factor", "100", "--color", "never", columns=150)
    terminal.until(lambda seen: b"step" in seen)
    assert 100 < widest(terminal.seen) <= 150
    terminal.resize(50)
    before = len(terminal.seen)
    terminal.until(lambda seen: seen[before:].count(b"\n") > 80)
    late = terminal.seen[before:].decode(errors="replace").replace("\r", "\n").splitlines()[-60:]
    assert 30 < max(map(len, late)) <= 50
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.finish() == 143


# --- what it plays -----------------------------------------------------------------------------


def test_same_seed_and_start_same_bytes() -> None:
    first, second = piped(*MAX), piped(*MAX, PYTHONHASHSEED="1")
    assert first == second
    assert len(first) > 10_000


def test_runs_take_the_next_seeds() -> None:
    at_once = [*START, "--speed-factor", "max"]
    _, second = runs_of(Options(seed=7, start=datetime(2026, 1, 30, 12), runs=2))
    assert second.options.start is not None
    later = [*at_once, "--start", second.options.start.isoformat()]
    seventh, eighth = piped("--seed", "7", *at_once), piped("--seed", "8", *later)
    assert piped("--seed", "7", "--runs", "2", *at_once) == seventh + eighth


def test_a_run_without_a_seed_tells_how_to_repeat_it() -> None:
    log = piped("--speed-factor", "max", "--dialect", "pytorch")
    arguments = log.decode().splitlines()[-1].partition("llmsim ")[2]
    again = from_shell(f"llmsim {arguments} --speed-factor max")
    assert again.stdout.encode() == log


# --- what the first line has to wait for --------------------------------------------------------

# Each of these takes longer to import than a line takes to write, most of them far longer.
HEAVY = (
    "argparse", "ast", "asyncio", "base64", "bz2", "calendar", "concurrent", "csv", "ctypes",
    "dataclasses", "datetime", "decimal", "difflib", "dis", "email", "fractions", "getpass",
    "gettext", "gzip", "hashlib", "hmac", "html", "http", "importlib.metadata",
    "importlib.resources", "inspect", "json", "locale", "logging", "lzma", "multiprocessing",
    "pathlib", "pickle", "platform", "queue", "random", "re", "rich", "secrets", "selectors",
    "shlex", "shutil", "socket", "ssl", "statistics", "string", "subprocess", "tempfile",
    "textwrap", "threading", "timeit", "tokenize", "tqdm", "traceback", "typing",
    "typing_extensions", "unittest", "urllib", "uuid", "xml", "zipfile",
)  # fmt: skip

MODULES_AT_THE_FIRST_LINE = """
import os, sys
before = set(sys.modules)
from llmsim import cli
from llmsim.hosts import native

def write(*_):
    os.write(1, " ".join(set(sys.modules) - before).encode())
    os._exit(0)

native.Output.write = write
cli.main(["--seed", "7"])
"""


def test_nothing_heavy_is_imported_before_the_first_line() -> None:
    command = [sys.executable, "-c", MODULES_AT_THE_FIRST_LINE]
    imported = subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()
    assert "llmsim.show.opening" in imported
    # The typed command follows from the job alone.
    later = "run.timeline", "run.events", "show.player", "physics.hardware.storage"
    assert [name for name in later if f"llmsim.{name}" in imported] == []
    assert sorted(set(imported) & set(HEAVY)) == []
    foreign = [name for name in imported if name.partition(".")[0] not in sys.stdlib_module_names]
    assert {name.partition(".")[0] for name in foreign} == {"llmsim"}
