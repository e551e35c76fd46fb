"""Finds incidents from telemetry alone, and says how well: precision, recall, false alarms a day.

    llmsim fleet fleet.toml --out data --answers answers
    python examples/detector.py data answers

It looks at the samples of the GPUs and at nothing else; the labels are only for the score. Beside
it stands what a published detector reached on a real cluster of 504 B200: 10 of 10 GPU failures at
about 0.84 false alarms a day (arXiv 2605.09370).
"""

import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import duckdb

QUIET = 1800.0  # seconds in which a second alarm of a run is taken for the first one
EARLY, LATE = 300.0, 1800.0  # an alarm from so long before a fault to so long after it is right


class Alarm(NamedTuple):
    """Something looks wrong in a run."""

    run_id: str
    at: float  # seconds since the run's command
    why: str


# Each row is a moment of a run: how its GPUs are, together and apart.
MOMENTS = """
SELECT run_id, at_seconds, count(*) AS seen, max(sampled_gpus) AS gpus, max(xid) AS xid,
       median(utilization_percent) AS busy, median(tensor_active) AS tensor,
       median(used_mib) AS memory, median(sm_clock_mhz) AS clock, min(sm_clock_mhz) AS slowest,
       max(temp_c) AS hottest
FROM '{data}/samples/*.parquet' JOIN '{data}/runs/*.parquet' USING (run_id)
GROUP BY ALL ORDER BY ALL
"""
# Samples in a row that a sign needs before it is believed: a save and a validation pass by sooner.
NEEDED = {"gone": 1, "lost": 1, "xid": 1, "hang": 3, "starved": 3, "slow": 2, "hot": 2, "lame": 4}


def signs(now: dict[str, Any], alive: bool, trained: bool, normal: float) -> dict[str, bool]:
    """What is odd about a moment."""
    working = now["busy"] >= 60 and now["tensor"] > 0.02
    return {
        "gone": alive and now["memory"] < 1000,  # no process is left on the GPUs
        "lost": now["seen"] < now["gpus"],
        "xid": now["xid"] > 0,
        "hang": trained and now["busy"] >= 99 and now["tensor"] < 0.02,
        "starved": trained and now["busy"] < 45 and now["memory"] > 1000,
        "slow": working and now["slowest"] < 0.93 * now["clock"],
        "hot": working and now["hottest"] >= 84,
        "lame": working and now["tensor"] < 0.9 * normal,
    }


def alarms(moments: list[tuple[Any, ...]], names: list[str]) -> Iterator[Alarm]:
    """The alarms of one run; a sign that goes on is one alarm."""
    alive, trained, normal = False, False, 0.0
    streak = dict.fromkeys(NEEDED, 0)
    last = dict.fromkeys(NEEDED, -QUIET)
    for row in moments:
        now = dict(zip(names, row, strict=True))
        for sign, there in signs(now, alive, trained, normal).items():
            streak[sign] = streak[sign] + 1 if there else 0
            if streak[sign] == NEEDED[sign] and now["at_seconds"] - last[sign] >= QUIET:
                last[sign] = now["at_seconds"] if sign != "gone" else last[sign]
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
        "SELECT run_id, kind, began_seconds, ended_seconds, component"
        f" FROM '{answers}/labels/*.parquet' WHERE label = 'incident' ORDER BY ALL"
    ).fetchall()
    days = duck.sql(f"SELECT sum(seconds) / 86400 FROM '{data}/runs/*.parquet'").fetchall()[0][0]
    hit, right = set[int](), 0
    for alarm in told:
        matched = [
            number for number, (run_id, _, began, ended, _) in enumerate(labels)
            if run_id == alarm.run_id and began - EARLY <= alarm.at <= max(ended, began) + LATE
        ]  # fmt: skip
        hit |= {*matched}
        right += bool(matched)
    kinds: dict[str, list[bool]] = {}
    for number, (_, kind, *_) in enumerate(labels):
        kinds.setdefault(kind, []).append(number in hit)
    print(f"{len(by_run):,} runs, {days:.1f} days of training, {len(labels):,} incidents")
    print(f"{'kind':<18} found of all")
    for kind, hits in sorted(kinds.items()):
        print(f"{kind:<18} {sum(hits):>5} {len(hits):>6}")
    cards = [number for number, label in enumerate(labels) if label[4] in ("GPU", "fabric")]
    both = len(hit.intersection(cards))
    print(f"recall             {len(hit) / max(1, len(labels)):.2f}")
    print(f"of GPU failures    {both / max(1, len(cards)):.2f}   published: 10 of 10")
    print(f"precision          {right / max(1, len(told)):.2f}")
    print(f"false alarms a day {(len(told) - right) / days:.2f}   published: 0.84")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else sys.argv[1])
