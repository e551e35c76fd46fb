"""GPTs (learned positions, GELU, LayerNorm) in frameworks that build Llamas as well."""

import re
from typing import Any

import pytest

from llmsim.dialects.nemo.statements import STATEMENTS as NEMO
from llmsim.errors import PlanError
from llmsim.job.records import Job
from llmsim.model.architecture import parameter_count
from llmsim.options.table import Options
from llmsim.show.player import play
from tests.dialects.transcripts import PIPE, Log, unmatched
from tests.runs import job_of

# GPTConfig126M, 5B and 175B (NeMo, collections/llm/gpt/model/base.py): layers, width, heads.
SIZES = ((12, 768, 12), (24, 4096, 32), (96, 12_288, 96))


def gpt(layers: int, width: int, heads: int, **parts: Any) -> dict[str, Any]:
    """The tables of a GPT-3's job."""
    model = {
        "name": "Tern-5B", "layers": layers, "hidden_size": width, "heads": heads,
        "ffn": 4 * width, "vocabulary": 50_257, "context": 2048, "family": "gpt2", "tied": True,
    }  # fmt: skip
    return {
        "model": model,
        "cluster": {"gpu": "H100 80GB HBM3", "gpus": 64},
        "batch": {"sequence": 2048, "micro": 1, "global": 64},
        "schedule": {"steps": 6},
        "recipe": {"name": "pretrain"},
    } | parts


def log(dialect: str, job: dict[str, Any]) -> Log:
    """The whole log of a job."""
    made = job_of(3, dialect=dialect, incidents="none", job=job)
    frames = play(made, Options(view="log"), lambda: PIPE)
    return Log(made, tuple("".join(frame.text for frame in frames).split("\n")))


def planned(dialect: str, size: tuple[int, int, int], **parts: Any) -> Job:
    return job_of(3, dialect=dialect, incidents="none", job=gpt(*size, **parts))


@pytest.mark.parametrize("dialect", ["nemo", "deepspeed", "megatron"])
@pytest.mark.parametrize("size", SIZES)
def test_weights_are_those_of_the_formula(dialect: str, size: tuple[int, int, int]) -> None:
    """Narayanan et al. 2021, equation 2: 12 l h^2 (1 + 13 / (12 h) + (V + s) / (12 l h)).

    The equation leaves out the last norm, which has 2 h.
    """
    layers, width, _ = size
    parallel = {"tp": 8, "pp": 8} if width > 10_000 else {"tp": 1, "pp": 1}
    job = planned(dialect, size, parallel=parallel)
    rows = -(-50_257 // (128 * parallel["tp"])) * 128 * parallel["tp"]
    formula = 12 * layers * width**2 + 13 * layers * width + (rows + 2048) * width + 2 * width
    assert parameter_count(job.architecture) == formula


def _nemo(size: tuple[int, int, int], parallel: dict[str, int]) -> Log:
    return log("nemo", gpt(*size, parallel=parallel))


@pytest.mark.parametrize("tensors", [1, 4])
def test_nemo_counts_the_weights_of_transformer_engines_layers(tensors: int) -> None:
    """A rank's count is that of its buckets; one rank alone has every weight of the model."""
    told = _nemo(SIZES[0], {"tp": tensors, "pp": 1})
    assert unmatched(told.lines, [each.text for each in NEMO]) == []
    (found,) = told.found(r".* > number of parameters on .*\(0 ,0\): (?P<count>\d+)")
    buckets = told.found(r"Params for bucket \d+ \((?P<count>\d+) elements, .*")
    count = int(found["count"])
    assert count == sum(int(match["count"]) for match in buckets)
    if tensors == 1:
        assert count == parameter_count(told.job.architecture)
    names = [line.strip() for line in told.lines if line.startswith("\tmodule.")]
    layer = [name for name in names if ".layers.0." in name]
    assert len(layer) == 12
    assert all(".transformer_layer." in name for name in layer)
    assert names[-2:] == [
        "module.embedding.position_embeddings.weight", "module.embedding.word_embeddings.weight",
    ]  # fmt: skip
    rows = -(-50_257 // (128 * tensors)) * 128 * tensors
    assert told.found(rf".* Padded vocab_size: {rows}, original vocab_size: 50257, .*")


def test_nemo_says_in_what_it_adds_up_gradients() -> None:
    """A 20B on two tensor ranks fits 80 GB with gradients in bf16 alone, as NVIDIA ran it (24.07:
    64 H100, micro-batches of 2, 5,851 tokens/s a GPU).
    """
    job = gpt(44, 6144, 48, parallel={"tp": 2, "pp": 1, "recompute": "none"})
    job |= {"batch": {"sequence": 2048, "micro": 2, "global": 256}, "precision": {"compute": "fp8"}}
    large, small = log("nemo", job), _nemo(SIZES[0], {"tp": 2, "pp": 1})
    for told, kept in ((large, False), (small, True)):
        assert told.found(rf".*DistributedDataParallelConfig\(grad_reduce_in_fp32={kept}, .*")


def test_deepspeed_counts_tensors_and_small_weights() -> None:
    """Twelve tensors a layer; what is smaller than 10,000 weights stays on every rank."""
    layers, width, _ = SIZES[0]
    job = gpt(*SIZES[0], parallel={"sharding": "zero3"})
    lines = log("deepspeed", job).lines
    (tensors,) = {m[1] for each in lines if (m := re.search(r"num_params = (\d+), ", each))}
    assert int(tensors) == 12 * layers + 4  # and embedding, positions, the last norm's two
    small = layers * (4 + 3 + 1 + 4 + 1) * width + 2 * width
    kept = f"Total persistent parameters: {small} in {8 * layers + 2} params"
    assert any(kept in each for each in lines)


def test_a_pipeline_of_deepspeed_has_the_embedding_at_both_ends() -> None:
    """TiedLayerSpec: the last stage holds a copy, which only the first one owns."""
    job = gpt(*SIZES[1], parallel={"tp": 2, "pp": 2})
    lines = log("deepspeed", job).lines
    modules = [m[2] for each in lines if (m := re.search(r" +(\d+): (\w+)$", each))]
    assert (modules[0], *modules[-2:]) == ("EmbeddingPipe", "LayerNorm", "EmbeddingPipe")
    counts = r"TOTAL_PARAMS=(\d+) .*UNIQUE_PARAMS=(\d+) "
    (found,) = {m.groups() for each in lines if (m := re.search(counts, each))}
    total, unique = map(int, found)
    assert total - unique == 50_432 * 4096
    whole = parameter_count(
        planned("deepspeed", SIZES[1], parallel={"tp": 2, "pp": 2}).architecture
    )
    assert abs(unique - whole) <= 4  # each slice's count is rounded up


def test_a_pipeline_of_deepspeed_shares_no_gradients() -> None:
    """PipelineEngine: "ZeRO-2 and ZeRO-3 are incompatible with pipeline parallelism"."""
    asked = gpt(*SIZES[1], parallel={"tp": 2, "pp": 2, "sharding": "zero3"})
    with pytest.raises(PlanError, match="does not do sharding='zero3': give zero1"):
        job_of(3, dialect="deepspeed", job=asked)
    left_open = planned("deepspeed", SIZES[1], parallel={"sharding": "zero3"})
    assert (left_open.layout.tp, left_open.layout.pp) == (1, 1)
