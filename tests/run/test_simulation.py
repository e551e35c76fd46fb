"""Runs at full speed: every number agrees with every other (docs/physics.md section 2)."""

from functools import lru_cache
from itertools import accumulate, pairwise
from math import ceil, cos, exp, fsum, isclose, log, pi, sqrt

import pytest

from llmsim.job.milestones import steps_per_epoch
from llmsim.job.records import Job, batch_tokens
from llmsim.physics import noise
from llmsim.physics.hardware import allocator, memory
from llmsim.physics.learning import (
    epochs,
    gradient,
    learning_rate,
    loss,
    metrics,
    objectives,
)
from llmsim.physics.speed import jitter, step_time, throughput
from llmsim.run import events
from tests.runs import Run, job_of, many_runs, run_of

NESTED = ("validation", "checkpoint")


@pytest.fixture(scope="module", params=[12, pytest.param(200, marks=pytest.mark.transcripts)])
def runs(request: pytest.FixtureRequest) -> tuple[Run, ...]:
    """The runs of a dozen seeds; all two hundred with the other whole runs."""
    return many_runs(request.param)


@pytest.fixture(scope="module")
def all_runs() -> tuple[Run, ...]:
    """Enough runs for what only some of them have."""
    return many_runs()


@pytest.fixture(scope="module")
def pretraining(runs: tuple[Run, ...]) -> list[Run]:
    return [run for run in runs if run.job.recipe.name == "pretrain"]


def flops_per_token(job: Job) -> float:
    """6 N + 12 L H Q T, twice this without gradients of frozen weights; see torchtitan."""
    config = job.architecture
    if config.family == "gpt2":
        norm = config.hidden_size * (1 + config.biases)
        block = 12 * config.hidden_size**2 + 9 * config.hidden_size * config.biases + 2 * norm
        weights = config.layers * block + norm + 50_304 * config.hidden_size
    else:
        vocabulary = config.vocabulary * config.hidden_size
        block = 2 * config.hidden_size * config.head_dim * (config.heads + config.kv_heads)
        block += (
            3 * config.active_experts * config.hidden_size * config.feed_forward
            + 2 * config.hidden_size
        )
        block += config.hidden_size * config.experts * (config.experts > 1)
        weights = config.layers * block + config.hidden_size + vocabulary
    attention = 2 * config.layers * config.heads * config.head_dim * job.schedule.sequence
    forwards = 2 if job.recipe.adapter_rank else 4 if job.recipe.reference else 3
    return forwards * (2.0 * weights + 2.0 * attention)


def batches(job: Job) -> list[int]:
    """Sequences of the steps 1, 2, 3 ..., counted out: of full batches."""
    schedule = job.schedule
    found = [schedule.global_batch] * schedule.steps
    for stage in schedule.ramp:
        found[stage.first - 1 :] = [stage.batch] * (schedule.steps - stage.first + 1)
    return found


@lru_cache(maxsize=4)
def tokens_after(job: Job) -> list[int]:
    """Tokens after the steps 0, 1, 2 ..., added up."""
    if job.recipe.generates:  # prompts and answers are as long as they are
        steps = range(1, job.schedule.steps + 1)
        return [0, *(int(dict(metrics.metrics(job, step))["num_tokens"]) for step in steps)]
    return [n * job.schedule.sequence for n in accumulate(taken(job), initial=0)]


def taken(job: Job) -> list[int]:
    """Sequences of the steps 1, 2, 3 ..., as the Trainer takes them from its data: the last step
    of an epoch has the micro-batches that are left (trainer.py of transformers 5.23.0, _run_epoch).
    """
    full = batches(job)
    if not job.framework.takes_rest or not job.dataset.rows or job.recipe.generates:
        return full
    pairs = max(1, job.recipe.row_sequences)
    rows = epochs.samples(job)  # rows of the data set, or packed sequences
    micro = job.schedule.global_batch // job.layout.accumulation
    batches_left, made = 0, []
    for _ in full:
        batches_left = batches_left or ceil(rows * pairs / micro)
        now = min(batches_left, job.layout.accumulation)
        batches_left -= now
        made.append(now * micro)
    return made


@lru_cache(maxsize=4)
def sequences_after(job: Job) -> list[int]:
    """Sequences after the steps 0, 1, 2 ..., added up, of full batches: the schedule's progress."""
    return list(accumulate(batches(job), initial=0))


