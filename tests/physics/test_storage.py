"""Checkpoints and exports: docs/physics.md section 5."""

from itertools import pairwise
from statistics import fmean, stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmsim.dialects.registry import framework_of
from llmsim.job.records import Job
from llmsim.model.architecture import PUBLISHED_LATENT, Architecture, parameter_count
from llmsim.model.gpt2 import gpt2_config
from llmsim.physics.hardware import storage
from tests.physics import jobs
from tests.physics.jobs import layout


def test_checkpoint_bytes() -> None:
    """12 bytes a parameter: 8B 96 GB, 70B 847 GB, 405B 4.9 TB."""
    sizes = [
        storage.checkpoint_bytes(jobs.job(config)) / 1e9
        for config in (jobs.LLAMA_8B, jobs.LLAMA_70B, jobs.LLAMA_405B)
    ]
    assert sizes == pytest.approx([96.4, 846.6, 4870.2], rel=1e-3)


def test_llama_3_8b_exports_the_files_of_its_repository() -> None:
    """The sizes that huggingface.co/meta-llama/Meta-Llama-3-8B lists."""
    assert storage.export_shards(jobs.job()) == (
        storage.Shard("model-00001-of-00004.safetensors", 4_976_698_672),
        storage.Shard("model-00002-of-00004.safetensors", 4_999_802_720),
        storage.Shard("model-00003-of-00004.safetensors", 4_915_916_176),
        storage.Shard("model-00004-of-00004.safetensors", 1_168_138_808),
    )


def test_mixtral_exports_19_files() -> None:
    """As huggingface.co/mistralai/Mixtral-8x7B-v0.1: 19 files, the first of 4,892,809,584."""
    shards = storage.export_shards(jobs.job(jobs.MIXTRAL))
    assert len(shards) == 19
    assert shards[0].size == 4_892_809_584


@pytest.mark.parametrize("dialect", ["hf", "trl"])
def test_transformers_5_fills_files_up_to_50_gb(dialect: str) -> None:
    """save_pretrained's max_shard_size="50GB": 16 GB are one file, 141 GB three."""
    files = [
        len(storage.export_shards(jobs.job(config)._replace(framework=framework_of(dialect))))
        for config in (jobs.LLAMA_8B, jobs.LLAMA_70B)
    ]
    assert files == [1, 3]


def test_a_small_model_is_one_file() -> None:
    (shard,) = storage.export_shards(jobs.job(jobs.GPT_124M))
    assert shard.name == "model.safetensors"


def test_a_trillion_parameters_are_hundreds_of_files() -> None:
    config = jobs.MIXTRAL._replace(layers=61, hidden_size=7168, feed_forward=2048, experts=384)
    shards = storage.export_shards(jobs.job(config))
    assert len(shards) == pytest.approx(2 * parameter_count(config) / 5e9, rel=0.02)
    assert len(shards) > 350


GPT2 = tuple(gpt2_config(124_000_000, biases=biases) for biases in (True, False))


@pytest.mark.parametrize(
    "config",
    [*jobs.SHAPES, *GPT2, PUBLISHED_LATENT[0]],
    ids=lambda s: f"{parameter_count(s) / 1e9:.1f}B",
)
def test_shards_sum_to_the_weights(config: Architecture) -> None:
    shards = storage.export_shards(jobs.job(config))
    weights = 2 * parameter_count(config)
    headers = sum(shard.size for shard in shards) - weights
    assert 0 < headers < 5e-4 * weights
    assert all(shard.size <= 5e9 + 2e5 for shard in shards)
    assert all(shard.size > 3e9 for shard in shards[:-1])
    assert all(a.name < b.name for a, b in pairwise(shards))


def test_bloom_saves_in_40_seconds() -> None:
    """2.3 TB from 384 GPUs at 57 GB/s: with ZeRO-1, 14 bytes for each of 176B weights."""
    config = jobs.LLAMA_70B._replace(layers=203)
    job = jobs.job(config, spread=layout(384, sharding="zero1"), storage_gb_s=57.0)
    assert parameter_count(config) == pytest.approx(176e9, rel=0.02)
    assert storage.checkpoint_bytes(job) == pytest.approx(2.3e12, rel=0.08)
    assert storage.save_seconds(job, 1000) == pytest.approx(40, rel=0.25)


def test_a_save_is_limited_by_nodes_or_by_storage() -> None:
    eight = jobs.job(storage_gb_s=1000.0)
    many = jobs.job(spread=layout(1024), storage_gb_s=1000.0)
    slow = jobs.job(spread=layout(1024), storage_gb_s=2.0)
    assert 96.4 / 6.1 < storage.save_seconds(eight, 5) < 96.4 / 2.1 + 3
    assert storage.save_seconds(many, 5) < 6
    assert storage.save_seconds(slow, 5) > 40


def test_saves_vary() -> None:
    job = jobs.job()
    times = [storage.save_seconds(job, step) for step in range(0, 200_000, 500)]
    assert 0.04 < stdev(times) / fmean(times) < 0.1


def test_exporting_8b_takes_10_to_20_seconds() -> None:
    for seed in range(10):
        job = jobs.job(seed=seed)
        written = sum(
            storage.write_seconds(job, shard.size, index)
            for index, shard in enumerate(storage.export_shards(job))
        )
        assert 10 <= storage.consolidate_seconds(job) + written <= 20


def test_staging_takes_seconds() -> None:
    for config, gpus in ((jobs.LLAMA_8B, 8), (jobs.LLAMA_70B, 64), (jobs.LLAMA_405B, 1024)):
        assert 0.3 < storage.staging_seconds(jobs.job(config, spread=layout(gpus)), 500) < 5


@settings(max_examples=60, deadline=None)
@given(jobs.jobs(), st.integers(0, 10**6))
def test_times_are_positive_and_repeatable(job: Job, step: int) -> None:
    for seconds in (storage.save_seconds, storage.staging_seconds):
        assert 0 < seconds(job, step) == seconds(job, step)
    least = storage.checkpoint_bytes(job) / (job.storage_gb_s * 1e9)
    assert storage.save_seconds(job, step) > least  # no faster than the storage
    assert storage.load_seconds(job) > 0
    assert storage.consolidate_seconds(job) > 0
    assert storage.write_seconds(job, 5 * 10**9) > 2.4
