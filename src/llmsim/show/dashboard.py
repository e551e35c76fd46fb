"""Somebody who watches a run: remembers what events told last, and looks at the gauges.

What the board shows is asked of the physics, for the moment and the cells shown; the watch
keeps only where the run is.
"""

from collections.abc import Callable
from functools import lru_cache

from llmsim.board.board import View
from llmsim.board.gauges import Cluster, Gauge
from llmsim.board.plots import Training
from llmsim.catalog.gpus import short_name
from llmsim.job.milestones import steps_per_epoch
from llmsim.job.records import Job, gpus_per_node
from llmsim.physics.hardware import telemetry
from llmsim.physics.hardware.telemetry import Activity
from llmsim.physics.learning import learning_rate, loss, objectives
from llmsim.physics.speed import batch_ramp, step_time
from llmsim.run import events
from llmsim.run.cluster import hostname
from llmsim.run.events import Event
from llmsim.text import units

# Show seconds after which the gauges are read anew, and of a large cluster the page turned.
REFRESH, REFRESH_LARGE = 1.0, 2.0
LARGE = 64  # GPUs

# What the GPUs do in the launch, from these events on.
LAUNCHING: dict[type, Activity] = {events.RankJoined: "starting", events.ModelSharded: "loading"}


class Watch:
    """Follows one run."""

    def __init__(self, job: Job) -> None:
        """Gauges are read so many times less often as `pace`, which may change, is above 1."""
        self.job = job
        self.pace = 1.0
        self.outer = events.PhaseStarted(0.0, "launch", 1.0)
        self.inner: events.PhaseStarted | None = None  # a validation or checkpoint in training
        self.paused = 0.0  # seconds of such phases so far
        self.launching: Activity = "idle"
        self.at = 0.0  # of the last event
        self.epoch = 1
        self.done = 0  # optimizer steps
        self.step: events.Step | None = None
        self.validated: events.Validated | None = None
        self.task: events.Progress | None = None
        self._looked: tuple[int, events.PhaseStarted | None] = (-1, None)
        self._moment = 0.0
        self._loss = lru_cache(maxsize=4096)(lambda first, last: loss.averaged(job, first, last))
        self._rate = lru_cache(maxsize=1024)(lambda step: learning_rate.learning_rate(job, step))
        self._speed = lru_cache(maxsize=2048)(self._throughput)
        self._read = lru_cache(maxsize=4096)(self._gauge)

    # --- what events tell ------------------------------------------------------------------

    def see(self, event: Event) -> None:
        """Take in what has happened."""
        self.at = event.at
        if isinstance(event, events.PhaseStarted):
            self._begin(event)
        elif isinstance(event, events.PhaseEnded):
            self.paused += event.at - self.inner.at if self.inner else 0.0
            self.inner = None
        elif isinstance(event, events.EpochStarted):
            self.epoch = event.epoch
        elif isinstance(event, events.Progress):
            self.done, self.task = self._reached(event), event
        elif isinstance(event, events.Step):
            self.step = event
        elif isinstance(event, events.Validated):
            self.validated = event
        self.launching = LAUNCHING.get(type(event), self.launching)

    def _begin(self, phase: events.PhaseStarted) -> None:
        if phase.phase in ("validation", "checkpoint"):
            self.inner = phase
        else:
            self.outer, self.task = phase, None

    def _reached(self, event: Event) -> int:
        """The optimizer steps done when this event happens."""
        if isinstance(event, events.Progress) and event.task == "epoch":
            return (self.epoch - 1) * steps_per_epoch(self.job) + event.done
        return self.done

    def reached(self) -> tuple[events.PhaseName, float]:
        """The phase, and how much of it is over, 0 .. 1: of the training the steps, else time."""
        phase = self.inner or self.outer
        if phase.phase == "training":
            return phase.phase, self.done / self.job.schedule.steps
        return phase.phase, min(1.0, (self.at - phase.at) / (phase.seconds or 1.0))

    # --- what there is to see --------------------------------------------------------------

    def seen(self, upcoming: Event, part: float, shown: float) -> Callable[[], View]:
        """What gives the view when this part of the time until the upcoming event is over.

        `shown` is the show's time in seconds.
        """
        return lambda: self._view(upcoming, part, shown)

    def _view(self, upcoming: Event, part: float, shown: float) -> View:
        at = self.at + part * (upcoming.at - self.at)
        done = self.done + int(part * (self._reached(upcoming) - self.done))
        job, phase = self.job, self.inner or self.outer
        doing, also, share, left = self._progress(at, done)
        return View(
            titles=(job.model.name, job.run_name, job.recipe.name, self._hardware()),
            phase=phase.phase,
            phase_share=min(1.0, (at - phase.at) / (phase.seconds or 1.0)),
            doing=doing,
            also=also,
            share=share,
            left=left,
            training=self._training(done),
            cluster=self._cluster(at, shown),
        )

    def _hardware(self) -> str:
        return f"{self.job.layout.gpus:,} x {short_name(self.job.gpu)}"

    def _progress(self, at: float, done: int) -> tuple[str, str, float, str]:
        """What the bar counts, what else belongs to it, how far it is, and the time left."""
        plan, outer = self.job.schedule, self.outer
        if outer.phase == "training":
            total = f"{plan.steps:,}"
            left = units.hours(self._left(done)) if self.step else ""
            step = f"step {done:>{len(total)},}/{total}"
            return step, f"epoch {self.epoch}/{plan.epochs}", done / plan.steps, left.strip()
        share = min(1.0, (at - outer.at) / (outer.seconds or 1.0))
        label = self.task.label if self.task else outer.phase
        return label, "", share, units.hours(max(0.0, outer.at + outer.seconds - at))

    def _left(self, done: int) -> float:
        """Seconds until the last sequence at the mean rate so far."""
        if self.step is None or self.step.remaining == 0.0:
            return 0.0
        plan = self.job.schedule
        told, now, last = (batch_ramp.consumed(plan, s) for s in (self.step.step, done, plan.steps))
        return self.step.remaining * (last - now) / (last - told)

    def _training(self, done: int) -> Training:
        step, plan = self.step, self.job.schedule
        numbers: list[tuple[str, str, str]] = []
        if step:
            numbers.append(("curve", "loss", f"{step.loss:.4f}"))
        if self.validated:
            numbers.append(("number", "val", f"{self.validated.loss:.4f}"))
        if step:
            numbers.append(("number", "mfu", f"{step.mfu:.1%}"))
            numbers.append(("number", "gnorm", units.at_most_five(step.gradient_norm).strip()))
        return Training(
            step=done,
            steps=plan.steps,
            loss=self._loss,
            rate=self._rate,
            throughput=self._speed,
            numbers=tuple(numbers),
            rate_number=f"{step.learning_rate:.2e}" if step else "-",
            throughput_number=f"{step.tokens_per_second:,.0f}" if step else "-",
        )

    def _throughput(self, first: int, last: int) -> float:
        """Tokens per second of these steps."""
        return objectives.tokens(self.job, first, last) / step_time.interval_seconds(
            self.job, first, last
        )

    # --- gauges ----------------------------------------------------------------------------

    def _cluster(self, at: float, shown: float) -> Cluster:
        refresh = REFRESH if self.job.layout.gpus <= LARGE else REFRESH_LARGE
        page, phase = int(shown / (refresh * self.pace)), self.inner or self.outer
        if (page, phase) != self._looked:
            self._looked, self._moment = (page, phase), at
            self._read.cache_clear()
        job, card = self.job, self.job.gpu
        return Cluster(
            name=card.name,
            gpus=job.layout.gpus,
            per_node=gpus_per_node(job),
            full=Gauge(1.0, 1.0, 1.0, 100, "hot", card.memory_mib / 1024, card.tdp_watts),
            read=self._read,
            label=self._label,
            moment=self._moment,
            page=page,
        )

    def _label(self, node: int) -> str:
        return hostname(self.job, node)

    def _activity(self, at: float) -> tuple[Activity, float, Activity]:
        """What the GPUs do, since when, and what they did before: as the log's grids see it."""
        if self.inner:
            name: Activity = "validation" if self.inner.phase == "validation" else "checkpoint"
            return name, self.inner.at, "training"
        if self.outer.phase == "launch":
            return self.launching, at, "idle"
        if self.outer.phase == "training":
            return "training", self.outer.at + self.paused, "loading"
        return "export", self.outer.at, "training"

    def _gauge(self, index: int) -> Gauge:
        card, at = self.job.gpu, self._moment
        seen = telemetry.reading(self.job, index, at, *self._activity(at))
        return Gauge(
            busy=seen.utilization / 100,
            memory=seen.memory_mib / card.memory_mib,
            power=seen.power_watts / card.tdp_watts,
            celsius=seen.temperature_c,
            warmth=telemetry.thermal_state(seen.temperature_c),
            gib=seen.memory_mib / 1024,
            watts=seen.power_watts,
        )
