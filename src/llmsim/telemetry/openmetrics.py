"""OpenMetrics for backfilling: dcgm-exporter's families over the whole run, with times.

    promtool tsdb create-blocks-from openmetrics run.om DATA

The samples of a family stand together, grouped by series (OpenMetrics 1.0), so each
family is a part of its own with a line "value time" for each GPU in turn; at the end the lines
get their names and labels. The labels job and instance are the ones that a scrape would add.
"""

from collections.abc import Iterable

from llmsim.run.timeline import Run
from llmsim.telemetry import dcgm
from llmsim.telemetry.clock import unix
from llmsim.telemetry.gpu_rows import expect_nvidia
from llmsim.telemetry.samples import MOST_GPUS, sample
from llmsim.telemetry.writer import Piece, Pieces, Settings, Writer

FIELDS = tuple(field for field in dcgm.FIELDS if field.default)
END = "# EOF\n"


def begin(run: Run, settings: Settings) -> Writer:  # noqa: ARG001  # every kind begins alike
    """A writer of one part a family, and the end mark."""
    job = run.job
    expect_nvidia(job, "openmetrics")
    shown = range(min(job.layout.gpus, MOST_GPUS))
    fields = {field.name: field for field in FIELDS}

    def taken(at: float) -> Pieces:
        seen, time = sample(run, at).gpus, f" {int(unix(job, at))}\n"
        number = dcgm.number
        for name, field in fields.items():
            value = field.value
            lines = ["\n"] * len(shown)  # a GPU that is lost has no sample
            for each in seen:
                lines[each.gpu] = number(value(job, each)) + time
            yield Piece("".join(lines), name)

    def joined(part: str, text: str) -> Iterable[str]:
        if part == END:
            yield END
            return
        field, lines = fields[part], text.splitlines(keepends=True)
        name = dcgm.metric(field)
        # A counter that does not end in _total is no OpenMetrics counter: it is read as unknown,
        # which promtool and Prometheus store as they do the exporter's page.
        kind = "gauge" if field.kind == "gauge" else "unknown"
        yield f"# HELP {name} {field.help}\n# TYPE {name} {kind}\n"
        for gpu in shown:
            mine = [line for line in lines[gpu :: len(shown)] if line != "\n"]
            if field.coded:  # each code is a series of its own
                codes = dict.fromkeys(line.partition(" ")[0] for line in mine)
                yield from (_series(field, gpu, mine, code) for code in codes)
            else:
                yield _series(field, gpu, mine)

    def _series(field: dcgm.Field, gpu: int, lines: list[str], code: str = "") -> str:
        extra = dcgm.error(code) if code else ""
        labels = f"{dcgm.labels(job, gpu, extra)},{dcgm.target(job, gpu)}"
        head = f"{dcgm.metric(field)}{{{labels}}} "
        return "".join([head + line for line in lines if not code or line.startswith(f"{code} ")])

    def ended(_at: float) -> Pieces:
        yield Piece("", END)

    return Writer(sample=taken, end=ended, parts=(*fields, END), joined=joined)