def expected_rate(job: Job, step: int) -> float:
    """By steps, or by sequences where the batch grows: then in full batches.

    transformers' schedules begin with lambda(0), so that they are a step behind, and MaxText's
    with step 0.
    """
    schedule = job.schedule
    after, full = sequences_after(job), schedule.global_batch
    step -= job.framework.name in ("hf", "trl", "maxtext")
    now, steps = after[step] / full, max(after[-1] / full, schedule.horizon)
    if now <= schedule.warmup:
        return schedule.peak_lr * now / schedule.warmup
    done = (now - schedule.warmup) / (steps - schedule.warmup)
    left = {
        "linear": 1 - done,
        "cosine": (1 + cos(pi * done)) / 2,
        "wsd": 1 - sqrt(max(0.0, done - 0.8) / 0.2),
    }[schedule.decay]
    return schedule.final_lr + (schedule.peak_lr - schedule.final_lr) * left


def test_time_never_goes_back(runs: tuple[Run, ...]) -> None:
    for run in runs:
        times = [event.at for event in run.events]
        assert times == sorted(times), run.job.seed
        assert times[0] == 0


def test_five_phases_follow_each_other_and_two_nest_in_training(runs: tuple[Run, ...]) -> None:
    for run in runs:
        outer: list[str] = []
        open_phases: list[str] = []
        for event in run.events:
            if isinstance(event, events.PhaseStarted):
                assert open_phases in ([], ["training"])
                assert bool(open_phases) == (event.phase in NESTED)
                open_phases.append(event.phase)
                outer += [event.phase] if event.phase not in NESTED else []
            elif isinstance(event, events.PhaseEnded):
                assert open_phases.pop() == event.phase
            else:
                assert open_phases, event
        assert outer == ["launch", "training", "export"]
        assert {"validation", "checkpoint"} <= {e.phase for e in run.all(events.PhaseEnded)}


def test_phases_take_as_long_as_they_announce(runs: tuple[Run, ...]) -> None:
    for run in runs:
        started: list[events.PhaseStarted] = []
        nested = 0.0
        for event in run.events:
            if isinstance(event, events.PhaseStarted):
                started.append(event)
            elif isinstance(event, events.PhaseEnded):
                begun = started.pop()
                took = event.at - begun.at
                nested += took if event.phase in NESTED else 0
                if event.phase == "training":
                    assert took - nested == pytest.approx(begun.own_seconds, rel=0.05)
                else:
                    assert took == pytest.approx(begun.own_seconds, abs=1e-5)


def test_between_logged_steps_passes_the_time_that_they_took(runs: tuple[Run, ...]) -> None:
    for run in runs:
        before, since, spent = run.job.schedule.first_step - 1, 0.0, 0.0
        done = sequences_after(run.job)
        earlier = done[before]
        for event in run.events:
            if isinstance(event, events.PhaseStarted | events.PhaseEnded):
                since = event.at
            elif isinstance(event, events.Step):
                steps = event.step - before
                took = event.step_seconds * steps
                assert event.at - since == pytest.approx(took, abs=2e-6), run.job.seed
                spent += took
                mean = spent / (done[event.step] - earlier)
                left = done[-1] - done[event.step]
                assert event.remaining == pytest.approx(left * mean, rel=1e-6)
                before, since = event.step, event.at


def test_rates_follow_from_tokens_time_and_the_model(runs: tuple[Run, ...]) -> None:
    for run in runs:
        job = run.job
        tokens = tokens_after(job)
        peak = job.layout.gpus * job.gpu.tflops * 1e12
        flops = flops_per_token(job)
        for step in run.all(events.Step):
            assert step.tokens == tokens[step.step]
            mean = (step.tokens - tokens[step.previous]) / (step.step - step.previous)
            seconds = step.step_seconds * (step.step - step.previous)
            sequences = sum(taken(job)[step.previous : step.step])
            assert isclose(step.tokens_per_second, mean / step.step_seconds)
            assert isclose(step.samples_per_second, sequences / seconds)
            if not job.architecture.latent_width:
                assert isclose(step.mfu, step.tokens_per_second * flops / peak)
            # The formula counts the half of attention that a causal kernel leaves out.
            assert 0 < step.mfu < 0.9


@pytest.mark.transcripts
def test_a_batch_grows_between_logged_steps_and_is_told() -> None:
    """As Megatron's does in some of its large pretrainings."""
    seeds = [seed for seed in range(200) if job_of(seed, dialect="megatron").schedule.ramp]
    assert 0.01 <= len(seeds) / 200 < 0.25
    for run in (run_of(seed, dialect="megatron") for seed in seeds[:6]):
        sizes = batches(run.job)
        told = {event.step: event for event in run.all(events.BatchGrew)}
        grown = {step: pair for step, pair in enumerate(pairwise(sizes), 2) if pair[0] != pair[1]}
        assert {step: (told[step].before, told[step].after) for step in told} == grown
        assert {event.step for event in run.all(events.Step)} >= {step - 1 for step in grown}
        assert {event.step for event in run.all(events.CheckpointSaved)} >= {s - 1 for s in grown}
        layout = run.job.layout
        for event in told.values():
            assert event.after == layout.dp * layout.micro_batch * event.accumulation


