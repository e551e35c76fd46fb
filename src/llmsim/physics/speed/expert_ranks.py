"""Which ranks share the experts of a mixture, and how often a token is sent.

The ranks that share the experts of a layer are neighbours. So the ranks that hold copies of the
same experts are far apart: with 8 expert ranks on nodes of 8 GPUs, each copy is on another node.
Only these ranks exchange the gradients and weights of their experts (Megatron-LM's expert data
parallel group: core/parallel_state.py, core/distributed/distributed_data_parallel.py; torchtitan's
edp mesh), and each by its own network card. The other weights are shared by all data ranks, of
which a node has several: its cards divide their traffic.

An example: GPT-OSS-120B on 64 B200 with 8 expert ranks has 14.3 billion weights of experts on each
GPU, and 8 copies on 8 nodes. In bf16 a GPU sends 2 * 14.3e9 * 7/8 = 25 GB of gradients, then as
many bytes of weights. A card of 50 GB/s needs half a second for each of them, in steps of 6 s.
"""

from llmsim.catalog.gpus import linked_nodes
from llmsim.catalog.records import Gpu
from llmsim.job.layout import Layout, expert_slices, state_ranks
from llmsim.model.architecture import Architecture, expert_parameters


def routed_parameters(config: Architecture) -> int:
    """Weights of all routed experts; 0 in a dense model."""
    if config.experts == 1:
        return 0
    return (config.layers - config.dense_layers) * config.experts * expert_parameters(config)


def _grid(layout: Layout) -> int:
    """GPUs that hold the experts of a layer once."""
    return layout.ep * expert_slices(layout)


def held_experts(config: Architecture, layout: Layout) -> int:
    """Weights of experts on one GPU."""
    return routed_parameters(config) // (_grid(layout) * layout.pp)


def copies(layout: Layout) -> int:
    """Ranks that hold the same experts, or that share their states."""
    return max(1, state_ranks(layout) * layout.tp // _grid(layout))


def copies_per_node(gpu: Gpu, layout: Layout) -> float:
    """How many of them a node has; less than 1 where each is on another node."""
    return min(gpu.per_node, layout.gpus // layout.nodes) / _grid(layout)


def visits(config: Architecture, gpu: Gpu, layout: Layout) -> float:
    """How many times a token is sent to its experts.

    Within a node a token goes to each of its k experts. Between m nodes it goes once to every
    node that has one of them (DeepSeek-V3, section 3.2.2; DeepEP): to m (1 - (1 - 1/m)^k).
    """
    nodes, chosen = -(-layout.ep // near_experts(gpu, layout)), float(config.active_experts)
    return nodes * (1.0 - (1.0 - 1.0 / nodes) ** chosen) if nodes > 1 else chosen


def near_experts(gpu: Gpu, layout: Layout) -> int:
    """Expert ranks that a node or a rack of linked nodes has."""
    return max(1, min(layout.ep, gpu.per_node // layout.tp)) * linked_nodes(gpu)
