"""Context and expert ranks, replicas, precisions: a job is as it is asked for, or is refused."""

import tomllib
from typing import Any

import pytest

from llmsim.dialects.megatron.arguments import dump
from llmsim.errors import FLAG, PlanError
from llmsim.job.records import Job, batch_tokens
from llmsim.model.architecture import (
    active_parameter_count,
    expert_parameters,
    parameter_count,
)
from llmsim.options.job_keys import wanted_of
from llmsim.physics.hardware import memory
from llmsim.physics.hardware.stages import stage_parameters
from llmsim.physics.speed.collectives import flows
from llmsim.physics.speed.step_time import step_seconds
from llmsim.physics.speed.throughput import expected_mfu
from tests.runs import job_of

BIG = {"recipe": "pretrain", "gpu": "NVIDIA H100 80GB HBM3"}


def file_of(text: str, **options: Any) -> Job:
    """The job of a job file's text beside options."""
    return job_of(3, **options, job=wanted_of(tomllib.loads(text), "job.toml"))


def told_by_file(text: str, **options: Any) -> str:
    """The sentence that refuses it."""
    with pytest.raises(PlanError) as error:
        file_of(text, **options)
    return error.value.sentence(FLAG)


def test_context_ranks_share_each_sequence() -> None:
    # NeMo 24.07's Llama-3-8B: 8 GPUs, TP1 PP1 CP2, sequences of 8,192, global batch of 128.
    job = job_of(3, model="Llama-8B", dialect="nemo", gpus=8, cp=2, tp=1, pp=1, batch=128, **BIG)
    layout = job.layout
    assert (layout.dp, layout.cp, layout.tp, layout.pp) == (4, 2, 1, 1)
    assert layout.dp * layout.micro_batch * layout.accumulation == 128
    alone = layout._replace(cp=1, dp=8)
    shared, whole = (memory.estimate(job.architecture, each, 8192) for each in (layout, alone))
    assert shared.activations * 2 == pytest.approx(whole.activations, rel=0.01)
    assert shared.optimizer == whole.optimizer  # states are shared by all eight
    kinds = {flow.purpose: flow for flow in flows(job.architecture, job.gpu, layout, 8192)}
    # Keys and values of a layer in bf16: 2 x 2 bytes x 8 heads x 128, of a whole sequence.
    assert kinds["keys and values"].size == 2 * 2 * layout.micro_batch * 8192 * 8 * 128


def test_long_sequences_are_shared_by_themselves() -> None:
    job = job_of(3, model="Llama-8B", gpus=16, sequence=131_072, **BIG)
    assert job.layout.cp > 1
    assert job_of(3, model="Llama-8B", gpus=16, sequence=8192, **BIG).layout.cp == 1
    layout = job.layout  # all of a sequence's ranks count: no GPU is faster than its peak
    assert 0.2 < expected_mfu(job.architecture, job.gpu, layout, 131_072) < 0.7


def test_expert_ranks_share_the_experts() -> None:
    job = job_of(3, model="Mix-8x7B", dialect="megatron", gpus=64, ep=8, **BIG)
    layout, config = job.layout, job.architecture
    assert layout.ep == 8
    one = stage_parameters(config, layout, 0)
    every = stage_parameters(config, layout._replace(ep=1), 0)
    assert every - one == config.layers * 7 * expert_parameters(config) // layout.tp
    (sent,) = [f for f in flows(config, job.gpu, layout, job.schedule.sequence)
               if f.operation == "all-to-all"]  # fmt: skip
    tokens = layout.micro_batch * job.schedule.sequence
    assert sent.size == 2 * tokens * config.hidden_size * 2  # two experts a token, in bf16
    assert sent.calls % (4 * config.layers) == 0  # to the experts and back, forward and backward


def test_replicas_of_sharded_weights() -> None:
    job = job_of(3, model="Llama-8B", dialect="torchtitan", gpus=64, sharding="hsdp", **BIG)
    assert (job.layout.replicas, job.layout.sharding) == (8, "fsdp2")
    purposes = [f.purpose for f in flows(job.architecture, job.gpu, job.layout, 8192)]
    assert "gradients of replicas" in purposes
    asked_for = 'replicas = 4\nsharding = "hsdp"\n[framework]\ndialect = "torchtitan"\n'
    assert file_of(f"[parallel]\n{asked_for}", model="X-8B", gpus=64, **BIG).layout.replicas == 4


def test_precisions_cost_and_save_what_they_do() -> None:
    file = '[precision]\ncompute = "{}"\n[framework]\ndialect = "{}"\n'
    options = BIG | {"model": "Llama-8B", "gpus": 8, "batch": 64, "micro_batch": 1}
    for dialect, low, high in (("torchtitan", 1.2, 1.55), ("nemo", 1.25, 1.6)):
        usual = file_of(file.format("bf16", dialect), **options)
        faster = file_of(file.format("fp8", dialect), **options)
        gain = step_seconds(usual) / step_seconds(faster)
        assert low < gain < high, (dialect, gain)  # torchtitan's 8B: 28 to 54 % more tokens/s
    states = file_of('[precision]\nstates = "bf16"\n', **options)
    held = memory.estimate(states.architecture, states.layout, 8192)
    assert held.weights + held.gradients + held.optimizer == pytest.approx(8 * 8.03e9 / 8, rel=0.01)


def test_qlora_holds_its_base_in_four_bits() -> None:
    # QLoRA (Dettmers et al. 2023, table 6 and figure 6): a base of 7B takes about 5 GB, where
    # bf16 takes 14 GB; the embeddings of a larger vocabulary stay in bf16.
    options = {"model": "Llama-7B", "recipe": "lora", "gpu": "NVIDIA GeForce RTX 4090", "gpus": 1}
    job = file_of('[precision]\nbase = "nf4"\n', **options)
    held = memory.estimate(job.architecture, job.layout, job.schedule.sequence)
    assert 3.4e9 < held.weights < 6e9


