"""A SPEC: what it says, which runs follow from it, and the sentences that refuse a wrong one."""

from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from llmsim.errors import FLAG, OptionError
from llmsim.fleet.mix import member
from llmsim.fleet.parts import size_of_part
from llmsim.fleet.spec import Spec, digest, parsed, spec_of
from llmsim.planning.plan import plan

SMALLEST = b'runs = 24\nseed = 1\n[export]\nkinds = ["jsonl", "labels"]\n'


def spec(text: str) -> Spec:
    return parsed(text.encode(), "fleet.toml")


def refused(text: str) -> str:
    with pytest.raises(OptionError) as caught:
        spec(text)
    return caught.value.sentence(FLAG)


def test_the_smallest_spec_is_enough() -> None:
    made = parsed(SMALLEST, "fleet.toml")
    assert (made.runs, made.seed, made.kinds) == (24, 1, ("jsonl", "labels"))
    assert made.mix == ()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("runs = 24\nsed = 1", "fleet.toml line 2: there is no key 'sed': did you mean seed?"),
        ("runs = 0", "fleet.toml line 1: runs cannot be 0: give a whole number from 1 to 100"),
        ("seed = 1", "fleet.toml does not say how many runs there are: give runs = 24."),
        ("runs = 1\n\n[export]\nkind = []", "fleet.toml line 4: there is no key 'kind' in [exp"),
        ('runs = 1\n[export]\nkinds = ["jsn"]', 'fleet.toml line 3: kinds cannot be ["jsn"]: '),
        ("runs = 1\nzone = 'Mars/X'", 'fleet.toml line 2: zone cannot be "Mars/X": give a zone'),
        ("runs = 1\n[[mix]]\nweight = -1", "fleet.toml line 3: weight cannot be -1: give a num"),
        ("runs = 1\n[[mix]]\n[[mix]]\nweigth = 1", "fleet.toml line 4: there is no key 'weigth'"),
        ("runs = 1\n[[mix]]\nweight = 0", "fleet.toml line 3: every weight is 0: give one of th"),
        ("runs = 1\n[[mix]]\ngpus = [8, 0]", "fleet.toml line 3: gpus cannot be '0': give a whol"),
        ("runs = 1\n[[mix]]\njob = 'none.toml'", "fleet.toml line 3: none.toml: no such file or"),
        ("runs = 1\n[[mix]]\njob = 'a\u001b'", "fleet.toml line 3 is not TOML: "),
        ('runs = 1\n[[mix]]\njob = "\\u0000"', "fleet.toml line 3: '\\x00': no file can have that"),
        ('runs = 1\n[[mix]]\njob = "\\u001b[1m"', "fleet.toml line 3: '\\x1b[1m': no such file or"),
        ('runs = 1\n[[mix]]\njob = "/"', "fleet.toml line 3: / is not a file: a job is read from"),
        ('runs = 1\n[[mix]]\njob = ".."', "fleet.toml line 3: .. is not a file: a job is read f"),
        ('runs = 1\n[[mix]]\njob = ""', "fleet.toml line 3: job names a file: give a text such"),
        ("runs = 1\n[mix]\nsteps = 3", "fleet.toml line 2: mix is a list of tables: write [["),
        ("runs = 1\n[[export]]\nkinds = 3", "fleet.toml line 2: export is a table: write [export"),
        ("runs = 1\n[[mix]]\nseed = 3", "fleet.toml line 3: seed is the whole fleet's: write it"),
        ("runs = 1\n[[mix]]\nview = 3", "fleet.toml line 3: view cannot stand in [[mix]]: it say"),
        ("runs = 1\n[splits]\ntrain = -0.5", "fleet.toml line 3: train cannot be -0.5: give a s"),
        ("runs = 1\n[splits]\na = 1e308\nb = 1e308", "fleet.toml line 3: a cannot be 1e+308: give"),
        ("runs = 1\n[splits.train]\na = 1", 'fleet.toml line 2: train cannot be {"a": 1}: give a'),
        ("runs = 1\nstart = 9999-12-31T23:59:59", "fleet.toml line 2: start cannot be "),
        (
            "runs = 1\nsample = '0.0001s'",
            'fleet.toml line 2: sample cannot be "0.0001s": give a ti',
        ),
        ("runs = 1\n[cluster]\nnodes = 2\nsample = 0.01", "fleet.toml line 4: sample cannot be 0."),
        ("runs = 1\nruns = 2", "fleet.toml line 2 is not TOML: "),
    ],
)
def test_a_wrong_spec_gets_one_sentence_with_its_line(text: str, sentence: str) -> None:
    said = refused(text)
    assert said.startswith(sentence), said
    assert said.endswith(("?", "."))
    assert "\n" not in said


def test_an_impossible_mix_gets_the_planners_arithmetic_with_the_line() -> None:
    said = refused(
        "runs = 9\n[[mix]]\nweight = 1\n"
        '[[mix]]\nmodel = "ButtGPT-420B"\ngpus = 1\ngpu = "NVIDIA H200"'
    )
    assert said.startswith("fleet.toml line 4: ButtGPT-420B does not fit on 1 x NVIDIA H200"), said


