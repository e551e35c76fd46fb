"""What the phases tell: nodes and ranks, GPUs, collectives, checkpoints, the export."""

from collections import defaultdict
from math import fsum
from statistics import fmean, pstdev

import pytest

from llmsim.job.recipes import RECIPES
from llmsim.run import events
from llmsim.run.cluster import hostname
from tests.runs import Run, many_runs, run_of

# What says how long the training has been going on; of bars, an epoch's do.
CLOCKED = (events.Step, events.Validated, events.CheckpointStaged, events.CheckpointSaved)


@pytest.fixture(scope="module", params=[12, pytest.param(200, marks=pytest.mark.transcripts)])
def runs(request: pytest.FixtureRequest) -> tuple[Run, ...]:
    """The runs of a dozen seeds; all two hundred with the other whole runs."""
    return many_runs(request.param)


@pytest.mark.long
def test_checkpoints_are_saved_and_deleted_in_turn(runs: tuple[Run, ...]) -> None:
    for run in runs:
        schedule = run.job.schedule
        # Frameworks that count steps from 0 save at every multiple of the interval, 0 among them.
        first = 1 if run.job.framework.name == "maxtext" else schedule.save_every
        due = {*range(first, schedule.steps + 1, schedule.save_every), schedule.steps}
        due |= {stage.first - 1 for stage in schedule.ramp[1:]}  # before the batch grows
        saved = run.all(events.CheckpointSaved)
        due = {step for step in due if step >= schedule.first_step}
        assert [event.step for event in saved] == sorted(due)
        kept: dict[str, int] = {}
        if schedule.first_step > 1:  # the one that it goes on from, and the one before it
            goes = run.all(events.CheckpointDeleted)[:2]
            kept = {event.path: saved[0].size for event in goes}
        for event in run.events:
            if isinstance(event, events.CheckpointSaved):
                kept[event.path] = event.size
                assert event.seconds > 0
            elif isinstance(event, events.CheckpointDeleted):
                assert kept.pop(event.path) == event.size
                assert len(kept) == 2
        assert saved[-1].path in kept
        assert len(kept) == min(2, len(saved))


def test_the_exported_shards_add_up(runs: tuple[Run, ...]) -> None:
    for run in runs:
        started, summary = run.only(events.ExportStarted), run.only(events.Summary)
        shards = [event.shard for event in run.all(events.ShardWritten)]
        assert started.size == summary.exported == run.only(events.Consolidated).size
        assert len(shards) == (started.shards if started.shards <= 8 else 0)
        if shards:
            assert sum(shard.size for shard in shards) == started.size
        if not run.job.recipe.adapter_rank:
            weights = 2 * run.only(events.ModelBuilt).parameters
            assert weights < started.size < weights * 1.001 + 1e6


def test_a_launch_tells_things_in_the_order_in_which_they_can_be_known(
    runs: tuple[Run, ...],
) -> None:
    data, model = (events.DatasetReady,), (events.ModelBuilt, events.ModelSharded)
    begins = (
        events.Launched,
        events.Rendezvous,
        events.NodeDetected,
        events.RankJoined,
        events.RanksJoined,
        events.BackendReady,
        events.MeshBuilt,
        events.TokenizerLoaded,
    )
    ends = (
        events.Broadcast,
        events.MemoryPlanned,
        events.TrainerReady,
    )
    for run in runs:
        # A part of a run begins in the middle of an epoch.
        part = run.job.schedule.first_step > 1
        steps = (events.Step,) if part else (events.EpochStarted, events.Step)
        kinds = [type(event) for event in run.events]
        # Hugging Face's scripts load the model between the data's download and its preparation.
        between = (*model, *data) if run.job.framework.model_first else (*data, *model)
        order = (*begins, *between, *ends, *steps)
        first = [kinds.index(kind) for kind in order]
        assert first == sorted(first)
        assert all(kind in kinds for kind in order)


