"""The table of options: what each value means, and what is said of a wrong one."""

import shlex
from datetime import datetime
from math import fsum, inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsim.catalog import records
from llmsim.dialects import registry
from llmsim.job import recipes
from llmsim.options.command import command
from llmsim.options.given import from_query, parse_options
from llmsim.options.parsing import SECONDS, parse_duration
from llmsim.options.table import OPTIONS, Options, field_of
from llmsim.options.wanted import Wanted
from llmsim.telemetry.kinds import Export

TEXTS = st.text() | st.text("0123456789.dhmins+-eE_ :TZ", max_size=40)
NAMES = st.sampled_from([option.name for option in OPTIONS])


def parsed(name: str, text: str) -> object:
    """The value of one option, which must be right."""
    options, complaints = parse_options([(name, text)], prefix="--")
    assert complaints == []
    (option,) = [option for option in OPTIONS if option.name == name]
    return getattr(options, field_of(option))


def refused(name: str, text: str) -> str:
    """The sentence about one option, which must be wrong and leave the default."""
    options, complaints = parse_options([(name, text)], prefix="--")
    assert options == Options()
    (complaint,) = complaints
    return complaint


RIGHT: list[tuple[str, str, object]] = [
    ("dialect", "auto", "auto"),
    ("dialect", "any", "any"),
    ("dialect", "pytorch", "pytorch"),
    ("recipe", "auto", "auto"),
    ("recipe", "sft", "sft"),
    ("model", "auto", "auto"),
    ("model", "buttgpt-420b", "ButtGPT-420B"),
    ("model", "My-Own-7B", "My-Own-7B"),
    ("dataset", "auto", "auto"),
    ("dataset", "fineweb", "FineWeb"),
    ("gpu", "auto", "auto"),
    ("gpu", "h200", "NVIDIA H200"),
    ("gpus", "1", 1),
    ("gpus", "131072", 131_072),
    ("sequence", "4096", 4096),
    ("batch", "512", 512),
    ("micro-batch", "2", 2),
    ("tp", "4", 4),
    ("pp", "2", 2),
    ("cp", "2", 2),
    ("ep", "8", 8),
    ("sharding", "zero1", "zero1"),
    ("recompute", "full", "full"),
    ("precision", "bf16", "bf16"),
    ("steps", "1000", 1000),
    ("tokens", "20B", 20_000_000_000),
    ("tokens", "1048576", 1_048_576),
    ("lr", "3e-4", 3e-4),
    ("log-every", "10", 10),
    ("release", "v0.2.0", "v0.2.0"),
    ("capture", "rank0", "rank0"),
    ("job", "my job.toml", Wanted(source="my job.toml")),
    ("seed", "0", 0),
    ("seed", "+7", 7),
    ("seed", "18446744073709551615", 2**64 - 1),
    ("start", "2026-01-30", datetime(2026, 1, 30)),
    ("start", "2026-01-30T12:00:00", datetime(2026, 1, 30, 12)),
    ("start", "2026-01-30 12:00:00.5", datetime(2026, 1, 30, 12, 0, 0, 500_000)),
    ("duration", "3m", 180.0),
    ("duration", "2h10min", 7800.0),
    ("duration", "real", inf),
    ("speed-factor", "0.5", 0.5),
    ("speed-factor", "1e3", 1000.0),
    ("speed-factor", "max", inf),
    ("instant-print-lines", "0", 0),
    ("instant-print-lines", "500", 500),
    ("incidents", "none", "none"),
    ("incidents", "chaos", "chaos"),
    ("incident", "gpu-lost@40%", ("gpu-lost@40%",)),
    (
        "incident",
        "cuda-oom@step=3:rank=2,preempt@2h10min",
        ("cuda-oom@step=3:rank=2,preempt@2h10min",),
    ),
    ("incident", "disk-full@checkpoint", ("disk-full@checkpoint",)),
    ("stream", "kernel", "kernel"),
    ("from", "40%", "40%"),
    ("from", "0%", "0%"),
    ("from", "99.5%", "99.5%"),
    ("from", "step=1200", "step=1200"),
    ("from", "1h20m", "1h20m"),
    ("from", "validation", "validation"),
    ("runs", "0", 0),
    ("runs", "3", 3),
    ("exit-after-time", "90", 90.0),
    ("exit-after-time", "1d", 86_400.0),
    ("evaluate", "yes", True),
    ("tidy", "yes", True),
    ("tidy", "", True),
    ("tidy", "0", False),
    ("jokes", "no", False),
    ("jokes", "on", True),
    ("view", "board", "board"),
    ("color", "never", "never"),
    ("theme", "phosphor", "phosphor"),
    ("scene", "ButtGPT", "buttgpt"),
    ("type", "on", True),
    ("inhibit", "on", True),
    ("export", "jsonl=run.jsonl", (Export("jsonl", "run.jsonl"),)),
    ("export", "jsonl=a=b", (Export("jsonl", "a=b"),)),
    ("sample", "1s", 1.0),
    ("quiet", "", True),
    ("list", "models", "models"),
    ("print-config", "", True),
    ("json", "", True),
    ("toml", "", True),
    ("print-completions", "fish", "fish"),
    ("print-manpage", "", True),
]


