"""Jobs that people publish are planned as they were published, not refused."""

from datetime import datetime
from typing import Any

import pytest

from llmsim.dialects.maxtext.launch import LINES
from llmsim.errors import PlanError
from llmsim.job.records import Job, batch_tokens
from llmsim.options.table import Options
from llmsim.physics.hardware import memory, telemetry
from llmsim.physics.speed.step_time import step_seconds
from llmsim.planning.plan import plan
from llmsim.planning.written import tables_of
from llmsim.run.events import ModelSharded
from llmsim.text.screen import Screen

LLAMA = {"tied": False, "context": 131072, "vocabulary": 128256, "kv_heads": 8}
LLAMA_8B = LLAMA | {"layers": 32, "hidden_size": 4096, "heads": 32, "ffn": 14336}
LLAMA_70B = LLAMA | {"layers": 80, "hidden_size": 8192, "heads": 64, "ffn": 28672}
LLAMA_405B = LLAMA | {"layers": 126, "hidden_size": 16384, "heads": 128, "ffn": 53248}


def job(
    model: dict[str, Any],
    gpu: str,
    gpus: int,
    micro: int,
    dialect: str,
    sequence: int = 8192,
    **parallel: Any,
) -> Job:
    """A pretraining."""
    asked: Any = {
        "model": {"name": "Judge-1B"} | model,
        "cluster": {"gpu": gpu, "gpus": gpus},
        "parallel": {"tp": 1, "pp": 1} | parallel,
        "batch": {"micro": micro, "accumulation": 1, "sequence": sequence},
        "framework": {"dialect": dialect},
        "recipe": {"name": "pretrain"},
    }
    return plan(Options(seed=7, start=datetime(2026, 1, 30), job=asked))


@pytest.mark.parametrize(
    ("model", "gpu", "gpus", "micro"),
    [
        pytest.param(LLAMA_8B, "TPU v6e", 8, 3, id="8B, v6e-8"),
        pytest.param(LLAMA_70B, "TPU v6e", 64, 2, id="70B, v6e-64"),
        pytest.param(LLAMA_70B, "TPU v6e", 256, 5, id="70B, v6e-256"),
        pytest.param(LLAMA_405B, "TPU v6e", 512, 1, id="405B, 2 x v6e-256"),
        pytest.param(LLAMA_405B, "TPU v5p", 512, 2, id="405B, v5p-1024"),
        pytest.param(LLAMA_405B, "TPU v7x", 512, 3, id="405B, 256 chips of v7x"),
    ],
)
def test_recipes_for_tpus_fit(model: dict[str, Any], gpu: str, gpus: int, micro: int) -> None:
    """github.com/AI-Hypercomputer/tpu-recipes, training: the micro-batches that ran."""
    planned = job(model, gpu, gpus, micro, "maxtext", recompute="full")
    assert (planned.layout.micro_batch, planned.layout.recompute) == (micro, "full")
    need = memory.estimate(planned.architecture, planned.layout, 8192)
    assert memory.total(need) < memory.capacity(planned.gpu)


@pytest.mark.parametrize(
    ("gpu", "gpus", "network", "published"),
    [("A100-SXM4-80GB", 128, 6.25, 700), ("H100 80GB HBM3", 96, 12.5, 1550)],
)
def test_a_slow_network_can_be_asked_for(
    gpu: str, gpus: int, network: float, published: int
) -> None:
    """fms-fsdp's README of 2024: Llama-2-34B, FSDP, eager, on nodes of 400 and 800 Gb/s."""
    shape = {"layers": 48, "hidden_size": 8192, "heads": 64, "kv_heads": 8, "ffn": 22016}

    def asked(cluster: dict[str, Any]) -> Options:
        sections: Any = {
            "model": {"name": "Judge-34B", "vocabulary": 32000, "tied": False} | shape,
            "cluster": {"gpu": gpu, "gpus": gpus} | cluster,
            "parallel": {"tp": 1, "pp": 1, "recompute": "full", "sharding": "fsdp2"},
            "batch": {"micro": 2, "accumulation": 1, "sequence": 4096},
            "framework": {"dialect": "pytorch"},
            "recipe": {"name": "pretrain"},
            "precision": {"compiled": False},
        }
        return Options(seed=7, start=datetime(2026, 1, 30), job=sections)

    slow, usual = plan(asked({"network_gb_per_s": network})), plan(asked({}))
    rate = batch_tokens(slow) / step_seconds(slow) / gpus
    assert rate == pytest.approx(published, rel=0.1)
    assert step_seconds(usual) < step_seconds(slow)
    assert tables_of(slow)["cluster"]["network_gb_per_s"] == network
    assert "network_gb_per_s" not in tables_of(usual)["cluster"]


TITAN_8B = {
    "model": {"name": "Judge-8B"} | LLAMA_8B,
    "parallel": {"tp": 1, "pp": 1, "recompute": "selective", "sharding": "fsdp2"},
    "batch": {"micro": 2, "accumulation": 1, "sequence": 8192},
    "framework": {"dialect": "torchtitan"},
    "recipe": {"name": "pretrain"},
}


def _of_500_watts(watts: int | None, gpus: int, compute: str) -> Options:
    limit = {"power_limit_watts": watts} if watts else {}
    cluster = {"gpu": "H100 80GB HBM3", "gpus": gpus} | limit
    sections: Any = TITAN_8B | {"cluster": cluster, "precision": {"compute": compute}}
    return Options(seed=7, start=datetime(2026, 1, 30), job=sections)


