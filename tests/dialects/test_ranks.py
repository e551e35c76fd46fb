"""What each framework prints of context and expert ranks, replicas, pieces and precisions.

Formats: torchtitan v0.2 (distributed/parallel_dims.py, components/quantization,
models/llama3/infra), Megatron core 0.12 (initialize.py, arguments.py, param_and_grad_buffer.py),
nanotron's ParallelismArgs, MaxText's base.yml, MLPerf's keys, TRL's ModelConfig.
"""

import re
import tomllib
from itertools import islice
from typing import Any

import pytest

from llmsim.job.records import Job
from llmsim.model.architecture import PUBLISHED_LATENT, parameter_count
from llmsim.options.job_keys import wanted_of
from llmsim.options.table import Options
from llmsim.physics.hardware.stages import stage_parameters
from llmsim.show.player import play
from tests.dialects.logs import PIPE
from tests.runs import job_of

SHOWN, TERMINAL = Options(view="log"), PIPE._replace(live=True, color=True)
H100 = "NVIDIA H100 80GB HBM3"


def log_and_job(text: str, **options: Any) -> tuple[str, Job]:
    """The start of a job file's log, and the job."""
    wanted = wanted_of(tomllib.loads(text), "job.toml")
    job = job_of(3, job=wanted, recipe=options.pop("recipe", "pretrain"), steps=200, **options)
    frames = play(job, SHOWN, lambda: PIPE)
    return "".join(frame.text for frame in islice(frames, 900)), job


def test_torchtitan() -> None:
    log, job = log_and_job(
        "[parallel]\nsharding = 'hsdp'\ncp = 2\ntp = 2\npp = 1\nreplicas = 2\n"
        "[precision]\ncompute = 'fp8'\ncompiled = false\n",
        dialect="torchtitan", model="X-8B", gpu=H100, gpus=32,
    )  # fmt: skip
    mesh = "Building 4-D device mesh with ['dp_replicate', 'dp_shard', 'cp', 'tp'], [2, 4, 2, 2]"
    assert job.layout.dp == 8
    for text in (
        mesh, "Applied HSDP to the model", "Applied Context Parallel to the model",
        "Float8 tensorwise scaled training active",
        "Swapped to Float8Linear layers with enable_fsdp_float8_all_gather=True",
    ):  # fmt: skip
        assert text in log, text
    assert "torch.compile" not in log
    log, _ = log_and_job(
        "[parallel]\npp = 4\ninterleave = 2\ntp = 1\n", dialect="torchtitan", model="X-8B",
        gpu=H100, gpus=16,
    )  # fmt: skip
    assert re.search(r"Using pipeline schedule Interleaved1F1B with \d+ microbatches and 8 ", log)
    built = re.findall(r"PP rank 3 is building stage_idx (\d) with modules \[(.*?)\]", log)
    assert [stage for stage, _ in built] == ["3", "7"]
    assert built[0][1] == "'layers.12', 'layers.13', 'layers.14', 'layers.15'"
    log, _ = log_and_job(
        "[parallel]\ntp = 1\npp = 1\nep = 8\n", dialect="torchtitan", model="X-8x7B",
        gpu=H100, gpus=64,
    )  # fmt: skip
    assert "mesh with ['dp_shard_mod_ep', 'dp_shard_in_ep'], [8, 8]" in log


def test_megatron() -> None:
    log, job = log_and_job(
        "[parallel]\ntp = 2\npp = 2\ncp = 2\nep = 4\ninterleave = 4\n"
        "[precision]\ncompute = 'fp8'\n",
        dialect="megatron", model="X-8x7B", gpu=H100, gpus=64,
    )  # fmt: skip
    assert "world size: 64, data-parallel size: 8, context-parallel size: 2, hierarchical" in log
    assert "Number of virtual stages per pipeline stage: 4\n" in log
    for name, value in {
        "context_parallel_size": 2, "expert_model_parallel_size": 4, "fp8": "hybrid",
        "num_layers_per_virtual_pipeline_stage": 4, "moe_token_dispatcher_type": "alltoall",
        "virtual_pipeline_model_parallel_size": 4,
    }.items():  # fmt: skip
        assert re.search(rf"\n0:   {name} \.+ {value}\n", log), name
    # Each of four pieces has a bucket of its own and one of experts; they add up to the stage.
    sizes = [int(size) for size in re.findall(r"Params for bucket 1 \((\d+) elements", log)]
    assert len(sizes) == 2 * 8
    for stage, own in enumerate((sizes[:8], sizes[8:])):
        assert abs(sum(own) - stage_parameters(job.architecture, job.layout, stage)) < 16


