"""A job file says a job in full: it is read, refused in one sentence, and written so that it
plays the same run."""

import json
import re
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmsim.cli.job_toml import text_of
from llmsim.dialects.registry import NAMES
from llmsim.errors import LlmsimError, OptionError
from llmsim.job.records import Job
from llmsim.model.architecture import parameter_count
from llmsim.options.job_keys import KEYS, wanted_of
from llmsim.options.table import Options
from llmsim.physics.speed.collectives import flows
from llmsim.planning.plan import plan
from llmsim.planning.written import tables_of
from tests.cli.asked import Captured, refused, shown
from tests.dialects.logs import PIPE, played
from tests.runs import START, job_of
from tools import job_docs

# Llama 3 8B: its config.json and table 3 of its paper; 8,030,261,248 weights.
LLAMA_3_8B = """
[model]
name = "Llama-3-8B"
layers = 32
hidden_size = 4096
heads = 32
kv_heads = 8
ffn = 14336
vocabulary = 128256
tied = false

[cluster]
gpu = "H100 80GB HBM3"
gpus = 64

[parallel]
tp = 8
pp = 1
sharding = "fsdp2"
recompute = "selective"

[batch]
micro = 2
global = 512
sequence = 8192

[schedule]
tokens = "4B"
warmup = 200
peak_lr = 3e-4
final_lr = 3e-5
decay = "linear"
log_every = 10
validate_every = 300
save_every = 400

[framework]
dialect = "torchtitan"

[data]
name = "our-crawl"
kind = "web"
tokens = "15T"
"""


def asked(text: str, **options: Any) -> Job:
    """The job of a file's text."""
    given_options = Options(seed=3, start=START, job=wanted_of(tomllib.loads(text), "job.toml"))
    return plan(given_options._replace(**options))