@pytest.mark.parametrize(
    ("text", "options", "sentence"),
    [
        ("", {"cp": 3}, "--cp 3 does not go with 8,192 tokens, no multiple of 2 x 3 = 6"),
        ("", {"ep": 4}, "--ep 4 shares experts, and the model is dense."),
        ("", {"model": "X-8x7B", "ep": 3}, "--ep 3 does not divide the model's 8 experts."),
        ("", {"model": "X-8x7B", "ep": 8, "gpus": 4}, "--ep 8 does not divide the 4 data"),
        ("", {"cp": 2, "dialect": "olmo"}, "--dialect olmo shares no sequence between ranks"),
        ("", {"sharding": "hsdp", "gpus": 8}, "sharding = hsdp has a replica on each node"),
        ("", {"sharding": "hsdp", "dialect": "deepspeed"}, "--dialect deepspeed has no replicas"),
        ("", {"precision": "mxfp8"}, "--precision mxfp8 needs another GPU than NVIDIA H100 80GB"),
        ("", {"precision": "fp16", "dialect": "olmo"}, "--precision fp16 cannot be: its loss"),
        ("", {"precision": "fp8", "dialect": "olmo"}, "--dialect olmo does not train in"),
        ('[precision]\nbase = "nf4"\n', {}, "base = nf4 is of frozen weights, and all of these"),
        ('[precision]\nstates = "bf16"\n', {"dialect": "megatron"}, "keeps its optimizer's"),
        ("[precision]\ncompiled = false\n", {"dialect": "megatron"}, "has compiled = true alone"),
        ("[parallel]\ninterleave = 4\n", {"pp": 1}, "interleave = 4 is of a pipeline, and pp is 1"),
        ("[parallel]\ninterleave = 40\n", {"pp": 2, "tp": 1}, "pp 2 x interleave 40 = 80 are more"),
        ("[parallel]\nreplicas = 2\n", {}, "replicas = 2 are of sharding = hsdp: give both."),
        ("[model]\nshared_experts = 1\n", {}, "shared_experts and dense_layers are of a mixture"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_with_the_arithmetic(
    text: str, options: dict[str, Any], sentence: str
) -> None:
    assert sentence in told_by_file(text, **(BIG | {"model": "X-8B"} | options))


def test_latent_attention_has_deepseek_s_sizes() -> None:
    # deepseek-ai/DeepSeek-V3, config.json: 671,026,419,200 weights, 14,848 of them biases of its
    # router; 37B active.
    sizes = """
[model]
name = "DeepSeek-V3"
layers = 61
hidden_size = 7168
heads = 128
kv_heads = 128
head_dim = 128
ffn = 2048
vocabulary = 129280
experts = 256
active_experts = 8
shared_experts = 1
dense_layers = 3
kv_latent = 512
query_latent = 1536
rope_dim = 64
tied = false
[parallel]
ep = 64
pp = 16
tp = 1
"""
    gpu = {"gpu": "NVIDIA H800", "gpus": 2048, "recipe": "pretrain", "dialect": "megatron"}
    gpu |= {"batch": 15_360, "sequence": 4096, "micro_batch": 1}
    job = file_of(sizes, **gpu)
    assert parameter_count(job.architecture) == 671_026_419_200 - 58 * 256
    assert active_parameter_count(job.architecture) == pytest.approx(37e9, rel=0.02)
    # DeepSeek-V3's report, section 2.1: 2.788M H800 hours for 14.8T tokens are 1,475 tokens a
    # second and GPU, in fp8 with a pipeline that hides its traffic.
    rate = batch_tokens(job) / step_seconds(job) / 2048
    assert 500 < rate < 1475
    assert "multi_latent_attention" in "".join(dump(job))
    assert sum("kv_lora_rank ..." in line and line.endswith(" 512") for line in dump(job)) == 1


# Megatron-Bridge 26.02, Qwen3-235B-A22B on 256 H100: TP2 PP8 EP32, 1,633 tokens/s a GPU.
QWEN = """
[model]
name = "Qwen3-235B"
layers = 94
hidden_size = 4096
heads = 64
kv_heads = 4
head_dim = 128
ffn = 1536
vocabulary = 151936
experts = 128
active_experts = 8
[cluster]
gpu = "NVIDIA H100 80GB HBM3"
gpus = 256
[parallel]
tp = 2
pp = 8
ep = 32
[batch]
sequence = 4096
micro = 1
[recipe]
name = "pretrain"
"""


@pytest.mark.parametrize("dialect", ["nemo", "megatron"])
def test_ranks_that_share_experts_may_reach_over_tensor_ranks(dialect: str) -> None:
    """expert_tensor_parallel_size = 1: an expert is whole on its rank, the rest is cut in two."""
    job = file_of(QWEN, dialect=dialect)
    config, layout = job.architecture, job.layout
    assert (layout.dp, layout.tp, layout.pp, layout.ep) == (16, 2, 8, 32)
    layers = 12  # of a stage in the middle
    experts = layers * 4 * 3 * 4096 * 1536  # 128 / 32 of them a layer
    attention = 4096 * 128 * (2 * 64 + 2 * 4) // 2
    others = layers * (attention + (4096 * 128 + 2 * 4096) // 2)
    assert config.layers == 94
    assert stage_parameters(config, layout, 3) == experts + others


def test_other_frameworks_cut_experts_with_everything_else() -> None:
    told = told_by_file(QWEN, dialect="pytorch")
    assert told == "--ep 32 does not divide the 16 data and context ranks."
