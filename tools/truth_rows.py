"""The rows of tests/truth/throughput.csv, and what the physics says of each.

A row is a published figure of one run. What its columns mean stands in tests/truth/README.md.
"""

import csv
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from llmsim.catalog.records import Gpu, gpus
from llmsim.dialects.registry import framework_of
from llmsim.job.layout import Engine, Layout
from llmsim.model.architecture import Architecture
from llmsim.physics.hardware import memory
from llmsim.physics.speed import throughput

TRUTH = Path(__file__).parents[1] / "tests" / "truth"

# Whose traits the framework of a source has: of its own dialect, or of the nearest. Composer is
# a plain trainer with FSDP; Aleph Alpha's is Megatron-like with plain 1F1B, as Megatron-DeepSpeed
# is; the gist's is a model of Hugging Face.
FRAMEWORKS = {
    "mosaic llm-foundry": "lightning",
    "llm-foundry unfitted": "lightning",
    "Aleph Alpha layouts": "deepspeed",
    "NVIDIA dgxc-benchmarking": "nemo",
    "nanotron ultra-scale": "nanotron",
    "Megatron-LM README": "megatron",
    "torchtitan": "torchtitan",
    "IBM fms-fsdp": "pytorch",
    "gist chenyaofo": "hf",
    "NeMo AutoModel": "torchtitan",
    "MaxText A3 GPU": "maxtext",
    "Megatron-Bridge": "nemo",
    "MaxText TPU": "maxtext",
    "tpu-recipes v7x": "maxtext",
    "AMD": "megatron",
    "NeMo 24.07 FP8": "nemo",
    "Megatron-Bridge FP8": "nemo",
}


class Row(NamedTuple):
    """One published figure, and the job that it is of."""

    source: str
    name: str
    config: Architecture
    gpu: Gpu
    layout: Layout
    sequence: int
    metric: str  # tok/s/GPU, TFLOP/s/GPU, mem_GiB or fits
    value: float


def _config(text: str, sequence: int) -> Architecture:
    """The model of a row: NAME{L=32 d=4096 ...}."""
    found = dict(part.split("=") for part in text.partition("{")[2].rstrip("}").split())
    number = {key: int(value) for key, value in found.items() if value.isdigit()}
    return Architecture(
        layers=number["L"],
        hidden_size=number["d"],
        heads=number["h"],
        kv_heads=number["kv"],
        head_dim=number["hd"],
        feed_forward=number["ff"],
        vocabulary=number["V"],
        context=sequence,
        experts=number["E"],
        active_experts=number["k"],
        tied=bool(number["tied"]),
        adapter_rank=number["lora"],
        family="gpt2" if found["fam"] == "gpt2" else "llama",
        biases=bool(number["bias"]),
        shared_experts=number.get("shared", 0),
        dense_layers=number.get("dense", 0),
        latent_width=number.get("latent", 0),
        query_latent_width=number.get("queries", 0),
        rope_width=number.get("rope", 0),
    )


def _engine(source: str, name: str, flags: dict[str, str]) -> Engine:
    """How the framework of a source works, with the switches of the row."""
    jax = name.startswith(("MaxText", "Paxml"))
    engine = framework_of("maxtext" if jax else FRAMEWORKS[source]).parallelism.engine
    if "eager" in flags:
        engine = engine._replace(compiled=False)
    if "unfused" in flags:
        engine = engine._replace(fused_loss=False)
    return engine


def _layout(line: dict[str, str], gpu: Gpu) -> Layout:
    flags = dict(part.split("=") for part in line["parallelism"].split())
    count = int(line["n_gpus"])
    sharding = flags["sharding"]
    recompute = flags["recompute"]
    made = Layout(
        gpus=count,
        nodes=max(1, -(-count // gpu.per_node)),
        dp=int(flags["data"]),
        tp=int(flags["tensor"]),
        pp=int(flags["pipeline"]),
        cp=int(flags.get("context", 1)),
        sharding=sharding,  # type: ignore[arg-type]
        recompute=recompute,  # type: ignore[arg-type]
        micro_batch=int(flags["mbs"]),
        accumulation=int(flags["acc"]),
        fp32_gradients="fp32grad" in flags,
        ep=int(found[1]) if (found := re.search(r"\bEP(\d+)", line["note"])) else 1,
        sequence_parallel=not re.search("(no|without) sequence parallelism", line["note"]),
        precision=flags.get("precision", "bf16"),  # type: ignore[arg-type]
        interleave=int(found[1]) if (found := re.search(r"\bVPP?(\d+)", line["note"])) else 0,
        engine=_engine(line["source"], line["row"], flags),
    )
    # A row whose context ranks stand among its data ranks.
    if (cut := re.search(r"\bCP(\d+)", line["note"])) and made.dp % int(cut[1]) == 0:
        ranks = int(cut[1])
        made = made._replace(dp=made.dp // ranks, cp=ranks, accumulation=made.accumulation * ranks)
    if replicas := re.search(r"FSDP (\d+) \+ DP", line["note"]):
        made = made._replace(replicas=max(1, made.dp // int(replicas[1])))
    return made


def _row(line: dict[str, str]) -> Row:
    by_name = {gpu.name: gpu for gpu in gpus()}
    gpu = by_name[line["gpu"]]
    if found := re.search(r"nic=([\d.]+)", line["parallelism"]):
        gpu = gpu._replace(nic_gb_s=float(found[1]))
    sequence = int(line["seq"])
    return Row(
        source=line["source"],
        name=line["row"],
        config=_config(line["model"], sequence),
        gpu=gpu,
        layout=_layout(line, gpu),
        sequence=sequence,
        metric=line["published_metric"],
        value=float(line["published_value"]),
    )


@cache
def rows() -> tuple[Row, ...]:
    """All rows, in their order."""
    with (TRUTH / "throughput.csv").open(encoding="utf-8", newline="") as file:
        return tuple(map(_row, csv.DictReader(file)))


def predicted(row: Row) -> float:
    """What the physics says of a row, in the unit of its metric."""
    if row.metric == "mem_GiB":
        need = memory.estimate(row.config, row.layout, row.sequence)
        return (memory.total(need) - need.context) / memory.GIB
    if row.metric == "fits":
        need = memory.estimate(row.config, row.layout, row.sequence)
        return float(memory.total(need) <= memory.capacity(row.gpu))
    layout = row.layout
    seconds = throughput.layout_seconds(row.config, row.gpu, layout, row.sequence)[1]
    tokens = layout.dp * layout.micro_batch * layout.accumulation * row.sequence
    rate = tokens / seconds / layout.gpus
    if row.metric == "tok/s/GPU":
        return rate
    return rate * throughput.flops_per_token(row.config, row.sequence) / 1e12
