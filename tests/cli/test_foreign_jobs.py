"""Frameworks' own configurations play in their dialect, with their layout, batch, steps and rates.

The names and the values are those of torchtitan's llama3_8b.toml (v0.1), of Megatron-LM's
examples/llama/train_llama3_8b_h100_fp8.sh and of TinyLlama's config.json with TrainingArguments.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmsim import cli
from llmsim.cli.job_files import job_of_file
from llmsim.errors import LlmsimError
from llmsim.job.milestones import validated_steps
from llmsim.job.records import Job
from llmsim.model.architecture import parameter_count
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from tests.cli.asked import Captured
from tests.runs import START

TORCHTITAN = """
[metrics]
log_freq = 10
enable_tensorboard = true
[model]
name = "llama3"
flavor = "8B"
[optimizer]
name = "AdamW"
lr = 3e-4
[lr_scheduler]
warmup_steps = 200
[training]
batch_size = 1
seq_len = 8192
steps = 1000
compile = false
dataset = "c4"
[parallelism]
data_parallel_shard_degree = -1
tensor_parallel_degree = 1
pipeline_parallel_degree = 1
[checkpoint]
enable_checkpoint = false
interval = 500
[activation_checkpoint]
mode = "selective"
selective_ac_option = "op"
"""
MEGATRON = """#!/bin/bash
GPUS_PER_NODE=8
NUM_NODES=2
TP_SIZE=2
GLOBAL_BATCH_SIZE=128
SEQ_LENGTH=${SEQ:-8192}
PATH_OF=${1:-"checkpoints/llama3"}
DISTRIBUTED_ARGS=(
    --nproc_per_node $GPUS_PER_NODE
    --nnodes $NUM_NODES
)
MODEL_ARGS=(
    --num-layers 32
    --hidden-size 4096
    --ffn-hidden-size 14336
    --num-attention-heads 32
    --group-query-attention
    --num-query-groups 8
    --kv-channels 128
    --seq-length $SEQ_LENGTH
    --max-position-embeddings 8192
    --swiglu
    --untie-embeddings-and-output-weights
)
TRAINING_ARGS=(
    --micro-batch-size 1
    --global-batch-size $GLOBAL_BATCH_SIZE
    --train-samples 195312
    --lr-warmup-samples 3906
    --lr 0.00015 --min-lr 0.00001 \\
    --lr-decay-style cosine
    # --fp16
)
PARALLEL_ARGS=(
    --tensor-model-parallel-size $TP_SIZE
    # --pipeline-model-parallel-size $PP_SIZE # not set
    --sequence-parallel
    --use-distributed-optimizer
)
DATA_ARGS+=( "--vocab-size 128256" "--mock-data" )
torchrun ${DISTRIBUTED_ARGS[@]} pretrain_gpt.py ${MODEL_ARGS[@]} \\
    ${TRAINING_ARGS[@]} ${PARALLEL_ARGS[@]} ${DATA_ARGS[@]} \\
    --log-interval 1 --eval-iters 32 --eval-interval 100 --save-interval 1000 --save "$PATH_OF"
"""
CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 2048,
    "_name_or_path": "TinyLlama/TinyLlama-1.1B-Chat-v1.0", "intermediate_size": 5632,
    "max_position_embeddings": 2048, "num_attention_heads": 32, "num_hidden_layers": 22,
    "num_key_value_heads": 4, "rms_norm_eps": 1e-05, "tie_word_embeddings": False,
    "vocab_size": 32000,
}  # fmt: skip
ARGUMENTS = {
    "output_dir": "out", "per_device_train_batch_size": 4, "gradient_accumulation_steps": 8,
    "learning_rate": 2e-05, "max_steps": 1200, "warmup_ratio": 0.03, "logging_steps": 10,
    "lr_scheduler_type": "cosine", "save_steps": 400, "eval_steps": 200, "bf16": True,
    "gradient_checkpointing": True, "seed": 42,
}  # fmt: skip


def played_from(folder: Path, *texts: str, **options: Any) -> tuple[Job, str]:
    """The job of a framework's files, and the remark about what has no effect."""
    paths = [folder / f"configuration{number}" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text, encoding="utf-8")
    job, remark = job_of_file(",".join(map(str, paths)))
    return plan(Options(seed=4, start=START, job=job)._replace(**options)), remark