def test_a_job_is_what_its_file_says() -> None:
    job = asked(LLAMA_3_8B)
    assert (job.framework.name, job.gpu.name) == ("torchtitan", "NVIDIA H100 80GB HBM3")
    assert parameter_count(job.architecture) == 8_030_261_248
    layout, schedule = job.layout, job.schedule
    assert (layout.gpus, layout.dp, layout.tp, layout.pp) == (64, 8, 8, 1)
    assert (layout.micro_batch, layout.accumulation, layout.recompute) == (2, 32, "selective")
    assert schedule.steps == -(-4_000_000_000 // (512 * 8192)) == 954
    assert (schedule.warmup, schedule.peak_lr, schedule.final_lr) == (200, 3e-4, 3e-5)
    assert (schedule.decay, schedule.log_every) == ("linear", 10)
    assert (schedule.validate_every, schedule.save_every) == (300, 400)
    assert (job.dataset.name, job.dataset.tokens) == ("our-crawl", 15 * 10**12)


def test_a_flag_says_more_than_the_file(tmp_path: Path, capfd: Captured) -> None:
    path = tmp_path / "job.toml"
    path.write_text(LLAMA_3_8B, encoding="utf-8")
    command = ("--job", str(path), "--print-config", "--seed", "3")
    text = shown(capfd, *command, "--tp", "4", "--steps", "770")
    assert "tensor 4" in text
    assert "770 steps" in text
    (again,) = re.findall(r"(?m)^again +(.*)", text)
    assert "--tp 4 --steps 770 --job " in again
    assert "--gpus" not in again
    text = shown(capfd, *command, "--dialect", "pytorch")  # which is the default, too
    assert re.search(r"(?m)^dialect +pytorch$", text)
    assert "llmsim --dialect pytorch --job " in text


def test_python_has_the_same_sections() -> None:
    sections = tomllib.loads(LLAMA_3_8B)
    by_dictionary = plan(Options(job=sections, seed=3, start=START))  # type: ignore[arg-type]  # as people give it
    assert by_dictionary._replace(command="") == asked(LLAMA_3_8B)._replace(command="")


@pytest.mark.parametrize("seed", range(30))
def test_the_file_of_any_run_plays_the_same_run(seed: int) -> None:
    """All of a run follows from its job: equal jobs have equal logs."""
    for dialect in (NAMES[seed % len(NAMES)], NAMES[(seed + 5) % len(NAMES)]):
        job = job_of(seed, dialect=dialect)
        tables = tomllib.loads(text_of(tables_of(job)))
        assert plan(Options(job=wanted_of(tables, "x.toml"))) == job, (seed, dialect)


@pytest.mark.parametrize(
    "options",
    [
        {"incidents": "none"}, {"incidents": "typical", "incident": ("cuda-oom@step=50",)},
        {"recipe": "dpo"}, {"recipe": "grpo"},
        {"recipe": "grpo", "job": {"recipe": {"group": 16, "beta": 0.001}}},
        {"recipe": "pretrain", "job": {"data": {"loader": "ordered"}}},
        {"recipe": "lora"}, {"evaluate": True},
        {"model": "Basalt-405B", "gpus": 4096, "recipe": "pretrain"}, {"gpus": 3}, {"tidy": True},
        {"jokes": False}, {"jokes": False, "model": "ButtGPT-420B"},
        {"model": "Archipelago-8x7B", "recipe": "pretrain"}, {"lr": 1e-5, "log_every": 7},
        {"model": "Archipelago-8x7B", "recipe": "pretrain", "ep": 8, "gpu": "H200", "gpus": 64},
        {"model": "X-8B", "recipe": "pretrain", "gpu": "H200", "gpus": 32, "cp": 2, "tp": 2},
        {"model": "X-8B", "recipe": "pretrain", "gpu": "B200", "gpus": 32, "sharding": "hsdp"},
        {"model": "X-8B", "recipe": "pretrain", "gpu": "B200", "precision": "mxfp8"},
        {"model": "X-8B", "recipe": "pretrain", "gpu": "H200", "gpus": 8, "sequence": 131_072},
    ],
    ids=str,
)  # fmt: skip
def test_the_file_of_a_run_that_was_asked_for_plays_it(options: dict[str, Any]) -> None:
    job = job_of(7, **options)
    tables = tomllib.loads(text_of(tables_of(job)))
    assert plan(Options(job=wanted_of(tables, "x.toml"))) == job


def test_the_same_bytes(tmp_path: Path, capfd: Captured) -> None:
    flags = ("--seed", "4", "--start", "2026-01-30T12:00:00", "--dialect", "pytorch")
    path = tmp_path / "four.toml"
    path.write_text(shown(capfd, *flags, "--print-config", "--toml"), encoding="utf-8")
    quick = ("--speed-factor", "max", "--view", "log")
    assert shown(capfd, "--job", str(path), *quick) == shown(capfd, *flags, *quick)
    assert "".join(played("pytorch", 4, PIPE))


OLDER = "[framework]\ndialect = 'megatron'\nrelease = 'core_v0.8.0'\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[modle]\nlayers = 2\n", "there is no section [modle] in FILE: did you mean model?"),
        ("[model]\nlayer = 2\n", "there is no key layer in [model] in FILE: did you mean layers?"),
        ("layers = 2\n", "layers in FILE stands outside of its section: put it below [model]."),
        ("model = 2\n", "[model] in FILE is 2: give a section with keys."),
        (
            "[model]\nlayers = '2'\n",
            "[model] layers in FILE cannot be '2': give a whole number from 1 to 10,000.",
        ),
        (
            "[parallel]\ncp = 2\n[framework]\ndialect = 'olmo'\n",
            "--dialect olmo shares no sequence between ranks: leave out --cp 2.",
        ),
        (
            "[precision]\ncompute = 'fp8'\n[cluster]\ngpu = 'A100-SXM4-80GB'\n",
            "--precision fp8 needs another GPU than NVIDIA A100-SXM4-80GB: fp8 came with Ada",
        ),
        ("[batch]\nglobal = true\n", "[batch] global in FILE cannot be true: give a whole number"),
        ("[cluster]\ngpu = 'H2000'\n", "[cluster] gpu in FILE 'H2000' is not listed"),
        ("[model\n", "FILE line 1 is not TOML"),
        (
            "[framework]\nversions = {torch = 3}\n",
            "[framework] versions in FILE has torch = 3: give a text such as '2.7.1'.",
        ),
        (
            "[framework]\nversions = {torch = 'bananas'}\n",
            "[framework] versions in FILE has torch = 'bananas': give a text such as '2.7.1'.",
        ),
        (
            "[cluster]\ngpus = '64'\n",
            "[cluster] gpus in FILE cannot be '64': give a whole number from 1 to 131072.",
        ),
        (
            "[schedule]\npeak_lr = 1e-4\nfinal_lr = 1e-3\n",
            "final_lr = 0.001 is above the peak learning rate 0.0001: give a smaller final_lr.",
        ),
        (
            "[model]\nname = 'OurModel'\n",
            "[model] name in FILE: model 'OurModel' is not listed and does not end in a size",
        ),
        (
            "[data]\nname = 'OurTexts'\n",
            "[data] name in FILE: data set 'OurTexts' is not listed",
        ),
        (
            "[framework]\nversions = {troch = '3'}\n",
            "[framework] versions in FILE has troch: give any of python, torch, ",
        ),
        (
            f"{OLDER}[model]\nlayers = 8\n[parallel]\npp = 2\ninterleave = 3\n",
            "pp 2 x interleave 3 = 6 does not divide the model's 8 layers: in this release each",
        ),
        (
            f"{OLDER}[model]\nlayers = 9\n[parallel]\npp = 2\n",
            "pp 2 does not divide the model's 9 layers: in this release each piece of a stage",
        ),
        (
            "[model]\nlayers = 8\nhidden_size = 512\nheads = 8\nkv_heads = 3\n",
            "8 heads are no multiple of kv_heads = 3.",
        ),
        (
            "[model]\nlayers = 1\nhidden_size = 64\n",
            "but a model has 20M to 100T.",
        ),
        (
            "[cluster]\ngpus = 8\n[parallel]\ndp = 4\ntp = 4\npp = 1\n",
            "--gpus 8 is not dp 4 x tp 4 x pp 1 = 16.",
        ),
        ("[recipe]\nname = 'sft'\nrank = 8\n", "--recipe sft trains all weights: leave out"),
        pytest.param(
            "[batch]\nglobal = 64\nramp = [[1, 32], [100, 48]]\n",
            "[batch] ramp has to grow from step 1 on to the full batch of 64 sequences.",
            marks=pytest.mark.long,
        ),
        pytest.param(
            "[schedule]\nsteps = 10\nwarmup = 11\n",
            "[schedule] warmup = 11 is more than the run's",
            marks=pytest.mark.long,
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence(
    text: str, sentence: str, tmp_path: Path, capfd: Captured
) -> None:
    path = tmp_path / "job.toml"
    path.write_text(text, encoding="utf-8")
    told = refused(capfd, "--job", str(path), "--print-config", "--seed", "3")
    assert sentence in told.replace(str(path), "FILE")


def test_the_plan_as_json_has_units_and_agrees_with_itself(tmp_path: Path, capfd: Captured) -> None:
    path = tmp_path / "job.toml"
    path.write_text(LLAMA_3_8B, encoding="utf-8")
    told = json.loads(shown(capfd, "--job", str(path), "--print-config", "--json"))
    expected, memory = told["expected"], told["memory_per_gpu"]
    rate = 512 * 8192 / expected["step_seconds"] / 64
    assert expected["tokens_per_second_per_gpu"] == pytest.approx(rate)
    assert expected["tflops_per_gpu"] == pytest.approx(expected["mfu"] * 989, rel=1e-3)
    assert expected["hours"] == pytest.approx(expected["total_seconds"] / 3600)
    assert expected["gpu_hours"] == pytest.approx(64 * expected["hours"], rel=0.01)
    assert memory["peak_memory_gib"] == pytest.approx(memory["expected_bytes"] / 2**30, abs=1e-3)
    assert memory["fits"] is True
    # bf16 weights and three fp32 states are 14 bytes, fp32 weights and two moments are 12.
    assert 12 <= expected["checkpoint_bytes"] / 8_030_261_248 <= 14
    assert set(told["communication"]) == {"all-gather", "reduce-scatter", "all-reduce"}
    assert all(each["bytes_per_step"] > 0 for each in told["communication"].values())


@pytest.mark.parametrize("text", ["[]", "[1", "3", ""])
def test_json_that_is_no_object_is_said_to_be_none(
    text: str, tmp_path: Path, capfd: Captured
) -> None:
    path = tmp_path / "job.json"
    path.write_text(text, encoding="utf-8")
    told = refused(capfd, "--job", str(path), "--print-config")
    assert told.startswith(f"{path} is no JSON object: give Hugging Face's config.json, or")


def test_a_file_that_is_not_there_is_named(tmp_path: Path, capfd: Captured) -> None:
    path = tmp_path / "none.toml"
    assert refused(capfd, "--job", str(path)) == f"{path}: no such file or directory."


def test_the_page_has_every_key() -> None:
    page = job_docs.page()
    assert all(f"| `{key.name}` |" in page for key in KEYS)
    example, middle = re.findall(r"(?s)```toml\n(.*?)```", page)
    assert asked(example).layout.tp == 8
    job = asked(middle)
    assert (job.layout.cp, job.layout.ep, job.layout.precision) == (2, 8, "fp8")
    assert (job.schedule.first_step, job.schedule.steps) == (240_001, 500_000)
    assert job.schedule.time_limit == 6 * 3600
    purposes = {f.operation for f in flows(job.architecture, job.gpu, job.layout, 32_768)}
    assert {"all-to-all", "all-gather", "all-reduce"} <= purposes


SOME = st.one_of(
    st.integers(-2, 300), st.sampled_from((1 << 70, 0.5, -1.0, 1e300, "8B", "auto", "x" * 5000)),
    st.booleans(), st.text(max_size=5), st.just([]), st.just({}), st.sampled_from((1, 2, 4, 8, 64)),
    st.just(datetime(2026, 1, 1)), st.floats(),
)  # fmt: skip
ROWS = st.tuples(st.sampled_from([(key.section, key.name) for key in KEYS]), SOME)


def mutated(tables: dict[str, Any], rows: list[tuple[tuple[str, str], object]]) -> dict[str, Any]:
    """The sections with some of their values replaced."""
    copy = {section: dict(table) for section, table in tables.items()}
    for (section, name), value in rows:
        copy.setdefault(section, {})[name] = value
    return copy


def ends_well(tables: dict[str, Any]) -> None:
    """Fails unless the sections make a job, or one sentence."""
    try:
        job = plan(Options(seed=3, start=START, job=wanted_of(tables, "job.toml")))
    except LlmsimError as error:
        sentence = str(error)
        assert sentence.isprintable()
        assert sentence.endswith((".", "?")), sentence
        return
    layout = job.layout
    assert layout.gpus == layout.dp * layout.cp * layout.tp * layout.pp
    assert layout.dp * layout.cp % layout.ep == layout.dp % layout.replicas == 0
    assert job.schedule.global_batch == layout.dp * layout.micro_batch * layout.accumulation


@pytest.mark.long
@settings(max_examples=25, deadline=None)
@given(st.lists(ROWS, max_size=4))
def test_any_file_is_a_job_or_a_sentence(rows: list[tuple[tuple[str, str], object]]) -> None:
    ends_well(mutated(tomllib.loads(LLAMA_3_8B), rows))


@pytest.mark.transcripts
@settings(max_examples=2000, deadline=None)
@given(st.lists(ROWS, max_size=6), st.booleans())
def test_two_thousand_files(rows: list[tuple[tuple[str, str], object]], whole: bool) -> None:
    ends_well(mutated(tomllib.loads(LLAMA_3_8B) if whole else {}, rows))


def test_a_job_of_another_kind_is_refused() -> None:
    with pytest.raises(OptionError, match="give a dictionary of sections"):
        plan(Options(job=7, seed=3, start=START))  # type: ignore[arg-type]  # a wrong one
