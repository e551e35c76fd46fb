"""The lines until Megatron is initialized: arguments, process groups, NCCL."""

from collections.abc import Iterator

from llmsim.dialects.line import Line, Render
from llmsim.dialects.megatron import arguments
from llmsim.dialects.megatron.log_lines import CALCULATOR, last
from llmsim.dialects.parts import process_group
from llmsim.dialects.parts.nccl import info
from llmsim.dialects.parts.torchrun import greeting
from llmsim.job.records import Job, is_older
from llmsim.run import cluster, events
from llmsim.text.screen import Screen

Lines = Iterator[Line]

ONE_LOGGER = (
    "WARNING: one_logger package is required to enable e2e metrics tracking. please go to "
    "https://confluence.nvidia.com/display/MLWFO/Package+Repositories for details to install it"
)
_DATASETS = "/workspace/Megatron-LM/megatron/core/datasets"


def _rendezvous(event: events.Rendezvous, job: Job, screen: Screen) -> Lines:
    yield from greeting(job, event.at)


def _ranks_joined(event: events.RanksJoined, job: Job, screen: Screen) -> Lines:
    """All ranks have read their arguments, and rank 0 prints them; two words of the first line
    run together in the original, too.
    """
    vocabulary, padded = job.architecture.vocabulary, arguments.padded_tokens(job)
    yield from _older_sizes(job) if is_older(job) else _sizes(job)
    if job.layout.precision == "fp16":
        yield Line(
            "WARNING: Setting args.check_for_nan_in_loss_and_grad to False since dynamic loss "
            "scaling is being used"
        )
    else:
        yield Line("accumulate and all-reduce gradients in fp32 for bfloat16 data type.")
    yield Line(f"using {arguments.weights_type(job)} for parameters ...")
    yield from map(Line, arguments.dump(job))
    yield from _batch(job)
    yield Line("> building HuggingFaceTokenizer tokenizer ...")
    size = f"{padded - vocabulary} dummy tokens (new size: {padded})"
    yield Line(f" > padded vocab (size: {vocabulary}) with {size}")
    yield last(job, ONE_LOGGER)
    machinery = "WARNING:megatron.core.rerun_state_machine"
    if not is_older(job):
        yield Line(f"{machinery}:RerunStateMachine initialized in mode RerunMode.DISABLED")
    yield Line("> initializing torch distributed ...")


def _sizes(job: Job) -> Lines:
    layout, pieces = job.layout, arguments.virtual_stages(job)
    yield Line(
        f"using world size: {layout.gpus}, data-parallel size: {layout.dp}, "
        f"context-parallel size: {layout.cp}, hierarchical context-parallel sizes: None"
        f"tensor-model-parallel size: {layout.tp}, encoder-tensor-model-parallel size: 0, "
        f"pipeline-model-parallel size: {layout.pp}, encoder-pipeline-model-parallel size: 0"
    )
    if pieces is None and layout.pp > 1:
        yield Line(
            "WARNING: Setting args.overlap_p2p_comm and args.align_param_gather to False since "
            "non-interleaved schedule does not support overlapping p2p communication and aligned "
            "param AG"
        )
    yield Line(f"Number of virtual stages per pipeline stage: {pieces}")


def _older_sizes(job: Job) -> Lines:
    """The same in core 0.8.0, which warns without a pipeline, too (arguments.py:276)."""
    layout = job.layout
    yield Line(
        f"using world size: {layout.gpus}, data-parallel size: {layout.dp}, "
        f"context-parallel size: {layout.cp} tensor-model-parallel size: {layout.tp}, "
        f"pipeline-model-parallel size: {layout.pp} "
    )
    if arguments.virtual_stages(job) is None:
        yield Line(
            "WARNING: Setting args.overlap_p2p_comm to False since non-interleaved schedule does "
            "not support overlapping p2p communication"
        )


def _batch(job: Job) -> Lines:
    """The line about micro-batches per step; the original, too, lacks a blank between two words."""
    if not job.schedule.ramp:
        count, name = job.layout.accumulation, "micro-batches" if is_older(job) else "microbatches"
        yield Line(f"{CALCULATOR}:setting number of {name} to constant {count}")
        return
    start, increment, samples = arguments.ramp(job)
    yield Line(
        f"{CALCULATOR}:will use batch size rampup starting from global batch size {start} to "
        f"global batch size {job.schedule.global_batch} with batchsize increments {increment} "
        f"over {samples} samples."
    )
    if not is_older(job):
        yield Line(f"{CALCULATOR}:setting initial batch size to {start}")


def _backend_ready(event: events.BackendReady, job: Job, screen: Screen) -> Lines:
    """NCCL is initialized at the first barrier, while rank 0 loads the fused kernels."""
    yield Line(f"> initialized tensor model parallel with size {job.layout.tp}")
    yield Line(f"> initialized pipeline model parallel with size {job.layout.pp}")
    yield Line(f"> setting random seeds to {job.seed} ...")
    yield Line("> compiling dataset index builder ...")
    yield Line(f"make: Entering directory '{_DATASETS}'")
    yield Line("make: Nothing to be done for 'default'.")
    yield Line(f"make: Leaving directory '{_DATASETS}'")
    seconds = cluster.setup_seconds(job, "index builder")
    done = ">>> done with dataset index builder. Compilation time:"
    yield Line(f"{done} {seconds:.3f} seconds")
    if not fuses_softmax(job):
        yield Line(
            "WARNING: constraints for invoking optimized fused softmax kernel are not met. We "
            "default back to unfused kernel invocations."
        )
    yield Line("> compiling and loading fused kernels ...")
    yield from process_group.barrier(job, event.at - event.seconds)
    if job.layout.gpus > 1:
        yield from info(job, event.seconds, event.channels)
    done = ">>> done with compiling and loading fused kernels. Compilation time:"
    yield Line(f"{done} {event.seconds:.3f} seconds")


def fuses_softmax(job: Job) -> bool:
    """Whether the lengths suit the fused softmax (initialize.py:196)."""
    length, heads = job.schedule.sequence, job.architecture.heads / job.layout.tp
    fits = 16 < length <= 16_384 and length % 4 == 0
    return fits and heads * job.layout.micro_batch % 4 == 0


LINES: dict[type, Render] = {
    events.Rendezvous: _rendezvous,
    events.RanksJoined: _ranks_joined,
    events.BackendReady: _backend_ready,
}