def test_a_torchtitan_file(tmp_path: Path) -> None:
    job, remark = played_from(tmp_path, TORCHTITAN, gpus=16)
    layout, schedule = job.layout, job.schedule
    assert job.framework.name == "torchtitan"
    assert parameter_count(job.architecture) == 8_030_261_248
    assert (layout.dp, layout.tp, layout.pp, layout.sharding) == (16, 1, 1, "fsdp2")
    assert (layout.micro_batch, layout.accumulation, layout.recompute) == (1, 1, "selective")
    assert (schedule.steps, schedule.sequence, schedule.global_batch) == (1000, 8192, 16)
    assert (schedule.warmup, schedule.peak_lr, schedule.final_lr) == (200, 3e-4, 0.0)
    assert (schedule.decay, schedule.log_every) == ("linear", 10)
    assert job.dataset.name == "C4"
    assert "llmsim ignores metrics.enable_tensorboard, optimizer.name," in remark


def test_a_megatron_script(tmp_path: Path) -> None:
    job, remark = played_from(tmp_path, MEGATRON)
    layout, schedule = job.layout, job.schedule
    assert job.framework.name == "megatron"
    assert parameter_count(job.architecture) == 8_030_261_248
    assert (layout.gpus, layout.nodes) == (16, 2)
    assert (layout.dp, layout.tp, layout.pp, layout.sharding) == (8, 2, 1, "zero1")
    assert (layout.micro_batch, layout.accumulation, layout.recompute) == (1, 16, "none")
    assert (schedule.global_batch, schedule.sequence) == (128, 8192)
    assert schedule.steps == -(-195312 // 128) == 1526
    assert (schedule.warmup, schedule.decay) == (-(-3906 // 128), "cosine")
    assert (schedule.peak_lr, schedule.final_lr) == (1.5e-4, 1e-5)
    assert (schedule.log_every, schedule.validate_every, schedule.save_every) == (1, 100, 1000)
    assert remark.endswith("llmsim ignores --mock-data.")


def test_a_pair_of_hugging_face(tmp_path: Path) -> None:
    job, remark = played_from(tmp_path, json.dumps(CONFIG), json.dumps(ARGUMENTS), gpus=16)
    layout, schedule = job.layout, job.schedule
    assert job.framework.name == "hf"
    assert parameter_count(job.architecture) == 1_100_048_384  # of its safetensors
    assert (layout.dp, layout.micro_batch, layout.accumulation) == (16, 4, 8)
    assert (schedule.global_batch, schedule.sequence) == (512, 2048)
    assert (layout.sharding, layout.recompute) == ("ddp", "full")
    assert (schedule.steps, schedule.warmup, schedule.peak_lr) == (1200, 36, 2e-5)
    assert (schedule.decay, schedule.final_lr, schedule.log_every) == ("cosine", 0.0, 10)
    assert (schedule.save_every, schedule.validate_every) == (400, 200)
    assert remark.endswith("llmsim ignores rms_norm_eps, output_dir, seed.")


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        ("llama", 8_030_261_248), ("mistral", 8_030_261_248), ("qwen3", 8_030_261_248),
        ("gemma", 7_504_924_672), ("smollm3", 7_504_924_672),
    ],
)  # fmt: skip
def test_embeddings_are_tied_as_the_models_configuration_has_it(
    kind: str, size: int, tmp_path: Path
) -> None:
    """Llama 3 8B's shape without tie_word_embeddings: its 128,256 x 4,096 weights come twice,
    unless the class of the model type says True (transformers, configuration_*.py).
    """
    shape = {
        "model_type": kind, "hidden_size": 4096, "intermediate_size": 14336, "vocab_size": 128_256,
        "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
    }  # fmt: skip
    job, _ = played_from(tmp_path, json.dumps(shape), json.dumps(ARGUMENTS), gpus=8)
    assert parameter_count(job.architecture) == size
    told = json.dumps(shape | {"tie_word_embeddings": True})
    job, _ = played_from(tmp_path, told, json.dumps(ARGUMENTS), gpus=8)
    assert parameter_count(job.architecture) == 7_504_924_672


def test_what_has_no_effect_is_told_once_on_standard_error(tmp_path: Path, capfd: Captured) -> None:
    path = tmp_path / "job.sh"
    path.write_text(MEGATRON, encoding="utf-8")
    assert cli.main(["--job", str(path), "--seed", "4", "--print-config"]) == 0
    text, remark = capfd.readouterr()
    assert "megatron" in text
    assert remark.splitlines() == [
        f"llmsim: {path} is read as megatron's; llmsim ignores --mock-data."
    ]


PIECES = "--num-layers-per-virtual-pipeline-stage"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "cannot be used: it is not JSON."),
        ("{} []", "cannot be used: it has something else than objects."),
        ("--num-layers two --hidden-size 64", "[model] layers in FILE cannot be 'two': give"),
        ("--num-layers 2 --train-samples 7", "it counts samples, and says no --global-batch-size."),
        (
            "--num-layers 2 --train-samples nan --global-batch-size 8",
            "cannot be used: --train-samples cannot be nan: give a number.",
        ),
        (
            "--num-layers 2 --train-samples 64 --global-batch-size x",
            "cannot be used: --global-batch-size cannot be x: give a number.",
        ),
        ("--num-layers 2 --exit-interval inf --train-iters 9", "--exit-interval cannot be inf:"),
        (
            "--num-layers 2 --global-batch-size 1e-300 --train-samples 1e17",
            "a number in it is",
        ),
        ('{"max_steps": 5, "warmup_ratio": 1e308}', "cannot be used: a number in it is too large."),
        ('{"max_steps": 5, "warmup_steps": NaN}', "cannot be used: its warmup_steps is no number."),
        ("--num-layers 2 --global-batch-size 8 --train-samples", "--train-samples has no number."),
        # What Megatron-LM's own parser and validate_args refuse (megatron/training/arguments.py).
        ("--num-layers 2 --bf16 --fp16", "--bf16 and --fp16 are both given: Megatron-LM takes"),
        ("--num-layers 2 --fp8-format e5m9", "--fp8-format cannot be e5m9: give e4m3 or hybrid."),
        ("--num-layers 2 --recompute-granularity all", "cannot be all: give full or selective."),
        (
            f"--num-layers 12 --pipeline-model-parallel-size 4 {PIECES} 5",
            f"{PIECES} 5 x 4 stages do not divide 12 layers.",
        ),
        ('{"max_steps": ' + "1" * 5000 + "}", "cannot be used: a number in it has 5,000 digits."),
        ("[training]\nbatch_size = 'x'\n", "cannot be used: its batch sizes are no whole numbers."),
        ("[parallelism]\ncontext_parallel_degree = 'x'\n", "[parallel] cp in FILE cannot be 'x'"),
        ("[model]\nconverters = 7\n[training]\n", "its model converters are no list."),
        (
            json.dumps({"output_dir": "x", "fp16": True, "per_device_train_batch_size": 1}),
            "cannot be: its loss scale skips steps, which no log of hf",
        ),
    ],
)
def test_what_cannot_be_is_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "job"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LlmsimError) as error:
        plan(Options(seed=4, start=START, job=job_of_file(str(path))[0]))
    assert sentence in str(error.value).replace(str(path), "FILE")


