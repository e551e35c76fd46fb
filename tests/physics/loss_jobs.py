"""Jobs for the tests of loss, gradient, spikes, schedule and evaluation."""

from datetime import datetime

from llmsim.catalog.records import Dataset, Gpu, Model
from llmsim.dialects.registry import DEFAULT, framework_of
from llmsim.job.layout import Layout
from llmsim.job.recipes import RECIPES, TEXT
from llmsim.job.records import Job, Software
from llmsim.job.schedule import Decay, Schedule
from llmsim.model.architecture import Architecture


def make_job(
    *,
    seed: int = 0,
    recipe: str = "pretrain",
    parameters: int = 8_000_000_000,
    active: int | None = None,
    vocabulary: int = 128_256,
    kind: str = "web",
    sequence: int = 4096,
    global_batch: int = 256,
    steps: int = 5000,
    warmup: int = 200,
    peak_lr: float = 3e-4,
    final_lr: float = 3e-5,
    decay: Decay = "cosine",
    epochs: int = 1,
) -> Job:
    """A job in which only what matters to the loss is true."""
    return Job(
        seed=seed,
        start=datetime(2026, 1, 1),
        recipe=RECIPES[recipe],
        model=Model("Test", parameters, active or parameters),
        architecture=Architecture(32, 4096, 32, 8, 128, 14_336, vocabulary, sequence),
        dataset=Dataset("test", 15_000_000_000_000, kind, 0 if kind in TEXT else 20_000_000_000),
        gpu=Gpu(
            "NVIDIA H100 80GB HBM3", 81_559, 700, 989.0, 3.35, 450.0, 50.0, 8, "sxm", 1980, 43.0
        ),
        layout=Layout(gpus=8, nodes=1, dp=8),
        schedule=Schedule(
            steps=steps,
            warmup=warmup,
            peak_lr=peak_lr,
            final_lr=final_lr,
            decay=decay,
            sequence=sequence,
            global_batch=global_batch,
            epochs=epochs,
            log_every=1,
            validate_every=250,
            validation_batches=20,
            save_every=1000,
        ),
        software=Software(*("1.0",) * len(Software._fields)),
        run_name="test",
        cluster="test",
        storage_gb_s=2.0,
        command="",
        framework=framework_of(DEFAULT),
    )


def gpt2_124m(seed: int = 0) -> Job:
    """GPT-2 124M in llm.c on FineWeb: 512 x 1024 tokens a step, warmup 700, to zero."""
    return make_job(
        seed=seed,
        parameters=124_475_904,
        vocabulary=50_257,
        sequence=1024,
        global_batch=512,
        steps=19_560,
        warmup=700,
        peak_lr=6e-4,
        final_lr=0.0,
    )


def dense_15b(seed: int = 0) -> Job:
    """The 15B Megatron run: 384 x 4096 tokens a step, warmup 3.9M samples, lr 4.5e-4.

    The log ends after 40,000 steps; at the usual 8T tokens the run has 5 million.
    """
    return make_job(
        seed=seed,
        parameters=15_000_000_000,
        vocabulary=256_000,
        kind="mixed",
        global_batch=384,
        steps=5_000_000,
        warmup=10_156,
        peak_lr=4.5e-4,
        final_lr=4.5e-5,
    )


def mixtral_8x7b(seed: int = 0) -> Job:
    """The Mixtral 8x7B Megatron run: 1024 x 4096 tokens a step.

    Its first loss, 12.67, is ln 256,000 + 0.22: it used the 15B run's vocabulary, not
    Mixtral's own 32,000 (ln 32,000 = 10.37). Schedule not published; Llama 2's is taken.
    """
    return make_job(
        seed=seed,
        parameters=46_700_000_000,
        active=12_900_000_000,
        vocabulary=256_000,
        kind="mixed",
        global_batch=1024,
        steps=500_000,
        warmup=2000,
        peak_lr=3e-4,
        final_lr=3e-5,
    )


# Mean training loss, +-5 % of the steps around these, read off three public logs.
ROWS = (1, 10, 25, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 40_000)
MEASURED = {
    "GPT-2 124M, 0.52M tokens a step": (
        gpt2_124m,
        (10.96, 9.94, 9.4, 8.54, 7.11, 6.33, 5.39, 4.32, 3.87, 3.57, 3.41, 3.29),
    ),
    "dense 15B, 1.57M tokens a step": (
        dense_15b,
        (12.96, 12.06, 9.98, 8.84, 7.84, 6.61, 5.44, 4.18, 3.28, 2.63, 2.38, 2.18, 2.09),
    ),
    "Mixtral 8x7B, 4.2M tokens a step": (
        mixtral_8x7b,
        (12.67, 11.73, 9.91, 8.89, 7.58, 6.00, 3.90, 3.12, 2.70, 2.33, 2.12, 1.99),
    ),
}
