"""The maxtext dialect against MaxText's own formats, and its text against itself."""

import ast
import re
from datetime import datetime
from itertools import chain
from statistics import median

import pytest

from llmsim.catalog import records
from llmsim.dialects.maxtext import lines as maxtext
from llmsim.dialects.maxtext.processes import placed
from llmsim.job.milestones import checkpoints
from llmsim.job.records import batch_tokens, gpus_per_node
from llmsim.run import events
from tests.dialects.transcripts import Log, log, unmatched
from tests.runs import job_of

F3 = r"\d+\.\d{3}"
STEP = (
    rf"completed step: (?P<step>\d+), seconds: (?P<seconds>{F3}), "
    rf"TFLOP/s/device: (?P<tflops>{F3}), Tokens/s/device: (?P<tokens>{F3}), "
    rf"total_weights: (?P<weights>\d+), loss: (?P<loss>{F3})"
)
EVAL = (
    rf"eval metrics after step: (?P<step>\d+), loss=(?P<loss>{F3}), "
    r"total_weights=(?P<weights>\d+)(?:\.0)?"
)
PARAM = r"Config param (?P<name>\w+): (?P<value>.*)"
DEVICES = r"Num_devices: (?P<devices>\d+), shape \((?P<shape>\d+(?:, \d+){11})\)"
MEMORY = (
    r"Total memory size: (?P<total>\d+\.\d) GB, Output size: (?P<output>\d+\.\d) GB, "
    r"Temp size: (?P<temp>\d+\.\d) GB, Argument size: (?P<argument>\d+\.\d) GB, "
    r"Host temp size: 0\.0 GB\."
)
USING = (
    r"\tUsing \(GB\) (?P<used>\d+\.\d{1,2}) / (?P<limit>\d+\.\d{1,2}) "
    r"\((?P<share>\d+\.\d{6})%\) on TPU_(?P<device>\d+)\(process=\d+,\(\d+,\d+,\d+,\d+\)\)"
)
TFLOPS = r" Total TFLOPs: (?P<tflops>\d+\.\d\d) "
SPLIT = (
    r" split as (?P<weights>\d+\.\d\d)% learnable weight flops "
    r"and (?P<attention>\d+\.\d\d)% attention flops"
)
ORBAX = (
    r"I(?P<stamp>\d{4} \d\d:\d\d:\d\d\.\d{6}) \d+ "
    r"(?:(?:async_)?checkpointer|checkpoint_manager)\.py:\d+\] "
)
PATH = r"gs://[\w/.-]+/checkpoints/(?P<saved>\d+)"
PATTERNS = (
    STEP,
    EVAL,
    r"Completed eval step \d+",
    PARAM,
    r"Updating keys from (?:env and command line|model): \['.*'\]",
    r"Running Model: [\w.-]+",
    r"Updating following parameters in config",
    r"",
    r"[a-z_]+: .+",
    r"Attempting to initialize the jax distributed system\.\.\.",
    r"Jax distributed system initialized!",
    r"System Information: Jax(?:lib)? Version: \d+\.\d+\.\d+(?:\.dev\d{8})?",
    r"System Information: Jax Backend: PJRT C API",
    r"TFRT TPU ?v?\d\w*(?: lite)?",
    DEVICES,
    MEMORY,
    r"number parameters: (?P<billions>\d+\.\d{3}) billion",
    r"Memstats: After params initialized:",
    USING,
    r"Per train step:",
    TFLOPS,
    SPLIT,
    r"To see full metrics 'tensorboard --logdir=gs://[\w/-]+/tensorboard/'",
    rf"{ORBAX}.+",
    r"Not using emergency checkpoint, ignoring .+",
    r"dataset_type set to tfds, will use .+",
    r"Creating checkpoint manager with ocdbt=True and zarr3=True",
    r"Checkpoint manager created!",
    r"checkpoint manager exists so trying to load this run's existing checkpoint",
    r"No existing checkpoints found, not restoring checkpoint\.",
    r"restoring from this run's directory step \d+",
    r"Waiting for step \d+ to finish before checkpoint\.\.\.",
    r"Waited [\d.e-]+ seconds for step \d+ to finish before starting checkpointing\.",
    r"Started an asynchronous checkpoint save for step \d+",
    r"Saved a checkpoint at step \d+\.",
)