@pytest.mark.parametrize(("name", "text", "value"), RIGHT)
def test_right_values(name: str, text: str, value: object) -> None:
    assert parsed(name, text) == value


def test_every_option_has_a_field_and_a_right_value_above() -> None:
    # A field cannot have the name of a Python statement.
    fields = ["from_" if o.name == "from" else o.name.replace("-", "_") for o in OPTIONS]
    assert sorted(fields) == sorted(Options._fields)
    assert {name for name, _, _ in RIGHT} == {option.name for option in OPTIONS}


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("gpus", ["7.5", "0", "131073", "-8", "1e3", "eight", "", "٣", "9" * 10_000]),
        ("sequence", ["0", "-1", "4k", "16777217", "1e3", ""]),
        ("batch", ["0", "1048577", "half", ""]),
        ("micro-batch", ["0", "1.5", ""]),
        ("tp", ["0", "eight", ""]),
        ("pp", ["0", "two", ""]),
        ("sharding", ["fsdp", "zero4", "ZeRO1", ""]),
        ("recompute", ["all", "yes", ""]),
        ("steps", ["0", "-5", "100000001", "1e3", ""]),
        ("tokens", ["0", "20X", "1.5", "-1B", "2000T", "0B", ""]),
        ("lr", ["0", "-1e-4", "nan", "inf", "11", "small", ""]),
        ("log-every", ["0", "ten", ""]),
        ("seed", ["-1", "1e99", "18446744073709551616", "0x7", "", "seven", " 7"]),
        ("start", ["yesterday", "2026-13-01", "0001-01-01", "9999-12-31", "12:00", ""]),
        (
            "duration",
            ["0", "0s", "3x", "-3m", "3m ", "m", "", "1e9", "real time", "٣m", "5" * 5000],
        ),
        ("exit-after-time", ["0", "real", "3x", "never", "1.5.2h", "1000000000"]),
        ("speed-factor", ["0", "nan", "abc", "inf", "-1", "-inf", "", "1,5", "0x10", "-0"]),
        ("instant-print-lines", ["-1", "many", "1.0", ""]),
        (
            "from",
            [
                "140%",
                "-1%",
                "nan%",
                "%",
                "4 0%x",
                "step=0",
                "step=1.5",
                "step=",
                "step",
                "steps=3",
                "foo",
                "Validation",
                "0",
                "0s",
                "-3m",
                "",
                "=",
                "٣%",
            ],
        ),
        ("runs", ["-1", "forever", "2.5", ""]),
        ("view", ["grid", "Board", ""]),
        ("incidents", ["all", "Rare", ""]),
        (
            "incident",
            [
                "",
                "gpu",
                "gpu-lost",
                "gpu-lost@",
                "gpu-lost@101%",
                "gpu-lost@nan%",
                "gpu-lost@step=x",
                "gpu-lost@3x",
                "gpu-lost@40%:node=2",
                "burnout@40%",
                "gpu-lost@40%:rank=-1",
                "gpu-lost@export",
            ],
        ),
        ("stream", ["logs", "dmesg", ""]),
        ("color", ["rainbow", "Always", ""]),
        ("dialect", ["", "nosuch"]),
        ("recipe", ["", "nosuch"]),
        ("tidy", ["maybe", "2"]),
        ("jokes", ["maybe", "never"]),
        ("type", ["slowly"]),
        ("inhibit", ["never"]),
        ("list", ["", "nosuch"]),
        ("print-config", ["json"]),
        ("job", ["", "a\nb"]),
        ("json", ["yaml"]),
        ("toml", ["yaml"]),
        ("print-completions", ["", "sh", "powershell"]),
        ("print-manpage", ["man"]),
    ],
)
def test_wrong_values_are_named_with_what_would_be_right(name: str, texts: list[str]) -> None:
    (option,) = [option for option in OPTIONS if option.name == name]
    for text in texts:
        complaint = refused(name, text)
        shown = ascii(text if len(text) <= 60 else text[:57] + "...")
        assert complaint.startswith(f"--{name} cannot be {shown}: give "), complaint
        if name not in ("dialect", "recipe"):
            assert option.expected in complaint


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("list", "model", "(did you mean models?)."),
        ("dialect", "pytroch", "(did you mean pytorch?)."),
        ("color", "alway", "(did you mean always?)."),
        ("model", "ButtGPT", "did you mean 'ButtGPT-420B'?"),
        ("model", "Foo-1K", "--model 'Foo-1K' has 1,000 parameters, but a model has"),
        ("dataset", "fineweb-edo", "did you mean 'FineWeb-Edu'?"),
        ("gpu", "A100", "--gpu 'A100' may be any of NVIDIA A100-SXM4-40GB,"),
        ("gpu", "H2000", "--gpu 'H2000' is not listed; did you mean"),
    ],
)
def test_the_nearest_name_is_suggested(name: str, text: str, sentence: str) -> None:
    assert sentence in refused(name, text)