WHOLE = st.sampled_from((TORCHTITAN, MEGATRON, json.dumps(CONFIG), json.dumps(ARGUMENTS)))
CUTS = st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 9), st.text(max_size=4)), max_size=5)


def ends_well(path: Path, text: str, cuts: list[tuple[int, int, str]]) -> None:
    """Fails unless a text with pieces replaced makes a job, or one sentence."""
    for at, length, piece in cuts:
        text = text[: at % len(text)] + piece + text[at % len(text) + length :] + " "
    path.write_text(text, encoding="utf-8", errors="replace")
    try:
        job = plan(Options(seed=4, start=START, job=job_of_file(str(path))[0]))
    except LlmsimError:
        return  # anything else is a traceback, and fails
    layout = job.layout
    assert layout.gpus == layout.dp * layout.cp * layout.tp * layout.pp


@settings(max_examples=25, deadline=None)
@given(WHOLE, CUTS)
def test_any_text_is_a_job_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, text: str, cuts: list[tuple[int, int, str]]
) -> None:
    ends_well(tmp_path_factory.getbasetemp() / "any", text, cuts)


@pytest.mark.transcripts
@settings(max_examples=2000, deadline=None)
@given(WHOLE, CUTS)
def test_two_thousand_texts(
    tmp_path_factory: pytest.TempPathFactory, text: str, cuts: list[tuple[int, int, str]]
) -> None:
    ends_well(tmp_path_factory.getbasetemp() / "any", text, cuts)


