"""Runs in which something breaks: attempts, resumes, and what adds up."""

from functools import cache
from itertools import pairwise
from math import fsum
from typing import Any

import pytest

from llmsim.job.records import Asked, Job
from llmsim.run import cluster, events, labels, slowing
from llmsim.run.events import Event
from llmsim.run.goodput import goodput
from llmsim.run.incident_kinds import KINDS
from llmsim.run.simulation import events as events_of
from llmsim.run.simulation import latest_validation, run_of
from llmsim.run.timeline import Run
from llmsim.telemetry.smi.node import node_at, processes
from tests.incidents.told import job_on
from tests.runs import job_of

DEADLY = [kind.name for kind in KINDS if kind.consequence in ("death", "hang", "stop")]
SLOW = [kind.name for kind in KINDS if kind.consequence == "slow"]
NUMBERS = [kind.name for kind in KINDS if kind.layer == "numerics"]
STOPS = [kind.name for kind in KINDS if kind.consequence == "stop"]
SEEDS = range(2)


def asking(seed: int, kind: str, share: float = 0.6, gpus: int = 16) -> Job:
    """A job in which one incident happens."""
    return job_on(seed, gpus=gpus)._replace(asked=(Asked(kind, "share", share),))


@cache
def run_with(seed: int, kind: str) -> tuple[Run, tuple[Event, ...]]:
    """Its run, and all that happens."""
    run = run_of(asking(seed, kind))
    return run, tuple(events_of(run))


def all_of(kind: type[Event], told: tuple[Event, ...]) -> list[Event]:
    return [event for event in told if isinstance(event, kind)]


@pytest.mark.parametrize("kind", DEADLY)
def test_a_run_goes_on_to_its_summary(kind: str) -> None:
    for seed in SEEDS:
        run, told = run_with(seed, kind)
        assert [type(event) for event in told if not isinstance(event, events.PhaseEnded)][
            -1
        ] is events.Summary, (seed, kind)
        assert all(a.at <= b.at for a, b in pairwise(told)), (seed, kind)
        (label,) = [event for event in told if isinstance(event, events.Incident)]
        (failed,) = [event for event in told if isinstance(event, events.Failed)]
        (restarted,) = [event for event in told if isinstance(event, events.Restarted)]
        assert label.kind == failed.kind == kind, seed
        assert label.at <= label.visible <= label.detected <= failed.at, (seed, kind)
        assert restarted.at == pytest.approx(failed.at + failed.wait, abs=1e-5), (seed, kind)
        assert label.over == pytest.approx(restarted.at, abs=1e-5), (seed, kind)
        assert run.timeline.last().attempt == 2, (seed, kind)


def test_what_is_visible_stands_in_a_stream() -> None:
    """A dying GPU's omens come up to 41 s before it; where nobody could read one, it is none."""
    omens, kinds = 0, [kind for kind in DEADLY if kind not in NUMBERS]
    for seed in range(50):
        for kind in ("gpu-lost", kinds[seed % len(kinds)]):
            run = run_of(asking(seed, kind, share=0.02 + 0.019 * seed))
            told = [event for segment in run.timeline for event in segment.events]
            (label,) = [event for event in told if isinstance(event, events.Incident)]
            lines = [event for event in told if isinstance(event, events.Symptom)]
            assert label.visible == min(event.at for event in lines), (seed, kind)
            assert all(a.at <= b.at for a, b in pairwise(told)), (seed, kind)
            early = [event.at for event in lines if event.name == "aer"]
            assert all(0.0 < label.at - at < 42.0 for at in early), (seed, kind)
            assert len({*early}) == len(early), (seed, kind)
            omens += bool(early)
    assert omens > 10


@pytest.mark.parametrize("kind", DEADLY)
def test_phases_end_in_the_order_in_which_they_began(kind: str) -> None:
    for seed in SEEDS:
        opened: list[str] = []
        for event in run_with(seed, kind)[1]:
            if isinstance(event, events.PhaseStarted):
                opened.append(event.phase)
            elif isinstance(event, events.PhaseCut | events.PhaseEnded):
                assert opened.pop() == event.phase, (seed, kind)
        assert opened == [], (seed, kind)


@pytest.mark.parametrize("kind", DEADLY)
def test_the_last_durable_checkpoint_is_loaded_and_no_other(kind: str) -> None:
    for seed in SEEDS:
        told = run_with(seed, kind)[1]
        (label,) = [event for event in told if isinstance(event, events.Incident)]
        (resumed,) = [event for event in told if isinstance(event, events.Resumed)]
        (failed,) = [event for event in told if isinstance(event, events.Failed)]
        ended = failed.at if kind in STOPS else label.at  # SIGTERM leaves time for a save
        whole = [
            event.step
            for event in told
            if isinstance(event, events.CheckpointSaved) and event.at <= ended
        ]
        assert resumed.step == max(whole, default=0), (seed, kind)
        assert resumed.lost == failed.step - resumed.step, (seed, kind)