def test_an_incident_after_the_last_step_is_refused_with_the_line() -> None:
    said = refused(
        'runs = 9\n[[mix]]\ngpu = "NVIDIA H200"\nsteps = 100\nincident = "gpu-lost@step=101"'
    )
    assert said == (
        "fleet.toml line 2: there is no step 101 at which gpu-lost could happen: the last step"
        " is 100."
    )


@pytest.mark.parametrize(
    "models", [["Pebble-160M", "ButtGPT-420B"], ["ButtGPT-420B", "Pebble-160M"]]
)
def test_each_value_of_a_choice_must_be_possible(models: list[str]) -> None:
    many = ", ".join(f"{steps}" for steps in range(100, 140))
    for more in ("", f"steps = [{many}]\nlr = [1e-4, 2e-4]\n"):
        text = f'runs = 9\n[[mix]]\nmodel = {models}\ngpus = 1\ngpu = "NVIDIA H200"\n{more}'
        said = refused(text)
        assert said.startswith("fleet.toml line 2: ButtGPT-420B does not fit on 1 x"), said


def test_comments_and_order_make_no_other_fleet_and_values_do(tmp_path: Path) -> None:
    one, other = tmp_path / "a.toml", tmp_path / "b.toml"
    one.write_text("runs = 3\nseed = 5\n", encoding="utf-8")
    other.write_text("# ours\nseed = 5\nruns = 3\n", encoding="utf-8")
    assert digest(spec_of(str(one))) == digest(spec_of(str(other)))
    assert digest(spec("runs = 3\nseed = 6")) != digest(spec("runs = 3\nseed = 5"))


def test_weights_are_the_shares_of_the_runs() -> None:
    made = spec(
        "runs = 2000\n[[mix]]\nweight = 3\nsteps = 300\n[[mix]]\nsteps = 300\n[[mix]]\nweight = 0"
    )
    counts = Counter(member(made, number).share for number in range(made.runs))
    # A binomial draw of 2,000 at 3/4 has a standard deviation of 19.4: six of them either way.
    assert abs(counts[0] - 1500) < 117, counts
    assert counts[2] == 0


def test_a_list_of_values_is_a_choice() -> None:
    made = spec("runs = 60\n[[mix]]\ngpus = [8, 16]\nsteps = 300")
    assert {plan(member(made, n).options).layout.gpus for n in range(60)} == {8, 16}


def test_more_runs_change_none_of_the_first() -> None:
    few, many = spec("runs = 10\nseed = 3"), spec("runs = 500\nseed = 3")
    for number in range(10):
        assert member(few, number) == member(many, number), f"run {number}"


def test_splits_are_by_run_and_have_their_shares() -> None:
    made = spec("runs = 2000\n[splits]\ntrain = 8\nheld_out = 2")
    counts = Counter(member(made, number).split for number in range(made.runs))
    assert set(counts) == {"train", "held_out"}
    assert abs(counts["held_out"] - 400) < 108, counts  # six deviations of 17.9


def test_runs_start_within_the_span() -> None:
    made = spec('runs = 300\nstart = 2026-03-01T00:00:00\nspan = "2d"')
    starts = [member(made, number).start for number in range(300)]
    assert min(starts) >= datetime(2026, 3, 1)
    assert max(starts) < datetime(2026, 3, 3)


def test_a_part_is_a_hundred_to_a_thousand_runs_of_a_large_fleet() -> None:
    assert size_of_part(parsed(SMALLEST, "fleet.toml")) == 3
    large = spec('runs = 100000\n[export]\nkinds = ["jsonl"]')
    assert size_of_part(large) == 1000


def test_a_job_file_is_taken_and_flags_win_over_it(tmp_path: Path) -> None:
    job = tmp_path / "job.toml"
    job.write_text("[schedule]\nsteps = 700\n[cluster]\ngpus = 8\n", encoding="utf-8")
    made = spec(f'runs = 4\n[[mix]]\njob = "{job}"\ngpus = 16')
    planned = plan(member(made, 2).options)
    assert (planned.schedule.steps, planned.layout.gpus) == (700, 16)
    assert planned.seed == member(made, 2).seed


def test_runs_of_few_steps_share_a_part_so_that_its_files_are_not_small() -> None:
    """A file of 64 MB has some 800,000 rows of steps; readers take such a size fastest."""
    text = 'runs = 100_000\nseed = 1\n[export]\nkinds = ["parquet"]\n[[mix]]\n'
    few, many = (
        size_of_part(
            parsed(f"{text}gpus = 8\nlog-every = 1\nsteps = {steps}\n".encode(), "fleet.toml")
        )
        for steps in (300, 2000)
    )
    assert few == pytest.approx(900_000 / 300, abs=1)
    assert many <= 1000
