"""A data set as its users load it: pyarrow, DuckDB, polars, pandas, Hugging Face datasets."""

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmsim import plan, records, run_of, samples
from llmsim.fleet import command
from llmsim.fleet.columns import TABLES
from llmsim.fleet.mix import member
from llmsim.fleet.spec import spec_of

pytestmark = pytest.mark.fleets

SPEC = """runs = 24
seed = 5
zone = "Europe/Berlin"
start = 2026-03-20T00:00:00
sample = "10min"
[export]
kinds = ["parquet", "jsonl", "labels", "logs"]
[[mix]]
weight = 3
steps = 120
gpus = [8, 16]
incidents = "chaos"
[[mix]]
recipe = "grpo"
dialect = "trl"
steps = 30
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set with all its answers in it."""
    folder = tmp_path_factory.mktemp("fleet")
    (folder / "fleet.toml").write_text(SPEC, encoding="utf-8")
    out = folder / "data"
    assert command.main([str(folder / "fleet.toml"), "--out", str(out), "--quiet"]) == 0
    return out


@pytest.fixture(scope="module")
def alone(data: Path) -> dict[str, dict[str, Any]]:
    """Some of its runs played singly: what its tables should say of them."""
    spec, found = spec_of(str(data.parent / "fleet.toml")), {}
    for number in (0, 5, 11, 23):
        each = member(spec, number)
        run = run_of(plan(each.options))
        told = [*records(run)]
        steps = [fact for fact in told if fact["event"] == "step"]
        found[each.run_id] = {
            "steps": len(steps),
            "rate": sum(fact["learning_rate"] for fact in steps),  # type: ignore[misc]  # a float
            "incidents": sum(fact["event"] == "incident" for fact in told),
            "events": sum(fact["event"] not in ("run", "step", "progress") for fact in told),
            "samples": sum(len(sample.gpus) for sample in samples(run, spec.sample)),
            "watts": sum(gpu.power_watts for sample in samples(run, spec.sample)
                         for gpu in sample.gpus),
        }  # fmt: skip
    return found


def agree(
    found: dict[str, tuple[float, ...]], alone: dict[str, dict[str, Any]], *names: str
) -> None:
    """Counts are equal; sums of floats are to the digits that the table has."""
    for run_id, told in alone.items():
        for name, here in zip(names, found.get(run_id, (0,) * len(names)), strict=True):
            assert here == pytest.approx(told[name], rel=2e-4), f"{run_id}: {name}"


def test_duckdb(data: Path, alone: dict[str, dict[str, Any]]) -> None:
    import duckdb

    duck = duckdb.connect()
    asked = {
        ("steps", "rate"):
            f"SELECT run_id, count(*), sum(learning_rate) FROM '{data}/steps/*.parquet'",
        ("events",): f"SELECT run_id, count(*) FROM '{data}/events/*.parquet'",
        ("samples", "watts"):
            f"SELECT run_id, count(*), sum(power_w) FROM '{data}/samples/*.parquet'",
        ("incidents",): f"SELECT run_id, count(*) FILTER (label = 'incident')"
                        f" FROM '{data}/labels/*.parquet'",
    }  # fmt: skip
    for names, query in asked.items():
        rows = duck.sql(f"{query} GROUP BY run_id").fetchall()
        agree({row[0]: row[1:] for row in rows}, alone, *names)


def test_pandas(data: Path, alone: dict[str, dict[str, Any]]) -> None:
    import pandas as pd

    steps = pd.read_parquet(data / "steps")
    by_run = steps.groupby("run_id")["learning_rate"].agg(["count", "sum"])
    agree({str(row.Index): row[1:] for row in by_run.itertuples()}, alone, "steps", "rate")
    gauges = pd.read_parquet(data / "samples")
    counts = gauges.groupby("run_id", observed=True)["power_w"].agg(["count", "sum"])
    agree({str(row.Index): row[1:] for row in counts.itertuples()}, alone, "samples", "watts")


def test_polars(data: Path, alone: dict[str, dict[str, Any]]) -> None:
    import polars as pl

    for folder in (data / "steps", data / "steps/*.parquet"):
        rows = (
            pl.scan_parquet(folder)
            .group_by("run_id")
            .agg(pl.len(), pl.col("learning_rate").sum())
            .collect()
        )
        agree({row[0]: row[1:] for row in rows.rows()}, alone, "steps", "rate")
    counts = pl.scan_parquet(data / "samples").group_by("run_id").agg(pl.len()).collect()
    agree({str(row[0]): row[1:] for row in counts.rows()}, alone, "samples")


def test_pyarrow(data: Path, alone: dict[str, dict[str, Any]]) -> None:
    import pyarrow.dataset as ds

    for table in TABLES:
        rows = ds.dataset(data / table.name, format="parquet").to_table()
        assert rows.schema.names == [column.name for column in table.columns]
    rate = "learning_rate"
    steps = ds.dataset(data / "steps", format="parquet").to_table(columns=["run_id", rate])
    rows = steps.group_by("run_id").aggregate([(rate, "count"), (rate, "sum")]).to_pylist()
    found: dict[str, tuple[float, ...]] = {
        row["run_id"]: (row[f"{rate}_count"], row[f"{rate}_sum"]) for row in rows
    }
    agree(found, alone, "steps", "rate")