def test_a_megatron_script_in_fp16_is_a_run_in_fp16(tmp_path: Path) -> None:
    script = "--num-layers 8 --hidden-size 512 --num-attention-heads 8 --seq-length 1024 --fp16"
    job, _ = played_from(tmp_path, script)
    assert (job.framework.name, job.layout.precision) == ("megatron", "fp16")


# What bash passes on: the values are those that `bash -c` prints for the same lines.
AS_BASH = [
    ('PAR=(--tensor-model-parallel-size 2 --sequence-parallel)', '"${PAR[@]}"', (2, 1)),
    ('PAR=(--tensor-model-parallel-size 2)\nPAR+=(--pipeline-model-parallel-size 2)',
     "${PAR[@]}", (2, 2)),
    ('PAR="--tensor-model-parallel-size 2 --sequence-parallel"', "$PAR", (2, 1)),
    ('PAR=" --tensor-model-parallel-size 2 "; PAR+="--pipeline-model-parallel-size 4"',
     "${PAR}", (2, 4)),
    ("TP=2; PP=4", "--tensor-model-parallel-size $TP --pipeline-model-parallel-size $PP", (2, 4)),
    ("export TP=2 PP=4 # both",
     "--tensor-model-parallel-size $TP --pipeline-model-parallel-size=${PP}", (2, 4)),
    ('PP=${STAGES:-"4"}',
     "--tensor-model-parallel-size ${TP:-2} --pipeline-model-parallel-size ${P:-${PP}}", (2, 4)),
    ("TP=2", "--tensor-model-parallel-size ${TP:-4} --pipeline-model-parallel-size $((TP * 2))",
     (2, 4)),
    ('PAR="--tensor-model-parallel-size 2"\nrun="python pretrain.py ${PAR}"',
     '--log-interval 1\nsrun sh -c "${run}"', (2, 1)),
    ("PAR=(--tensor-model-parallel-size 2 # of a node\n  --bf16)", "${PAR[@]}", (2, 1)),
    ('echo "try --tensor-model-parallel-size 8"\nTP=2', "--tensor-model-parallel-size $TP", (2, 1)),
]  # fmt: skip


@pytest.mark.parametrize(("before", "arguments", "layout"), AS_BASH)
def test_variables_are_what_bash_makes_of_them(
    before: str, arguments: str, layout: tuple[int, int], tmp_path: Path
) -> None:
    sizes = "--num-layers 8 --hidden-size 512 --num-attention-heads 8 --seq-length 1024"
    script = f"#!/bin/bash\n{before}\ntorchrun pretrain_gpt.py {sizes} {arguments}\n"
    job, remark = played_from(tmp_path, script, gpus=8)
    assert (job.layout.tp, job.layout.pp) == layout
    assert "$" not in remark


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--num-layers 8 $EXTRA", "llmsim ignores $EXTRA."),
        ("--num-layers 8 --nnodes $SLURM_NNODES", "llmsim ignores --nnodes $SLURM_NNODES."),
        ("--num-layers 8 --nproc-per-node $(nvidia-smi -L | wc -l)",
         "llmsim ignores --nproc-per-node $(nvidia-smi -L | wc -l)."),
    ],
)  # fmt: skip
def test_what_only_a_running_shell_knows_is_named(
    arguments: str, said: str, tmp_path: Path
) -> None:
    _, remark = played_from(tmp_path, f"torchrun pretrain_gpt.py {arguments}\n")
    assert remark.endswith(said)


def test_an_array_that_no_command_uses_is_named(tmp_path: Path) -> None:
    script = "MOE=(--num-experts 8)\ntorchrun pretrain_gpt.py --num-layers 8\n"
    job, remark = played_from(tmp_path, script)
    assert job.architecture.experts == 1
    assert remark.endswith("llmsim ignores MOE (no command uses it).")


