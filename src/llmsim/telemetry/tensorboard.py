"""TensorBoard's event files, with the tags and steps of the run's framework.

A file is a series of TFRecords: the length as 8 bytes, little-endian, its masked CRC-32C, the
payload, and the payload's masked CRC-32C. The payload is an Event of tensorboard's event.proto:

    wall_time (1, double)  step (2, int64)  file_version (3, string)
    summary (5, message): value (1, message): tag (1, string)  simple_value (2, float)
"""

from functools import cache
from struct import pack

from llmsim.dialects.registry import scalars_folder
from llmsim.run import cluster
from llmsim.run.events import Event
from llmsim.run.timeline import Run
from llmsim.telemetry.clock import started, unix
from llmsim.telemetry.tracked import points, speaking, table_of
from llmsim.telemetry.writer import Piece, Pieces, Settings, Writer

_POLYNOMIAL = 0x82F63B78  # Castagnoli's, reversed (RFC 3720, appendix B.4)
_MASK_DELTA = 0xA282EAD8  # of TFRecord's masked CRCs


@cache
def _table() -> tuple[int, ...]:
    """The CRC's table: the remainder of each byte."""
    made = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
        made.append(crc)
    return tuple(made)


def crc32c(data: bytes) -> int:
    """The CRC-32C of some bytes: of b"123456789" 0xE3069283."""
    table, crc = _table(), 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def masked(crc: int) -> int:
    """A CRC as TFRecord stores it: rotated by 15 bits, and a constant added."""
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


@cache
def _length(size: int) -> bytes:
    """The head of a record of this size."""
    length = pack("<Q", size)
    return length + pack("<I", masked(crc32c(length)))


def record(payload: bytes) -> bytes:
    """A payload as a TFRecord."""
    return _length(len(payload)) + payload + pack("<I", masked(crc32c(payload)))


def varint(number: int) -> bytes:
    """A number as protobuf writes it: seven bits a byte, the lowest first."""
    made = bytearray()
    while number > 0x7F:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    made.append(number)
    return bytes(made)


def version(time: float) -> bytes:
    """The first record of a file."""
    text = b"brain.Event:2"
    return record(pack("<Bd", 0x09, time) + b"\x1a" + varint(len(text)) + text)


@cache
def _tag(tag: str) -> bytes:
    """The bytes before a tag's value: the heads of summary and value, and the tag."""
    name = tag.encode()
    inner = b"\x0a" + varint(len(name)) + name + b"\x15"
    value = b"\x0a" + varint(len(inner) + 4) + inner
    return b"\x2a" + varint(len(value) + 4) + value


def scalar(time: float, step: int, tag: str, value: float) -> bytes:
    """One scalar as a record."""
    head = pack("<Bd", 0x09, time) + b"\x10" + varint(step)
    return record(head + _tag(tag) + pack("<f", value))


def begin(run: Run, settings: Settings) -> Writer:  # noqa: ARG001  # every kind begins alike
    """A writer of one event file, in the folder that the framework would choose."""
    job, who = run.job, speaking(run)
    table = table_of(job, "tensorboard", "tensorboard")
    host, process = cluster.hostname(job, 0), cluster.worker(job, 0)
    name = f"events.out.tfevents.{int(started(job))}.{host}.{process}.0"
    folder = scalars_folder(job.framework.name, job, 0.0)
    path = f"{folder}/{name}" if folder else name
    opening = [version(started(job))]

    def write(event: Event) -> Pieces:
        made = b"".join(
            scalar(unix(job, at), step, tag, value)
            for at, step, values in points(table, event, who(event))
            for tag, value in values
        )
        if opening:
            yield Piece(SIMULATED, "SIMULATED")
            yield Piece(opening.pop(), path)
        if made:
            yield Piece(made, path)

    return Writer(event=write)


SIMULATED = "What is in this folder was simulated by llmsim: nothing was trained.\n"
