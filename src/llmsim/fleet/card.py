"""What a data set says of itself: README.md, the card that hubs read, and croissant.json."""

import json
from collections.abc import Iterator
from hashlib import sha256

from llmsim import __version__
from llmsim.fleet.cluster import tables as cluster
from llmsim.fleet.columns import COLUMNS, TABLES, Column, Table
from llmsim.fleet.spec import Spec
from llmsim.typed import Any

_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"),
          (10**7, "1M<n<10M"), (10**8, "10M<n<100M"), (10**9, "100M<n<1B"),
          (10**10, "1B<n<10B"), (10**11, "10B<n<100B"), (10**12, "100B<n<1T"))  # fmt: skip
_CROISSANT_TYPES = {
    "text": "sc:Text", "name": "sc:Text",
    "int16": "sc:Integer", "int32": "sc:Integer", "int64": "sc:Integer",
    "float32": "sc:Float", "float64": "sc:Float", "bool": "sc:Boolean", "time": "sc:DateTime",
    "local": "sc:DateTime",
}  # fmt: skip


def _size_category(rows: int) -> str:
    return next((name for most, name in _SIZES if rows < most), "n>1T")


def tables_of(spec: Spec, apart: bool) -> tuple[Table, ...]:
    """The tables that a data set has."""
    if "parquet" not in spec.kinds:
        return ()
    kept = tuple(table for table in TABLES if not (apart and table.name == "labels"))
    kept = kept if spec.runs else ()
    if spec.cluster:
        here = [t for t in cluster.TABLES if not (apart and t.name in cluster.ANSWERS)]
        kept += tuple(t for t in here if t.name != "gauges" or spec.cluster.sample)
    return (*kept, COLUMNS)


_TIME = (
    "Time zero of a run is its command (`start_utc` in `runs`), and `at_seconds` counts from there."
    " `time_utc` is UTC. `time_local` is what the logs stamp, in {zone} with the offset of the"
    " run's start (`utc_offset_seconds`): a log does not jump when clocks change."
)


def _head(spec: Spec, rows: dict[str, int], apart: bool) -> Iterator[str]:
    yield "---"
    yield "license: mit"
    yield f"pretty_name: {json.dumps(spec.name)}"
    yield "language: [en]"
    yield "tags: [llm-training, telemetry, logs, anomaly-detection, simulated]"
    yield "task_categories: [time-series-forecasting, tabular-classification]"
    yield "annotations_creators: [machine-generated]"
    yield "source_datasets: [original]"
    yield f"size_categories: [{_size_category(sum(rows.values()))}]"
    if tables := tables_of(spec, apart):
        yield "configs:"
        for table in tables:
            yield f"- config_name: {table.name}"
            if table == tables[0]:
                yield "  default: true"
            yield "  data_files:"
            yield "  - split: train"
            yield f"    path: {table.name}/*.parquet"
    yield "---"


def readme(spec: Spec, runs: int, rows: dict[str, int], apart: bool) -> str:
    """The card: what there is, where it came from, and how it is read."""
    lines = [*_head(spec, rows, apart), "", f"# {spec.name}", ""]
    lines += [
        f"{runs:,} simulated LLM training runs, made by llmsim {__version__}"
        + ("" if apart else f" from seed {spec.seed}")
        + ". Nothing was trained: every number is simulated.",
        "",
        "## Time",
        "",
        _TIME.format(zone=spec.zone),
        "",
        "## Splits",
        "",
        "`split` in the table `runs` says it, by run and never by row: "
        + ", ".join(f"{name} {share:.0%}" for name, share in spec.splits) + ".",
    ]  # fmt: skip
    if tables := tables_of(spec, apart):
        lines += ["", "## Tables", ""]
        for table in tables:
            count = f", {rows[table.name]:,} rows" if table.name in rows else ""
            lines += [f"### {table.name}", "", f"{_sentence(table.meaning)}{count}.", ""]
            lines += ["| column | type | unit | meaning |", "|---|---|---|---|"]
            lines += [_row(column) for column in table.columns]
            lines.append("")
        lines += _how()
    if files := [kind for kind in spec.kinds if kind != "parquet"]:
        lines += ["", "## Files of single runs", ""]
        lines += [f"- `files/{kind}/`: as llmsim --export {kind} writes it, gzipped"
                  for kind in files if not (apart and kind == "labels")]  # fmt: skip
    if apart:
        lines += ["", "What broke, and what plays a run again, is kept apart from this folder."]
    lines += ["", "`sha256sum -c SHA256SUMS` checks every file.", ""]
    return "\n".join(lines)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _row(column: Column) -> str:
    return f"| `{column.name}` | {column.type} | {column.unit} | {column.meaning} |"


def _how() -> list[str]:
    return [
        "## Reading",
        "",
        "```python",
        "duckdb.sql(\"SELECT run_id, min(loss) FROM 'steps/*.parquet' GROUP BY run_id\")",
        'polars.scan_parquet("steps/*.parquet")',
        'pandas.read_parquet("steps")',
        'pyarrow.dataset.dataset("steps")',
        'datasets.load_dataset(".", "steps", split="train")',
        "```",
    ]


def croissant(
    spec: Spec, files: list[tuple[str, int, str]], rows: dict[str, int], apart: bool
) -> str:
    """croissant.json: the tables, their files and their columns for machines (Croissant 1.0)."""
    tables = tables_of(spec, apart)
    told: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": spec.name,
        "description": f"Simulated LLM training runs, made by llmsim {__version__}.",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "license": "https://opensource.org/license/mit",
        "url": "https://example.invalid/llmsim-fleet",
        "version": "1.0.0",
        "datePublished": spec.start.date().isoformat(),
        "citeAs": f"llmsim {__version__}" + ("" if apart else f", seed {spec.seed}"),
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": "folder",
                "name": "folder",
                "contentUrl": ".",
                "encodingFormat": "git+https",
                "sha256": sha256("".join(each[2] for each in files).encode()).hexdigest(),
            },
            *(_file_set(table) for table in tables),
        ],
        "recordSet": [_record_set(table, rows) for table in tables],
    }
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


def _file_set(table: Table) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": f"{table.name}-files",
        "name": f"{table.name}-files",
        "containedIn": {"@id": "folder"},
        "encodingFormat": "application/x-parquet",
        "includes": f"{table.name}/*.parquet",
    }


def _record_set(table: Table, rows: dict[str, int]) -> dict[str, Any]:
    count = f"; {rows[table.name]} rows" if table.name in rows else ""
    return {
        "@type": "cr:RecordSet",
        "@id": table.name,
        "name": table.name,
        "description": table.meaning + count,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{table.name}/{column.name}",
                "name": column.name,
                "description": column.meaning + (f", {column.unit}" if column.unit else ""),
                "dataType": _CROISSANT_TYPES[column.type],
                "source": {
                    "fileSet": {"@id": f"{table.name}-files"},
                    "extract": {"column": column.name},
                },
            }
            for column in table.columns
        ],
    }


# The context that the format's specification asks every file to carry (Croissant 1.0, appendix 1).
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