def test_ranks_and_nodes_report_in_order(runs: tuple[Run, ...]) -> None:
    for run in runs:
        job, size = run.job, run.job.layout.gpus // run.job.layout.nodes
        ranks, nodes = run.all(events.RankJoined), run.all(events.NodeDetected)
        untold = run.only(events.RanksJoined).summarized
        assert [rank.rank for rank in ranks] == list(range(job.layout.gpus - untold))
        assert [node.node for node in nodes] == list(range(min(8, job.layout.nodes)))
        assert all(node.gpus == size for node in nodes)
        for rank in ranks:
            assert rank.hostname == hostname(job, rank.rank // size)
            assert rank.local_rank == rank.rank % size
        processes = {(rank.hostname, rank.process) for rank in ranks}
        addresses = {(rank.hostname, rank.bus) for rank in ranks}
        assert len(processes) == len(addresses) == len(ranks)
        if any(rank.hostname != ranks[0].hostname for rank in ranks):
            assert len({rank.bus for rank in ranks}) == size  # nodes are built alike


def test_collectives_take_a_part_of_the_step(runs: tuple[Run, ...]) -> None:
    for run in runs:
        for told in run.all(events.Collectives):
            assert bool(told.transfers) == (run.job.layout.gpus > 1)
            assert fsum(transfer.exposed for transfer in told.transfers) < told.step_seconds
            for transfer in told.transfers:
                assert 0 <= transfer.exposed <= transfer.seconds
                assert 2 <= transfer.ranks <= run.job.layout.gpus


def test_gpus_stay_within_their_limits_differ_and_move_together(runs: tuple[Run, ...]) -> None:
    for run in runs:
        powers = defaultdict(list)
        gpu = run.job.gpu
        for status in run.all(events.Status):
            assert bool(status.gpus) == (run.job.layout.gpus <= 64)
            for reading in status.gpus:
                assert 0 <= reading.utilization <= 100
                assert 0 < reading.memory_mib <= gpu.memory_mib
                assert 20 <= reading.temperature_c <= 95
                # An A100's readings go up to 440 of its 400 W.
                assert 0 < reading.power_watts <= 1.1 * gpu.tdp_watts + 1
                powers[reading.index].append(reading.power_watts)
            drawn = [reading.power_watts for reading in status.gpus]
            if len(drawn) > 1:
                # Two idle ones may draw as many whole watts.
                assert len(set(drawn)) > 1 or len(drawn) == 2
                # The nodes of a fine-tuning wait for their hosts, each for its own.
                waits = 0.1 if run.job.recipe.relative else 0.25
                assert pstdev(drawn) < waits * fmean(drawn)
        for before, *training, after in powers.values():
            assert min(training) > before > 0
            assert min(training) > after > 0


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.long
def test_benchmarks_come_at_the_end_and_when_asked_for(recipe: str) -> None:
    plain, asked = (
        run_of(3, dialect="pytorch", recipe=recipe, evaluate=asked) for asked in (False, True)
    )
    steps = plain.job.schedule.steps
    assert [event.step for event in plain.all(events.Evaluated)] == [steps]
    validated, told = asked.all(events.Validated), asked.all(events.Evaluated)
    assert [event.step for event in told] == [event.step for event in validated]
    assert told[-1].scores == plain.only(events.Evaluated).scores
    for before, event in zip(validated[:-1], told, strict=False):
        assert event.at == pytest.approx(before.at + event.seconds)
    # What is asked for changes nothing but the time.
    losses = [[step.loss for step in run.all(events.Step)] for run in (plain, asked)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.long
def test_what_says_how_long_the_training_lasts_counts_from_its_beginning(seed: int) -> None:
    asked: tuple[dict[str, object], ...] = ({}, {"dialect": "hf"}, {"evaluate": True})
    for options in asked:
        run = run_of(seed, **options)
        began = next(e.at for e in run.all(events.PhaseStarted) if e.phase == "training")
        ended = next(e for e in run.all(events.PhaseEnded) if e.phase == "training")
        told = [event for event in run.events if isinstance(event, CLOCKED)]
        bars = [event for event in run.all(events.Progress) if event.task == "epoch"]
        assert told
        assert bars
        for event in (*told, *bars):
            assert event.training_seconds == pytest.approx(event.at - began)
        assert ended.lasted == pytest.approx(ended.at - began)
        for end in (run.only(events.Exported), run.only(events.Summary)):
            assert end.training_seconds == pytest.approx(ended.lasted)
