"""Which runs a show has: what both hosts share."""

import os
from collections.abc import Iterator
from datetime import datetime

from llmsim.options.table import LARGEST_SEED, Options


def fresh_seed() -> int:
    """A seed that nobody has chosen, short enough to type."""
    return int.from_bytes(os.urandom(4))


def runs_of(options: Options) -> Iterator[Options]:
    """The options of each run: the next seed, and the time of day unless one is given."""
    run = 0
    while options.runs == 0 or run < options.runs:
        start = options.start or datetime.now().replace(microsecond=0)  # noqa: DTZ005  # a log shows local time
        yield options._replace(seed=((options.seed or 0) + run) % (LARGEST_SEED + 1), start=start)
        run += 1
