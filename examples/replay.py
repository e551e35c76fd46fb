"""Replays a data set as if it happened now, N times as fast: metrics to Prometheus, logs anywhere.

    python examples/replay.py fleet --speed 600 --prometheus http://localhost:9090/api/v1/write
    python examples/replay.py fleet --speed 600 --logs | my-log-pipeline

Prometheus takes it with --web.enable-remote-write-receiver; Mimir, Thanos and VictoriaMetrics have
the same door. Samples get the time at which they are sent. `--logs` prints each line of the runs'
logs (the kind `logs`) at its time, with the run before it.
"""

import argparse
import gzip
import re
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from struct import pack

GAUGES = {
    "power_w": "DCGM_FI_DEV_POWER_USAGE",
    "temp_c": "DCGM_FI_DEV_GPU_TEMP",
    "sm_clock_mhz": "DCGM_FI_DEV_SM_CLOCK",
    "utilization_percent": "DCGM_FI_DEV_GPU_UTIL",
    "used_mib": "DCGM_FI_DEV_FB_USED",
    "xid": "DCGM_FI_DEV_XID_ERRORS",
}
STAMP = re.compile(r".{0,24}?(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d+)?)")
Fields = list[tuple[int, bytes]]


# --- Prometheus' remote write 1.0: a protobuf in snappy's block format ----------------------------


def varint(number: int) -> bytes:
    """A whole number as protobuf writes it: seven bits a byte, the lowest first."""
    made = bytearray()
    while number > 127:
        made.append(number & 127 | 128)
        number >>= 7
    return bytes([*made, number])


def message(*fields: tuple[int, bytes]) -> bytes:
    """A protobuf message of fields that have a length."""
    return b"".join(varint(tag << 3 | 2) + varint(len(body)) + body for tag, body in fields)


def series(name: str, labels: dict[str, str], value: float, moment: int) -> bytes:
    """One TimeSeries with one sample; labels are sorted, as the protocol asks."""
    pairs = sorted({"__name__": name, **labels}.items())
    told = [(1, message((1, key.encode()), (2, text.encode()))) for key, text in pairs]
    sample = b"\x09" + pack("<d", value) + b"\x10" + varint(moment)
    return message(*told, (2, sample))


def snappy(data: bytes) -> bytes:
    """The bytes in snappy's block format, as literals of at most 60 bytes: nothing is squeezed."""
    made = [varint(len(data))]
    for start in range(0, len(data), 60):
        part = data[start : start + 60]
        made += [bytes([len(part) - 1 << 2]), part]
    return b"".join(made)


def write(url: str, body: bytes) -> None:
    """Posts a WriteRequest."""
    headers = {
        "Content-Encoding": "snappy",
        "Content-Type": "application/x-protobuf",
        "X-Prometheus-Remote-Write-Version": "0.1.0",
    }
    with urllib.request.urlopen(urllib.request.Request(url, snappy(body), headers)):
        pass


# --- what happens, in order ----------------------------------------------------------------------


def samples(data: str) -> Iterator[tuple[float, list[tuple[str, dict[str, str], float]]]]:
    """The gauges of all runs by moment, in seconds since the first of them."""
    import duckdb

    columns = ", ".join(GAUGES)
    rows = duckdb.sql(
        f"SELECT epoch(time_utc) - min(epoch(time_utc)) OVER (), run_id, hostname, gpu, {columns}"
        f" FROM '{data}/samples/*.parquet' ORDER BY 1, 2, 4"
    ).fetchall()
    waiting: list[tuple[str, dict[str, str], float]] = []
    last = 0.0
    for at, run_id, host, gpu, *values in rows:
        if at != last and waiting:
            yield last, waiting
            waiting = []
        last = at
        labels = {"run": run_id, "Hostname": host, "gpu": str(gpu)}
        waiting += [(name, labels, float(value))
                    for name, value in zip(GAUGES.values(), values, strict=True)]  # fmt: skip
    if waiting:
        yield last, waiting


def lines(data: str) -> Iterator[tuple[float, str]]:
    """The lines of all logs by time, in seconds since the first of them.

    A line without a time of its own has that of the line before it.
    """
    found = []
    for path in sorted(Path(data, "files/logs").rglob("*.gz")):
        run, at = path.relative_to(Path(data, "files/logs")).parts[0], 0.0
        for line in gzip.decompress(path.read_bytes()).decode().splitlines():
            if stamp := STAMP.match(line):
                at = datetime.fromisoformat(stamp[1].replace(",", ".")).timestamp()
            if at:
                found.append((at, f"{run} {path.name.removesuffix('.gz')} {line}"))
    found.sort(key=lambda each: each[0])
    for at, line in found:
        yield at - found[0][0], line


def main() -> None:
    """Replays until everything has been sent."""
    words = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    words.add_argument("data")
    words.add_argument("--speed", type=float, default=60.0, help="times real time")
    words.add_argument("--prometheus", metavar="URL", help="a door for remote write")
    words.add_argument("--logs", action="store_true", help="print the logs' lines at their times")
    words.add_argument("--for", dest="seconds", type=float, default=float("inf"))
    asked = words.parse_args()
    begun = time.monotonic()

    def wait(at: float) -> bool:
        due = begun + at / asked.speed
        if due - begun > asked.seconds:
            return False
        time.sleep(max(0.0, due - time.monotonic()))
        return True

    if asked.logs:
        for at, line in lines(asked.data):
            if not wait(at):
                return
            print(line, flush=True)
    elif asked.prometheus:
        sent = 0
        for at, gauges in samples(asked.data):
            if not wait(at):
                break
            now = int(time.time() * 1000)
            write(asked.prometheus, message(*((1, series(*each, now)) for each in gauges)))
            sent += len(gauges)
        print(f"{sent:,} samples sent", file=sys.stderr)
    else:
        words.error("say where to: --prometheus URL or --logs")


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:  # the pipeline has had enough
        sys.stderr.close()