@pytest.mark.parametrize("kind", STOPS)
@pytest.mark.long
def test_a_stop_with_enough_grace_loses_no_step(kind: str) -> None:
    """Slurm kills 30 s after a time limit (KillWait); the house dialect handles SIGTERM."""
    orderly = 0
    for seed in range(6):
        told = tuple(events_of(run_of(asking(seed, kind))))
        (label,) = [event for event in told if isinstance(event, events.Incident)]
        (failed,) = [event for event in told if isinstance(event, events.Failed)]
        (resumed,) = [event for event in told if isinstance(event, events.Resumed)]
        names = [event.name for event in told if isinstance(event, events.Symptom)]
        if "sigterm handled" not in names:
            assert resumed.lost > 0, (seed, kind)
            continue
        orderly += 1
        assert resumed.lost == 0, (seed, kind)
        assert resumed.step == failed.step == label.step + 1, (seed, kind)
        saved = [
            event
            for event in told
            if isinstance(event, events.CheckpointSaved) and event.step == resumed.step
        ]
        assert saved, (seed, kind)
        assert label.at < saved[0].at <= failed.at, (seed, kind)
        if kind == "time-limit":
            assert saved[0].at <= label.at + 30.0, seed
    assert orderly > 0


@pytest.mark.parametrize("kind", ["link-flap", "data-stall"])
def test_a_timeline_makes_no_line_of_what_slows_its_steps(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A seek to the middle of a long run goes past hundreds of segments that nobody looks at."""
    labelled: list[str] = []

    def noted(*about: Any) -> events.Incident:
        labelled.append(kind)
        return labels.label_of(*about)

    monkeypatch.setattr(slowing, "label_of", noted)
    timeline = [*run_of(asking(1, kind)).timeline]
    assert any(segment.delays for segment in timeline)
    assert not labelled
    told = [event for segment in timeline for event in segment.events]
    assert labelled == [kind]
    assert [event.kind for event in told if isinstance(event, events.Incident)] == [kind]


@pytest.mark.parametrize("kind", ["straggler", "thermal"])
@pytest.mark.long
def test_a_node_that_slows_all_is_taken_out_by_a_person(kind: str) -> None:
    drained = 0
    for seed in range(8):
        told = tuple(events_of(run_of(asking(seed, kind, gpus=16))))
        (label,) = [event for event in told if isinstance(event, events.Incident)]
        failed = [event for event in told if isinstance(event, events.Failed)]
        drained += len(failed)
        if failed:
            restarted = next(event for event in told if isinstance(event, events.Restarted))
            assert label.over == pytest.approx(restarted.at, abs=1e-5), (seed, kind)
            assert label.at < label.detected < failed[0].at, (seed, kind)
            assert failed[0].kind == kind, seed
    assert (drained == 8) if kind == "straggler" else (0 < drained < 8)


def test_a_slow_file_system_holds_up_a_save_and_no_step() -> None:
    for seed in range(4):
        told = run_with(seed, "slow-fs")[1]
        (label,) = [event for event in told if isinstance(event, events.Incident)]
        started, ended = (
            next(event for event in told
                 if isinstance(event, kind) and event.phase == "checkpoint"
                 and event.at >= label.at - 60.0)
            for kind in (events.PhaseStarted, events.PhaseEnded)
        )  # fmt: skip
        assert started.at <= label.at < label.over <= ended.at + 1e-6, seed
        assert ended.at - started.at >= 130.0, seed


def test_a_half_written_checkpoint_is_never_loaded() -> None:
    for seed in range(4):
        told = tuple(events_of(run_of(asking(seed, "disk-full"))))
        (label,) = [event for event in told if isinstance(event, events.Incident)]
        (resumed,) = [event for event in told if isinstance(event, events.Resumed)]
        begun = [
            event.step
            for event in told
            if isinstance(event, events.CheckpointStarted) and event.at <= label.at
        ]
        assert resumed.step < begun[-1], seed


def steps_of(told: tuple[Event, ...]) -> list[list[events.Step]]:
    """The logged steps of each attempt."""
    attempts: list[list[events.Step]] = [[]]
    for event in told:
        if isinstance(event, events.Restarted):
            attempts.append([])
        elif isinstance(event, events.Step):
            attempts[-1].append(event)
    return attempts


@pytest.mark.parametrize("kind", DEADLY)
def test_steps_come_again_with_the_losses_that_they_had(kind: str) -> None:
    """Learning goes by optimizer steps: a repeated one sees the same batch from the same state."""
    for seed in SEEDS:
        first, second = steps_of(run_with(seed, kind)[1])
        before = {step.step: step for step in first}
        for step in second:
            if step.step in before:
                again = before[step.step]
                assert (step.loss, step.gradient_norm) == (again.loss, again.gradient_norm)
                assert step.learning_rate == again.learning_rate, (seed, kind)
        steps = [step.step for step in second]
        assert steps == sorted(steps), (seed, kind)
        assert second[-1].step == run_with(seed, kind)[0].job.schedule.steps, (seed, kind)


@pytest.mark.parametrize("kind", DEADLY)
def test_the_first_step_of_a_restarted_process_is_slow(kind: str) -> None:
    for seed in SEEDS:
        _, second = steps_of(run_with(seed, kind)[1])
        usual = sorted(step.step_seconds for step in second)[len(second) // 2]
        assert second[0].step_seconds > 1.05 * usual, (seed, kind)


@pytest.mark.parametrize("kind", [*DEADLY, *SLOW])
def test_time_and_steps_add_up(kind: str) -> None:
    for seed in SEEDS:
        run, told = run_with(seed, kind)
        segments = [*run.timeline]
        assert segments[0].began == 0.0
        for one, other in pairwise(segments):
            assert one.ended == other.began, (seed, kind)
        executed = run.job.schedule.first_step - 1
        for segment in segments:
            if segment.kind == "training":
                assert segment.first + segment.repeated == executed + 1, (seed, kind)
                executed += segment.last - segment.first + 1
        resumed = [event for event in told if isinstance(event, events.Resumed)]
        lost = sum(event.lost for event in resumed)
        assert executed == run.job.schedule.steps + lost, (seed, kind)
        summary = told[-2] if isinstance(told[-2], events.Summary) else told[-1]
        assert isinstance(summary, events.Summary)
        account = goodput(run)
        whole = fsum([account.useful, account.lost, account.waiting])
        assert whole == pytest.approx(summary.seconds, abs=1e-3), (seed, kind)
        assert summary.attempts == segments[-1].attempt, (seed, kind)


@pytest.mark.parametrize("seed", [3, 8, 13])
def test_steps_that_are_lost_before_a_launch_fails_are_run_again(seed: int) -> None:
    """The next attempt that loads a checkpoint says so: it once said that none were lost."""
    run = run_of(job_of(seed, dialect="nanogpt", gpus=1, incidents="chaos", steps=60))
    told = tuple(events_of(run))
    failed = [event for event in told if isinstance(event, events.Failed)]
    assert any(event.kind == "init-fail" for event in failed), seed
    executed = sum(
        segment.last - segment.first + 1 for segment in run.timeline if segment.kind == "training"
    )
    lost = sum(event.lost for event in told if isinstance(event, events.Resumed))
    assert executed == 60 + lost, seed


@pytest.mark.parametrize("kind", SLOW)
def test_what_nobody_dies_of_only_takes_time(kind: str) -> None:
    for seed in SEEDS:
        told = run_with(seed, kind)[1]
        usual = tuple(events_of(run_of(job_on(seed, gpus=16))))
        assert len(all_of(events.Incident, told)) == 1, (seed, kind)
        assert all_of(events.Failed, told) == [], (seed, kind)
        assert told[-1].at > usual[-1].at, (seed, kind)
        (slow,) = steps_of(told)
        (normal,) = steps_of(usual)
        assert [each.loss for each in slow] == [each.loss for each in normal], (seed, kind)


@pytest.mark.parametrize("kind", ["nccl-timeout", "disk-full", "link-flap", "init-fail", "preempt"])
@pytest.mark.long
def test_from_any_moment_on_the_rest_is_the_same(kind: str) -> None:
    for seed in SEEDS:
        run, told = run_with(seed, kind)
        (label,) = [event for event in told if isinstance(event, events.Incident)]
        end = told[-1].at
        moments = [0.2 * end, label.at - 1.0, label.at, label.visible, label.over - 0.5, label.over]
        moments += [label.over + 30.0, 0.5 * (label.over + end), end]
        for since in moments:
            tail = tuple(event for event in told if event.at >= since)
            assert tuple(events_of(run_of(run.job), since)) == tail, (seed, kind, since)


@pytest.mark.transcripts  # 24 whole runs each
@pytest.mark.parametrize("level", ["typical", "chaos"])
def test_until_something_breaks_a_run_is_as_it_was(level: str) -> None:
    broken = 0
    for seed in range(12):
        usual = tuple(events_of(run_of(job_on(seed, gpus=16))))
        told = tuple(events_of(run_of(job_on(seed, gpus=16)._replace(incidents=level))))
        labels = [event for event in told if isinstance(event, events.Incident)]
        first = labels[0].at if labels else float("inf")
        before = tuple(event for event in told if event.at < first)
        ends = (events.PhaseCut, events.PhaseEnded)
        started = [each for each in before if not isinstance(each, ends)]
        same = {(type(each), each) for each in usual}
        # An interval that the fault cuts has a move of its bar of its own.
        odd = [each for each in started if (type(each), each) not in same]
        assert all(isinstance(each, events.Progress | events.PhaseStarted) for each in odd), seed
        assert len(odd) <= 6, (seed, odd)
        broken += bool(labels)
    assert broken > 6


def test_no_validation_is_shown_that_the_model_has_not_reached() -> None:
    """A rollback shows the step number going back, and the curve and its marks with it."""
    hidden = 0
    for seed in range(4):
        # Between a validation, every 500 steps, and the save after it, every 1,000.
        run = run_of(asking(seed, "cuda-oom", share=0.66))
        told = tuple(events_of(run))
        resumed = next(event for event in told if isinstance(event, events.Resumed))
        earlier = [event.step for event in told
                   if isinstance(event, events.Validated) and event.at < resumed.at]  # fmt: skip
        shown = latest_validation(run, resumed.at - 1.0)
        assert shown == max((each for each in earlier if each <= resumed.step), default=0), seed
        hidden += shown < max(earlier, default=0)
    assert hidden


@pytest.mark.long
def test_chaos_ends_with_a_summary_all_the_same() -> None:
    for seed in range(4):
        run = run_of(job_on(seed, gpus=64)._replace(incidents="chaos"))
        *_, summary, _ = events_of(run)
        assert isinstance(summary, events.Summary), seed
        assert summary.attempts == run.timeline.last().attempt, seed


def test_a_restart_has_processes_of_its_own() -> None:
    for seed in SEEDS:
        told = run_with(seed, "hbm-ecc")[1]
        joined = [event.process for event in told if isinstance(event, events.RankJoined)]
        half = len(joined) // 2
        assert set(joined[:half]).isdisjoint(joined[half:]), seed


def test_a_host_that_is_not_booted_counts_its_processes_upwards() -> None:
    """kernel/pid.c hands out ids in turn, up to kernel.pid_max: 2^22 where systemd sets it."""
    for seed in SEEDS:
        for node in (0, 1):
            job = job_on(seed)
            ids = [cluster.worker(job._replace(attempt=each), 8 * node) for each in range(1, 60)]
            assert ids == sorted(set(ids)), (seed, node)
            assert max(ids) < 4_194_304, (seed, node)


@pytest.mark.parametrize("kind", ["hbm-ecc", "nccl-timeout"])
def test_an_outage_begins_without_processes(kind: str) -> None:
    """The launcher has said how its workers ended: their contexts are gone with them."""
    run = run_with(SEEDS[0], kind)[0]
    outage = next(each for each in run.timeline if each.kind == "outage")
    for node in (0, 1):
        assert not processes(node_at(run, node, outage.began)), node


# Runs in which a save in the background ended between the last whole step and the fault.
JUST_SAVED = ((11, "nemo", "node-fail@50%"), (17, "nemo", "node-fail@50%"),
              (38, "torchtitan", "preempt@50%"), (47, "nemo", "node-fail@50%"))  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize(("seed", "dialect", "incident"), JUST_SAVED)
def test_a_checkpoint_that_is_loaded_has_been_reported_as_whole(
    seed: int, dialect: str, incident: str
) -> None:
    """A half-written checkpoint is never loaded, and no whole one comes from nowhere."""
    gpu = "NVIDIA H100 80GB HBM3"
    run = run_of(job_of(seed, dialect=dialect, gpu=gpu, gpus=16, incident=(incident,)))
    told = list(events_of(run))
    saved = {each.step: each.at for each in told if isinstance(each, events.CheckpointSaved)}
    (failed,) = [each for each in told if isinstance(each, events.Failed)]
    *_, loaded = [each for each in told if isinstance(each, events.Resumed)]
    assert saved[loaded.step] < failed.at < loaded.at
    assert [each.at for each in told] == sorted(each.at for each in told)
