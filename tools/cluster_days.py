"""Lets 200 days of a cluster of 2,048 nodes pass, and prints them beside the traces' figures.

python -m tools.cluster_days [--nodes 2048] [--days 200] [--seed 1]
"""

import argparse
from time import process_time

from llmsim.fleet.cluster.comparison import Tally
from llmsim.fleet.cluster.jobs import DAY
from llmsim.fleet.cluster.pool import Pool
from llmsim.fleet.cluster.scheduling import Ended, Scheduler


def main() -> None:
    """Prints utilisation, waits by kind, final states by size and failures by cause."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--nodes", type=int, default=2048)
    words.add_argument("--days", type=float, default=200.0)
    words.add_argument("--seed", type=int, default=1)
    asked = words.parse_args()
    pool = Pool(asked.nodes, days=asked.days, seed=asked.seed)
    begun, scheduler, tally = process_time(), Scheduler(pool), Tally(pool)
    for fact in scheduler.facts():
        tally.heard(fact)
    for running in scheduler.running.values():
        tally.used(Ended(pool.days * DAY, running, "RUNNING", -1, ""))
    print(tally.text(), end="")
    print(f"\n{process_time() - begun:.0f} s of one core")


if __name__ == "__main__":
    main()
