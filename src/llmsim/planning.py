"""plan(options): draws a job from the seed and checks that it fits.

What the options leave open is drawn again and again (each draw has its own index) until
model, data set, GPU and cluster suit each other; what they force is taken as it is, and
refused with the arithmetic when it cannot fit.
"""

from collections.abc import Callable
from math import ceil, exp, log
from typing import NamedTuple

from llmsim import catalog, naming
from llmsim.architecture import Architecture, parameter_count, shape_for
from llmsim.catalog import Dataset, Gpu, Model
from llmsim.job import Job, Layout, Schedule, Software
from llmsim.layout import fitting_layout
from llmsim.options import MOST_GPUS, Options, command
from llmsim.physics import compute, memory, noise, schedule

# Draws before an odd but possible combination is taken.
DRAWS = 60

# Auto-sized clusters; a model that is asked for by name may need more.
CLUSTERS = (8, 16, 32, 64)

# A run shows about this many logged steps.
LOGGED_STEPS = 210
# and about this many validations; after every other one a checkpoint is saved.
VALIDATIONS = 8
WARMUP_PART = 0.03

# Auto-planned runs end within four days and take at least this long per step.
LONGEST_RUN_SECONDS = 4 * 86_400
SHORTEST_STEP_SECONDS = 0.1

# Steps are drawn log-uniformly from this range, where data and time allow.
FEWEST_STEPS, MOST_STEPS = 1500, 8000

# Passes over the data up to which repeated tokens are worth nearly as much as fresh ones
# (Muennighoff et al. 2023, "Scaling data-constrained language models").
MOST_EPOCHS = 4

SMALLEST_MODEL = 20_000_000
NOT_FOR_PRETRAINING = ("chat", "preference")
ROUND_NUMBERS = (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 2500, 5000, 10_000)


class PlanError(ValueError):
    """Options that no job satisfies; says why, with the arithmetic."""


class _Draft(NamedTuple):
    """One draw: what trains on what, before the schedule."""

    model: Model
    shape: Architecture
    dataset: Dataset
    gpu: Gpu
    layout: Layout


def plan(options: Options) -> Job:
    """The job that the options and their seed name. `seed` and `start` must be set.

    Raises PlanError or CatalogError, a sentence that says what would be right.
    """
    if options.seed is None or options.start is None:
        raise PlanError("plan() needs a seed and a start: the host draws them.")
    refusal: PlanError | None = None
    odd: Job | None = None
    for index in range(DRAWS):
        try:
            job = _job(options, _draft(options, index), index)
        except PlanError as error:
            refusal = error
            continue
        if _sensible(job, options):
            return job
        odd = odd or job
    if odd is not None:
        return odd
    raise refusal or PlanError("nothing fits.")


def _draft(options: Options, index: int) -> _Draft:
    seed = options.seed or 0
    model = (
        noise.pick(seed, "plan/model", catalog.models(), index)
        if options.model == "auto"
        else catalog.model_named(options.model)
    )
    if model.parameters < SMALLEST_MODEL:
        raise PlanError(f"--model {model.name} is too small: give a size of 20M or more.")
    dataset = (
        noise.pick(seed, "plan/dataset", _pretraining_data(), index)
        if options.dataset == "auto"
        else catalog.dataset_named(options.dataset)
    )
    gpu = (
        noise.pick(seed, "plan/gpu", catalog.gpus(), index)
        if options.gpu == "auto"
        else catalog.gpu_named(options.gpu)
    )
    shape = shape_for(model.parameters, model.active_parameters, model.experts)
    layout = _cluster(options, model, shape, gpu, noise.bits(seed, "plan/cluster", index))
    return _Draft(model, shape, dataset, gpu, layout)


def _pretraining_data() -> tuple[Dataset, ...]:
    return tuple(d for d in catalog.datasets() if d.kind not in NOT_FOR_PRETRAINING)


def _cluster(
    options: Options, model: Model, shape: Architecture, gpu: Gpu, draw: int
) -> Layout:
    """A layout on as many GPUs as asked for; else on one of the small clusters that fit."""
    batch = wanted_sequences(shape)
    if options.gpus:
        layout = fitting_layout(shape, gpu, options.gpus, batch)
        if layout is None:
            raise PlanError(_refusal(model, shape, gpu, options.gpus))
        return layout
    layouts = [fitting_layout(shape, gpu, gpus, batch) for gpus in CLUSTERS]
    fitting = [layout for layout in layouts if layout]
    if fitting:
        return fitting[draw % len(fitting)]
    if options.model != "auto":
        gpus = CLUSTERS[-1]
        while (gpus := gpus * 2) <= MOST_GPUS:
            if layout := fitting_layout(shape, gpu, gpus, batch):
                return layout
    raise PlanError(_refusal(model, shape, gpu, MOST_GPUS if options.model != "auto" else 64))


def _refusal(model: Model, shape: Architecture, gpu: Gpu, gpus: int) -> str:
    """Why this model cannot train on these GPUs, with the arithmetic of the leanest layout."""
    leanest = Layout(gpus, nodes=1, data=gpus, sharding="fsdp2", recompute="full")
    arithmetic = memory.explain(shape, leanest, shape.context, gpu)
    return f"{model.name} does not fit on {gpus} x {gpu.name}: {arithmetic}"


def wanted_sequences(shape: Architecture) -> int:
    """Sequences in a global batch of the size that such models are trained with."""
    return max(1, round(schedule.batch_tokens_for(parameter_count(shape)) / shape.context))


