"""The gauges of all GPUs of a cluster over time, by numpy: who has them, and how busy they are."""

from collections.abc import Iterator

import numpy as np

from llmsim.catalog import gpus
from llmsim.catalog.records import Gpu
from llmsim.fleet.cluster import traces
from llmsim.fleet.cluster.pool import Pool
from llmsim.fleet.cluster.scheduling import Ended, Fact, NodeChanged, Started
from llmsim.fleet.cluster.slurm_text import job_id
from llmsim.physics import noise
from llmsim.physics.array_noise import Array, uniforms
from llmsim.typed import NamedTuple

_LOADING = 90.0  # seconds from a job's start until its GPUs are busy: ours
_FULL = 0.93  # of the power limit at full load: H100 at 650 of 700 W
_INLET, _RISE = 24.0, 38.0  # degrees C of the air, and above it at the limit (docs/physics.md 9)


class Look(NamedTuple):
    """All GPUs that can be read at a moment: an array a column."""

    at: float
    node: Array
    gpu: Array
    job_id: Array
    power_w: Array
    temp_c: Array
    utilization_percent: Array
    used_mib: Array


class Board:
    """Which job each GPU has, kept up to date by the facts of a scheduler."""

    def __init__(self, pool: Pool, gpu: Gpu) -> None:
        """Nobody has a GPU yet."""
        count = pool.gpus
        self._pool, self._gpu = pool, gpu
        self._job: Array = np.zeros(count, dtype=np.int64)
        self._busy: Array = np.zeros(count)
        self._memory: Array = np.zeros(count)
        self._since: Array = np.zeros(count)
        self._up: Array = np.ones(count, dtype=bool)
        self._all: Array = np.arange(count)
        self._due = 0

    def looks(self, until: float) -> Iterator[Look]:
        """The samples that are due before a moment."""
        every = self._pool.sample
        while every and self._due * every < until:
            yield self._look(self._due * every, self._due)
            self._due += 1

    def heard(self, fact: Fact) -> None:
        """Takes what has happened to the GPUs."""
        per = self._pool.gpus_per_node
        if isinstance(fact, NodeChanged):
            self._up[fact.node * per : (fact.node + 1) * per] = fact.up
            return
        running = fact.running
        bits = [gpu for gpu in range(per) if not running.mask or running.mask >> gpu & 1]
        where = (np.array(running.nodes)[:, None] * per + np.array(bits)).reshape(-1)
        if isinstance(fact, Ended):
            self._job[where] = 0
            return
        assert isinstance(fact, Started)
        job = running.waiting.job
        self._job[where] = job_id(job)
        self._since[where] = fact.at
        drawn = noise.normal(self._pool.seed, "cluster busy", job.number)
        middle = traces.KINDS[job.kind].busy
        self._busy[where] = min(100.0, max(0.0, middle + (100.0 - middle + 8.0) * 0.5 * drawn))
        self._memory[where] = 0.35 + 0.6 * noise.uniform(
            self._pool.seed, "cluster memory", job.number
        )

    def _look(self, at: float, number: int) -> Look:
        seed, limit = self._pool.seed, self._gpu.tdp_watts
        here = np.flatnonzero(self._up)
        job = self._job[here]
        taken = job > 0
        index = here + number * np.int64(self._pool.gpus)
        wave = uniforms(seed, "cluster wave", index)
        own = uniforms(seed, "cluster chip", here)
        loading = np.minimum(1.0, (at - self._since[here]) / _LOADING)
        used = np.where(taken, np.clip(self._busy[here] + 8.0 * (wave - 0.5), 0, 100), 0.0)
        used *= np.where(loading < 1.0, 0.15, 1.0)
        idle = gpus.idle_share(self._gpu)
        share = idle + (_FULL - idle) * np.where(taken, 0.1 + 0.9 * used / 100.0, 0.0)
        power = limit * share * (0.97 + 0.06 * own) * (0.985 + 0.03 * wave)
        warm = _INLET + 2.0 * own + _RISE * power / limit
        memory = np.where(taken, self._memory[here] * self._gpu.memory_mib, 4.0)
        return Look(
            at=at,
            node=(here // self._pool.gpus_per_node).astype(np.int32),
            gpu=(here % self._pool.gpus_per_node).astype(np.int16),
            job_id=job,
            power_w=np.rint(power).astype(np.int16),
            temp_c=np.rint(warm).astype(np.int16),
            utilization_percent=np.rint(used).astype(np.int16),
            used_mib=np.rint(memory).astype(np.int32),
        )
