"""The gauges of a run's GPUs as a board shows them: read in turns, with what was read before.

A show has beats. At each of them some GPUs are read anew, so that something moves several times a
second and no moment has much to compute. Readings are of even show seconds: the same ones whether
a show came there by itself or was sent there.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain
from math import ceil, fsum, isnan, log2, nan

from llmsim.board.gauges import NO_TRAIL, Cluster, Gauge, Trail
from llmsim.board.gauges import Fault as Blame
from llmsim.catalog.gpus import device, is_rack, linked_nodes
from llmsim.job.records import gpus_per_node
from llmsim.physics.hardware import telemetry
from llmsim.physics.hardware.telemetry import Reading
from llmsim.run import complaints
from llmsim.run.cluster import hostname
from llmsim.run.moment import Moment, celsius, draws, meter
from llmsim.run.timeline import Run, owner
from llmsim.show.trouble import culprit, stands

# Show seconds of a beat, and beats until a GPU is read again, of clusters up to a number of GPUs.
RHYTHMS = ((4, 0.25, 2), (8, 0.25, 4), (64, 0.25, 16), (2**62, 1.0, 4))
TOGETHER = 64  # GPUs up to which all are read at once when a failure or an outage begins
PAGE = 2.0  # show seconds of a page
DRAWN_EVERY = 0.5  # show seconds from one value of the cluster's power to the next
QUICK = 0.25  # the same in a part of the run that has begun since
SAMPLED = 6  # GPUs of which a cluster's power is reckoned: they differ by a few per cent
READINGS = 16_384  # that are remembered
UNREAD = Gauge(0.0, 0.0, 0.0, 0, "cool", 0.0, 0, "gone")  # in the place of one that could not be

Simulated = Callable[[float], float]  # the simulated second of a show second


def sampled(run: Run) -> range:
    """The GPUs that stand for all of them."""
    gpus = run.job.layout.gpus
    return range(0, gpus, max(1, gpus // SAMPLED))


class Readings:
    """The readings of one run's GPUs. Without `simulated` all are of the moment asked for."""

    def __init__(self, run: Run, simulated: Simulated | None) -> None:
        """Nothing has been read yet."""
        self.run, self._simulated = run, simulated
        self._rhythm = next(each for each in RHYTHMS if run.job.layout.gpus <= each[0])
        self._size = gpus_per_node(run.job)
        self._long, self._period, self._beat = *self._rhythm[1:], 0
        self._apart, self._shown, self._at = self._long, 0.0, 0.0
        self._simulated_at = lru_cache(maxsize=1024)(self._second)
        self._meter = lru_cache(maxsize=64)(lambda at: meter(run, at))
        self._gauge = lru_cache(maxsize=READINGS)(self._seen)
        self._unread = lru_cache(maxsize=1024)(self._unreadable)
        self._power = lru_cache(maxsize=READINGS)(self._drawn)
        self._celsius = lru_cache(maxsize=64)(lambda at, gpus: celsius(run, at, gpus))
        self._trails: dict[tuple[int, int], tuple[int, float, Trail]] = {}
        self._newest_read: dict[int, Gauge] = {}  # by GPU, of this beat
        self._late: tuple[tuple[float, ...], list[tuple[float, float]]] = ((), [])
        self._page: tuple[int, float, str, float] = (-1, 0.0, "", nan)
        self._culprit = -1  # the rank whose GPU is marked; -1: none
        self._lost: frozenset[int] = frozenset()  # the GPUs that nobody can read
        self._faulty: tuple[int, ...] = ()
        self._gone: tuple[int, ...] = ()
        self._fresh = nan  # see _since_change
        self._stood = nan  # the simulated second since which no step is made, if none is
        self._changed = 0  # the beat since which the cluster does something else; see TOGETHER

    def cluster(self, moment: Moment, shown: float, pace: float) -> Cluster:
        """The cluster at a moment, `shown` seconds into the show. At a higher pace more GPUs are
        read at a beat, in the end all, so that no reading is older; what was read before is as far
        apart as the beats on the wall.
        """
        job, card = self.run.job, self.run.job.gpu
        _, beat, period = self._rhythm
        faster = 2 ** max(0, ceil(log2(pace)))
        together = min(faster, period)
        self._long, self._period, self._apart = beat * together, period // together, beat * faster
        self._beat, self._shown = int(shown / self._long + 1e-9), shown
        if not self._simulated:
            self._at = moment.at
            self._simulated_at.cache_clear()
        self._fresh = self._since_change(moment, QUICK * faster)
        page = (self._beat, self._long, moment.segment.kind, self._fresh)
        if page != self._page or not self._simulated:
            self._page = page
            self._newest_read.clear()
            self._look(moment)
        newest = self._beat * self._long if isnan(self._fresh) else self._fresh
        return Cluster(
            name=card.name,
            gpus=job.layout.gpus,
            per_node=self._size,
            full=Gauge(1.0, 1.0, 1.0, 100, "hot", card.memory_mib / 1024, card.tdp_watts),
            read=self._read,
            label=self._label,
            moment=newest if self._simulated else moment.at,
            page=int(shown / (PAGE * pace)),
            celsius=self._heats,
            faulty=self._faulty,
            gone=self._gone,
            trail=self._trail,
            power=self._watts,
            links=self._sent,
            device=device(card),
            linked=card.per_node * linked_nodes(card) // self._size if is_rack(card) else 1,
        )

    def _since_change(self, moment: Moment, apart: float) -> float:
        """The show second of a reading that is newer than the beat's, in a failure, an outage or a
        part of the run that has begun since: before that, GPUs may have computed. It is nan where
        there is none.
        """
        began = moment.segment.began
        beat, newest = self._beat * self._long, int(self._shown / apart + 1e-9) * apart
        if not self._simulated or beat >= newest or self._simulated_at(newest) < began:
            return nan
        # Hours may pass in a second of a failure or an outage.
        return newest if stands(moment) or self._simulated_at(beat) < began else nan

    def _look(self, moment: Moment) -> None:
        """Who is to blame, and what is gone."""
        run, at = self.run, moment.at
        self._culprit = culprit(run, moment)
        self._lost = self._unread(at)
        self._gone = tuple(sorted(self._lost))
        self._faulty = tuple(sorted(self._lost | ({self._culprit} - {-1})))
        self._changed = self._since(moment)
        self._stood = moment.segment.began if stands(moment) else nan

    def _unreadable(self, at: float) -> frozenset[int]:
        """The GPUs that nobody can read at a moment."""
        troubles = complaints.troubles(self.run, at).items()
        silent = [node for node, each in troubles if each.silent]
        lost = {gpu for gpu, each in complaints.faults(self.run, at).items() if each.lost}
        return frozenset(lost.union(*map(self._of_node, silent)))

    def _since(self, moment: Moment) -> int:
        """The first beat of a launch or of the training after one, of few GPUs also that of a
        failure or an outage; 0 of other phases, and where every GPU has been read since. Hours pass
        in an outage's seconds.
        """
        segment, beat = moment.segment, self._beat
        few = self.run.job.layout.gpus <= TOGETHER
        kinds = ("launch", "failure", "outage") if few else ("launch",)
        if not (self._simulated and (segment.fresh or segment.kind in kinds)):
            return 0
        if self._simulated_at(beat * self._long) < segment.began:
            return 0
        least = max(0, beat - self._period)
        while beat > least and self._simulated_at((beat - 1) * self._long) >= segment.began:
            beat -= 1
        return beat

    def _of_node(self, node: int) -> range:
        return range(node * self._size, (node + 1) * self._size)

    def _label(self, node: int) -> str:
        return hostname(owner(self.run, self._second(self._beat * self._long)), node)

    def _fault(self, index: int) -> Blame:
        """Whether a GPU is to blame, or cannot be read."""
        if index in self._lost:
            return "gone"
        return "blamed" if index == self._culprit else ""

    # --- when --------------------------------------------------------------------------------

    def _turn(self, index: int, beat: int, period: int) -> int:
        """The beat at which a GPU was read last, if each is read once in a period of beats."""
        first = self._place(index) % period
        return first + (beat - first) // period * period

    def _place(self, index: int) -> int:
        """A GPU's place in the order of reading: a cluster is read from one end to the other. A
        large one is read as a whole: on its map racks of different moments would look broken.
        """
        gpus, period = self.run.job.layout.gpus, self._rhythm[2]
        return 0 if gpus > RHYTHMS[-2][0] else index * period // max(gpus, period)

    def _newest(self, index: int) -> float:
        """The simulated second at which a GPU was read last: no earlier than the one since which
        the whole cluster does something else.
        """
        turn = self._turn(index, self._beat, self._period)
        return self._simulated_at(max(turn, self._changed) * self._long)

    def _together(self) -> float:
        """The same of a large cluster: in a failure or an outage, in which hours may pass in a
        second, at each beat, and before the first one as soon as it has begun.
        """
        beat = self._simulated_at(self._beat * self._long)
        if isnan(self._stood) or not self._simulated:
            return self._newest(0)
        if beat >= self._stood:
            return beat
        return self._newest(0) if isnan(self._fresh) else self._simulated_at(self._fresh)

    def _second(self, shown: float) -> float:
        """The simulated second of a show second; without a show the moment asked for."""
        return self._simulated(max(0.0, shown)) if self._simulated else self._at

    # --- what ----------------------------------------------------------------------------------

    def _read(self, index: int) -> Gauge:
        """The newest reading of a GPU."""
        gauge = self._newest_read.get(index)
        if gauge is None:
            gauge, fault = self._gauge(index, self._newest(index)), self._fault(index)
            gauge = gauge._replace(fault=fault) if fault else gauge
            self._newest_read[index] = gauge
        return gauge

    def _heats(self, gpus: tuple[int, ...]) -> Sequence[int]:
        """The newest temperatures of GPUs, of a large cluster all of one moment."""
        if self.run.job.layout.gpus > TOGETHER:
            return self._celsius(self._together(), gpus)
        return [*chain(*(self._celsius(self._newest(index), (index,)) for index in gpus))]

    def _trail(self, index: int, count: int) -> Trail:
        """The last readings of a GPU, the oldest first: one object until one comes."""
        if not self._simulated:
            return NO_TRAIL
        apart, period = self._apart, self._rhythm[2]
        last = self._turn(index, int(self._shown / apart + 1e-9), period)
        before, long, known = self._trails.get((index, count), (0, 0.0, NO_TRAIL))
        if (before, long) == (last, apart):
            return known
        if (before, long) == (last - period, apart):
            new = (*known.gauges, self._past(index, self._simulated_at(last * apart)))[-count:]
        else:
            beats = range(last - (count - 1) * period, last + 1, period)
            moments = [self._simulated_at(beat * apart) for beat in beats if beat >= 0]
            new = tuple(self._past(index, at) for at in moments)
        trail = Trail(new)
        self._trails[index, count] = last, apart, trail
        return trail

    def _past(self, index: int, at: float) -> Gauge:
        """A reading for a trail: of a GPU that could not be read there is none."""
        return UNREAD if index in self._unread(at) else self._gauge(index, at)

    def _watts(self, count: int) -> Sequence[float]:
        """What all GPUs have drawn of late, kW."""
        return [power for power, _ in self._drawn_of_late(count)]

    def _sent(self, count: int) -> Sequence[float]:
        """What all GPUs have sent each other of late, GB/s."""
        return [links for _, links in self._drawn_of_late(count)]

    def _drawn_of_late(self, count: int) -> list[tuple[float, float]]:
        if not self._simulated:
            return []
        apart = DRAWN_EVERY * self._apart / self._rhythm[1]
        last = int(self._beat * self._long / apart)
        if self._late[0] != (last, apart, count):
            beats = range(max(0, last - count + 1), last + 1)
            self._late = (last, apart, count), [self._power(beat * apart) for beat in beats]
        if isnan(self._fresh):
            return self._late[1]
        return [*self._late[1][:-1], self._power(self._fresh)]

    def _seen(self, index: int, at: float) -> Gauge:
        return _gauge_of(self.run, self._meter(at)(index))

    def _drawn(self, shown: float) -> tuple[float, float]:
        """What all GPUs draw at a show second, kW, and what they send each other, GB/s."""
        chosen = sampled(self.run)
        share = self.run.job.layout.gpus / len(chosen)
        activity, seen = draws(self.run, self._simulated_at(shown), chosen)
        busy = activity in ("training", "validation")
        links = share * fsum(sent for _, sent in seen) if busy else 0.0
        return share * fsum(watts for watts, _ in seen) / 1000, links


def _gauge_of(run: Run, seen: Reading) -> Gauge:
    card = run.job.gpu
    return Gauge(
        busy=seen.utilization / 100,
        memory=seen.memory_mib / card.memory_mib,
        power=seen.power_watts / card.tdp_watts,
        celsius=seen.temperature_c,
        warmth=telemetry.thermal_state(seen.temperature_c),
        gib=seen.memory_mib / 1024,
        watts=seen.power_watts,
    )