def test_the_others() -> None:
    log, _ = log_and_job(
        "[parallel]\ntp = 2\nsequence_parallel = false\n", dialect="nanotron", model="X-8B",
        gpu=H100, gpus=16,
    )  # fmt: skip
    assert "tp_mode=<TensorParallelLinearMode.ALL_REDUCE: 1>" in log
    log, _ = log_and_job(
        "[parallel]\ncp = 2\n[precision]\ncompute = 'fp8'\n", dialect="maxtext", model="X-8B",
        gpu="TPU v7x", gpus=64,
    )  # fmt: skip
    assert "ici_context_parallelism: 2" in log
    assert "quantization: fp8" in log
    log, _ = log_and_job(
        "[parallel]\ncp = 2\ntp = 2\npp = 1\n[precision]\ncompute = 'fp8'\n", dialect="mlperf",
        model="X-8B", gpu=H100, gpus=16,
    )  # fmt: skip
    assert '"key": "context_parallelism", "value": 2' in log
    assert '"key": "lowest_numerical_precision_in_linear", "value": "fp8"' in log
    log, tuned = log_and_job(
        "[precision]\nbase = 'nf4'\n", dialect="trl", recipe="lora", model="X-8B", gpus=1,
        gpu="NVIDIA GeForce RTX 4090",
    )  # fmt: skip
    log = "".join(frame.text for frame in islice(play(tuned, SHOWN, lambda: TERMINAL), 3))
    assert "--use_peft --load_in_4bit" in log
    log, _ = log_and_job(
        "[parallel]\ncp = 2\n[precision]\ncompute = 'mxfp8'\n", model="X-8B", gpu="NVIDIA B200",
        gpus=16, dialect="pytorch",
    )  # fmt: skip
    assert "CP 2" in log
    assert "Precision: products in MXFP8" in log


@pytest.mark.parametrize(
    ("dialect", "said"),
    [
        ("pytorch", "61 layers, width 7,168, 128 heads"),
        ("megatron", "  multi_latent_attention .......................... True"),
        ("torchtitan", "DeepSeekV3ModelArgs(max_batch_size=8"),
        ("maxtext", "Config param decoder_block: DecoderBlockType.DEEPSEEK"),
        ("hf", "Number of trainable parameters = 671,026,404,352"),
        ("mlperf", ":::MLLOG"),
    ],
)
@pytest.mark.long
def test_deepseek_v3_plays_to_its_end(dialect: str, said: str) -> None:
    gpu = "TPU v5p" if dialect == "maxtext" else "NVIDIA H200"
    job = job_of(
        3, dialect=dialect, model="Fathom-671B-A37B", recipe="pretrain", gpu=gpu, gpus=1024,
        steps=40, log_every=1 if dialect == "maxtext" else 10,
    )  # fmt: skip
    assert job.architecture == PUBLISHED_LATENT[0]._replace(context=job.architecture.context)
    frames = play(job, SHOWN, lambda: PIPE)
    log = "".join(frame.text for frame in frames)
    assert said in log


def test_a_framework_without_latent_attention_has_the_usual_one() -> None:
    options = {"model": "Fathom-671B-A37B", "recipe": "pretrain", "gpu": "NVIDIA H200"}
    job = job_of(3, dialect="nemo", gpus=1024, **options)
    assert not job.architecture.latent_width
    assert parameter_count(job.architecture) == pytest.approx(671e9, rel=0.03)