def test_a_size_that_nothing_sets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LlmsimError) as error:
        played_from(tmp_path, "torchrun p.py --num-layers 8 --tensor-model-parallel-size $TP")
    assert "--tensor-model-parallel-size is $TP, which nothing in it sets" in str(error.value)


def test_variables_that_double_at_each_line_end_in_a_sentence(tmp_path: Path) -> None:
    script = "A=--num-layers\n" + 'A="$A$A"\n' * 60 + "torchrun $A"
    with pytest.raises(LlmsimError) as error:
        played_from(tmp_path, script)
    assert "stand for more than 65,536 characters" in str(error.value)


SHORT_TITAN = TORCHTITAN.replace("steps = 1000", "steps = 20").replace("= 200", "= 2")


def test_a_torchtitan_file_plays_without_validation_and_names_its_flavor(
    tmp_path: Path, capfd: Captured
) -> None:
    """torchtitan/config/job_config.py of v0.2.0, class Validation: `enable: bool = False`;
    train.py prints the name and the flavor of the model.
    """
    (tmp_path / "job.toml").write_text(SHORT_TITAN, encoding="utf-8")
    given = ["--job", str(tmp_path / "job.toml"), "--gpus", "16", "--seed", "4"]
    assert cli.main([*given, "--view", "log", "--speed-factor", "max"]) == 0
    log = capfd.readouterr()[0]
    assert "validat" not in log
    assert "Building llama3 8B with TransformerModelArgs(" in log
    assert re.search("Model llama3 8B .*size: 8,030,261,248 total parameters", log)
    again = TORCHTITAN + "[validation]\nenable = true\nfreq = 500\n"
    assert validated_steps(played_from(tmp_path, again, gpus=16)[0]) == (1, 500, 1000)


@pytest.mark.parametrize("kind", ["jsonl", "csv", "openmetrics"])
def test_a_run_without_validation_is_exported(kind: str, tmp_path: Path) -> None:
    (tmp_path / "job.toml").write_text(SHORT_TITAN, encoding="utf-8")
    given = ["--job", str(tmp_path / "job.toml"), "--gpus", "16", "--seed", "4", "--quiet"]
    assert cli.main([*given, "--export", f"{kind}={tmp_path / 'out'}"]) == 0


def test_what_the_seed_draws_is_told(tmp_path: Path, capfd: Captured) -> None:
    script = MEGATRON.replace("--train-samples 195312", "--train-iters 20")
    (tmp_path / "job.sh").write_text(script.replace("samples 3906", "iters 2"), encoding="utf-8")
    given = ["--job", str(tmp_path / "job.sh"), "--seed", "4", "--speed-factor", "max"]
    assert cli.main([*given, "--exit-after-time", "1s"]) == 0
    said = [line for line in capfd.readouterr()[1].splitlines() if "seed draws" in line]
    job = plan(Options(seed=4, start=START, job=job_of_file(str(tmp_path / "job.sh"))[0]))
    assert job.recipe.name == "pretrain"
    draws = f"the seed draws dataset {job.dataset.name}; --dataset can set it."
    assert said == [f"llmsim: the job file leaves it open, so {draws}"]
    assert cli.main([*given, "--exit-after-time", "1s", "--dataset", "C4"]) == 0
    assert "seed draws" not in capfd.readouterr()[1]


def test_training_arguments_are_of_a_pretraining(tmp_path: Path) -> None:
    for seed in range(4):
        job, _ = played_from(tmp_path, json.dumps(CONFIG), json.dumps(ARGUMENTS), seed=seed, gpus=8)
        assert job.recipe.name == "pretrain"


@pytest.mark.long
def test_a_framework_that_always_validates_says_so(tmp_path: Path) -> None:
    (tmp_path / "job.toml").write_text("[schedule]\nvalidates = false\n", encoding="utf-8")
    with pytest.raises(LlmsimError) as error:
        plan(Options(seed=4, start=START, job=job_of_file(str(tmp_path / "job.toml"))[0]))
    assert "always validates: leave out [schedule] validates." in str(error.value)