def test_datasets(data: Path, tmp_path: Path, alone: dict[str, dict[str, Any]]) -> None:
    """In a process of its own: it starts threads and has warnings of its own."""
    script = (
        "import json, sys, collections, datasets\n"
        "datasets.disable_progress_bars()\n"
        "found = {}\n"
        f"for name in {[table.name for table in TABLES] + ['columns']!r}:\n"
        f"    rows = datasets.load_dataset({str(data)!r}, name, split='train')\n"
        "    column = 'run_id' if name != 'columns' else 'table'\n"
        "    found[name] = collections.Counter(rows[column])\n"
        "print(json.dumps(found))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True,
        env={"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "PATH": "/usr/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    for name in ("steps", "samples", "events"):
        agree({run: (count,) for run, count in found[name].items()}, alone, name)
    assert sum(found["columns"].values()) == 5 + sum(len(table.columns) for table in TABLES)


def test_mlcroissant_reads_the_description(data: Path) -> None:
    """In a process of its own, as above."""
    script = (
        "import mlcroissant\n"
        f"made = mlcroissant.Dataset(jsonld={str(data / 'croissant.json')!r})\n"
        "print(len(made.metadata.record_sets))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split()[-1] == str(len(TABLES) + 1)


def test_utc_is_berlins_clock_less_its_offset(data: Path) -> None:
    """On 2026-03-29 summer time begins; a run's logs keep the offset of its start."""
    import duckdb

    duck = duckdb.connect()
    duck.sql("SET TimeZone = 'UTC'")
    rows = duck.sql(
        "SELECT run_id, utc_offset_seconds, start_local, start_utc::TIMESTAMP,"
        f" start_local < TIMESTAMP '2026-03-29 02:00' FROM '{data}/runs/*.parquet'"
    ).fetchall()
    assert {row[4] for row in rows} == {True, False}
    for run_id, offset, local, utc, winter in rows:
        assert offset == (3600 if winter else 7200), run_id
        assert (local - utc).total_seconds() == offset, run_id


def test_clean_stretches_and_incidents_cover_a_run_without_gaps(data: Path) -> None:
    import duckdb

    rows = duckdb.sql(
        "SELECT r.run_id, r.seconds, min(began_seconds), max(ended_seconds),"
        " count(*) FILTER (label = 'incident'), any_value(r.incidents)"
        f" FROM '{data}/runs/*.parquet' r JOIN '{data}/labels/*.parquet' l USING (run_id)"
        " GROUP BY ALL"
    ).fetchall()
    assert len(rows) == 24
    assert sum(row[4] for row in rows), "nothing broke in any run"
    for run_id, seconds, first, last, incidents, counted in rows:
        assert first == 0.0, run_id
        assert last == pytest.approx(seconds), run_id
        assert incidents == counted, run_id


def files(data: Path) -> Iterator[Path]:
    yield from sorted(path for path in data.rglob("*") if path.is_file())


def test_folders_of_tables_have_parquet_and_nothing_else(data: Path) -> None:
    for table in TABLES:
        names = [path.name for path in (data / table.name).iterdir()]
        assert names, table.name
        assert all(name.startswith("part-") and name.endswith(".parquet") for name in names)
    assert not any("=" in path.as_posix().removeprefix(str(data)) for path in files(data))
    assert not (data / "_work").exists()


def test_the_logs_are_there_by_run_and_stream(data: Path) -> None:
    streams = set()
    for path in (data / "files/logs").rglob("*.gz"):
        assert gzip.decompress(path.read_bytes()), f"{path} is empty"
        kind = "kernel" if path.parent.name == "kernel" else path.name.partition("-")[0]
        streams.add(kind)
    assert {"stdout.log.gz", "kernel", "slurm"} <= streams


def test_the_sample_is_small(data: Path) -> None:
    sample = [*(data / "sample").iterdir()]
    assert len(sample) == len(TABLES)
    assert sum(path.stat().st_size for path in sample) < 10_000_000


def test_answers_apart_leave_no_seed_and_no_label(data: Path, tmp_path: Path) -> None:
    import duckdb

    out, answers = tmp_path / "out", tmp_path / "answers"
    words = [str(data.parent / "fleet.toml"), "--out", str(out), "--answers", str(answers)]
    assert command.main([*words, "--quiet"]) == 0
    hidden = duckdb.sql(f"SELECT count(seed), count(command), count(incidents), count(*)"
                        f" FROM '{out}/runs/*.parquet'").fetchall()  # fmt: skip
    assert hidden == [(0, 0, 0, 24)]
    kept = duckdb.sql(f"SELECT count(seed) FROM '{answers}/runs/*.parquet'").fetchall()
    assert kept == [(24,)]
    assert not (out / "labels").exists()
    same = "SELECT count(*), sum(tokens) FROM '{}/steps/*.parquet'"
    assert duckdb.sql(same.format(out)).fetchall() == duckdb.sql(same.format(data)).fetchall()
