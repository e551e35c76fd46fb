"""Jobs for the tests of physics: real models on real machines, and hypothesis strategies."""

from datetime import datetime

from hypothesis import strategies as st

from llmsim.catalog.records import Dataset, Gpu, Model
from llmsim.dialects.registry import DEFAULT, framework_of
from llmsim.job.layout import Layout, Recompute, Sharding
from llmsim.job.recipes import RECIPES
from llmsim.job.records import Job, Software
from llmsim.job.schedule import Schedule
from llmsim.model.architecture import Architecture, parameter_count

# name, memory MiB, TDP W, TFLOP/s, HBM TB/s, link GB/s, NIC GB/s, GPUs per node
A100 = Gpu("NVIDIA A100-SXM4-80GB", 81_920, 400, 312.0, 2.039, 300.0, 25.0, 8, "sxm", 1410, 57.0)
H100 = Gpu("NVIDIA H100 80GB HBM3", 81_559, 700, 989.0, 3.35, 450.0, 50.0, 8, "sxm", 1980, 43.0)
H200 = Gpu("NVIDIA H200", 143_771, 700, 989.0, 4.8, 450.0, 50.0, 8, "sxm", 1980, 43.0)
H800 = Gpu("NVIDIA H800", 81_559, 700, 989.0, 3.35, 200.0, 50.0, 8, "sxm", 1980, 43.0)
B200 = Gpu("NVIDIA B200", 183_359, 1000, 2250.0, 8.0, 900.0, 50.0, 8, "sxm", 1965, 42.0)
GB200 = Gpu("NVIDIA GB200", 189_471, 1200, 2500.0, 8.0, 900.0, 50.0, 4, "superchip", 1965, 39.0)
MI300X = Gpu(
    "AMD Instinct MI300X", 196_592, 750, 1307.0, 5.3, 448.0, 50.0, 8, "instinct", 2100, 28.0
)
RTX_4090 = Gpu(
    "NVIDIA GeForce RTX 4090", 24_564, 450, 165.2, 1.008, 32.0, 3.1, 8, "geforce", 2625, 46.0
)
GPUS = (A100, H100, H200, H800, B200, GB200, MI300X, RTX_4090)

# layers, width, heads, KV heads, head width, feed-forward, vocabulary, context
GPT_124M = Architecture(12, 768, 12, 12, 64, 2048, 50_257, 1024, tied=True)
GPT_350M = Architecture(24, 1024, 16, 16, 64, 2752, 50_257, 1024, tied=True)
GPT_760M = Architecture(24, 1536, 16, 16, 96, 4096, 50_257, 2048, tied=True)
LLAMA_1B = Architecture(22, 2048, 32, 4, 64, 5632, 32_000, 2048)
LLAMA_3B = Architecture(28, 3072, 24, 8, 128, 8192, 128_256, 4096, tied=True)
LLAMA_7B = Architecture(32, 4096, 32, 32, 128, 11_008, 32_000, 4096)
LLAMA_8B = Architecture(32, 4096, 32, 8, 128, 14_336, 128_256, 8192)
LLAMA_13B = Architecture(40, 5120, 40, 40, 128, 13_824, 32_000, 4096)
LLAMA_30B = Architecture(60, 6656, 52, 52, 128, 17_920, 32_000, 2048)
LLAMA_70B = Architecture(80, 8192, 64, 8, 128, 28_672, 128_256, 8192)
LLAMA_405B = Architecture(126, 16_384, 128, 8, 128, 53_248, 128_256, 8192)
MIXTRAL = Architecture(32, 4096, 32, 8, 128, 14_336, 32_000, 8192, 8, 2)
QWEN_30B_A3B = Architecture(48, 2048, 32, 4, 128, 768, 151_936, 8192, 128, 8)
SHAPES = (GPT_124M, LLAMA_1B, LLAMA_8B, LLAMA_70B, LLAMA_405B, MIXTRAL, QWEN_30B_A3B)