# A v5p-8 of 2025, and recipes of Llama 3.1 405B on v5p-1024 and of Mixtral 8x7B on v6e-256.
REAL = """\
Updating keys from env and command line: ['run_name', 'model_name', 'steps', 'max_target_length']
Running Model: deepseek2-16b
Updating following parameters in config

base_emb_dim: 2048
Config param opt_type: adamw
Config param per_device_batch_size: 24.0
System Information: Jax Version: 0.7.2.dev20250826
System Information: Jaxlib Version: 0.7.2.dev20250826
System Information: Jax Backend: PJRT C API
TFRT TPU v5
Num_devices: 4, shape (1, 1, 4, 1, 1, 1, 1, 1, 1, 1, 1, 1)
Total memory size: 100.4 GB, Output size: 44.5 GB, Temp size: 55.9 GB, Argument size: 44.5 GB, \
Host temp size: 0.0 GB.
number parameters: 15.933 billion
Memstats: After params initialized:
\tUsing (GB) 44.63 / 95.74 (46.615835%) on TPU_0(process=0,(0,0,0,0))
Per train step:
 Total TFLOPs: 764.67 \n split as 94.54% learnable weight flops and 5.46% attention flops
completed step: 0, seconds: 44.923, TFLOP/s/device: 17.022, Tokens/s/device: 1094.129, \
total_weights: 196608, loss: 12.038
completed step: 2, seconds: 5.658, TFLOP/s/device: 135.158, Tokens/s/device: 8687.815, \
total_weights: 196608, loss: 11.689
completed step: 10, seconds: 131.474, TFLOP/s/device: 314.530, Tokens/s/device: 124.618, \
total_weights: 8388608, loss: 4.453
completed step: 10, seconds: 13.360, TFLOP/s/device: 305.127, Tokens/s/device: 3679.158, \
total_weights: 12582912, loss: 10.565
"""


def told_by(seed: int) -> Log:
    return log("maxtext", seed)


def parameters(told: Log) -> dict[str, str]:
    """The configuration that the log begins with."""
    return {match["name"]: match["value"] for match in told.found(PARAM)}


@pytest.mark.parametrize("seed", range(20))
def test_every_line_is_one_of_the_frameworks(seed: int) -> None:
    assert unmatched(told_by(seed).lines, PATTERNS) == []


def test_the_real_lines_are_matched_too() -> None:
    assert unmatched(REAL.splitlines(), PATTERNS) == []


@pytest.mark.parametrize("seed", range(50))
def test_steps_agree_with_each_other(seed: int) -> None:
    told = told_by(seed)
    (total,), (mesh,) = told.found(TFLOPS), told.found(DEVICES)
    devices, config = int(mesh["devices"]), parameters(told)
    steps = told.found(STEP)
    assert [int(match["step"]) for match in steps] == [
        *range(told.job.schedule.first_step - 1, int(config["steps"]))
    ]
    batch = int(config["global_batch_size_to_train_on"]) * int(config["max_target_length"])
    for match in steps:
        seconds = float(match["seconds"])
        off = 0.0006 / seconds + 1e-6  # the seconds are rounded to milliseconds
        assert int(match["weights"]) == batch
        tokens, tflops = batch / devices / seconds, float(total["tflops"]) / seconds
        assert float(match["tokens"]) == pytest.approx(tokens, abs=6e-4 + off * tokens)
        rough = 0.006 / float(total["tflops"])
        assert float(match["tflops"]) == pytest.approx(tflops, abs=6e-4 + (off + rough) * tflops)


@pytest.mark.parametrize("seed", range(50))
def test_the_configuration_agrees_with_itself(seed: int) -> None:
    told = told_by(seed)
    config = parameters(told)
    assert list(config) == sorted(config)
    (mesh,), (split,) = told.found(DEVICES), told.found(SPLIT)
    sizes = [int(size) for size in mesh["shape"].split(", ")]
    names = ast.literal_eval(config["mesh_axes"])
    keys = ["pipeline" if name == "stage" else name for name in names]
    product = 1
    for name, size in zip(keys, sizes, strict=True):
        assert int(config[f"ici_{name}_parallelism"]) == size
        product *= size
    assert product == int(mesh["devices"])
    each = float(config["per_device_batch_size"]) * int(config["gradient_accumulation_steps"])
    assert each * product == int(config["global_batch_size_to_train_on"])
    assert float(split["weights"]) + float(split["attention"]) == pytest.approx(100, abs=0.011)
    (typed,) = (line for line in told.lines if line.startswith("Updating keys from env"))
    assert set(ast.literal_eval(typed.partition(": ")[2])) <= set(config)


@pytest.mark.parametrize("seed", range(50))
def test_memory_adds_up(seed: int) -> None:
    told = told_by(seed)
    (plan,) = told.found(MEMORY)
    total, output, temp, argument = (
        float(plan[name]) for name in ("total", "output", "temp", "argument")
    )
    assert output == argument
    assert total == pytest.approx(argument + temp, abs=0.11)
    uses = told.found(USING)
    assert [int(match["device"]) for match in uses] == [*range(len(uses))]
    for match in uses:
        used, limit = float(match["used"]), float(match["limit"])
        assert used == pytest.approx(argument, abs=0.056)
        assert match["share"] == f"{100 * used / limit:.6f}"
        assert total < limit