@pytest.mark.parametrize(
    ("gpus", "compute", "published"), [(8, "bf16", 6667), (128, "bf16", 6514), (128, "fp8", 8380)]
)
def test_a_lower_power_limit_slows_products_as_published(
    gpus: int, compute: str, published: int
) -> None:
    """torchtitan's tables of December 2024, compiled, on H100s limited to 500 W."""
    slow, usual = (plan(_of_500_watts(watts, gpus, compute)) for watts in (500, None))
    rates = [batch_tokens(job) / step_seconds(job) / gpus for job in (slow, usual)]
    assert rates[0] == pytest.approx(published, rel=0.12)
    assert (500 / 700) ** (1 / 3) < rates[0] / rates[1] < 0.96  # the memory stays as fast
    assert tables_of(slow)["cluster"]["power_limit_watts"] == 500
    assert "power_limit_watts" not in tables_of(usual)["cluster"]


def test_gauges_keep_a_lower_power_limit() -> None:
    """nvidia-smi shows no more watts than the limit, at a lower clock; its cores work as hard."""
    steady = (telemetry.Load("training", 0.0),)
    slow, usual = (
        telemetry.readings(plan(_of_500_watts(watts, 8, "bf16")), range(8), 2000.0, steady)
        for watts in (500, None)
    )
    assert max(each.power_watts for each in slow) <= 500 < min(each.power_watts for each in usual)
    pairs = list(zip(slow, usual, strict=True))
    assert all(0.85 < low.sm_clock_mhz / high.sm_clock_mhz < 0.93 for low, high in pairs)


def test_a_power_limit_above_the_usual_one_is_refused() -> None:
    with pytest.raises(PlanError, match="the most that NVIDIA H100 80GB HBM3 may draw is 700 W"):
        plan(_of_500_watts(701, 8, "bf16"))
    assert plan(_of_500_watts(700, 8, "bf16")).gpu == plan(_of_500_watts(None, 8, "bf16")).gpu


def test_qlora_of_a_long_sequence_fits() -> None:
    """LLaMA-Factory's wiki, Performance comparison: 7B with 32,768 tokens on one A100 of 40 GB."""
    seven = {"layers": 32, "hidden_size": 4096, "heads": 32, "kv_heads": 32, "ffn": 11008}
    asked: Any = {
        "model": {"name": "Judge-7B", "vocabulary": 32000, "tied": False} | seven,
        "cluster": {"gpu": "A100-SXM4-40GB", "gpus": 1},
        "parallel": {"recompute": "full"},
        "batch": {"micro": 1, "accumulation": 4, "sequence": 32768},
        "framework": {"dialect": "hf"},
        "recipe": {"name": "lora", "rank": 8},
        "precision": {"base": "nf4"},
    }
    planned = plan(Options(seed=7, start=datetime(2026, 1, 30), job=asked))
    need = memory.estimate(planned.architecture, planned.layout, 32768)
    assert memory.total(need) - need.context == pytest.approx(32e9, rel=0.2)


def test_only_what_does_not_fit_on_the_device_waits_on_the_host() -> None:
    """A smaller micro-batch keeps its inputs on the device; other frameworks keep them always."""
    assert job(LLAMA_70B, "TPU v6e", 256, 5, "maxtext", recompute="full").layout.offloaded
    assert not job(LLAMA_8B, "TPU v6e", 64, 1, "maxtext", recompute="full").layout.offloaded
    with pytest.raises(PlanError, match="does not fit"):
        job(LLAMA_70B, "TPU v6e", 256, 5, "maxtext", recompute="selective")
    with pytest.raises(PlanError, match="does not fit"):
        job(LLAMA_405B, "H100 80GB HBM3", 512, 8, "torchtitan", recompute="full")


def test_the_log_counts_the_host_s_part() -> None:
    """70B on v6e-256: 80 inputs of 5 sequences, 671 MB each, of which two are on the device."""
    planned = job(LLAMA_70B, "TPU v6e", 256, 5, "maxtext", recompute="full")
    event, pipe = ModelSharded(0.0, 0, 0.0), Screen(80, 24, color=False, unicode=True, live=False)
    said = "".join(line.text for line in LINES[ModelSharded](event, planned, pipe))
    host = 78 * 5 * 8192 * 8192 * 2 / 2**30
    assert f"Host temp size: {host:.1f} GB." in said


def test_the_embedding_and_the_loss_may_be_pieces() -> None:
    """Megatron-Bridge 26.06, 405B in mxfp8 on 256 GB200: TP4, PP16, VP8, and 126 layers."""
    planned = job(LLAMA_405B, "NVIDIA GB200", 256, 1, "nemo", tp=4, pp=16, interleave=8)
    assert planned.layout.interleave == 8
    with pytest.raises(PlanError, match="144 are more pieces than the model's 126 layers"):
        job(LLAMA_405B, "NVIDIA GB200", 256, 1, "nemo", tp=4, pp=16, interleave=9)


def test_maxtext_trains_gpt_3() -> None:
    """tpu-recipes, GPT3-175B-MaxText/bf16: a step of 256 v6e takes 17.182 s. Nothing is fitted."""
    model = {"layers": 96, "hidden_size": 12288, "heads": 96, "kv_heads": 96, "ffn": 49152}
    gpt = model | {"vocabulary": 50304, "tied": True, "family": "gpt2", "context": 2048}
    planned = job(gpt, "TPU v6e", 256, 3, "maxtext", sequence=2048, recompute="full")
    assert step_seconds(planned) == pytest.approx(17.182, rel=0.1)
    assert planned.architecture.vocabulary == 50304
