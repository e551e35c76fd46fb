"""The stages of a pipeline: their modules, and what its engine prints of them (runtime/pipe)."""

from collections.abc import Iterator, Sequence

from llmsim.dialects.capture import ranks_kept
from llmsim.dialects.deepspeed.log_lines import info
from llmsim.dialects.line import Line
from llmsim.job.records import Job
from llmsim.model.architecture import embedding_parameters
from llmsim.physics.hardware.stages import stage_layers, stage_parameters

_ENGINE = "engine.py"


def place(job: Job, rank: int) -> tuple[int, int, int]:
    """The stage, the data rank and the slice of the model of a rank: its place in the grid."""
    stage, rest = divmod(rank, job.layout.dp * job.layout.tp)
    return stage, *divmod(rest, job.layout.tp)


def model_rank(job: Job, rank: int) -> int:
    """The number of a rank's part of the model: its stage's slices follow the earlier stages'."""
    stage, _, part = place(job, rank)
    return stage * job.layout.tp + part


def modules(job: Job, stage: int) -> tuple[int, Sequence[str]]:
    """The number of a stage's first module, and the names of all its modules."""
    config, layout = job.architecture, job.layout
    before = sum(stage_layers(config, layout, earlier) for earlier in range(stage))
    names = ["ParallelTransformerLayerPipe"] * stage_layers(config, layout, stage)
    if stage == 0:
        return 0, ["EmbeddingPipe", *names]
    if stage == layout.pp - 1:
        norm = "LayerNorm" if config.family == "gpt2" else "RMSNorm"
        names += [norm, "EmbeddingPipe" if _shares_embedding(job) else "ParallelLMHead"]
    return before + 1, names


def _shares_embedding(job: Job) -> bool:
    """Whether the last stage has the embedding once more: a TiedLayerSpec of a GPT."""
    return job.architecture.family == "gpt2" and job.architecture.tied


def layer_file(number: int, part: int) -> str:
    """The file of a module's slice: one of data rank 0 for each module."""
    return f"layer_{number:02d}-model_{part:02d}-model_states.pt"


def engine(job: Job, at: float) -> Iterator[Line]:
    """What the pipeline's engine says after the engine that it is built on."""
    layout = job.layout
    batches = f"micro_batches={layout.accumulation} micro_batch_size={layout.micro_batch}"
    yield info(job, at, f"{_ENGINE}:105:__init__", f"CONFIG: {batches}")
    sliced = layout.tp > 1
    text = f"is_pipe_partitioned= {sliced} is_grad_partitioned= {sliced}"
    kept = ranks_kept(job)
    for rank in kept:
        yield info(job, at, f"{_ENGINE}:146:__init__", text, rank=rank)
    counts = [stage_parameters(job.architecture, layout, stage) for stage in range(layout.pp)]
    total = layout.tp * sum(counts)
    unique = total - embedding_parameters(job.architecture) * _shares_embedding(job)
    for rank in kept:
        stage, data, _ = place(job, rank)
        if data:
            continue
        begin, names = modules(job, stage)
        text = (
            f"RANK={rank} STAGE={stage} LAYERS={len(names)} [{begin}, {begin + len(names)}) "
            f"STAGE_PARAMS={_millions(counts[stage])} TOTAL_PARAMS={_millions(total)} "
            f"UNIQUE_PARAMS={_millions(unique)}"
        )
        yield info(job, at, f"{_ENGINE}:165:__init__", text, rank=rank)


def _millions(count: int) -> str:
    return f"{count} ({count / 1e6:0.3f}M)"
