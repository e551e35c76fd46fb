"""A cluster's days: no GPU is given twice, Slurm's forms, and the figures of public traces."""

import gzip
import re
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from llmsim.fleet import command
from llmsim.fleet.cluster import traces
from llmsim.fleet.cluster.comparison import Tally
from llmsim.fleet.cluster.jobs import DAY, submitted
from llmsim.fleet.cluster.pool import Pool, folded
from llmsim.fleet.cluster.scheduling import Ended, Fact, NodeChanged, Scheduler, Started

pytestmark = pytest.mark.long  # each looks at twenty days
POOL = Pool(64, days=20, seed=4, jobs_a_gpu_day=0.8)
FULL = (1 << 8) - 1


@pytest.fixture(scope="module")
def facts() -> list[Fact]:
    return [*Scheduler(POOL).facts()]


def test_no_gpu_has_two_jobs_and_no_job_is_on_a_node_that_is_down(facts: list[Fact]) -> None:
    free, up = [FULL] * POOL.nodes, [True] * POOL.nodes
    last = 0.0
    for fact in facts:
        assert fact.at >= last
        last = fact.at
        if isinstance(fact, NodeChanged):
            up[fact.node] = fact.up
            continue
        number = fact.running.waiting.job.number
        for node in fact.running.nodes:
            mask = fact.running.mask or FULL
            if isinstance(fact, Started):
                assert up[node], f"seed {POOL.seed}: job {number} starts on node {node}, down"
                assert free[node] & mask == mask, f"seed {POOL.seed}: job {number}, node {node}"
                free[node] ^= mask
            else:
                assert free[node] & mask == 0
                free[node] |= mask


def test_a_job_has_the_gpus_that_it_asked_for(facts: list[Fact]) -> None:
    for fact in facts:
        if isinstance(fact, Started):
            running, job = fact.running, fact.running.waiting.job
            had = running.mask.bit_count() or len(running.nodes) * POOL.gpus_per_node
            assert had == job.gpus, f"seed {POOL.seed}: job {job.number}"


def test_what_the_cluster_ends_comes_again_under_its_number(facts: list[Fact]) -> None:
    ended: dict[int, list[str]] = {}
    for fact in facts:
        if isinstance(fact, Ended):
            ended.setdefault(fact.running.waiting.job.number, []).append(fact.state)
    again = [states for states in ended.values() if len(states) > 1]
    assert again, "no job came again in twenty days"
    for states in again:
        assert set(states[:-1]) <= {"NODE_FAIL", "PREEMPTED"}


