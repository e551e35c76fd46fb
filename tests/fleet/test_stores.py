"""What is said where a URL, or a scheduler, is not what it should be: always one sentence."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmsim.fleet import command

SPEC = 'runs = 2\nseed = 1\n[export]\nkinds = ["labels"]\n[[mix]]\nsteps = 50\ngpus = 8\n'


@pytest.fixture
def spec(tmp_path: Path) -> str:
    path = tmp_path / "fleet.toml"
    path.write_text(SPEC, encoding="utf-8")
    return str(path)


def said(capsys: pytest.CaptureFixture[str], status: int, *words: str) -> str:
    """The one sentence about a command that ends with this status."""
    assert command.main([*words, "--quiet"]) == status
    told = capsys.readouterr().err
    assert told.startswith("llmsim fleet: ")
    assert told.endswith(".\n")
    assert told.count("\n") == 1, told
    return told


@pytest.mark.parametrize(
    ("out", "sentence"),
    [
        ("memory://x", "--out cannot be memory://x: its files end with this process"),
        ("simplecache::memory://x", "--out cannot be simplecache::memory://x: its files end"),
        ("s3://", "--out cannot be s3://: it names no place"),
    ],
)
def test_a_url_that_keeps_nothing_is_refused(
    spec: str, out: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sentence in said(capsys, 2, spec, "--out", out)


@pytest.mark.parametrize(
    "address",
    ["foo", "tcp://127.0.0.1", "127.0.0.1:99999", "tcp://:8786", "http://127.0.0.1:80", "tcp://a:"],
)
def test_an_address_without_a_host_or_a_port_is_refused(
    spec: str, address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--out", str(tmp_path / "out"), "--scheduler", address)
    told = said(capsys, 2, spec, *words)
    assert told.startswith(f"llmsim fleet: --scheduler cannot be {address!r}: give an address")
    assert not (tmp_path / "out").exists()


def test_a_scheduler_that_is_not_there_is_said_before_anything_is_begun(
    spec: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    told = said(capsys, 2, spec, "--out", str(tmp_path / "out"), "--scheduler", address)
    assert told == f"llmsim fleet: there is no scheduler at {address}: connection refused.\n"
    assert not (tmp_path / "out").exists()


@pytest.fixture
def stranger() -> Iterator[int]:
    """The port of a server that answers every connection like a web server and closes it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.fleets
def test_a_server_that_is_no_scheduler_is_said(
    spec: str, tmp_path: Path, stranger: int, capsys: pytest.CaptureFixture[str]
) -> None:
    address = f"tcp://127.0.0.1:{stranger}"
    told = said(capsys, 2, spec, "--out", str(tmp_path / "out"), "--scheduler", address)
    assert told.endswith(f"no scheduler at {address}: the server there is not Dask's.\n")
    assert not (tmp_path / "out").exists()


@pytest.mark.fleets
@pytest.mark.parametrize(
    ("out", "status", "sentence"),
    [
        # No package for them is among the readers of `make test-fleets`.
        ("gs://bucket/x", 1, "gs://bucket/x needs gcsfs: pip install gcsfs."),
        ("az://bucket/x", 1, "az://bucket/x needs adlfs: pip install adlfs."),
        ("s3://bucket/x", 1, "s3://bucket/x cannot be used: unable to locate credentials."),
        ("github://x", 1, "github://x cannot be used: GithubFileSystem.__init__() missing 2"),
        ("mars://x", 2, "--out cannot be mars://x: there is no kind of URL mars://; give a"),
    ],
)
def test_a_url_that_cannot_be_used_is_named_with_the_reason(
    spec: str, out: str, status: int, sentence: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "PROFILE", "ENDPOINT_URL"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert sentence in said(capsys, status, spec, "--out", out)
