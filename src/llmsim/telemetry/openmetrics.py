"""OpenMetrics for backfilling: dcgm-exporter's families over the whole run, with times.

    promtool tsdb create-blocks-from openmetrics run.om DATA

The samples of a family stand together, grouped by series (OpenMetrics 1.0), so each
family is a part of its own with a line "value time" for each GPU in turn; at the end the lines
get their names and labels. The labels job and instance are the ones that a scrape would add.
"""

from collections.abc import Iterable

from llmsim.job.records import Job
from llmsim.run.timeline import Run, owner
from llmsim.telemetry import dcgm
from llmsim.telemetry.clock import unix
from llmsim.telemetry.dcgm_reading import numbers, reading
from llmsim.telemetry.gpu_rows import expect_nvidia
from llmsim.telemetry.samples import MOST_GPUS, Span, spans_of
from llmsim.telemetry.writer import Piece, Pieces, Settings, Writer

END = "# EOF\n"


def begin(run: Run, settings: Settings) -> Writer:
    """A writer of one part a family, and the end mark."""
    job = run.job
    expect_nvidia(job, "openmetrics")
    shown = range(min(job.layout.gpus, MOST_GPUS))
    fields = {field.name: field for field in dcgm.fields_of(job.gpu) if field.default}
    owners: list[Job] = []  # the job at each sample, with the machines that it has then
    spans: dict[int, list[Span]] = {}

    def taken(at: float) -> Pieces:
        now = owner(run, at)
        owners.append(now)
        read, time = reading(run, at, at - settings.sample, shown), f" {int(unix(job, at))}\n"
        for name, field in fields.items():
            yield Piece(_lines(numbers(now, field, read), time), name)

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
            own = lines[gpu :: len(shown)]
            if gpu not in spans:
                spans[gpu] = spans_of(gpu, owners)
            for first, last, now in spans[gpu]:
                mine = [line for line in own[first:last] if line != "\n"]
                if field.coded:  # each code is a series of its own
                    codes = dict.fromkeys(line.partition(" ")[0] for line in mine)
                    yield from (_series(field, now, gpu, mine, code) for code in codes)
                else:
                    yield _series(field, now, gpu, mine)

    def ended(_at: float) -> Pieces:
        yield Piece("", END)

    return Writer(sample=taken, end=ended, parts=(*fields, END), joined=joined)


def _lines(values: list[str], time: str) -> str:
    """A line for each GPU; that of a GPU without a sample is empty."""
    if "" not in values:
        return time.join(values) + time
    return "".join([each + time if each else "\n" for each in values])


def _series(field: dcgm.Field, job: Job, gpu: int, lines: list[str], code: str = "") -> str:
    extra = dcgm.error(code) if code else ""
    labels = f"{dcgm.labels(job, gpu, extra)},{dcgm.target(job, gpu)}"
    head = f"{dcgm.metric(field)}{{{labels}}} "
    own = [line for line in lines if line.startswith(f"{code} ")] if code else lines
    return head + head.join(own) if own else ""