@pytest.mark.parametrize("seed", range(50))
def test_evaluations_and_saves_come_when_the_configuration_says(seed: int) -> None:
    told = told_by(seed)
    config = parameters(told)
    every, steps = int(config["eval_interval"]), int(config["steps"])
    evaluated = told.found(EVAL)
    told_after = [int(match["step"]) + 1 for match in evaluated]
    begun = told.job.schedule.first_step - 1  # steps count from 0
    # None is due only because it is the last.
    assert told_after == [step for step in range(every, steps + 1, every) if step > begun]
    batches = told.found(r"Completed eval step (?P<step>\d+)")
    assert len(batches) == len(evaluated) * int(config["eval_steps"])
    saved = told.found(rf"{ORBAX}(?:Finished blocking|Finished synchronous).* \S+/(?P<at>\d+)\.?")
    assert len(saved) == checkpoints(told.job)
    # checkpointing.py: `step % checkpoint_period == 0`, and the last one on completion.
    period = int(config["checkpoint_period"])
    due = [*range(0, steps - 1, period), steps - 1]
    assert [int(match["at"]) for match in saved] == [step for step in due if step >= begun]


@pytest.mark.parametrize("steps", [None, 300])
@pytest.mark.parametrize("seed", range(50))
def test_steps_are_timed_as_they_are_handed_out(seed: int, steps: int | None) -> None:
    """train.py measures the time between two dispatches, which do not wait for the devices.

    The loop only waits for a save, for an evaluation, and for the metrics of the step before.
    So step 0 is the compilation, and the second after a pause takes no time; where nothing pauses
    after step 0, that is step 1: 44.923, 0.319, 5.658, 5.402, 5.669 s in the guide's log.
    """
    told = log("maxtext", seed, steps=steps)
    config = parameters(told)
    period, every = int(config["checkpoint_period"]), int(config["eval_interval"])
    times = [float(match["seconds"]) for match in told.found(STEP)]
    usual, begun = median(times), told.job.schedule.first_step - 1

    def pauses(index: int) -> bool:
        step = begun + index
        return step % period == 0 or (step + 1) % every == 0

    assert times[0] > 5
    if pauses(0):
        assert times[1] > 0.9 * usual  # the step itself, and the save after step 0
    else:
        assert times[1] < min(0.45, 0.11 * usual)
    for step in range(2, len(times)):
        if pauses(step - 2) and not pauses(step - 1):
            assert times[step] < min(0.45, 0.11 * usual)
        elif pauses(step - 1):
            assert times[step] > (0.9 if pauses(step - 2) else 1.8) * usual
        else:
            assert times[step] > 0.5 * usual


@pytest.mark.parametrize("seed", range(50))
def test_saves_are_as_far_apart_as_the_steps_between_them(seed: int) -> None:
    """The times of steps end when a step is handed out; then a save waits for it, and saves."""
    told = told_by(seed)
    times = {int(match["step"]): float(match["seconds"]) for match in told.found(STEP)}
    usual, last = median(times.values()), max(times)
    before, ready = None, 0.0
    for line in told.lines:
        if match := re.match(r"Waited ([\d.e-]+) seconds for step", line):
            ready = float(match[1])
        elif match := re.fullmatch(
            rf"{ORBAX}Finished (?:blocking|synchronous) save.*? (?P<took>\d+\.\d+) ?s.*"
            r"/(?P<at>\d+)\.?",
            line,
        ):
            now = datetime.strptime(f"2026{match['stamp']}", "%Y%m%d %H:%M:%S.%f")
            at, after = int(match["at"]), ready + float(match["took"])
            if before is not None and at != last:  # the last one waits for an evaluation, too
                handed = sum(times[step] for step in range(before[1] + 1, at + 1))
                passed = (now - before[0]).total_seconds()
                assert passed == pytest.approx(handed + after - before[2], abs=0.3 * usual + 0.1)
            before = now, at, after


@pytest.mark.parametrize("seed", range(50))
def test_the_line_of_a_step_comes_after_the_pauses_of_the_next(seed: int) -> None:
    """buffer_and_write_train_metrics: step n is written when n + 1 is handed out, saved, evaluated.

    A public log (MaxText issue 1434) has completed step 48, then the save of step 50.
    """
    latest = -1
    for line in told_by(seed).lines:
        if match := re.fullmatch(STEP, line):
            latest = int(match["step"])
        elif match := re.match(r"Waiting for step (\d+) to finish", line):
            assert latest in (int(match[1]) - 2, int(match[1]) - 1), (seed, line)
        elif match := re.match(r"eval metrics after step: (\d+),", line):
            assert latest == int(match[1]) - 2, (seed, line)