def layout(
    gpus: int = 8,
    per_node: int = 8,
    tp: int = 1,
    pp: int = 1,
    sharding: Sharding = "fsdp2",
    recompute: Recompute = "selective",
    micro_batch: int = 1,
    accumulation: int = 1,
    framework: str = DEFAULT,
) -> Layout:
    """A consistent layout: gpus = dp x tp x pp."""
    return Layout(
        gpus=gpus,
        nodes=-(-gpus // min(gpus, per_node)),
        dp=gpus // (tp * pp),
        tp=tp,
        pp=pp,
        sharding=sharding,
        recompute=recompute,
        micro_batch=micro_batch,
        accumulation=accumulation,
        engine=framework_of(framework).parallelism.engine,
    )


def job(
    config: Architecture = LLAMA_8B,
    gpu: Gpu = H100,
    spread: Layout | None = None,
    seed: int = 1,
    steps: int = 2000,
    start: datetime = datetime(2026, 1, 30, 12, 0),
    storage_gb_s: float = 20.0,
) -> Job:
    """A job with the shape's own context as its sequence."""
    spread = spread or layout(per_node=gpu.per_node)
    batch = spread.dp * spread.micro_batch * spread.accumulation
    parameters = parameter_count(config)
    return Job(
        seed=seed,
        start=start,
        recipe=RECIPES["pretrain"],
        model=Model("TestGPT", parameters, parameters, config.experts),
        architecture=config,
        dataset=Dataset("TestWeb", 10**13, "web"),
        gpu=gpu,
        layout=spread,
        schedule=Schedule(
            steps=steps, warmup=100, peak_lr=3e-4, final_lr=3e-5, decay="cosine",
            sequence=config.context, global_batch=batch, epochs=1, log_every=10,
            validate_every=250, validation_batches=4, save_every=500,
        ),
        software=Software(
            "3.12.3", "2.9.1+cu128", "CUDA", "12.8", "NCCL", "2.27.5", "570.148.08", "4.57.1"
        ),
        run_name="quiet-gradient-42",
        cluster="toaster",
        command="train.py --config toaster.toml",
        framework=framework_of(DEFAULT),
        storage_gb_s=storage_gb_s,
    )  # fmt: skip


@st.composite
def layouts(draw: st.DrawFn, gpu: Gpu) -> Layout:
    """Any layout from 1 to 131,072 GPUs."""
    tp = draw(st.sampled_from((1, 2, 4, 8))) if gpu.per_node == 8 else 1
    pp = draw(st.sampled_from((1, 2, 8, 16)))
    dp = draw(st.integers(1, 131_072 // (tp * pp)))
    gpus = dp * tp * pp
    per_node = max(size for size in range(1, gpu.per_node + 1) if gpus % size == 0)
    return layout(
        gpus=gpus,
        per_node=per_node,
        tp=tp,
        pp=pp,
        sharding=draw(st.sampled_from(("ddp", "zero1", "zero2", "zero3", "fsdp2"))),
        recompute=draw(st.sampled_from(("none", "selective", "full"))),
        micro_batch=draw(st.sampled_from((1, 2, 8))),
        accumulation=draw(st.sampled_from((1, 3, 32))),
    )


@st.composite
def jobs(draw: st.DrawFn) -> Job:
    """Any model on any cluster, whether it fits or not."""
    gpu = draw(st.sampled_from(GPUS))
    return job(
        config=draw(st.sampled_from(SHAPES)),
        gpu=gpu,
        spread=draw(layouts(gpu)),
        seed=draw(st.integers(0, 2**63)),
        steps=draw(st.integers(1, 500_000)),
        start=datetime(2026, draw(st.integers(1, 12)), 1, draw(st.integers(0, 23))),
        storage_gb_s=draw(st.floats(0.5, 2000.0)),
    )