def _sensible(job: Job, options: Options) -> bool:
    """Whether somebody would run this: what is forced is not held against the job."""
    seconds = compute.step_seconds(job)
    tokens = job.schedule.global_batch * job.schedule.sequence
    usual = schedule.batch_tokens_for(parameter_count(job.architecture))
    return (
        seconds >= SHORTEST_STEP_SECONDS
        and seconds * job.schedule.steps <= LONGEST_RUN_SECONDS
        and tokens <= 2 * usual
        and (job.schedule.steps >= FEWEST_STEPS or options.dataset != "auto")
    )


def _job(options: Options, draft: _Draft, index: int) -> Job:
    seed = options.seed or 0
    assert options.start is not None
    layout, per_node = draft.layout, noise.uniform(seed, "plan/storage")
    return _with_schedule(
        Job(
            seed=seed,
            start=options.start,
            recipe="pretrain",
            model=draft.model,
            architecture=draft.shape,
            dataset=draft.dataset,
            gpu=draft.gpu,
            layout=layout,
            schedule=_schedule(draft, steps=1000, epochs=1),  # only to time a step
            software=_software(seed, draft.gpu),
            run_name=naming.run_name(seed),
            cluster=naming.cluster_name(seed),
            # A parallel file system grows with the cluster: 2 to 5 GB/s a node, up to
            # the 2 TB/s that Llama 3's storage sustained (Llama 3 paper, section 3.3.1).
            storage_gb_s=min(2000.0, round(layout.nodes * (2 + 3 * per_node), 1)),
            command=command(options),
        ),
        noise.uniform(seed, "plan/steps", index),
    )


def _with_schedule(job: Job, draw: float) -> Job:
    """The job with as many steps as it can show, its data lasts for and its GPUs can do."""
    step_tokens = job.schedule.global_batch * job.schedule.sequence
    wanted = exp(log(FEWEST_STEPS) + draw * log(MOST_STEPS / FEWEST_STEPS))
    affordable = LONGEST_RUN_SECONDS / compute.step_seconds(job)
    supply = job.dataset.tokens / step_tokens  # steps in one pass over all of the data
    steps = max(100, min(wanted, affordable, supply * MOST_EPOCHS))
    epochs = max(ceil(steps / supply), 1 + noise.bits(job.seed, "plan/epochs") % 2)
    draft = _Draft(job.model, job.architecture, job.dataset, job.gpu, job.layout)
    return job._replace(schedule=_schedule(draft, round(steps), epochs))


def round_number(value: float) -> int:
    """The largest of 1, 2, 5, 10, 20, 25, 50 ... that is not above the value; at least 1."""
    return max(number for number in ROUND_NUMBERS if number <= max(1, value))


def _schedule(draft: _Draft, steps: int, epochs: int) -> Schedule:
    """About `steps` steps: each epoch has whole validation intervals, these whole log intervals."""
    shape, layout = draft.shape, draft.layout
    log_every = round_number(steps / LOGGED_STEPS)
    per_epoch = max(1, round(VALIDATIONS / epochs))
    validate_every = max(1, round(steps / epochs / per_epoch / log_every)) * log_every
    steps = validate_every * per_epoch * epochs
    peak = schedule.peak_learning_rate(parameter_count(shape))
    global_batch = layout.data * layout.micro_batch * layout.accumulation
    return Schedule(
        steps=steps,
        warmup=max(1, min(2000, round(steps * WARMUP_PART / log_every) * log_every)),
        peak_lr=peak,
        final_lr=peak / 10,
        decay="cosine",
        sequence=shape.context,
        global_batch=global_batch,
        epochs=epochs,
        log_every=log_every,
        validate_every=validate_every,
        # About 10M held-out tokens, as nanoGPT and llm.c take, but at least four batches.
        validation_batches=max(4, round(10_485_760 / (global_batch * shape.context))),
        save_every=validate_every * (1 if per_epoch * epochs % 2 else 2),
    )


# What a PyTorch build brings along, and the oldest driver for its CUDA (torch's wheel metadata;
# CUDA release notes, table 2).
SHIPPED_NCCL = {"2.6": "2.21.5", "2.7": "2.26.2", "2.8": "2.27.3", "2.9": "2.27.5", "2.10": "2.27.5", "2.11": "2.28.9", "2.13": "2.29.7"}
OLDEST_DRIVER = {"12.4": 550, "12.6": 560, "12.8": 570, "13.0": 580}


def _software(seed: int, gpu: Gpu) -> Software:
    """Versions from the list that go together: CUDA, NCCL and driver follow from the torch build."""

    def drawn(name: str, suits: Callable[[str], bool] = lambda version: True) -> str:
        versions = [f.version for f in catalog.frameworks() if f.name == name and suits(f.version)]
        return noise.pick(seed, f"plan/{name}", versions)

    blackwell = any(name in gpu.name for name in ("B200", "B300", "5090"))
    torch = drawn("torch", lambda version: not blackwell or _cuda(version) >= "12.8")
    release = ".".join(torch.split(".")[:2])
    python, transformers = drawn("python"), drawn("transformers")
    if gpu.name.startswith("AMD"):
        torch = torch.partition("+")[0] + "+rocm6.4"
        return Software(python, torch, "ROCm", "6.4", "RCCL", "2.22.3", "6.12.12", transformers)
    cuda = _cuda(torch)
    nccl = drawn("nccl", lambda version: version.startswith(SHIPPED_NCCL[release]))
    driver = drawn("driver", lambda version: int(version.partition(".")[0]) >= OLDEST_DRIVER[cuda])
    return Software(python, torch, "CUDA", cuda, "NCCL", nccl, driver, transformers)


def _cuda(torch: str) -> str:
    """ "12.8" from "2.9.1+cu128"."""
    digits = torch.partition("+cu")[2]
    return f"{digits[:2]}.{digits[2:]}"
