"""docs/print-config.md: its keys are those of the answer, and its units are true."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from llmsim.cli.configuration import facts
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from tools import config_docs

START = datetime(2026, 1, 30, 12)
JOBS = [
    Options(seed=7, start=START),
    Options(seed=3, start=START, dialect="maxtext"),
    Options(seed=1, start=START, recipe="lora", gpu="NVIDIA H100 80GB HBM3", gpus=1),
    Options(seed=1, start=START, dialect="megatron", recipe="pretrain", gpus=1024),
]


def answer(options: Options) -> Any:
    """What --print-config --json says."""
    return facts(plan(options), options)


def paths(operations: bool, subject: Any) -> Iterator[str]:
    """The paths of a subject's keys; each collective stands for all of them."""
    for own, value in subject.items():
        name = "OPERATION" if operations else own
        below = isinstance(value, dict)
        yield from (f"{name}.{each}" for each in value) if below else (name,)


@pytest.mark.parametrize("options", JOBS, ids=lambda options: f"{options.dialect}-{options.recipe}")
def test_the_page_has_every_key_in_its_order(options: Options) -> None:
    told = {name: [key.path for key in keys] for name, keys in config_docs.subjects()}
    found = {
        name: list(dict.fromkeys(paths(name == "communication", subject)))
        for name, subject in answer(options).items()
    }
    if options.gpus == 1:  # nothing is exchanged
        assert found.pop("communication") == []
        told.pop("communication")
    assert told == found


def test_every_key_has_a_meaning_and_a_measured_one_its_unit() -> None:
    for name, keys in config_docs.subjects():
        for key in keys:
            assert len(key.meaning) > 5, f"{name}.{key.path}"
            assert "|" not in key.meaning, f"{name}.{key.path}"
    units = {key.path: config_docs.unit_of(key.path)
             for _, keys in config_docs.subjects() for key in keys}  # fmt: skip
    measured = ("bytes", "seconds", "hours", "watts", "mhz", "b_per_s", "gib", "mib", "mfu", "flop")
    for path, unit in units.items():
        assert bool(unit) or not any(each in path for each in measured), path


def test_units_agree_with_each_other() -> None:
    """An hour has 3,600 s, a GiB 2^30 bytes, a TFLOP 1e12 FLOPs."""
    said = answer(JOBS[3])
    expected, memory, gpus = said["expected"], said["memory_per_gpu"], said["cluster"]["gpus"]
    assert expected["hours"] == pytest.approx(expected["total_seconds"] / 3600)
    assert expected["gpu_hours"] == pytest.approx(expected["hours"] * gpus)
    assert memory["peak_memory_gib"] == pytest.approx(memory["expected_bytes"] / 2**30, abs=0.001)
    purposes = [size for name, size in memory.items() if name.endswith("_bytes")]
    assert sum(purposes[:-2]) == memory["expected_bytes"]
    rate = expected["tokens_per_second"] * expected["flops_per_token"] / gpus
    assert expected["tflops_per_gpu"] == pytest.approx(rate / 1e12, rel=0.001)
    assert expected["mfu"] * said["cluster"]["gpu"]["bf16_tflop_per_s"] == pytest.approx(
        expected["tflops_per_gpu"]
    )
    steps = expected["step_seconds"] * expected["tokens_per_second"]
    assert steps == pytest.approx(said["batch"]["tokens"])