@pytest.mark.parametrize("text", ["\x1b[31mred\x1b[0m", "\x07", "a\nb", "x" * 10_000, "\udcff"])
def test_what_a_terminal_would_obey_is_escaped_and_what_is_long_is_cut(text: str) -> None:
    for option in OPTIONS:
        complaint = refused(option.name, text)
        assert complaint.isascii()
        assert complaint.isprintable()
        assert complaint.startswith(f"--{option.name} ")
        assert len(complaint) < 400


def test_unknown_options_are_refused_with_the_nearest() -> None:
    _, complaints = parse_options([("modle", "x"), ("\x1b" * 99, "x")], prefix="--")
    assert complaints[0] == "there is no option '--modle': did you mean --model?"
    assert complaints[1].endswith("...': see --help.")
    assert complaints[1].isprintable()


def test_of_a_repeated_name_the_last_counts() -> None:
    assert parse_options([("gpus", "8"), ("gpus", "16")], prefix="--")[0].gpus == 16


# --- the page's URL ----------------------------------------------------------------------------


def test_a_query_is_read_like_flags_and_plays_for_ever() -> None:
    options, complaints = from_query([("seed", "7"), ("speed-factor", "max"), ("gpu", "H200")])
    assert complaints == []
    assert options == Options(seed=7, speed_factor=inf, gpu="NVIDIA H200", runs=0)
    assert from_query([("runs", "2")])[0].runs == 2


def test_a_wrong_query_keeps_what_is_right_and_says_what_a_flag_would_say() -> None:
    pairs = [("speed-factor", "0"), ("model", "nosuch"), ("seed", "7"), ("gpus", "x")]
    options, complaints = from_query(pairs)
    assert options == Options(seed=7, runs=0)
    flags = [text.replace("--list models", MODELS) for text in parse_options(pairs, "--")[1]]
    assert [f"--{complaint}" for complaint in complaints] == flags


