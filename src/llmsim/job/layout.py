"""How a model is spread over GPUs."""

from llmsim.typed import Literal, NamedTuple

Sharding = Literal["ddp", "zero1", "zero2", "zero3", "fsdp2"]
SHARDINGS: tuple[Sharding, ...] = ("ddp", "zero1", "zero2", "zero3", "fsdp2")
Recompute = Literal["none", "selective", "full"]
RECOMPUTES: tuple[Recompute, ...] = ("none", "selective", "full")
Precision = Literal["bf16", "fp16", "fp8", "mxfp8"]
PRECISIONS: tuple[Precision, ...] = ("bf16", "fp16", "fp8", "mxfp8")


class Engine(NamedTuple):
    """How a framework runs a model on its GPUs: what of its speed and memory is its own.

    The figures are fitted to what was published of each framework (tests/truth), the default to a
    plain compiled FSDP2 trainer, IBM's fms-fsdp.
    """

    compiled: bool = True  # torch.compile, XLA or hand-written kernels join element-wise operations
    fused_loss: bool = True  # the loss needs no fp32 copy of the logits
    compiles_loss: bool = False  # the compiler fuses the loss: in eager mode it is not fused
    ring: bool = False  # context ranks are PyTorch's: they gather a key for each query head
    flash: bool = True  # attention never writes its scores to memory
    gathers_logits: bool = False  # every tensor rank holds the logits of the whole vocabulary
    interleaves: bool = True  # a pipeline stage has several pieces of the model
    kernels: float = 1.0  # speed of its matrix products against the default's
    compiled_kernels: float = 0.0  # the same if people compile what it does not; 0: as fast
    attention: float = 1.2  # speed of its attention against the products' share of the peak
    elements: float = 1.0  # bytes that its element-wise kernels move against the default's
    mixtures: float = 0.7  # speed of products with experts against dense ones
    expert_seconds: float = 0.0  # that each expert of a rank costs a layer in its forward pass
    again: float = 1.0  # cost of a recomputed forward pass against the default's
    device_context: bool = True  # a CUDA context and NCCL's buffers lie in the GPU's memory
    overlap: float = 0.76  # part of the traffic between data ranks that can hide
    tensor_overlap: float = 0.1  # the same between tensor ranks
    expert_overlap: float = 0.5  # the same of tokens on their way to experts and back
    wire: float = 0.74  # speed of its traffic between data ranks against nccl-tests
    step_seconds: float = 0.012  # what a step costs beside its micro-batches
    fp8: float = 1.7  # speed of its products in fp8 against bf16
    fp8_copies: float = 0.0  # bytes a parameter that copies of the weights in fp8 take


class Layout(NamedTuple):
    """How the model is spread: gpus = dp x cp x tp x pp."""

    gpus: int
    nodes: int
    dp: int  # data-parallel ranks, over which states are sharded
    tp: int = 1  # tensor-parallel ranks, within a node
    pp: int = 1  # pipeline stages
    sharding: Sharding = "fsdp2"
    recompute: Recompute = "none"
    micro_batch: int = 1  # sequences per data-parallel rank per forward pass
    accumulation: int = 1  # micro-batches per optimizer step
    reference: bool = False  # a frozen bf16 copy of the model runs along (DPO, GRPO)
    fp32_gradients: bool = False  # bf16 gradients are added up in fp32 (ddp, ZeRO-1)
    fp32_logits: bool = False  # the loss takes a copy of the logits in fp32
    cp: int = 1  # ranks that share each sequence (context parallelism)
    ep: int = 1  # ranks that share the experts of a layer (expert parallelism): see expert_slices
    replicas: int = 1  # copies of the sharded states (HSDP); each has dp / replicas ranks
    sequence_parallel: bool = True  # tensor ranks share what lies between split matrices, too
    precision: Precision = "bf16"  # of the matrix products
    bf16_states: bool = False  # weights, gradients and moments all in bf16
    four_bit_base: bool = False  # frozen weights in NF4 (QLoRA)
    interleave: int = 0  # pieces of the model on a pipeline stage; 0: as many as go
    offloaded: bool = False  # inputs of recomputed blocks wait in the host's memory
    engine: Engine = Engine()


# What of its engine a framework may let people choose.
Switch = Literal["compiled", "fused_loss", "attention", "sequence_parallel", "interleave"]
SWITCHES: tuple[Switch, ...] = (
    "compiled", "fused_loss", "attention", "sequence_parallel", "interleave",
)  # fmt: skip


class Parallelism(NamedTuple):
    """How a framework can spread a model, and in which precisions it trains."""

    # Over data ranks alone, leanest last; a large model takes the last at once.
    whole: tuple[Sharding, ...] = ("ddp", "zero1", "fsdp2")
    # Over data ranks where tensors or stages split it as well; None: it cannot split.
    split: Sharding | None = "fsdp2"
    tensors_alone: bool = True  # whether tensors can be split without stages
    mixtures: bool = True  # whether mixtures of experts can be split
    recomputes: tuple[Recompute, ...] = RECOMPUTES
    fp32_gradients: bool = False
    bf16_gradients: bool = False  # or in bf16, where a layout that is asked for fits only so
    fp32_logits: bool = False
    engine: Engine = Engine()
    context: bool = True  # ranks can share each sequence
    experts: bool = True  # data ranks can share the experts of a layer
    whole_experts: bool = False  # tensor ranks, too: then they do not split them
    replicas: bool = True  # weights can be sharded within replicas alone (HSDP)
    precisions: tuple[Precision, ...] = PRECISIONS
    bf16_states: bool = True  # weights and moments can be in bf16 alone
    four_bit_base: bool = True  # LoRA can keep the frozen weights in NF4
    switches: tuple[Switch, ...] = SWITCHES
    uneven: bool = True  # stages, and pieces of one, can have a layer more than others
    offloads: bool = False  # inputs of recomputed blocks can wait in the host's memory
    latent_attention: bool = True  # its log knows latent attention and shared experts


def shards_weights(layout: Layout) -> bool:
    """Whether data ranks share the weights; otherwise each has all of them, or of its part."""
    return layout.sharding in ("zero3", "fsdp2")


def expert_slices(layout: Layout) -> int:
    """Into how many slices tensor ranks cut each expert.

    Into as many as the other matrices; or into none, where the ranks that share experts reach over
    tensor ranks (Megatron's expert_tensor_parallel_size, which is the tensor ranks' number or 1).
    """
    return 1 if layout.dp * layout.cp % layout.ep else layout.tp


def state_ranks(layout: Layout) -> int:
    """GPUs that share states: data and context ranks, in HSDP the ranks of one replica."""
    return max(1, layout.dp * layout.cp // layout.replicas)
