"""LoRA in NeMo: adapters on the four matrices of a layer, which come when the first epoch begins.

collections/llm/peft/lora.py and lightning/pytorch/callbacks/{peft,model_transform}.py. The base
model is loaded before Megatron wraps it; then the callback adds the adapters, and only now are
there gradient buckets and an optimizer, of the adapters alone. NeMo's query, key and value are one
matrix, and so are the gate and the up projection, so NeMo's adapters are smaller than PEFT's. The
summary's lines have a carriage return each, which is left out here: a terminal shows none.
"""

from collections.abc import Iterator

from llmsim.job.layout import expert_slices
from llmsim.job.records import Job
from llmsim.physics.hardware.stages import stage_layers

# Modules that an adapter brings: the wrapper, the adapter with its activation and two matrices.
MODULES = 5


def _inner(job: Job) -> str:
    """Where a layer's feed-forward matrices are."""
    return "mlp.experts" if job.architecture.experts > 1 else "mlp"


def added(job: Job) -> Iterator[str]:
    """The matrices of rank 0's layers that get an adapter, as NeMo walks through the model."""
    inner = _inner(job)
    names = ("self_attention.linear_proj", "self_attention.linear_qkv", f"{inner}.linear_fc1",
             f"{inner}.linear_fc2")  # fmt: skip
    for layer in range(stage_layers(job.architecture, job.layout, 0)):
        for name in names:
            yield f"0.module.decoder.layers.{layer}.{name}"


def weights(job: Job) -> list[tuple[str, int]]:
    """The adapters' weights on rank 0 and their sizes, from the last to the first.

    The matrix into the rank and the matrix out of it: tensor ranks split the first along its
    input where the base matrix is split by rows, otherwise along the rank; they always split the
    second along its output.
    """
    config, tp = job.architecture, job.layout.tp
    rank, width, wide = config.adapter_rank, config.hidden_size, config.feed_forward
    query = config.heads * config.head_dim
    joined = query + 2 * config.kv_heads * config.head_dim
    gated = 1 if config.family == "gpt2" else 2
    inner, cut = _inner(job), expert_slices(job.layout) if config.experts > 1 else tp
    layer = []
    for name, into, out, ranks in (
        (f"{inner}.linear_fc2", wide, width, cut),
        (f"{inner}.linear_fc1", width, gated * wide, cut),
        ("self_attention.linear_qkv", width, joined, tp),
        ("self_attention.linear_proj", query, width, tp),
    ):
        layer.append((f"{name}.adapter.linear_out.weight", rank * out // ranks))
        layer.append((f"{name}.adapter.linear_in.weight", rank * into // ranks))
    return [
        (f"module.decoder.layers.{number}.{name}", size)
        for number in reversed(range(stage_layers(config, job.layout, 0)))
        for name, size in layer
    ]