MODELS = "the list of models in the settings"


@pytest.mark.parametrize("name", [option.name for option in OPTIONS if option.in_url])
def test_no_sentence_of_the_page_speaks_of_the_command_line(name: str) -> None:
    """Issue 17's F10: who reads it has a form and an address, and no flags."""
    for value in ("", "no such value", "-1", "x@y", "gpu-lost@no such place", "step=x"):
        for sentence in from_query([(name, value)])[1]:
            assert "--" not in sentence, sentence


def test_what_is_no_parameter_of_the_page_is_refused() -> None:
    _, complaints = from_query([("color", "never"), ("list", "gpus"), ("sed", "7")])
    assert complaints == [
        "there is no option 'color'.",
        "there is no option 'list'.",
        "there is no option 'sed': did you mean seed?",
    ]


# --- whatever is typed -------------------------------------------------------------------------


@given(st.lists(st.tuples(NAMES | st.text(), TEXTS), max_size=5))
def test_no_text_raises(pairs: list[tuple[str, str]]) -> None:
    for prefix in ("--", ""):
        _, complaints = parse_options(pairs, prefix)
        assert all(complaint.isascii() and complaint.isprintable() for complaint in complaints)


@given(
    st.lists(
        st.tuples(st.integers(0, 99) | st.decimals(0, 99, places=2), st.sampled_from([*SECONDS])),
        min_size=1,
        max_size=5,
    )
)
def test_durations_are_the_sum_of_their_parts(parts: list[tuple[object, str]]) -> None:
    text = "".join(f"{count}{unit}" for count, unit in parts)
    seconds = fsum(float(str(count)) * SECONDS[unit] for count, unit in parts)
    if seconds:
        assert parse_duration(text) == seconds
    else:
        with pytest.raises(ValueError):  # noqa: PT011  # without a message: the caller knows what to say
            parse_duration(text)


@given(st.integers(1, 10**9 - 1))
def test_every_whole_number_of_seconds_can_be_written_out(seconds: int) -> None:
    days, rest = divmod(seconds, 86_400)
    text = f"{days}d{rest // 3600}h{rest // 60 % 60}min{rest % 60}s"
    assert parse_duration(text) == parse_duration(str(seconds)) == seconds


# --- the command that plays a run again --------------------------------------------------------


def again(options: Options) -> Options:
    """The options that the shell would make of the command."""
    program, *words = shlex.split(command(options))
    assert program == "llmsim"
    pairs = [
        (flag.removeprefix("--"), text) for flag, text in zip(words[::2], words[1::2], strict=True)
    ]
    options, complaints = parse_options(pairs, prefix="--")
    assert complaints == []
    return options


JOBS = st.fixed_dictionaries(
    {
        "dialect": st.sampled_from(["any", "auto", *registry.NAMES]),
        "recipe": st.sampled_from(["auto", *recipes.NAMES]),
        "model": st.sampled_from(["auto", "My-Own-8x7B", *(m.name for m in records.models())]),
        "dataset": st.sampled_from(["auto", *(d.name for d in records.datasets())]),
        "gpu": st.sampled_from(["auto", *(g.name for g in records.gpus())]),
        "gpus": st.none() | st.integers(1, 131_072),
        "seed": st.integers(0, 2**64 - 1),
        "start": st.datetimes(datetime(1970, 1, 1), datetime(9000, 12, 31)),
    }
)


@given(JOBS)
def test_a_command_names_its_job(fields: dict[str, Any]) -> None:
    assert again(Options(**fields)) == Options(**fields)


def test_a_command_says_nothing_of_how_the_run_is_shown() -> None:
    shown = Options(seed=7, speed_factor=inf, color="never", runs=0, instant_print_lines=9)
    assert command(shown) == "llmsim --seed 7"


def test_a_command_is_quoted_for_the_shell() -> None:
    options = Options(gpu="NVIDIA H100 80GB HBM3", seed=7)
    assert command(options) == "llmsim --gpu 'NVIDIA H100 80GB HBM3' --seed 7"
