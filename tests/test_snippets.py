"""Every command and snippet of README and docs does what the page says, as it is written."""

import os
import re
import signal
import subprocess
import tomllib
from pathlib import Path

import pytest

from llmsim.options.job_keys import wanted_of
from tests.dialects.plugged import EXAMPLE, installed
from tests.snippets import Snippet, commands, extras, furnished, snippets, targets

# Other people's programs that pages show beside ours: no test installs them.
OTHERS = (
    "agg", "apt", "asciinema", "chromium", "ffmpeg", "firefox", "mkdir", "prometheus", "promtool",
    "stty", "tensorboard",
)  # fmt: skip
SEVERAL = re.compile(r" & (?=\w)|; (?=\w)")  # between commands of one line
COMMANDS = [
    Snippet(each.page, each.language, command)
    for each in commands()
    for command in SEVERAL.split(each.text)
]
OURS = [each for each in COMMANDS if each.text.startswith("llmsim")]
# What needs an extra, or a reader of its own, is run where those are installed.
ELSEWHERE = {
    "llmsim grade": "live",
    "llmsim serve": "live",  # it takes the port that an exporter has, so one at a time
    "llmsim fleet": "fleets",
    "nvitop": "exports",
}
STOPPED = ("llmsim serve",)  # it serves until it is stopped
SLOW = 120.0  # seconds for a command on a busy machine


def marks(text: str) -> list[pytest.MarkDecorator]:
    """Where a command is tested."""
    found = [getattr(pytest.mark, mark) for part, mark in ELSEWHERE.items() if part in text]
    return found or [pytest.mark.transcripts]


def test_every_page_with_commands_is_seen() -> None:
    pages = {each.page for each in OURS}
    assert {"README.md", "docs/show.md", "docs/jobs.md", "docs/testing.md"} <= pages
    assert len(OURS) > 40


@pytest.mark.parametrize(
    "command", [pytest.param(each, marks=marks(each.text), id=f"{each}") for each in OURS]
)
def test_a_command_of_ours_is_right(command: Snippet, tmp_path: Path) -> None:
    variables = furnished(tmp_path)
    (tmp_path / "logs").mkdir()  # as the command before has it
    if "laconic" in command.text:
        installed(tmp_path, (EXAMPLE / "laconic_dialect.py").read_text(encoding="utf-8"))
    process = subprocess.Popen(
        [
            "bash",
            "-o",
            "pipefail",
            "-c",
            f"exec {command.text}" if served(command) else command.text,
        ],
        cwd=tmp_path,
        env={**os.environ, **variables, "PYTHONPATH": pythonpath(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if served(command):
        assert process.stdout is not None
        assert "http://127.0.0.1:9400" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=SLOW)
    expected = (130,) if served(command) else (0, 141) if "| head" in command.text else (0,)
    assert process.returncode in expected, complaints
    assert "Traceback" not in complaints


def served(command: Snippet) -> bool:
    return command.text.startswith(STOPPED)


def pythonpath(folder: Path) -> str:
    """Where Python finds llmsim, and what a test has put into the folder."""
    return f"{Path(__file__).parents[1] / 'src'}:{folder}"


@pytest.mark.parametrize("command", [each for each in COMMANDS if each not in OURS], ids=str)
def test_a_command_of_others_names_what_there_is(command: Snippet) -> None:
    program, *words = command.text.split()
    if program == "make":
        assert words[0] in targets()
    elif program == "pip":
        asked = [
            name
            for found in re.findall(r"llmsim\[(.*)\]", command.text)
            for name in found.split(",")
        ]
        assert set(asked) <= extras()
    elif program == "python":
        assert (Path(__file__).parents[1] / words[0]).exists()
    else:
        assert program in OTHERS, f"{command}: nobody tests this command"


@pytest.mark.parametrize("snippet", snippets("toml"), ids=str)
def test_a_toml_file_says_what_there_is(snippet: Snippet) -> None:
    content = tomllib.loads(snippet.text)
    if snippet.page == "docs/jobs.md":
        wanted_of(content)
    elif snippet.page == "docs/options.md":
        from llmsim.cli.defaults import TABLE

        assert set(content) <= set(TABLE)
    else:  # a SPEC, which test_spec.py reads, or the project file of a plug-in
        assert {"runs", "project"} & set(content)


@pytest.mark.transcripts
@pytest.mark.parametrize(
    "snippet",
    [each for each in snippets("python") if ">>>" not in each.text],  # test_api.py has the rest
    ids=str,
)
def test_python_runs_as_it_is_written(snippet: Snippet, tmp_path: Path) -> None:
    if "wandb" in snippet.text:
        compile(snippet.text, snippet.page, "exec")  # it needs an account elsewhere
        return
    text = snippet.text
    if "def test_" in text:
        text = PARSER + text
    (tmp_path / "test_it.py").write_text(text, encoding="utf-8")
    command = (
        ["python", "-m", "pytest", "-q", "test_it.py"]
        if "def test_" in text
        else ["python", "test_it.py"]
    )
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, **furnished(tmp_path), "PYTHONPATH": pythonpath(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=SLOW,
    )
    assert done.returncode == 0, done.stdout + done.stderr


# The reader's own functions, which the snippets name. The parser finds a loss in each line of the
# dialects that they play.
PARSER = r"""
import re


def my_parser(log):
    found = re.findall(r"(?<!validate )\bstep:? .*?\bloss:? +([\d.]+)", log)
    return [float(loss) for loss in found]


def my_curve(run_records):
    return [each["loss"] for each in run_records if each["event"] == "step"]


def my_alarm(sample):
    return any(gpu.temperature_c > 95 for gpu in sample.gpus)


"""