def test_nobody_runs_longer_than_the_limit_and_preemption_waits_two_hours(
    facts: list[Fact],
) -> None:
    states = Counter[str]()
    for fact in facts:
        if isinstance(fact, Ended):
            took = fact.at - fact.running.began
            states[fact.state] += 1
            assert took <= fact.running.waiting.job.limit + traces.GRACE
            if fact.state == "PREEMPTED":  # RSC's rule, and the grace
                assert took >= 7_200 + traces.GRACE
            if fact.state == "TIMEOUT":
                assert took == pytest.approx(fact.running.waiting.job.limit)
    assert {"COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "PREEMPTED"} <= set(states)


def test_arrivals_follow_the_hours_of_helios() -> None:
    """The trough is before nine in the morning, the peak at sixteen."""
    pool = Pool(512, days=28, jobs_a_gpu_day=1.0, weekday=0)
    # A sweep of many jobs is one submission.
    moments = {(job.at, job.kind, job.user) for job in submitted(pool)}
    hours = Counter(int(at // 3600) % 24 for at, _, _ in moments)
    mean = sum(hours.values()) / 24
    for hour, relative in enumerate(traces.HOURS):
        assert hours[hour] / mean == pytest.approx(relative, abs=0.12), f"hour {hour}"


def test_sizes_and_ends_are_those_of_the_traces() -> None:
    pool = Pool(2048, days=7)
    jobs = [*submitted(pool)]
    for most, theirs in traces.GPU_SHARES.items():
        ours = 100 * sum(job.gpus <= most for job in jobs) / len(jobs)
        assert abs(ours - theirs) < 6.0, f"{most} GPUs: {ours:.1f} %, Seren {theirs} %"
    ends = Counter[str](job.end for job in jobs if job.gpus == 1)
    for name, percent in (("COMPLETED", 66.8), ("CANCELLED", 18.5)):
        assert 100 * ends[name] / sum(ends.values()) == pytest.approx(percent, abs=1.5), name


def test_waits_by_kind_are_near_serens() -> None:
    """Half of all jobs wait a second; evaluations have the longest tail, debugging has none."""
    pool, waits = Pool(2048, days=10), {kind.name: list[int]() for kind in traces.KINDS}
    for fact in Scheduler(pool).facts():
        if isinstance(fact, Started) and not fact.running.waiting.restarts:
            job = fact.running.waiting.job
            waits[traces.KINDS[job.kind].name].append(int(fact.at) - int(job.at))
    # Acme: median, 75, 90, 95 and 99 % of the waits of Seren's evaluations and SFT.
    serens = {"evaluation": (1, 30, 317, 809, 4_206), "sft": (1, 4, 175, 455, 2_476)}
    for name, theirs in serens.items():
        looked = sorted(waits[name])
        for part, seconds in zip((0.5, 0.75, 0.9, 0.95, 0.99), theirs, strict=True):
            ours = looked[int(part * len(looked))]
            assert seconds / 4 - 1 <= ours <= seconds * 4 + 4, f"{name} {part}: {ours} s"
    pretraining = sorted(waits["pretrain"])  # Seren's has reserved quota, and waits least
    for part, seconds in zip((0.5, 0.75, 0.9, 0.95, 0.99), (1, 2, 26, 78, 968), strict=True):
        ours = pretraining[int(part * len(pretraining))]
        assert ours <= seconds * 2 + 4, f"pretrain {part}: {ours} s"
    assert sorted(waits["debug"])[int(0.95 * len(waits["debug"]))] <= 5
    every = [wait for each in waits.values() for wait in each]
    assert 100 < sum(every) / len(every) < 900  # Kalos 214, Seren 446, Helios 862


def test_long_jobs_of_low_priority_leave_nodes_free() -> None:
    pool = POOL._replace(days=3)
    scheduler, looked = Scheduler(pool), 0
    for fact in scheduler.facts():
        if isinstance(fact, Started) and (job := fact.running.waiting.job).nodes:
            kind = traces.KINDS[job.kind]
            looked += kind.leaves > 0
            free = scheduler.free.whole
            assert free >= int(kind.leaves * pool.nodes), f"{kind.name} {job.number}"
    assert looked > 50


def test_no_user_has_more_than_the_limit(facts: list[Fact]) -> None:
    has = Counter[tuple[int, int]]()
    for fact in facts:
        if isinstance(fact, NodeChanged):
            continue
        job = fact.running.waiting.job
        key, kind = (job.kind, job.user), traces.KINDS[job.kind]
        has[key] += job.gpus if isinstance(fact, Started) else -job.gpus
        most = max(kind.user_gpus, kind.user_share * POOL.gpus, job.gpus)
        assert has[key] <= most, f"seed {POOL.seed}: {kind.name} of user {job.user} at {fact.at}"


def test_durations_of_evaluations_have_acmes_quantiles() -> None:
    """Seren: 10, 50, 90 and 99 % of the evaluations end within these seconds."""
    kind = next(kind for kind in traces.KINDS if kind.name == "evaluation")
    for share, seconds in ((0.1, 7), (0.5, 129), (0.9, 1208), (0.99, 15588)):
        assert traces.duration_at(kind, share) == pytest.approx(seconds)


def test_a_tally_names_every_state() -> None:
    tally = Tally(POOL)
    for fact in Scheduler(POOL).facts():
        tally.heard(fact)
    text = tally.text()
    for state in ("COMPLETED", "CANCELLED", "FAILED", "NODE_FAIL", "PREEMPTED"):
        assert f"\n{state} " in text, text


def test_nodes_fold_as_slurm_folds_them() -> None:
    pool = Pool(1200, name="node")
    assert folded(pool, (0,)) == "node0001"
    assert folded(pool, (0, 1, 2, 11)) == "node[0001-0003,0012]"


SPEC = """seed = 3
start = 2026-02-02T00:00:00
[export]
kinds = ["labels"]
[cluster]
nodes = 24
days = 3
jobs_a_gpu_day = 4
"""


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "fleet.toml").write_text(SPEC, encoding="utf-8")
    assert command.main([str(folder / "fleet.toml"), "--out", str(folder / "out"), "--quiet"]) == 0
    packed = sorted((folder / "out/files/slurm").glob("*.gz"))
    return {path.stem: gzip.decompress(path.read_bytes()).decode() for path in packed}


TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
# The forms of slurm's src/sacct/print.c for -P: no trailing bar, times without a zone.
JOB = re.compile(
    rf"\d+\|[\w-]+\|u\d+\|\w+\|gpu\|(low|normal)\|{TIME}\|{TIME}\|({TIME}|Unknown)\|"
    r"(\d+-)?\d\d:\d\d:\d\d\|\d+\|(\d+-)?\d\d:\d\d:\d\d\|"
    r"(COMPLETED|FAILED|TIMEOUT|NODE_FAIL|PREEMPTED|OUT_OF_MEMORY|RUNNING|CANCELLED by \d+)\|"
    r"\d+:\d+\|\d+\|\d+\|billing=\d+,cpu=\d+,gres/gpu=\d+,mem=\d+[GT],node=\d+\|"
    r"node(\d+|\[[\d,-]+\])\|(node\d+)?\|None"
)
STEP = re.compile(
    rf"\d+\.(batch|extern|0)\|\w+\|\|\w+\|\|\|{TIME}\|{TIME}\|({TIME}|Unknown)\|"
    r"(\d+-)?\d\d:\d\d:\d\d\|\d+\|\|[A-Z_]+\|\d+:\d+\|\d+\|\d+\|"
    r"cpu=\d+,gres/gpu=\d+,mem=\d+[GT],node=\d+\|node(\d+|\[[\d,-]+\])\|\|"
)


def test_sacct_has_slurms_form(texts: dict[str, str]) -> None:
    seen = 0
    for name, text in texts.items():
        if not name.startswith("sacct"):
            continue
        head, *lines = text.splitlines()
        assert head.startswith("JobID|JobName|User|")
        for line in lines:
            form = STEP if "." in line.partition("|")[0] else JOB
            assert form.fullmatch(line), line
            assert line.count("|") == head.count("|")
            seen += 1
    assert seen > 500


def test_elapsed_is_the_end_less_the_start(texts: dict[str, str]) -> None:
    head, *lines = texts["sacct-day-0002.txt"].splitlines()
    fields = head.split("|")
    for line in lines:
        row = dict(zip(fields, line.split("|"), strict=True))
        took = datetime.fromisoformat(row["End"]) - datetime.fromisoformat(row["Start"])
        assert took.total_seconds() == int(row["ElapsedRaw"]), line


def test_squeue_and_sinfo_have_slurms_columns(texts: dict[str, str]) -> None:
    head, *jobs = texts["squeue-day-0002.txt"].splitlines()
    assert head.split() == ["JOBID", "PARTITION", "NAME", "USER", "ST", "TIME", "NODES",
                            "NODELIST(REASON)"]  # fmt: skip
    assert jobs
    head, *states = texts["sinfo-day-0002.txt"].splitlines()
    assert head.split() == ["PARTITION", "AVAIL", "TIMELIMIT", "NODES", "STATE", "NODELIST"]
    assert sum(int(line.split()[3]) for line in states) == 24


def test_a_quiet_cluster_has_a_file_of_each_day_and_of_each_noon(tmp_path: Path) -> None:
    """Days go by on which nothing happens: what ended on the seventh is in the seventh's file."""
    (tmp_path / "fleet.toml").write_text(
        "[cluster]\nnodes = 2\ngpus_per_node = 1\njobs_a_gpu_day = 0.5\ndays = 30\n"
        '[export]\nkinds = ["labels"]\n',
        encoding="utf-8",
    )
    out = tmp_path / "out"
    assert command.main([str(tmp_path / "fleet.toml"), "--out", str(out), "--quiet"]) == 0
    texts = {path.name.removesuffix(".txt.gz"): gzip.decompress(path.read_bytes()).decode()
             for path in sorted(out.glob("files/slurm/*.gz"))}  # fmt: skip
    first, ran, empty = datetime(2026, 1, 1), list[tuple[str, datetime, datetime]](), 0
    for day in range(30):
        head, *lines = texts[f"sacct-day-{day + 1:04d}"].splitlines()
        fields, empty = head.split("|"), empty + (not lines)
        for line in lines:
            row = dict(zip(fields, line.split("|"), strict=True))
            ended = datetime.fromisoformat(row["End"])
            assert (ended - first).days == day, line
            if "." not in row["JobID"]:
                ran.append((row["JobID"], datetime.fromisoformat(row["Start"]), ended))
    assert ran
    assert empty, "the cluster is not quiet: the test shows nothing"
    left = texts.get("sacct-day-0031", "").splitlines()[1:]
    for day in range(30):
        noon = first + timedelta(days=day, hours=12)
        rows = [line.split() for line in texts[f"squeue-day-{day + 1:04d}"].splitlines()[1:]]
        runs = {row[0] for row in rows if row[4] == "R"} - {line.partition("|")[0] for line in left}
        assert runs == {job for job, began, ended in ran if began <= noon < ended}, f"day {day}"


@pytest.mark.fleets
def test_gauges_agree_with_jobs_and_nodes(tmp_path: Path) -> None:
    import duckdb

    spec = SPEC.replace('["labels"]', '["parquet"]') + 'sample = "10min"\n'
    (tmp_path / "fleet.toml").write_text(spec, encoding="utf-8")
    out = tmp_path / "out"
    assert command.main([str(tmp_path / "fleet.toml"), "--out", str(out), "--quiet"]) == 0
    duck = duckdb.connect()
    end = 3 * DAY
    wrong = duck.sql(
        f"""WITH busy AS (SELECT job_id, at_seconds, count(*) AS had FROM '{out}/gauges/*.parquet'
                          WHERE job_id > 0 GROUP BY ALL)
            SELECT * FROM busy LEFT JOIN '{out}/jobs/*.parquet' jobs
              ON busy.job_id = jobs.job_id AND at_seconds >= start_seconds
             AND at_seconds < coalesce(end_seconds, {end} + 1)
            WHERE jobs.job_id IS NULL OR had != gpus"""
    ).fetchall()
    assert wrong == []
    down = duck.sql(
        f"""SELECT count(*) FROM '{out}/gauges/*.parquet' g JOIN '{out}/nodes/*.parquet' n
              USING (hostname) WHERE at_seconds > down_seconds AND at_seconds < up_seconds"""
    ).fetchall()
    assert down == [(0,)]
    idle = duck.sql(
        f"SELECT max(utilization_percent), max(power_w) FROM '{out}/gauges/*.parquet'"
        " WHERE job_id = 0"
    ).fetchall()
    assert idle[0][0] == 0
    assert idle[0][1] < 120  # an idle A100 draws 50 to 67 W
