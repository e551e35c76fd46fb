"""Chunks of samples (fleet/quick.py) as columns of the table of samples."""

import numpy as np
import pyarrow as pa

from llmsim.fleet.quick import Chunk
from llmsim.fleet.rows import Clock
from llmsim.physics.array_noise import Array
from llmsim.typed import Any


class SampleColumns:
    """Makes the columns of a run's chunks; what all chunks of a size share is made once."""

    def __init__(self, run_id: str, clock: Clock, hosts: list[str], per_node: int) -> None:
        """Takes what is the same for all samples of the run."""
        self._run, self._hosts = pa.array([run_id]), pa.array(hosts)
        self._clock, self._per_node = clock, per_node
        self._shared: dict[int, tuple[Array, Array, Array, Array]] = {}

    def _same(self, rows: int, gpus: int) -> tuple[Array, Array, Array, Array]:
        """For this many rows: the run's index, ranks, the hosts' indices, and no errors."""
        if rows not in self._shared:
            ranks = np.tile(np.arange(gpus, dtype=np.int32), rows // gpus)
            self._shared[rows] = (
                np.zeros(rows, dtype=np.int32), ranks, ranks // self._per_node,
                np.zeros(rows, dtype=np.int16),
            )  # fmt: skip
        return self._shared[rows]

    def columns(self, chunk: Chunk) -> list[Any]:
        """The columns in the order of the table."""
        micro = np.rint(chunk.at * 1e6).astype(np.int64)
        run, ranks, hosts, healthy = self._same(len(chunk.at) * chunk.gpus, chunk.gpus)
        common = [
            healthy,
            run,
            np.repeat(micro + self._clock.utc, chunk.gpus),
            np.repeat(micro + self._clock.local, chunk.gpus),
            np.repeat(chunk.at, chunk.gpus),
            ranks,
            hosts,
        ]
        if chunk.kept is not None:
            common = [column[chunk.kept] for column in common]
        healthy, run, utc, local, at, ranks, hosts = common
        return [
            pa.DictionaryArray.from_arrays(pa.array(run), self._run, safe=False),
            pa.array(utc).view(pa.timestamp("us", tz="UTC")),
            pa.array(local).view(pa.timestamp("us")),
            pa.array(at),
            pa.array(ranks),
            pa.DictionaryArray.from_arrays(pa.array(hosts), self._hosts, safe=False),
            pa.array((chunk.power_deciwatts / 10).astype(np.float32)),
            pa.array(chunk.temp_c),
            pa.array(chunk.sm_clock_mhz),
            pa.array(chunk.utilization_percent),
            pa.array(chunk.used_mib),
            pa.array((chunk.tensor_active / 1e4).astype(np.float32)),
            pa.array(healthy if chunk.xid is None else chunk.xid),
        ]
