"""Finds incidents from telemetry alone, and says how well: precision, recall, false alarms a day.

    llmsim fleet fleet.toml --out fleet --answers answers
    python examples/detector.py fleet answers

It looks at the samples of the GPUs and at nothing else; the labels are only for the score. Beside
it stands what a published detector reached on a real cluster of 504 B200: 10 of 10 GPU failures at
about 0.84 false alarms a day (arXiv 2605.09370).
"""

import sys
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import duckdb

# Seconds in which a second alarm of a run is taken for the first one, of what may come and go.
QUIET = dict.fromkeys(("starved", "saving", "slow", "hot", "lame"), 1800.0)
EARLY, LATE = 300.0, 600.0  # an alarm from so long before a fault to so long after its end is right


class Alarm(NamedTuple):
    """Something looks wrong in a run."""

    run_id: str
    at: float  # seconds since the run's command
    why: str


# Each row is a moment of a run: how its GPUs are, together and apart. At its power limit a GPU that
# needs more power than others has a lower clock than they: the clock times the square of the power
# is the same for all. So a GPU is held back whose clock is low and whose power is not high.
MOMENTS = """
WITH apart AS (
  SELECT *, sm_clock_mhz / median(sm_clock_mhz) OVER moment AS clock,
         power_w / median(power_w) OVER moment AS power
  FROM '{data}/samples/*.parquet' WINDOW moment AS (PARTITION BY run_id, at_seconds)
)
SELECT run_id, at_seconds, count(*) AS seen, max(sampled_gpus) AS gpus, max(xid) AS xid,
       median(utilization_percent) AS busy, max(utilization_percent) AS busiest,
       median(tensor_active) AS tensor, median(used_mib) AS memory,
       min(clock * greatest(1, power * power)) AS slowest,
       median(temp_c) AS warm, max(temp_c) AS hottest
FROM apart JOIN '{data}/runs/*.parquet' USING (run_id)
GROUP BY ALL ORDER BY ALL
"""
# Samples in a row that a sign needs before it is believed: a usual save passes by sooner.
NEEDED = {"gone": 1, "lost": 1, "xid": 1, "hang": 3, "starved": 1, "saving": 3, "slow": 1,
          "hot": 2, "lame": 4}  # fmt: skip


def signs(now: dict[str, Any], alive: bool, trained: bool, normal: float) -> dict[str, bool]:
    """What is odd about a moment."""
    working = now["busy"] >= 60 and now["tensor"] > 0.02
    still = trained and now["memory"] > 1000 and now["tensor"] < 0.02
    return {
        "gone": alive and now["memory"] < 1000,  # no process is left on the GPUs
        "lost": now["seen"] < now["gpus"],
        "xid": now["xid"] > 0,
        "hang": still and now["busy"] >= 99,
        # GPUs that copy a batch now and then. In a save some of them spin at 100 %, and after the
        # last step, when the model is written, all of them are at 0: neither is a fault.
        "starved": still and now["busy"] >= 3 and 10 <= now["busiest"] < 50,
        "saving": still and now["busy"] < 99 and now["busiest"] >= 90,
        "slow": working and now["slowest"] < 0.93,
        "hot": working and now["hottest"] >= max(84, now["warm"] + 10),
        "lame": working and now["tensor"] < 0.9 * normal,
    }


def alarms(moments: list[tuple[Any, ...]], names: list[str]) -> Iterator[Alarm]:
    """The alarms of one run; a sign that goes on is one alarm."""
    alive, trained, normal = False, False, 0.0
    streak = dict.fromkeys(NEEDED, 0)
    last = dict.fromkeys(NEEDED, -1e9)
    for row in moments:
        now = dict(zip(names, row, strict=True))
        for sign, there in signs(now, alive, trained, normal).items():
            streak[sign] = streak[sign] + 1 if there else 0
            passed = now["at_seconds"] - last[sign]
            if streak[sign] == NEEDED[sign] and passed >= QUIET.get(sign, 0.0):
                last[sign] = now["at_seconds"]
                yield Alarm(now["run_id"], now["at_seconds"], sign)
        alive = now["memory"] >= 1000
        if now["busy"] >= 60 and now["tensor"] > 0.02:
            trained, normal = True, max(0.999 * normal, now["tensor"])
        trained = trained and alive


def main(data: str, answers: str) -> None:
    """Prints the score of the detector over a whole data set."""
    duck = duckdb.connect()
    found = duck.sql(MOMENTS.format(data=data))
    names, by_run = found.columns, dict[str, list[tuple[Any, ...]]]()
    for row in found.fetchall():
        by_run.setdefault(row[0], []).append(row)
    told = [alarm for moments in by_run.values() for alarm in alarms(moments, names)]
    labels = duck.sql(
        "SELECT run_id, kind, began_seconds, ended_seconds, component, telemetry"
        f" FROM '{answers}/labels/*.parquet' WHERE label = 'incident' ORDER BY ALL"
    ).fetchall()
    days = duck.sql(f"SELECT sum(seconds) / 86400 FROM '{data}/runs/*.parquet'").fetchall()[0][0]
    meant = [about(alarm, labels) for alarm in told]
    hit, false = {*meant}, meant.count(None)
    print(f"{len(by_run):,} runs, {days:.1f} days of training, {len(labels):,} incidents")
    print(f"{'kind':<18} found of all   what gauges show of it")
    for kind, shown in sorted({(label[1], label[5] or "") for label in labels}):
        all_of_it = [number for number, label in enumerate(labels) if label[1] == kind]
        found_of_it = len(hit.intersection(all_of_it))
        print(f"{kind:<18} {found_of_it:>5} {len(all_of_it):>6}   {shown}")
    cards = [number for number, label in enumerate(labels) if label[4] in ("GPU", "fabric")]
    print(f"recall             {share(hit, range(len(labels)))}")
    print(f"of GPU failures    {share(hit, cards)}   published: 10 of 10")
    print(f"precision          {(len(told) - false) / max(1, len(told)):.2f}")
    print(f"false alarms a day {false / days:.2f}   published: 0.84")


def about(alarm: Alarm, labels: list[tuple[Any, ...]]) -> int | None:
    """The number of the incident that an alarm is about: the latest one, or else the next one."""
    before, after = list[int](), list[int]()
    for number, (run_id, _, began, ended, *_) in enumerate(labels):
        if run_id == alarm.run_id and began - EARLY <= alarm.at <= max(ended, began) + LATE:
            (before if began <= alarm.at else after).append(number)
    if before:
        return max(before, key=lambda number: labels[number][2])
    return min(after, key=lambda number: labels[number][2], default=None)


def share(hit: set[int | None], numbers: Iterable[int]) -> str:
    """How many of these incidents were found."""
    of = [*numbers]
    found = len(hit.intersection(of))
    return f"{found / max(1, len(of)):.2f}, {found} of {len(of)}"


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else sys.argv[1])
