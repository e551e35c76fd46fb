"""Megatron's own estimate of a GPU's memory, printed once (training/theoretical_memory_usage.py).

Its formulas are kept as they are, whatever the run really takes: 18 bytes a parameter, of which
the data ranks share twelve, and the activations of a model with sequence parallelism and selective
recomputation, in a layer that has an MLP without gates.
"""

from collections.abc import Iterator
from math import ceil

from llmsim.dialects.megatron import arguments
from llmsim.job.records import Job, is_older
from llmsim.model.architecture import embedding_parameters, parameter_count
from llmsim.physics.speed import batch_ramp

MIB = 2**20


def lines(job: Job, step: int) -> Iterator[str]:
    """The report after the first logged step."""
    config, layout = job.architecture, job.layout
    once = embedding_parameters(config)
    embeddings = once * (1 if config.tied else 2)
    blocks = parameter_count(config) - embeddings
    loaded = (blocks / layout.pp + once) / layout.tp
    if not config.tied and layout.pp == 1:
        loaded += once / layout.tp
    what = "layers" if is_older(job) else "block"
    yield f"Number of parameters in transformer {what} in billions: {blocks / 1e9: .2f}"
    yield f"Number of parameters in embedding layers in billions: {embeddings / 1e9:.2f}"
    yield f"Total number of parameters in billions: {(blocks + embeddings) / 1e9:.2f}"
    yield f"Number of parameters in most loaded shard in billions: {loaded / 1e9:.4f}"
    if layout.pp > 1:
        others = blocks / (layout.pp * layout.tp)
        yield f"Number of parameters in other shards in billions: {others / 1e9:.4f}"
    each = 6 + 12 / layout.dp if arguments.distributed_optimizer(job) else 18
    states = loaded * each / MIB
    if not with_activations(job):
        yield f"Theoretical memory footprints: weight and optimizer={states:.2f} MB"
        return
    yield from _activations(job, step, states)


def with_activations(job: Job) -> bool:
    """Whether the formulas hold: sequence parallelism, and selective recomputation."""
    layout = job.layout
    return layout.tp > 1 and layout.sequence_parallel and layout.recompute == "selective"


def _activations(job: Job, step: int, states: float) -> Iterator[str]:
    """The first stage's activations, and the sum; the message ends with a line end."""
    config, layout = job.architecture, job.layout
    tokens = job.schedule.sequence * layout.micro_batch
    inner = float(str(arguments.of(job)["ffn_hidden_size"])) / config.hidden_size
    layer = tokens * config.hidden_size * (18 + 4 * inner)
    yield (f"Activation memory footprint per transformer layer: {layer / MIB / layout.tp:.1f} MB")
    held = layer * config.layers + (8 * tokens + tokens * config.hidden_size) * layout.pp
    pieces = arguments.virtual_stages(job)
    if pieces:
        penalty = 1 + (layout.pp - 1) / (layout.pp * pieces)
        yield f"Memory penalty from interleaved schedule: {penalty:.2f}"
        yield f"Number of in-flight microbatches: {ceil(penalty * layout.pp)}"
        held *= penalty
    elif layout.pp > 1:
        ranks = layout.dp * layout.micro_batch
        batches = batch_ramp.batch(job.schedule, step) // ranks
        held *= min(1, batches / layout.pp)
        yield f"Number of in-flight microbatches: {min(batches, layout.pp)}"
    else:
        padded = arguments.padded_tokens(job)
        held += tokens * config.hidden_size * 4 * (1 + padded / config.hidden_size)
    activations = held / layout.tp / MIB
    yield (
        f"Theoretical memory footprints: weight and optimizer={states:.2f} MB, "
        f"activation={activations:.2f} MB, total={states + activations:.2f} MB"
    )
    yield ""