def test_memory_fits_into_the_gpu(runs: tuple[Run, ...]) -> None:
    for run in runs:
        for step in run.all(events.Step):
            assert 0 < step.allocated <= step.reserved <= step.capacity
            assert step.capacity < run.job.gpu.memory_mib * 2**20
        planned = run.only(events.MemoryPlanned)
        assert planned.allocated <= sum(planned.expected) <= planned.capacity


def test_the_learning_rate_is_that_of_the_schedule(runs: tuple[Run, ...]) -> None:
    for run in runs:
        for step in run.all(events.Step):
            assert isclose(step.learning_rate, expected_rate(run.job, step.step), abs_tol=1e-15)


def test_steps_are_logged_at_the_first_and_at_each_interval(runs: tuple[Run, ...]) -> None:
    for run in runs:
        schedule = run.job.schedule
        logged = [step.step for step in run.all(events.Step)]
        due = {1, *range(schedule.log_every, schedule.steps + 1, schedule.log_every)}
        assert logged == sorted(step for step in due if step >= schedule.first_step)
        epochs = [step.epoch for step in run.all(events.Step)]
        assert epochs == [-(-step // steps_per_epoch(run.job)) for step in logged]


def test_epochs_start_and_end_once_and_in_order(runs: tuple[Run, ...]) -> None:
    for run in runs:
        seen = [e for e in run.events if isinstance(e, events.EpochStarted | events.EpochEnded)]
        order = [(type(event), event.epoch) for event in seen]
        epochs = range(1, run.job.schedule.epochs + 1)
        both = (events.EpochStarted, events.EpochEnded)
        whole = [(kind, epoch) for epoch in epochs for kind in both]
        # A part of an epoch has neither its beginning nor its end, or one of them.
        begins = run.job.schedule.first_step > 1
        ends = run.job.schedule.horizon > run.job.schedule.steps
        assert order == whole[begins : len(whole) - ends]
        for started, ended in zip(seen[begins::2], seen[1 + begins :: 2], strict=False):
            assert isinstance(ended, events.EpochEnded)
            assert ended.seconds == pytest.approx(ended.at - started.at, abs=1e-5)


def test_validation_comes_at_its_interval_and_at_the_end(runs: tuple[Run, ...]) -> None:
    for run in runs:
        schedule = run.job.schedule
        every = run.all(events.Validated)
        validated = [event for event in every if not event.part]
        name = run.job.framework.name
        multiples = range(schedule.validate_every, schedule.steps + 1, schedule.validate_every)
        at_intervals = [step for step in multiples if step >= schedule.first_step]
        at_end = [schedule.steps] if run.job.framework.validates_end else []
        first = [step for step in (1,) if step >= schedule.first_step]
        ends = {"torchtitan": first, "maxtext": [], "megatron": []}.get(name, at_end)
        due = {*at_intervals, *ends}
        assert [event.step for event in validated] == sorted(due)
        parts = ["validation", "test"] if name == "megatron" else []
        assert [event.part for event in every if event.part] == parts
        best = float("inf")
        for event in validated:
            best = min(best, event.loss)
            assert event.perplexity == exp(event.loss)
            assert event.best == best
            full = schedule.validation_batches * batch_tokens(run.job)
            assert event.tokens == full or (run.job.recipe.generates and event.tokens < full)


def test_validation_loss_has_no_noise_of_steps(pretraining: list[Run]) -> None:
    for run in pretraining:
        losses = [event.loss for event in run.all(events.Validated) if not event.part]
        assert all(after < before + 0.003 for before, after in pairwise(losses)), run.job.seed


def test_loss_starts_at_chance_and_never_falls_below_its_floor(pretraining: list[Run]) -> None:
    for run in pretraining:
        floor = objectives.curve_of(run.job).floor
        losses = [step.loss for step in run.all(events.Step)]
        assert floor >= 1.0
        assert min(losses) >= floor
        if run.job.schedule.first_step > 1:
            continue
        assert 0 <= losses[0] - log(run.job.architecture.vocabulary) <= 0.8
        assert losses[-1] < 0.6 * losses[0]


def test_progress_goes_forward_and_ends_at_its_total(runs: tuple[Run, ...]) -> None:
    for run in runs:
        bars: dict[tuple[str, str], events.Progress] = {}
        for event in run.all(events.Progress):
            key = event.task, event.label
            last = bars.get(key)
            if last is not None and last.done < last.total:
                assert last.done <= event.done <= event.total == last.total
                assert last.elapsed <= event.elapsed
            assert event.elapsed >= 0
            bars[key] = event
        stops = run.job.schedule.horizon > run.job.schedule.steps  # within an epoch
        ended = {bar.task for bar in bars.values() if bar.done == bar.total}
        unfinished = {bar.task for bar in bars.values()} - ended
        assert unfinished == ({"epoch"} if stops else set())
        prepared = {"download", "tokenize"} if run.job.schedule.first_step == 1 else set()
        assert {*prepared, "epoch", "validation", "checkpoint", "consolidate"} <= {
            task for task, _ in bars
        }


def test_loading_weights_is_a_task_of_its_own(runs: tuple[Run, ...]) -> None:
    for run in runs:
        bars = {(bar.task, bar.total) for bar in run.all(events.Progress)}
        sizes = {loaded.size for loaded in run.all(events.WeightsLoaded)}
        assert {total for task, total in bars if task == "load"} == sizes, run.job.seed
        fresh = run.job.schedule.first_step == 1  # the data of the others is there
        assert len([task for task, _ in bars if task == "download"]) == fresh, run.job.seed
    assert {bool(run.all(events.WeightsLoaded)) for run in runs} == {True, False}


def test_the_summary_agrees_with_the_run(runs: tuple[Run, ...]) -> None:
    for run in runs:
        job, steps, told = run.job, run.all(events.Step), run.only(events.Summary)
        first = job.schedule.first_step
        validated = [event for event in run.all(events.Validated) if not event.part]
        begun, *_, ended = (
            e for e in run.events
            if isinstance(e, events.PhaseStarted | events.PhaseEnded) and e.phase == "training"
        )  # fmt: skip
        in_steps = fsum(
            after.step_seconds * (after.step - before)
            for before, after in zip(
                [first - 1, *(step.step for step in steps)], steps, strict=False
            )
        )
        assert run.events[-2] is told
        own = steps[-1].tokens - tokens_after(job)[first - 1]
        assert (told.steps, told.tokens) == (job.schedule.steps, own)
        assert (told.first_loss, told.final_loss) == (loss.training(job, first), steps[-1].loss)
        assert told.best_validation == min(event.loss for event in validated)
        assert told.final_validation == validated[-1].loss
        assert told.perplexity in (None, validated[-1].perplexity)
        assert told.seconds == told.at
        assert told.gpu_hours == told.at * job.layout.gpus / 3600
        assert told.training_seconds == pytest.approx(ended.at - begun.at, abs=1e-5)
        assert told.tokens_per_second == pytest.approx(told.tokens / in_steps)
        peak = job.layout.gpus * job.gpu.tflops * 1e12
        if not job.architecture.latent_width:  # whose weights tests/model counts
            assert told.mfu == pytest.approx(told.tokens_per_second * flops_per_token(job) / peak)
        assert told.checkpoints == len(run.all(events.CheckpointSaved))


def test_a_step_is_the_same_when_asked_for_alone(runs: tuple[Run, ...]) -> None:
    cached = [
        function
        for module in (jitter, memory, noise, throughput)
        for function in vars(module).values()
        if hasattr(function, "cache_clear")
    ]
    for run in runs[::20]:
        for step in reversed(run.all(events.Step)[::50]):
            for function in cached:
                function.cache_clear()
            job, number = run.job._replace(), step.step  # a copy remembers nothing
            assert gradient.norm(job, number) == step.gradient_norm
            assert loss.training(job, number) == step.loss
            assert learning_rate.learning_rate(job, number) == step.learning_rate
            assert allocator.reserved(job, number) == step.reserved
            assert objectives.tokens(job, 1, number) == step.tokens
            assert metrics.metrics(job, number) == step.metrics
            # The first step of a part warms up, which a step alone does not know.
            if step.previous >= job.schedule.first_step or job.schedule.first_step == 1:
                took = step_time.interval_seconds(job, step.previous + 1, number)
                assert took / (number - step.previous) == step.step_seconds


@pytest.mark.transcripts
def test_a_save_in_the_background_lets_training_go_on(all_runs: tuple[Run, ...]) -> None:
    saving = [run for run in all_runs if run.job.background_saves]
    assert 0.2 < len(saving) / len(all_runs) < 0.5
    for run in saving:
        last = run.job.schedule.steps
        starts = {e.step: e.at for e in run.events if isinstance(e, events.CheckpointStarted)}
        staged = {e.step: e.at for e in run.events if isinstance(e, events.CheckpointStaged)}
        saved = {e.step: e for e in run.events if isinstance(e, events.CheckpointSaved)}
        assert starts.keys() == saved.keys() == {*staged, last}
        for step, at in staged.items():
            assert starts[step] < at
            # noticed when it is durable, or when a validation that came between has ended
            assert saved[step].at >= starts[step] + saved[step].seconds - 1e-6