# Of src/MaxText/configs/base.yml at v0.1.0, which has 384 keys, hf_access_token not shown; pyconfig
# derives 19 more.
KEYS_OF_THE_FILE, DERIVED = 384, 19


@pytest.mark.parametrize("seed", range(10))
def test_the_whole_configuration_is_there(seed: int) -> None:
    config = parameters(told_by(seed))
    assert len(config) == KEYS_OF_THE_FILE - 1 + DERIVED
    assert config["logical_axis_rules"].startswith("(('activation_batch', ('data', 'fsdp'")
    assert len(ast.literal_eval(config["logical_axis_rules"])) == 69
    assert config["decoder_block"] in ("DecoderBlockType.LLAMA2", "DecoderBlockType.MIXTRAL")


@pytest.mark.parametrize("gpu", ["TPU v4", "TPU v5p", "TPU v6e", "TPU v7x"])
def test_tpus_are_for_maxtext_alone(gpu: str) -> None:
    job = job_of(1, gpu=gpu, recipe="pretrain")
    assert (job.framework.name, job.gpu) == ("maxtext", records.gpu_named(gpu))


# --- all hosts -----------------------------------------------------------------------------------

NUMBERS = re.compile(r"0x[\da-f]+|\d+(?:\.\d+)?(?:e-\d+)?")
GUARDED = ("To see full metrics", "Finished async_save")


@pytest.mark.parametrize("gpus", [16, 48])
def test_every_host_prints_what_the_first_one_does(gpus: int) -> None:
    """JAX has a process on each host; two statements are guarded by its number (metric_logger.py:
    167, async_checkpointer.py:420), and the others say it themselves."""
    told = log("maxtext", 5, capture="all", gpus=gpus)
    job, alone = told.job, log("maxtext", 5, gpus=gpus)
    hosts: dict[int, list[str]] = {host: [] for host in range(job.layout.nodes)}
    for line in told.lines:
        number, _, text = line.lstrip().partition(": ")
        hosts[int(number)].append(text)
    assert hosts[0] == [*alone.lines]
    (typed,) = (at for at, line in enumerate(hosts[0]) if line.startswith("Updating keys from env"))
    first = [line for line in hosts[0][typed:] if not any(words in line for words in GUARDED)]
    for host in range(1, job.layout.nodes):
        assert [NUMBERS.sub("#", line) for line in hosts[host]] == [
            NUMBERS.sub("#", line) for line in first
        ]
        assert {match for line in hosts[host] for match in re.findall(r"process=(\d+)", line)} == {
            str(host)
        }
    timed = [
        [
            (float(seconds), float(tokens))
            for line in lines
            for seconds, tokens in re.findall(r"completed step.* (\S+), TF.*e: (\S+), tot", line)
        ]
        for lines in hosts.values()
    ]
    assert len({tuple(each) for each in timed}) == len(hosts)
    work = batch_tokens(job) / job.layout.gpus
    for seconds, tokens in chain.from_iterable(timed):
        assert tokens * (seconds - 0.00051) <= work <= tokens * (seconds + 0.00051)
    text = "\n".join(told.lines)
    devices = re.findall(r"on TPU_(\d+)\(process=(\d+),\((\d+,\d+,\d+,\d+)\)\)", text)
    assert sorted(int(device) for device, _, _ in devices) == [*range(job.layout.gpus)]
    assert len({place for _, _, place in devices}) == job.layout.gpus
    assert all(int(device) // gpus_per_node(job) == int(host) for device, host, _ in devices)


@pytest.mark.parametrize(("chips", "sides"), [(8, "2x2x2"), (16, "2x2x4"), (32, "2x4x4"),
                                              (64, "4x4x4"), (128, "4x4x8")])  # fmt: skip
def test_a_slice_has_the_sides_of_googles_table(chips: int, sides: str) -> None:
    """Cloud TPU, TPU v4: topologies of slices."""
    job = job_of(5, dialect="maxtext", gpu="TPU v4", gpus=chips)
    places = [
        [int(number) for number in placed(job, device).split("(")[2].split(",")[:3]]
        for device in range(chips)
    ]
    longest = [1 + max(place[side] for place in places) for side in range(3)]
    assert "x".join(map(str, longest)) == sides


def test_the_table_of_events_is_whole() -> None:
    assert set(maxtext.LINES) >= {events.Step, events.Validated, events.ModelSharded}
