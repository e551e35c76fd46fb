"""The cluster as a part of a data set: its tables, Slurm's texts, and the comparison."""

import gzip
from datetime import datetime
from pathlib import Path

from llmsim.catalog.records import gpu_named, gpus
from llmsim.fleet import rows
from llmsim.fleet.cluster import slurm_text, traces
from llmsim.fleet.cluster.comparison import Tally
from llmsim.fleet.cluster.jobs import DAY
from llmsim.fleet.cluster.pool import Pool, folded, hostname
from llmsim.fleet.cluster.scheduling import Ended, Fact, NodeChanged, Scheduler
from llmsim.fleet.cluster.tables import ANSWERS, TABLES
from llmsim.typed import Any

_ROWS = 20_000  # of a table that wait to be written


class Writing:
    """A cluster's days on their way into files."""

    def __init__(
        self, pool: Pool, start: datetime, zone: str, work: Path, parquet: bool, apart: bool
    ) -> None:
        """Opens the tables, if there are any; with `apart` what broke is with the answers."""
        self._pool, self._zone = pool, rows.clock_of(start, zone)
        self._clock, self._apart = slurm_text.Clock(start), apart
        self._work = work / "data"
        self.scheduler, self.tally = Scheduler(pool), Tally(pool)
        self._day, self._noons = 0, 0
        self._texts: list[tuple[int, str]] = []
        self._rows: dict[str, list[rows.Row]] = {"jobs": [], "nodes": []}
        self._lost: dict[int, int] = {}
        (self._work / "files" / "slurm").mkdir(parents=True)
        self.tables = self._opened() if parquet else {}
        self._board = self._boarded() if parquet else None

    def _opened(self) -> dict[str, Any]:
        from llmsim.fleet.parquet_files import TableFiles

        made = {}
        for table in TABLES:
            if table.name == "gauges" and not self._pool.sample:
                continue
            answers = self._apart and table.name in ANSWERS
            folder = self._work.parent / ("answers" if answers else "data") / table.name
            folder.mkdir()
            made[table.name] = TableFiles(table, folder)
        return made

    def _boarded(self) -> Any:
        from llmsim.fleet.cluster.gauges import Board

        gpu = gpu_named(self._pool.gpu) if self._pool.gpu else gpus()[0]
        return Board(self._pool, gpu) if self._pool.sample else None

    def write(self) -> None:
        """Lets the cluster's days pass, and writes all of it."""
        end = self._pool.days * DAY
        for fact in self.scheduler.facts(self._noon):
            self._until(fact.at)
            self._heard(fact)
        self._until(end)
        for running in sorted(self.scheduler.running.values(), key=lambda each: each.token):
            left = Ended(end, running, "RUNNING", -1, "")
            self.tally.used(left)
            self._ended(left)
        if self._texts:  # of jobs that run still
            self._new_day()
        for name in self._rows:
            self._flush(name)
        folder = self._work.parent / ("answers" if self._apart else "data")
        (folder / "comparison.txt").write_text(self.tally.text(), encoding="utf-8")

    def _heard(self, fact: Fact) -> None:
        self.tally.heard(fact)
        if self._board:
            self._board.heard(fact)
        if isinstance(fact, Ended):
            self._ended(fact)
        elif isinstance(fact, NodeChanged) and not fact.up:
            self._fell(fact)

    def _until(self, at: float) -> None:
        """Writes what is due before a moment: samples, and the records of days."""
        if self._board:
            for look in self._board.looks(at):
                self._looked(look)
        while at >= (self._day + 1) * DAY:
            self._new_day()

    def _noon(self) -> None:
        """Writes what Slurm's commands print at noon."""
        self._noons += 1
        self._text(f"squeue-day-{self._noons:04d}.txt", slurm_text.squeue(self.scheduler))
        self._text(f"sinfo-day-{self._noons:04d}.txt", slurm_text.sinfo(self.scheduler))

    def _new_day(self) -> None:
        """The records that ended in a day, as sacct shows them: by number, and maybe none."""
        self._day += 1
        body = "\n".join([slurm_text.FIELDS, *(text for _, text in sorted(self._texts))])
        self._text(f"sacct-day-{self._day:04d}.txt", body + "\n")
        self._texts = []

    def _text(self, name: str, text: str) -> None:
        packed = gzip.compress(text.encode(), 6, mtime=0)
        (self._work / "files" / "slurm" / f"{name}.gz").write_bytes(packed)

    def _ended(self, fact: Ended) -> None:
        running, job = fact.running, fact.running.waiting.job
        lines = slurm_text.rows(self._pool, self._clock, fact, self._pool.steps)
        self._texts.append((slurm_text.job_id(job), "\n".join(lines)))
        still = fact.state == "RUNNING"
        moments = [running.waiting.since, running.began, None if still else fact.at]
        kind = traces.KINDS[job.kind]
        self._add("jobs", (
            slurm_text.job_id(job), running.waiting.restarts, kind.name,
            slurm_text.user_name(job.user), kind.account, job.gpus, len(running.nodes),
            *(None if at is None else self._zone.row(at)[0] for at in moments), *moments,
            job.limit, fact.state,
            hostname(self._pool, fact.failed_node) if fact.failed_node >= 0 else None,
            None if self._apart else fact.cause or None, folded(self._pool, running.nodes),
        ))  # fmt: skip

    def _fell(self, fact: NodeChanged) -> None:
        jobs = self.scheduler.jobs_on(fact.node)
        self._add("nodes", (
            hostname(self._pool, fact.node), self._zone.row(fact.at)[0],
            self._zone.row(fact.until)[0], fact.at, fact.until, fact.cause, jobs,
            self.scheduler.is_lemon(fact.node),
        ))  # fmt: skip

    def _add(self, name: str, row: rows.Row) -> None:
        if not self.tables:
            return
        self._rows[name].append(row)
        if len(self._rows[name]) >= _ROWS:
            self._flush(name)

    def _flush(self, name: str) -> None:
        if self.tables:
            self.tables[name].add(self._rows[name])
        self._rows[name] = []

    def _looked(self, look: Any) -> None:
        import numpy as np

        count, utc = len(look.node), self._zone.row(look.at)[0]
        columns = [np.full(count, utc), np.full(count, look.at), look.node, *look[2:]]
        hosts = [hostname(self._pool, node) for node in range(self._pool.nodes)]
        self.tables["gauges"].add_arrays(columns, {2: hosts})
