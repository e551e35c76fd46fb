"""Lightning's CSVLogger: metrics.csv, whose columns are sorted, and hparams.yaml beside it.

A row has the values of one logging call, and blanks for the other columns. The logger rewrites
its file when a new key appears (lightning/fabric/loggers/csv_logs.py), so the file is written when
the run is over.
"""

from llmsim.dialects.registry import scalars_folder
from llmsim.job.records import Job
from llmsim.run.events import Event
from llmsim.run.timeline import Run
from llmsim.telemetry.tables import row
from llmsim.telemetry.tracked import points, speaking, table_of
from llmsim.telemetry.writer import Piece, Pieces, Settings, Writer


def hyperparameters(job: Job) -> str:
    """The file hparams.yaml: plain keys and values."""
    values = {
        "batch_size": job.layout.micro_batch,
        "learning_rate": job.schedule.peak_lr,
        "max_steps": job.schedule.steps,
        "model": job.model.name,
        "seed": job.seed,
        "simulated": "true",
        "warmup_steps": job.schedule.warmup,
    }
    return "".join(f"{name}: {value}\n" for name, value in values.items())


def begin(run: Run, settings: Settings) -> Writer:  # noqa: ARG001  # every kind begins alike
    """A writer of metrics.csv and hparams.yaml, in the folder that the logger would choose."""
    job, who = run.job, speaking(run)
    table = table_of(job, "csv", "lightning")
    folder = scalars_folder(job.framework.name, job, 0.0)
    rows: list[dict[str, float]] = []

    def write(event: Event) -> Pieces:
        rows.extend(
            dict(values) | {"step": step} for _, step, values in points(table, event, who(event))
        )
        return ()

    def ended(_at: float) -> Pieces:
        columns = sorted({"epoch", "step"}.union(*rows))
        lines = [row(columns), *(row([each.get(name) for name in columns]) for each in rows)]
        yield Piece(hyperparameters(job), f"{folder}/hparams.yaml")
        yield Piece("".join(lines), f"{folder}/metrics.csv")

    return Writer(event=write, end=ended)
